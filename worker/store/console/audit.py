"""What people did, the newest first: of the books that somebody administers, or of all."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select, select

from worker.core.viewer import Viewer
from worker.store.bulk import among
from worker.store.console.pages import PAGE, Mine, PageOf, cut, first_of_books
from worker.store.tables import audit, books


def listing(
    conn: Connection, viewer: Viewer | None, before: int | None = None, size: int = PAGE
) -> PageOf[Mapping[str, Any]]:
    """A page of it. ``viewer``: of his books only, ``None`` for all that was done; ``before``: what
    is older than this row."""
    which = [] if before is None else [audit.c.id < before]
    if viewer is None:
        newest = select(audit.c.id).where(*which).order_by(audit.c.id.desc()).limit(size + 1)
        ids = list(conn.execute(newest).scalars())
    else:

        def query(mine: Mine) -> Select[Any]:
            return select(audit.c.id).where(mine(audit.c.book_id), *which)

        found = first_of_books(conn, viewer, query, ("id",), size + 1, newest=True)
        ids = [row.id for row in found]
    page = cut(ids, lambda id_: ("", id_), size)
    rows = conn.execute(
        select(audit, books.c.name.label("book"))
        .outerjoin(books, books.c.id == audit.c.book_id)
        .where(among(conn, audit.c.id, page.rows))
        .order_by(audit.c.id.desc())
    )
    return PageOf([dict(row) for row in rows.mappings()], page.after)
