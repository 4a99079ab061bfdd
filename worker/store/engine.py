"""One engine a process, and the two ways to use it: to read, and to write."""

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from worker.errors import ConfigError, UnreachableError
from worker.paths import private_file, private_folder
from worker.store.committed import telling, undoable
from worker.store.postgresql import TCP, StatementTimeouts, watch_over
from worker.store.sqlite_writer import DURABLE, PATIENCE, take_turns

_READ = "vigencia_read"
# Seconds between two tries for a file that somebody else is setting up.
_TURN = 0.01
# What PostgreSQL says for the server, a role, or a database; the slots are those of superusers.
_NO_CONNECTION_LEFT = ("too many clients", "connection slots are reserved", "too many connections")


def open_engine(
    url: str,
    *,
    password: str | None = None,
    pool_size: int = 8,
    bounds: StatementTimeouts | None = None,
    make_folder: bool = True,
) -> Engine:
    """An engine for ``url`` (``sqlite:///path`` or ``postgresql://…``); connects on first use.
    ``password``: of PostgreSQL, where the address has none.
    ``bounds``: how long PostgreSQL may take, for a process that serves. ``make_folder``: make the
    folder of an SQLite file.

    Raises ``ConfigError`` for an address that is none.
    """
    _require_escaped(url)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # a port that is no number
        raise ConfigError(
            "DATABASE_URL is not a database address",
            "Write sqlite:///var/vigencia.db or postgresql://user:password@host/database.",
        ) from None
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed, pool_size, make_folder)
    if parsed.drivername != "postgresql+psycopg":
        raise ConfigError(
            f"DATABASE_URL: {parsed.drivername} is not supported",
            "Use sqlite:///path or postgresql://user:password@host/database.",
        )
    if password and not parsed.password:
        parsed = parsed.set(password=password)
    # A server may close idle connections: pre_ping costs a round trip on checkout, not a lost job.
    engine = create_engine(
        parsed,
        pool_size=pool_size,
        pool_pre_ping=True,
        hide_parameters=True,  # parameters are numbers and addresses: never in an error text
        # The name is what pg_stat_activity shows, unless the address has one.
        connect_args={
            **{name: value for name, value in TCP.items() if name not in parsed.query},
            "fallback_application_name": "vigencia",
        },
    )
    watch_over(engine, bounds)
    return engine


