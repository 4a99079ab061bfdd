"""The list of messages: those that ask for somebody first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from worker.core.reminders import MessageState
from worker.core.viewer import Viewer
from worker.store.accounts.users import books_named
from worker.store.console import messages as reads
from worker.store.console.pages import PageOf
from worker.web.console import cursor
from worker.web.console.books import one_book
from worker.web.console.catalogs import marked as _
from worker.web.console.message_words import standing
from worker.web.console.shell import ConsolePage, Shell
from worker.web.console.visit import Visit

# So many of those that were lost, and of those that ended, stand below the ones that are open.
_BELOW: Final = 10
# What can be looked at alone, and what it is called.
VIEWS: Final[Mapping[str, str]] = {
    "": _("Ask for somebody"),
    "waiting": _("Wait"),
    "lost": _("Did not arrive"),
    "ended": _("Ended"),
}
_ALONE: Final = tuple(state.value for state in (*reads.TROUBLED, *reads.LOST))


@dataclass(frozen=True, slots=True)
class ListedMessage:
    """A message with what is said of it, and when it is next looked at."""

    row: Mapping[str, Any]
    said: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class ListPart:
    """A list with its heading, and where it goes on."""

    heading: str
    messages: Sequence[ListedMessage]
    more: str | None


def pages(shell: Shell) -> list[ConsolePage]:
    """The addresses."""
    return [ConsolePage("GET", "/messages", MessagesPage(shell).look)]


class MessagesPage:
    """Answers for it."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def look(self, visit: Visit) -> Response:
        """One list, or the open ones with the first of the others below them."""
        view = visit.query.get("state", "")
        if view not in VIEWS and view not in _ALONE:
            raise HTTPException(404)
        viewer, book = one_book(visit)
        with self._shell.reading() as conn:
            parts = [self._part(conn, visit, viewer, view)]
            if not view and not visit.query.get("after"):
                parts += [self._below(conn, visit, viewer, one) for one in ("lost", "ended")]
            books = books_named(conn, visit.viewer)
        return self._shell.page(
            visit,
            "messages",
            lists=[parts[0], *(part for part in parts[1:] if part.messages)],
            view=view,
            views={name: self._shell.say(visit, text) for name, text in VIEWS.items()},
            alone=view in _ALONE,
            further=bool(visit.query.get("after")),
            books=books,
            book=book,
            book_query=f"&book={book}" if book else "",
        )

    def _part(self, conn: Connection, visit: Visit, viewer: Viewer, view: str) -> ListPart:
        text = visit.query.get("after", "")
        after = cursor.read_timed(text) if view == "waiting" else cursor.read_number(text)
        if view == "waiting":
            page = reads.waiting(conn, viewer, after)
        elif view == "ended":
            page = reads.ended(conn, viewer, after)
        else:
            page = reads.open_(conn, viewer, after, _states(view))
        onward = cursor.written(page.after)
        return ListPart("", self._said(visit, page), onward and _address(visit, onward))

    def _below(self, conn: Connection, visit: Visit, viewer: Viewer, view: str) -> ListPart:
        read = {
            "lost": lambda: reads.open_(conn, viewer, None, reads.LOST, _BELOW),
            "ended": lambda: reads.ended(conn, viewer, None, _BELOW),
        }
        page = read[view]()
        kept = {k: v for k, v in visit.query.items() if v and k == "book"}
        more = f"{visit.base}/messages?{urlencode({**kept, 'state': view})}"
        heading = self._shell.say(visit, VIEWS[view])
        return ListPart(heading, self._said(visit, page), more if page.after else None)

    def _said(self, visit: Visit, page: PageOf[dict[str, Any]]) -> list[ListedMessage]:
        hours = self._shell.app.rules.hours
        found = []
        for row in page.rows:
            said, until = standing(row, visit.now, hours)
            found.append(ListedMessage(row, self._shell.say(visit, said), until))
        return found


def _states(view: str) -> Sequence[MessageState]:
    if view in _ALONE:
        return (MessageState(view),)
    return reads.LOST if view == "lost" else reads.TROUBLED


def _address(visit: Visit, onward: str) -> str:
    kept = {k: v for k, v in visit.query.items() if v and k != "after"}
    return f"{visit.base}/messages?{urlencode({**kept, 'after': onward})}"
