"""Bring a database to this version's schema, or say where it stands. Alembic is imported late."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect

from worker.errors import ConfigError
from worker.paths import private_file
from worker.store.engine import not_migrated, reading, writing

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK_KEY = 0x7669_6765  # "vige": one migration at a time on PostgreSQL


def upgrade(engine: Engine) -> tuple[str | None, str]:
    """Migrate to the newest revision in one transaction; returns the revisions (before, after)."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with _one_at_a_time(engine), writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})")
        before = revision(connection)
        require_known(before)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        after = revision(connection)
    return before, str(after)


def revision(connection: Connection) -> str | None:
    """The schema revision of the database, ``None`` for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def head() -> str:
    """The revision this version of the program needs, read from the names of the files."""
    return _revisions()[-1]


def require_known(found: str | None) -> None:
    """Raise ``ConfigError`` for a database that a newer program has changed."""
    if found is not None and found not in _revisions():
        raise ConfigError(
            "The database does not have this version's tables: it is newer than this program "
            f"(revision {found}, this program knows {head()}).",
            "Run the newer version of Vigencia again, or restore the backup from before its first "
            "start; `vigencia db upgrade` goes forward only.",
        )


def _revisions() -> list[str]:
    names = sorted(path.stem for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))
    return [name.split("_")[0] for name in names]


def require_current(engine: Engine) -> bool:
    """Raise ``ConfigError`` unless the schema is this version's; whether the database was empty.

    An empty SQLite file is migrated on the spot, since nobody has data in it to protect.
    """
    with reading(engine) as connection:
        found = revision(connection)
    if found == head():
        return False
    require_known(found)
    if found is None and engine.dialect.name == "sqlite":
        upgrade(engine)
        return True
    raise not_migrated()


@contextmanager
def _one_at_a_time(engine: Engine) -> Iterator[None]:
    """Two commands that meet an empty SQLite file must not both create its tables."""
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not path or path == ":memory:":
        yield
        return
    with private_file(Path(f"{path}.lock")).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
