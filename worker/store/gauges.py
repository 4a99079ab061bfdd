"""What the gauges read of the ledger at one instant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, func, select

from worker.core.cards import told_by
from worker.core.reminders import ReminderState
from worker.store.open_messages import MOST, count, in_open_messages, open_messages
from worker.store.tables import books, breakers, cards, receipts, reminders, usage


@dataclass(frozen=True, slots=True)
class Gauges:
    """What the ledger shows at one instant. ``messages`` that have not ended by (destination,
    state); ``used`` today by destination: messages, segments, spend."""

    messages: Mapping[tuple[str, str], int]
    reminders_due: int
    oldest_due: datetime | None
    checks_waiting: int
    oldest_check: datetime | None
    breakers: Sequence[str]
    parked: int
    used: Mapping[str, tuple[float, float, float]]


def gauges(conn: Connection, now: datetime, today: date) -> Gauges:
    """Read the gauges."""
    open_ = open_messages().subquery()
    waiting = conn.execute(
        select(
            open_.c.channel, open_.c.audience, open_.c.state, func.count().label("number")
        ).group_by(open_.c.channel, open_.c.audience, open_.c.state)
    )
    due = conn.execute(
        select(func.count().label("number"), func.min(reminders.c.due_at).label("oldest")).where(
            in_open_messages(conn),
            reminders.c.state == ReminderState.PENDING,
            reminders.c.due_at <= now,
        )
    ).one()
    handed_out = (
        select(cards.c.check_since).where(cards.c.check_since.is_not(None)).limit(MOST).subquery()
    )
    checks = conn.execute(
        select(func.count().label("number"), func.min(handed_out.c.check_since).label("oldest"))
    ).one()
    used = conn.execute(
        select(
            usage.c.channel,
            func.sum(usage.c.messages).label("messages"),
            func.sum(usage.c.segments).label("segments"),
            func.sum(usage.c.spend).label("spend"),
        )
        .join(books, books.c.id == usage.c.book_id)
        .where(usage.c.day == today)
        .group_by(usage.c.channel)
    )
    return Gauges(
        messages={(told_by(r.channel, r.audience), r.state): r.number for r in waiting},
        reminders_due=due.number,
        oldest_due=due.oldest,
        checks_waiting=checks.number,
        oldest_check=checks.oldest,
        breakers=list(conn.execute(select(breakers.c.key).limit(1_000)).scalars()),
        parked=count(
            conn, select(receipts.c.id).where(receipts.c.applied_at.is_(None)).limit(MOST)
        ),
        used={r.channel: (float(r.messages), float(r.segments), float(r.spend)) for r in used},
    )
