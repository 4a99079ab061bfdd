"""A copy of an SQLite database that is whole, made while others write."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from worker.errors import ConfigError, UnreachableError
from worker.paths import private_file


def back_up(engine: Engine, copy: Path) -> None:
    """Copy the database into the new file ``copy``, for its owner alone. Raises ``ConfigError`` for
    PostgreSQL, which has better tools, and for a file that is there already."""
    if engine.dialect.name != "sqlite":
        raise ConfigError(
            "This command copies SQLite files.",
            "PostgreSQL: pg_dump --format=custom, or continuous archiving (docs/deployment.md).",
        )
    if copy.exists():
        raise ConfigError(f"{copy} is there already.", "Name a new file.")
    raw = engine.raw_connection()
    source: Any = raw.driver_connection
    try:
        # All pages in one go: readers of a write-ahead log keep nobody waiting, and see one state.
        with closing(sqlite3.connect(private_file(copy))) as target:
            source.backup(target)
    except (sqlite3.Error, OSError) as error:
        copy.unlink(missing_ok=True)
        raise UnreachableError(
            f"The copy {copy} could not be written: {error}", "Is there room, and a folder?"
        ) from None
    finally:
        raw.close()
