"""The database of the measurements."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.stage.postgresql import postgresql

# The designs of a connection for each thread need more than the usual hundred.
_CONNECTIONS = "400"


@contextmanager
def postgresql_for_many(directory: Path) -> Iterator[str]:
    """The address of a PostgreSQL with fsync on; TEST_DATABASE_URL names one that runs."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    with postgresql(directory / "pg") as server:
        server.set({"max_connections": _CONNECTIONS})
        server.restart()
        yield server.url
