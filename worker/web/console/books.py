"""Which of the books somebody looks at: all of his, or the one in the address."""

from starlette.exceptions import HTTPException

from worker.core.viewer import Viewer
from worker.web.console.visit import Visit


def one_book(visit: Visit) -> tuple[Viewer, int | None]:
    """Who looks, at that book only, and its number. A book that is not his is none."""
    wanted = visit.query.get("book", "")
    if not wanted:
        return visit.viewer, None
    book_id = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 18 else 0
    if book_id not in visit.viewer.roles:
        raise HTTPException(404)
    return visit.viewer.only(book_id), book_id