def _require_escaped(url: str) -> None:
    """Raise ``ConfigError`` if a password may have been taken for a host or a database, which
    error texts show: a bare @ or / in it moves the ends of both."""
    scheme, _, rest = url.partition("://")
    host, rest = re.match(r"([^/?#]*)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
    if not scheme.startswith("sqlite") and (host.count("@") > 1 or "@" in rest):
        raise ConfigError(
            "DATABASE_URL holds a character in its user, password or database that ends them",
            "Write @ as %40, / as %2F, ? as %3F and # as %23 there.",
        )


def _open_sqlite(url: Any, pool_size: int, make_folder: bool) -> Engine:
    if make_folder and url.database and not url.database.startswith((":", "file:")):
        folder = Path(url.database).parent
        try:
            _make_private(folder, Path(url.database))
        except OSError as error:
            raise UnreachableError(
                f"The database's folder {folder} cannot be made: {error.strerror}.",
                "Set DATABASE_URL to a place that can be written to.",
            ) from None
    engine = create_engine(
        url, pool_size=pool_size, hide_parameters=True, connect_args={"timeout": PATIENCE}
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        _write_ahead(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")

    take_turns(engine, _READ)
    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Of several that open a new file at once SQLite lets one set it to write ahead and tells the
    others that it is locked, without the patience that it has for everything else."""
    give_up = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(_TURN)


def _make_private(folder: Path, file: Path) -> None:
    """What is made here is for its owner alone: it holds names, numbers and addresses. SQLite gives
    the files beside it the rights of the database. What is there already keeps its rights."""
    private_folder(folder)
    private_file(file)


@contextmanager
def writing(engine: Engine, *, durable: bool = False) -> Iterator[Connection]:
    """A transaction that may write; committed at the end, rolled back on any exception.
    ``durable``: what others are told afterwards must not be forgotten with a power cut. What
    ``after_commit`` keeps is told after the commit, and never after a rollback."""
    options = {DURABLE: durable, _READ: False}
    with telling(), _translated(engine), engine.connect() as plain:
        connection = plain.execution_options(**options)
        with connection.begin():
            yield connection


@contextmanager
def savepoint(conn: Connection) -> Iterator[None]:
    """A part of a transaction that is rolled back by itself on any exception, with what
    ``after_commit`` keeps of it."""
    with undoable(), conn.begin_nested():
        yield


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads, and on SQLite waits for no writer."""
    with _translated(engine), engine.connect() as plain:
        connection = plain.execution_options(**{_READ: True})
        with connection.begin():
            yield connection


@contextmanager
def _translated(engine: Engine) -> Iterator[None]:
    """A database that is away becomes a message for a person, without its address's password."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        if isinstance(error, DBAPIError) and "no such table" in str(error.orig):
            raise not_migrated() from error
        where = engine.url.render_as_string(hide_password=True)
        raise UnreachableError(
            f"The database {where} does not answer: {_first_line(error)}", _advice(error)
        ) from error
    except PoolTimeout as error:
        raise UnreachableError(
            "The database has kept all connections of this process busy for too long.",
            "Is something in it slow or locked (pg_stat_activity)? Try again; nothing was lost.",
        ) from error
    except DBAPIError as error:
        if type(error.orig).__name__ == "UndefinedTable":
            raise not_migrated() from error
        if (refusal := _refusal(error)) is None:
            raise
        if refusal is _READ_ONLY:
            engine.dispose()  # after a failover the other connections lead to the wrong server too
        raise UnreachableError(*refusal) from error


# What is neither a bug of ours nor a server that is away: by SQLSTATE, or SQLite's own words.
_READ_ONLY = (
    "The database takes no changes: it is read-only.",
    "Is this a standby, or has the server failed over (SHOW default_transaction_read_only)? Lead "
    "DATABASE_URL to the primary; this goes on by itself once it can write, nothing was lost.",
)
_NO_RIGHT = (
    "The database refuses a right that is needed.",
    "GRANT SELECT, INSERT, UPDATE, DELETE on all tables, and USAGE on all sequences, to the role "
    "in DATABASE_URL, and CREATE on the schema public to the one of `db upgrade`; this goes on by "
    "itself then, nothing was lost.",
)
_MALFORMED = (
    "The SQLite file is damaged, or is no database.",
    "Stop everything and restore the last backup: docs/deployment.md, Backups. A -wal file that "
    "is not of the same copy does that too.",
)
_INTERRUPTED = (
    "The database has ended a transaction that took too long.",
    "Is something in it slow or locked (pg_stat_activity)? Try again; nothing was lost.",
)
_STATES = {
    "25006": _READ_ONLY,
    "42501": _NO_RIGHT,
    "25P03": _INTERRUPTED,
    "25P04": _INTERRUPTED,
    "40001": _INTERRUPTED,
}


def _refusal(error: DBAPIError) -> tuple[str, str] | None:
    """What happened and what to do, where it is the database's own state that stands against us."""
    if isinstance(error.orig, sqlite3.DatabaseError):
        words = str(error.orig)
        damaged = "malformed" in words or "not a database" in words
        return _MALFORMED if damaged else None
    return _STATES.get(str(getattr(error.orig, "sqlstate", "")))


def not_migrated() -> ConfigError:
    """The database has no tables, or those of another version."""
    return ConfigError(
        "The database does not have this version's tables.", "Run: vigencia db upgrade"
    )


def _advice(error: DBAPIError) -> str:
    """What to do about the commonest reasons."""
    reason = str(error.orig)
    if any(words in reason for words in _NO_CONNECTION_LEFT):
        return (
            "All connections of the PostgreSQL server are taken: raise max_connections, or stop "
            "what holds them (pg_stat_activity). This goes on by itself once some are free; "
            "nothing was lost."
        )
    if "is full" in reason or "No space left" in reason:
        return "Make room on the database's disk, then try again; nothing was lost."
    if "statement timeout" in reason or "lock timeout" in reason:
        return (
            "It took longer than database.statement_seconds or lock_seconds allow: is something "
            "slow or locked (pg_stat_activity)? Try again; nothing was lost."
        )
    if "readonly" in reason:
        return (
            _READ_ONLY[1]
            if "transaction" in reason
            else (
                "The database's file or folder cannot be written to: give its owner's rights back, "
                "then try again; nothing was lost."
            )
        )
    if "is locked" in reason or "deadlock" in reason:
        return "Another process was writing for long: try again; nothing was lost."
    return "Check DATABASE_URL and that the server runs, then try again; nothing was lost."


def _first_line(error: DBAPIError) -> str:
    return (str(error.orig).strip().splitlines() or ["no reason given"])[0]
