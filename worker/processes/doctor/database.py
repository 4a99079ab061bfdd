"""What `vigencia doctor` says of the database. It makes no file, no folder and no table."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from worker.processes.doctor.findings import CheckResult
from worker.setup.app import App
from worker.store.engine import reading
from worker.store.migrate import head, require_known, revision
from worker.store.tables import metadata

_READ_ONLY = text(
    "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on'"
)
# Bytes: a morning of a large book, and its journal.
LEAST_FREE: Final = 50_000_000
_RIGHTS = "SELECT, INSERT, UPDATE, DELETE"


def is_missing(app: App) -> bool:
    """Is the database an SQLite file that nobody has made yet? To connect would make it."""
    path = _file(app)
    return path is not None and not path.exists()


def database(app: App) -> Iterator[CheckResult]:
    """Its address, its revision, and whether it can be written to."""
    where = app.engine.url.render_as_string(hide_password=True)
    if is_missing(app):
        yield _not_made(app, where)
        return
    with reading(app.engine) as conn:
        found = revision(conn)
        require_known(found)
        problem = _rights(conn, made=found is not None)
    if problem is None:
        problem = _read_only(_file(app))
    if problem is not None:
        yield CheckResult("database", "error", f"{where}: {problem[0]}", problem[1])
    elif found == head():
        yield CheckResult("database", "ok", f"{where}, revision {found}")
    elif found is None and app.engine.dialect.name == "sqlite":
        yield CheckResult("database", "ok", f"{where}, empty: prepared on first use")
    else:
        message = f"{where} answers, but its tables are not this version's (found {found})"
        yield CheckResult("database", "error", message, "vigencia db upgrade")


def _file(app: App) -> Path | None:
    name = app.engine.url.database
    if app.engine.dialect.name != "sqlite" or not name or name.startswith((":", "file:")):
        return None
    return Path(name)


def _not_made(app: App, where: str) -> CheckResult:
    path = _file(app)
    there = path.absolute().parent if path else Path()
    while not there.exists():
        there = there.parent
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        hint = "set DATABASE_URL to a place that can be written to"
        return CheckResult("database", "error", f"{where} cannot be made in {there}", hint)
    return CheckResult("database", "ok", f"{where}, not there yet: made on first use")


def _read_only(path: Path | None) -> tuple[str, str] | None:
    if path is None:
        return None
    folder = path.absolute().parent
    if not (os.access(path, os.W_OK) and os.access(folder, os.W_OK)):
        hint = f"give this user the right to write {path} and its folder"
        return "it cannot be written to", hint
    if (left := shutil.disk_usage(folder).free) < LEAST_FREE:
        hint = "make room: without it nothing is checked or sent"
        return f"its disk is full ({left // 1_000_000} MB are left)", hint
    return None


def _rights(conn: Connection, *, made: bool) -> tuple[str, str] | None:
    """What a role of PostgreSQL lacks, and the statement that gives it."""
    if conn.dialect.name != "postgresql":
        return None
    if conn.execute(_READ_ONLY).scalar():
        return "it is read-only", "set DATABASE_URL to the primary server"
    role, schema = conn.execute(text("SELECT current_user, current_schema()")).one()
    if not made:
        can = text("SELECT has_schema_privilege(current_user, current_schema(), 'CREATE')")
        if schema is None or not conn.execute(can).scalar():
            return (
                f"the role {role} may not make tables in the schema public",
                f"as the owner: GRANT USAGE, CREATE ON SCHEMA public TO {role}",
            )
        return None
    lacking = [table.name for table in metadata.sorted_tables if not _may(conn, table.name)]
    if lacking:
        return (
            f"the role {role} may not read and write {', '.join(lacking[:3])}",
            f"as the owner: GRANT {_RIGHTS} ON ALL TABLES IN SCHEMA public TO {role}",
        )
    dry = [table.name for table in metadata.sorted_tables if not _may_count(conn, table.name)]
    if dry:
        return (
            f"the role {role} may not draw numbers for {', '.join(dry[:3])}",
            f"as the owner: GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}",
        )
    return None


def _may_count(conn: Connection, table: str) -> bool:
    """May the role draw the number of a new row of ``table``, if its rows have numbers?"""
    asked = text(
        "SELECT bool_and(has_sequence_privilege(pg_get_serial_sequence(:name, attname), 'USAGE')) "
        "FROM pg_attribute WHERE attrelid = to_regclass(:name) AND attname = 'id'"
    )
    return conn.execute(asked, {"name": table}).scalar() is not False


def _may(conn: Connection, table: str) -> bool:
    """May the role do all that the program does with ``table``? One that is not there is another
    matter."""
    asked = text(
        "SELECT to_regclass(:name) IS NULL OR "
        "bool_and(has_table_privilege(to_regclass(:name), wanted)) "
        "FROM unnest(string_to_array(:rights, ', ')) AS wanted"
    )
    return bool(conn.execute(asked, {"name": table, "rights": _RIGHTS}).scalar())
