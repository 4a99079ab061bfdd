"""The account of a day, notice by notice."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection

from worker.core.cards import Audience
from worker.core.promise import Class
from worker.core.viewer import Viewer
from worker.store import promise
from worker.store.console.pages import PAGE, Key, PageOf, cut
from worker.store.tables import reminders
from worker.store.verdicts import Judge, cause, destination, of_states, states_of, written_out


@dataclass(frozen=True, slots=True)
class NoticeFilters:
    """Which notices are wanted, with one of ``verdicts`` (or any); ``channel`` is sms, email or
    guardian; ``reason`` one of the sums (``Tally.reason``): of a notice that waits it is the state
    of its message."""

    verdicts: tuple[Class, ...] = ()
    window: str | None = None
    channel: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """A notice with its verdict. ``late_seconds``: from being owed to being taken by a provider."""

    id: int
    card_id: int
    book: str
    operator: str
    msisdn: str | None
    iccid: str | None
    holder_id: int
    deadline: str
    deadline_on: date
    window: str
    channel: str
    owed_at: datetime
    due_at: datetime
    useful_until: datetime
    state: str
    verdict: str
    reason: str
    message_id: int | None
    sent_at: datetime | None
    late_seconds: float | None


def listing(
    conn: Connection,
    viewer: Viewer,
    judge: Judge,
    since: datetime,
    until: datetime,
    filters: NoticeFilters,
    after: Key | None = None,
    size: int = PAGE,
) -> PageOf[NoticeRow]:
    """The notices due in [since, until), by the instant they were due."""
    if not viewer.books:
        return PageOf(())
    own = judge.verdict().label("verdict"), cause().label("cause")
    key = (datetime.fromisoformat(str(after[0])), int(after[1])) if after else None
    found = promise.page(
        conn, since, until, viewer.books, key, size + 1, columns=own, which=_wanted(judge, filters)
    )
    return cut([_shown(row) for row in found], lambda row: (row.due_at.isoformat(), row.id), size)


def _wanted(judge: Judge, filters: NoticeFilters) -> list[ColumnElement[bool]]:
    which: list[ColumnElement[bool]] = []
    if filters.verdicts:
        # The states as well: of those that were missed or held back there is an index.
        states = {state for one in filters.verdicts for state in states_of(one)}
        which.append(of_states(sorted(states)))
        which.append(judge.verdict().in_([written_out(one) for one in filters.verdicts]))
        if filters.verdicts == (Class.UNREACHED,):
            which.append(reminders.c.audience == written_out(Audience.HOLDER))
    if filters.window is not None:
        which.append(reminders.c.window == filters.window)
    if filters.channel is not None:
        which.append(destination() == filters.channel)
    if filters.reason is not None:
        which.append(cause() == filters.reason)
    return which


def _shown(row: Any) -> NoticeRow:
    told = row.verdict in (Class.ON_TIME, Class.LATE)
    owed_at = row.owed_at or row.due_at
    late = max(0.0, (row.sent_at - owed_at).total_seconds()) if told else None
    names = (
        *("id", "card_id", "book", "operator", "msisdn", "iccid", "holder_id", "deadline"),
        *("deadline_on", "window", "due_at", "useful_until", "state", "message_id", "verdict"),
    )
    return NoticeRow(
        **{name: getattr(row, name) for name in names},
        channel=Audience.GUARDIAN.value if row.audience == Audience.GUARDIAN else row.channel,
        owed_at=owed_at,
        reason=row.cause,
        sent_at=row.sent_at if told else None,
        late_seconds=late,
    )
