"""The list of cards: where is the one I am asked about?"""

from typing import Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.responses import Response

from worker.core.cards import CardState, Kind
from worker.store.accounts.users import books_named
from worker.store.console import cards as reads
from worker.store.console.cards import CardFilters
from worker.web.console import cursor
from worker.web.console.books import one_book
from worker.web.console.shell import ConsolePage, Shell
from worker.web.console.visit import Visit

_WITHIN: Final = ("7", "30", "90")
_LONGEST: Final = 100


def pages(shell: Shell) -> list[ConsolePage]:
    """The addresses."""

    def look(visit: Visit) -> Response:
        """Cards by their next deadline, or those that fit what was typed."""
        today, sought = shell.book_day(visit.now), visit.query.get("q", "").strip()[:_LONGEST]
        viewer, book = one_book(visit)
        filters = _filters(visit, set(shell.operators))
        after = cursor.read(visit.query.get("after", ""), dated=not sought)
        with shell.reading() as conn:
            if sought:
                found = reads.search(conn, viewer, sought, today, after)
            else:
                found = reads.listing(conn, viewer, filters, today, after)
            books = books_named(conn, visit.viewer)
        onward = cursor.written(found.after)
        return shell.page(
            visit,
            "cards_found" if visit.part else "cards",
            cards=found.rows,
            more=None if onward is None else _address(visit, onward),
            sought=sought,
            filters=filters,
            filtered=filters != CardFilters(),
            further=after is not None,
            kinds=[kind.value for kind in Kind],
            states=[state.value for state in CardState],
            within=_WITHIN,
            books=books,
            book=book,
            card_day=today,
        )

    return [ConsolePage("GET", "/cards", look)]


def _filters(visit: Visit, operators: set[str]) -> CardFilters:
    """The filters in the address; what is none of ours is as if nothing were there."""
    asked = visit.query.get
    within = asked("within", "")
    return CardFilters(
        operator=_one_of(asked("operator", ""), operators),
        kind=_one_of(asked("kind", ""), {kind.value for kind in Kind}),
        state=_one_of(asked("state", ""), {state.value for state in CardState}),
        within=int(within) if within in _WITHIN else None,
        paused=asked("paused") == "1",
        unreached=asked("unreached") == "1",
    )


def _one_of(wanted: str, known: set[str]) -> str | None:
    if wanted and wanted not in known:
        raise HTTPException(404)
    return wanted or None


def _address(visit: Visit, onward: str) -> str:
    """The next page of the same list."""
    kept = {k: v for k, v in visit.query.items() if v and k != "after"}
    return f"{visit.base}/cards?{urlencode({**kept, 'after': onward})}"
