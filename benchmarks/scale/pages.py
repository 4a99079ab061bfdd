"""What pages of the console read: for who looks at all books, at a large one, at a small one."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection

from benchmarks.scale.fill import BOOKS
from benchmarks.scale.shapes import MORNING, TODAY
from worker.core.promise import BROKEN, Class
from worker.core.viewer import Role, Viewer
from worker.monitoring.promise import Promise
from worker.setup.app import App
from worker.store.console import card, cards, messages, notices, today
from worker.store.console.cards import CardFilters
from worker.store.console.notices import NoticeFilters
from worker.store.verdicts import Judge

Read = Callable[[Connection], object]

_VIEWERS = {
    "all books": Viewer("all", dict.fromkeys(range(1, BOOKS + 1), Role.ADMIN)),
    "a large book": Viewer("large", {1: Role.VIEWER}),
    "a small book": Viewer("small", {17: Role.VIEWER}),
}
_LATER = ((TODAY + timedelta(days=9)).isoformat(), 1)
_DAY = (MORNING - timedelta(hours=9), MORNING + timedelta(hours=15))


def pages(app: App) -> dict[str, Read]:
    """Every read by its name, for each of three viewers."""
    judge = Promise(app.engine, app.rules, app.unchecked).judge(MORNING)
    found: dict[str, Read] = {}
    for who, viewer in _VIEWERS.items():
        found |= {f"{name}, {who}": read for name, read in _of(viewer, judge).items()}
    return found


def _of(viewer: Viewer, judge: Judge) -> dict[str, Read]:
    def listed(filters: CardFilters, after: tuple[str, int] | None, conn: Connection) -> object:
        return cards.listing(conn, viewer, filters, TODAY, after)

    def told(filters: NoticeFilters, conn: Connection) -> object:
        return notices.listing(conn, viewer, judge, *_DAY, filters)

    return {
        "alarms": lambda c: today.open_alarms(c, viewer),
        "sums of a day": lambda c: today.day(c, viewer, TODAY),
        "next days": lambda c: today.next_days(c, viewer, TODAY, TODAY + timedelta(days=30)),
        "nobody reached": lambda c: today.nobody_reached(c, viewer, TODAY),
        "cards": partial(listed, CardFilters(), None),
        "cards, further on": partial(listed, CardFilters(), _LATER),
        "cards of an operator": partial(listed, CardFilters(operator="claro"), None),
        "closed cards": partial(listed, CardFilters(state="closed"), None),
        "paused cards": partial(listed, CardFilters(paused=True), None),
        "search by digits": lambda c: cards.search(c, viewer, "1234", TODAY),
        "search by a name": lambda c: cards.search(c, viewer, "holder 1234", TODAY),
        "a card": lambda c: card.show(c, viewer, 1234),
        "open messages": lambda c: messages.open_(c, viewer),
        "lost messages": lambda c: messages.open_(c, viewer, None, messages.LOST),
        "ended messages": lambda c: messages.ended(c, viewer),
        "a message": lambda c: messages.show(c, viewer, 1000),
        "notices": partial(told, NoticeFilters()),
        "missed notices": partial(told, NoticeFilters(verdicts=(Class.MISSED,))),
        "notices that break the promise": partial(told, NoticeFilters(verdicts=BROKEN)),
    }
