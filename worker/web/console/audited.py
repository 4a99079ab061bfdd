"""Who did what, for administrators: the newest first, a page at a time."""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from worker.core.viewer import Role, Viewer
from worker.store.console import audit as reads
from worker.web.console import cursor
from worker.web.console.shell import ConsolePage, Shell
from worker.web.console.visit import Visit


def pages(shell: Shell) -> list[ConsolePage]:
    """The addresses."""

    def look(visit: Visit) -> Response:
        """The page."""
        if not may_read(visit):
            raise HTTPException(403)
        after = cursor.read(visit.query.get("after", ""), dated=False)
        with shell.reading() as conn:
            found = reads.listing(conn, _mine(visit), None if after is None else int(after[1]))
        onward = cursor.written(found.after)
        more = None if onward is None else f"{visit.base}/settings/audit?after={onward}"
        return shell.page(visit, "audit", rows=found.rows, more=more, further=after is not None)

    return [ConsolePage("GET", "/settings/audit", look)]


def may_read(visit: Visit) -> bool:
    """Is he the administrator of anything?"""
    mine = _mine(visit)
    return mine is None or bool(mine.books)


def _mine(visit: Visit) -> Viewer | None:
    """At the books that he administers; ``None``: he may see everything."""
    if visit.own.user.role is Role.ADMIN:
        return None
    roles = {k: v for k, v in visit.viewer.roles.items() if v is Role.ADMIN}
    return Viewer(visit.viewer.name, roles)
