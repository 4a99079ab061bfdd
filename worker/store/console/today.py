"""What the first page shows: alarms, the sums of a day, what comes, and who is in danger."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, func, select

from worker.core.viewer import Viewer
from worker.store.bulk import among
from worker.store.console.cards import CardFilters, ListedCard, listing, rows
from worker.store.console.pages import PAGE
from worker.store.console.unreached import unreached
from worker.store.tables import alarms, books, outlook, tallies, tally_days

# Of alarms no more are shown: who has more needs no list.
_MOST_ALARMS: Final = 50
NO_BOOK: Final = 0


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """An alarm, open or over. ``kind`` is its cause as logs and mails have it; ``book`` is ``None``
    of one that belongs to no book; ``number``: of what there were so many at ``last_at``."""

    id: int
    kind: str
    subject: str
    book_id: int | None
    book: str | None
    number: int
    started_at: datetime
    last_at: datetime
    ended_at: datetime | None
    seen_by: str | None
    seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class TallyRow:
    """So many ``notices`` of a day that are alike; ``within_…``: how many of them a provider took
    within so many seconds, ``slowest``: seconds, rounded up."""

    channel: str
    verdict: str
    state: str
    window: str
    reason: str
    notices: int
    within_5: int
    within_60: int
    within_300: int
    within_3600: int
    slowest: int


@dataclass(frozen=True, slots=True)
class DayAccount:
    """The sums of a day as they were at ``made_at``; ``None``: nobody has made them yet."""

    day: date
    begins_at: datetime | None
    ends_at: datetime | None
    made_at: datetime | None
    tallies: Sequence[TallyRow]

    def notices(self, *verdicts: str) -> int:
        """How many have one of ``verdicts``; all without any."""
        wanted = (one for one in self.tallies if not verdicts or one.verdict in verdicts)
        return sum(one.notices for one in wanted)

    def because(self, reason: str) -> int:
        """How many have this reason, or wait in a message in this state (``held``)."""
        return sum(one.notices for one in self.tallies if one.reason == reason)


@dataclass(frozen=True, slots=True)
class DayOfDeadlines:
    """How many cards lose the same on one day."""

    on_day: date
    deadline: str
    cards: int


def open_alarms(conn: Connection, viewer: Viewer) -> list[AlarmRow]:
    """What asks for somebody now, the newest first: of his books, and of none."""
    return _alarms(conn, viewer, alarms.c.ended_at.is_(None))


def past_alarms(conn: Connection, viewer: Viewer, since: datetime) -> list[AlarmRow]:
    """What asked for somebody and has ended after ``since``, the newest first."""
    return _alarms(conn, viewer, alarms.c.ended_at > since)


def _alarms(conn: Connection, viewer: Viewer, which: Any) -> list[AlarmRow]:
    columns = [alarms.c[name] for name in AlarmRow.__dataclass_fields__ if name != "book"]
    query: Select[Any] = (
        select(*columns, books.c.name.label("book"))
        .outerjoin(books, books.c.id == alarms.c.book_id)
        .where(which, among(conn, alarms.c.book_id, (NO_BOOK, *viewer.books)))
        .order_by(alarms.c.started_at.desc(), alarms.c.id.desc())
        .limit(_MOST_ALARMS)
    )
    return [_alarm(row) for row in conn.execute(query)]


def _alarm(row: Row[Any]) -> AlarmRow:
    return AlarmRow(**{**row._mapping, "book_id": row.book_id or None})


def day(conn: Connection, viewer: Viewer, on: date) -> DayAccount:
    """The sums of the day ``on``, as days are counted for the account (``book.time_zone``)."""
    made = conn.execute(select(tally_days).where(tally_days.c.day == on)).one_or_none()
    key = [tallies.c[name] for name in ("channel", "verdict", "state", "window", "reason")]
    sums = ("notices", "within_5", "within_60", "within_300", "within_3600")
    found = conn.execute(
        select(
            *key,
            *(func.sum(tallies.c[name]).label(name) for name in sums),
            func.max(tallies.c.slowest).label("slowest"),
        )
        .where(tallies.c.day == on, among(conn, tallies.c.book_id, viewer.books))
        .group_by(*key)
        .order_by(*key)
    )
    rows = tuple(TallyRow(**row._mapping) for row in found)
    if made is None:
        return DayAccount(on, None, None, None, rows)
    return DayAccount(on, made.begins_at, made.ends_at, made.made_at, rows)


def next_days(conn: Connection, viewer: Viewer, first: date, last: date) -> list[DayOfDeadlines]:
    """How many cards lose what on each day from ``first`` to ``last``, in order of the days."""
    key = (outlook.c.on_day, outlook.c.deadline)
    found = conn.execute(
        select(*key, func.count().label("cards"))
        .where(
            among(conn, outlook.c.book_id, viewer.books),
            outlook.c.on_day >= first,
            outlook.c.on_day <= last,
        )
        .group_by(*key)
        .order_by(*key)
    )
    return [DayOfDeadlines(**row._mapping) for row in found]


def in_danger(
    conn: Connection, viewer: Viewer, today: date, limit: int = 20
) -> Sequence[ListedCard]:
    """The cards whose next deadline comes first."""
    found = listing(conn, viewer, CardFilters(), today, size=limit).rows
    return [one for one in found if one.deadline]


def nobody_reached(
    conn: Connection, viewer: Viewer, today: date, limit: int = PAGE
) -> Sequence[ListedCard]:
    """Cards of whose present deadline no notice has reached the holder."""
    found = unreached(conn, viewer, today, None, limit)
    return rows(conn, [card for _, card in found], today)
