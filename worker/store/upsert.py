"""INSERTs that say what happens to a row that is there already."""

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(dialect: str, table: Table) -> postgresql.Insert:
    """An INSERT into ``table`` with ``on_conflict_do_…``, for which SQLite has the same words as
    PostgreSQL; ``dialect`` is the name of the one that is asked."""
    own: Any = postgresql if dialect == "postgresql" else sqlite
    found: postgresql.Insert = own.insert(table)
    return found
