"""The first page: is anything wrong, and what is to be done this week?"""

from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from worker.core.deadlines import GRAVITY, DeadlineKind
from worker.core.promise import BROKEN, Class
from worker.core.viewer import Role, Viewer
from worker.store import alarms as alarm_store
from worker.store import saves
from worker.store.accounts.users import books_named
from worker.store.console import today as reads
from worker.store.console.cards import CardFilters, listing
from worker.store.engine import writing
from worker.web.console import chart
from worker.web.console.alarm_texts import OTHER, TEXTS
from worker.web.console.books import one_book
from worker.web.console.catalogs import catalog
from worker.web.console.sample import import_sample
from worker.web.console.shell import ConsolePage, Shell
from worker.web.console.verdicts import LATE, OWED
from worker.web.console.visit import Visit

_DAYS: Final = 30
_WEEK: Final = 7
_IN_DANGER: Final = 20


def pages(shell: Shell) -> list[ConsolePage]:
    """The addresses."""
    own = TodayPages(shell)
    return [
        ConsolePage("GET", "/", own.look),
        ConsolePage("POST", "/alarms/{alarm_id:int}/seen", own.see),
        ConsolePage("POST", "/sample", own.take_sample),
    ]


class TodayPages:
    """Answers for them."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def look(self, visit: Visit) -> Response:
        """The page, or the part of it that is asked for again and again."""
        today = self._shell.book_day(visit.now)
        with self._shell.reading() as conn:
            viewer, book = one_book(visit)
            values = self._standing(conn, visit, viewer, today)
            if visit.part:
                return self._shell.page(visit, "today_standing", **values)
            found = reads.next_days(conn, viewer, today, today + timedelta(days=_DAYS - 1))
            first = listing(conn, viewer, CardFilters(), today, size=_IN_DANGER).rows
            unreached = reads.nobody_reached(conn, viewer, today)
            kept = saves.number(conn, viewer, self._month(today))
            books = books_named(conn, visit.viewer)
        return self._shell.page(
            visit,
            "today",
            **values,
            bars=chart.bars(found, today, _DAYS),
            kinds=[k for k in GRAVITY if any(one.deadline == k for one in found)],
            lost=_lost(found, today),
            in_danger=[card for card in first if card.deadline],
            empty=not first,
            unreached=len(unreached),
            kept=kept,
            books=books,
            book=book,
            may_import=self._may_import(visit),
        )

    def _standing(
        self, conn: Connection, visit: Visit, viewer: Viewer, today: date
    ) -> dict[str, Any]:
        say = catalog(visit.tongue)
        acting = visit.viewer.acting(Role.OPERATOR).books
        told = []
        for alarm in reads.open_alarms(conn, viewer):
            text = TEXTS.get(alarm.kind, OTHER)
            said = say.ngettext(*text.said, alarm.number) % {"num": alarm.number}
            may_see = alarm.book_id in acting if alarm.book_id is not None else bool(acting)
            told.append((alarm, said, say.gettext(text.advice), may_see))
        day = reads.day(conn, viewer, today)
        return {
            "alarms": told,
            "counted": day.made_at,
            "tiles": {
                "owed": day.notices(*OWED),
                "on_time": day.notices(Class.ON_TIME),
                "late": day.notices(*LATE),
                "held": day.because("held"),
                "unknown": day.because("unknown"),
                "missed": day.notices(*BROKEN),
            },
            "card_day": today,
            "book_query": f"?book={visit.query['book']}" if visit.query.get("book") else "",
            "book_too": f"&book={visit.query['book']}" if visit.query.get("book") else "",
        }

    def see(self, visit: Visit) -> Response:
        """Somebody has seen an alarm; it stays until it has ended."""
        acting = visit.viewer.acting(Role.OPERATOR)
        if not acting.books:
            raise HTTPException(403)
        with writing(self._shell.app.engine) as conn:
            if not alarm_store.see(conn, acting, visit.ids["alarm_id"], visit.now):
                raise HTTPException(404)
        return visit.go("/")

    def take_sample(self, visit: Visit) -> Response:
        """Import the cards that come with the program, to look at what it does."""
        if not self._may_import(visit):
            raise HTTPException(403)
        if not self._shell.app.gateways.sandboxed:
            raise HTTPException(409)
        import_sample(self._shell.app, visit.doer(), visit.now)
        return visit.go("/")

    def _month(self, today: date) -> datetime:
        """When the month of ``today`` began where its days are counted."""
        zone = ZoneInfo(self._shell.app.settings.book.time_zone)
        return datetime.combine(today.replace(day=1), time(), zone)

    def _may_import(self, visit: Visit) -> bool:
        return visit.own.user.role in (Role.OPERATOR, Role.ADMIN)


def _lost(found: list[reads.DayOfDeadlines], today: date) -> int:
    """How many cards lose their number this week."""
    soon = today + timedelta(days=_WEEK)
    lost = (one for one in found if one.deadline == DeadlineKind.LINE_LOSS and one.on_day < soon)
    return sum(one.cards for one in lost)
