"""How the ledger stands: what the alarms look at, and the digests that tell of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, func, literal, select

from worker.core.optout import Said
from worker.core.reminders import MessageState, ReminderState
from worker.store import suppressions
from worker.store.open_messages import MOST, count, in_open_messages, open_messages
from worker.store.tables import attempts, books, cards, inbound, reminders
from worker.store.types import Instant


@dataclass(frozen=True, slots=True)
class Standing:
    """What asks for somebody: counts, none above ``MOST``. ``missed``, ``dead`` (addresses that a
    provider calls dead) and ``unclear`` (what holders wrote and a person has to read) are of a span
    of time."""

    late: int = 0
    held: int = 0
    unknown: int = 0
    missed: int = 0
    checks_overdue: int = 0
    dead: int = 0
    unclear: int = 0


def standing(
    conn: Connection,
    now: datetime,
    cutoffs: Mapping[str, timedelta],
    usual: timedelta,
    parked: timedelta,
    unchecked: timedelta,
    since: datetime,
) -> Standing:
    """How the ledger stands at ``now``.

    A reminder is late ``cutoffs[window]`` (else ``usual``) after it was owed; an unknown asks for
    somebody ``parked`` after its last attempt, a check ``unchecked`` after it fell due; missed and
    unclear are those that ended, or were received, after ``since``.
    """
    open_ = open_messages().subquery()
    due = func.coalesce(reminders.c.owed_at, reminders.c.due_at)
    limits = {window: literal(now - span, Instant) for window, span in cutoffs.items()}
    late = select(reminders.c.id).where(
        in_open_messages(conn),
        reminders.c.state == ReminderState.PENDING,
        due < case(limits, value=reminders.c.window, else_=literal(now - usual, Instant)),
    )
    recent = select(attempts.c.id).where(
        attempts.c.message_id == open_.c.id, attempts.c.started_at > now - parked
    )
    unknown = select(open_.c.id).where(open_.c.state == MessageState.UNKNOWN, ~recent.exists())
    missed = select(reminders.c.id).where(
        reminders.c.state == _MISSED, reminders.c.ended_at > since
    )
    unclear = select(inbound.c.id).where(
        inbound.c.received_at > since, inbound.c.meaning == Said.UNCLEAR
    )
    return Standing(
        late=count(conn, late),
        held=count(conn, select(open_.c.id).where(open_.c.state == MessageState.HELD)),
        unknown=count(conn, unknown),
        missed=count(conn, missed.limit(MOST)),
        checks_overdue=count(
            conn, select(cards.c.id).where(cards.c.check_since <= now - unchecked).limit(MOST)
        ),
        dead=suppressions.dead(conn, since, MOST),
        unclear=count(conn, unclear.limit(MOST)),
    )


def missed_since(conn: Connection, since: datetime, limit: int) -> Sequence[Row[Any]]:
    """Missed reminders by book and reason, most frequent first."""
    count = func.count().label("count")
    return conn.execute(
        select(books.c.name.label("book"), reminders.c.reason, count)
        .join(cards, cards.c.id == reminders.c.card_id)
        .join(books, books.c.id == cards.c.book_id)
        .where(reminders.c.state == _MISSED, reminders.c.ended_at > since)
        .group_by(books.c.name, reminders.c.reason)
        .order_by(count.desc(), books.c.name)
        .limit(limit)
    ).all()


# As a literal: only so can the databases see that the partial index of the missed applies.
_MISSED: ColumnElement[str] = literal(ReminderState.MISSED.value, literal_execute=True)
