"""PostgreSQL connections that notice when nobody answers any more.

A server that loses its power, a network that is cut, a box in between that forgets a connection:
none of them says so, and a program without bounds waits for ever. Keepalives and the user timeout
of TCP (www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS) show a peer that is
gone. Behind a proxy, which acknowledges everything, only an answer that does not come shows it.
"""

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import Dialect
from sqlalchemy.pool import ConnectionPoolEntry

# Seconds. How long one may wait for a connection, and for a sign of life of one that was idle.
_CONNECT: Final = 5
_PING: Final = 3.0
# How much longer than the server's own bound an answer is waited for.
_GRACE: Final = 10.0

TCP: Final = {
    "connect_timeout": _CONNECT,
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds
}


@dataclass(frozen=True, slots=True)
class StatementTimeouts:
    """Seconds that a statement may take, wait for a lock, and that a transaction may lie idle: the
    server ends what takes longer. For processes that serve; a command may take as long as it
    needs."""

    statement: float = 60
    lock: float = 30
    idle: float = 600


def limit_statements(conn: Connection, seconds: float) -> None:
    """Let the server end what takes longer than ``seconds`` in this transaction; SQLite has no such
    bound."""
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql(f"SET LOCAL statement_timeout = {round(seconds * 1000)}")


class _Connection(psycopg.Connection[Any]):
    """Waits for an answer no longer than ``patience`` seconds; after that it is closed, and a pool
    makes a new one."""

    patience: float | None = None

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        if self.patience is None:
            return super().wait(gen, *args, **kwargs)
        try:
            return super().wait(_bounded(gen, self.patience), *args, **kwargs)
        except _SilentError as error:
            self.pgconn.finish()
            raise psycopg.OperationalError(str(error)) from None


class _SilentError(Exception):
    """The server has not answered in time."""


def _bounded(gen: Generator[Any, Any, Any], seconds: float) -> Generator[Any, Any, Any]:
    """``gen`` of psycopg, which is sent what the connection is ready for, and nothing every tenth
    of a second while it is not."""
    give_up = time.monotonic() + seconds
    try:
        state = next(gen)
        while True:
            ready = yield state
            if not ready and time.monotonic() >= give_up:
                raise _SilentError(f"no answer in {seconds:.0f} seconds")
            state = gen.send(ready)
    except StopIteration as end:
        return end.value


def watch_over(engine: Engine, bounds: StatementTimeouts | None) -> None:
    """Let the connections of ``engine`` notice silence; with ``bounds`` in every statement, without
    before the first one only."""
    patience = None if bounds is None else bounds.statement + _GRACE

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: Dialect, _record: Any, cargs: Any, cparams: Any) -> Any:
        connection = _Connection.connect(*cargs, **cparams)
        connection.patience = patience
        return connection

    @event.listens_for(engine, "connect")
    def _bound(connection: _Connection, _record: ConnectionPoolEntry) -> None:
        if bounds is None:
            return
        told = {
            "statement_timeout": bounds.statement,
            "lock_timeout": bounds.lock,
            "idle_in_transaction_session_timeout": bounds.idle,
        }
        with connection.cursor() as cursor:
            for name, seconds in told.items():
                cursor.execute("SELECT set_config(%s, %s, false)", (name, f"{seconds * 1000:.0f}"))
        connection.commit()

    ping = engine.dialect.do_ping

    def _ping(connection: Any) -> bool:
        """What lay idle in the pool is asked for a sign of life, which must come soon."""
        own = connection.patience
        connection.patience = _PING
        try:
            return ping(connection)
        finally:
            connection.patience = own

    engine.dialect.do_ping = _ping  # type: ignore[assignment, method-assign]
