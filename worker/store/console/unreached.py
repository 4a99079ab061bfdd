"""Cards whose holders no notice about the present deadline has reached, over any channel."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, func, literal, select, tuple_

from worker.core.cards import Audience
from worker.core.reminders import ReminderState
from worker.core.viewer import Viewer
from worker.store.bulk import among
from worker.store.console.pages import Key
from worker.store.tables import cards, outlook, reminders
from worker.store.verdicts import of_states, written_out

# How long a notice that came to nothing is told of.
SPAN: Final = timedelta(days=30)
# Their keeper has wished it, or the holder is told in another notice.
_NO_LOSS: Final = (
    *("paused", "sample_book", "channel_off", "cancelled_by_keeper"),
    *("one_sms_a_day", "next_window_opens_first"),
)
_HELD_BACK: Final = (ReminderState.SUPPRESSED, ReminderState.MISSED)
_REACHES: Final = (ReminderState.PENDING, ReminderState.SENT, ReminderState.DELIVERED)


def unreached(
    conn: Connection,
    viewer: Viewer,
    today: date,
    after: Key | None,
    size: int,
    which: Sequence[ColumnElement[bool]] = (),
) -> Sequence[tuple[date, int]]:
    """(day of the deadline, card) of up to ``size`` cards, the earliest first. Reads the notices
    of 30 days that were held back from holders or missed, by an index of these alone; ``which``
    is asked of ``cards``."""
    if not viewer.books:
        return []
    since = datetime.combine(today, time(), UTC) - SPAN
    present = (
        outlook.c.card_id == reminders.c.card_id,
        outlook.c.deadline == reminders.c.deadline,
        outlook.c.on_day == reminders.c.deadline_on,
    )
    first = func.min(outlook.c.on_day)
    query = (
        select(first.label("on_day"), outlook.c.card_id)
        .select_from(reminders)
        .join(outlook, present[0] & present[1] & present[2])
        .where(
            reminders.c.due_at >= since,
            of_states(_HELD_BACK),
            reminders.c.audience == written_out(Audience.HOLDER),
            func.coalesce(reminders.c.reason, "").not_in(_NO_LOSS),
            among(conn, outlook.c.book_id, viewer.books),
            ~_reached(),
        )
        .group_by(outlook.c.card_id)
        .order_by(first, outlook.c.card_id)
        .limit(size)
    )
    if which:
        query = query.join(cards, cards.c.id == outlook.c.card_id).where(*which)
    if after is not None:
        key: Any = tuple_(first, outlook.c.card_id)
        day = literal(date.fromisoformat(str(after[0])))
        query = query.having(key > tuple_(day, literal(after[1])))
    return [(row.on_day, row.card_id) for row in conn.execute(query)]


def _reached() -> ColumnElement[bool]:
    """Was the holder told of the deadline in any window, or may still be?"""
    other = reminders.alias("other")
    same = ("card_id", "deadline", "deadline_on")
    return (
        select(other.c.id)
        .where(
            *(other.c[name] == reminders.c[name] for name in same),
            other.c.state.in_(_REACHES),
            other.c.audience == Audience.HOLDER,
        )
        .correlate(reminders)
        .exists()
    )
