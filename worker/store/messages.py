"""Messages: the unit of sending, from their creation to the hint that one needs a look."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, or_, select, update

from worker.core.cards import Audience, Channel
from worker.core.reminders import WAITING, MessageState, Obstacle
from worker.store.bulk import among, insert_many
from worker.store.tables import messages


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to create; it is due at ``due_at`` and the scheduler will look at it then."""

    book_id: int
    holder_id: int
    channel: Channel
    due_at: datetime
    useful_until: datetime
    audience: Audience = Audience.HOLDER


@dataclass(frozen=True, slots=True)
class Woken:
    """Ids the scheduler found: to send, by channel; unknowns to settle; leases that ran out; sent
    ones without a receipt, to ask about."""

    send: Mapping[Channel, list[int]]
    reconcile: list[int]
    expired: list[int]
    fetch: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        others = (self.reconcile, self.expired, self.fetch)
        return sum(map(len, self.send.values())) + sum(map(len, others))


def create(
    conn: Connection, new: Sequence[NewMessage], now: datetime, hint: timedelta
) -> list[int]:
    """Insert waiting messages; returns their ids in the order given.

    What is due now is hinted to the workers at once, so the sweep looks only after ``hint``.
    """
    if not new:
        return []
    rows = [
        {
            "book_id": m.book_id,
            "holder_id": m.holder_id,
            "channel": m.channel,
            "audience": m.audience,
            "state": MessageState.PENDING,
            "next_attempt_at": m.due_at,
            "wake_at": m.due_at if m.due_at > now else now + hint,
            "useful_until": m.useful_until,
            "attempts": 0,
            "created_at": now,
        }
        for m in new
    ]
    return insert_many(conn, messages, rows)


def wake(
    conn: Connection,
    now: datetime,
    limit: int,
    hint: timedelta,
    park: timedelta,
    full: Collection[Channel] = (),
) -> Woken:
    """Take up to ``limit`` messages that need a look, the most urgent first, and set when to look
    next. What is to be sent over the channels ``full`` stays as it is.

    A message still ``sending`` after its lease lost its worker: whether the provider took it is
    unknown, so it is parked for ``park`` like any ambiguous attempt.
    """
    rows = conn.execute(
        select(messages.c.id, messages.c.channel, messages.c.audience, messages.c.state)
        .where(messages.c.wake_at <= now, *_without(full))
        .order_by(messages.c.useful_until, messages.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    send: dict[Channel, list[int]] = defaultdict(list)
    # What holders are told comes first: what comes to nothing is then the guardian's.
    for row in sorted(rows, key=lambda row: bool(row.audience == Audience.GUARDIAN)):
        if row.state in WAITING:
            send[Channel(row.channel)].append(row.id)
    expired = [row.id for row in rows if row.state == MessageState.SENDING]
    unknown = [row.id for row in rows if row.state == MessageState.UNKNOWN]
    fetch = [row.id for row in rows if row.state == MessageState.SENT]
    _wake_at(conn, [row.id for row in rows if row.state != MessageState.SENDING], now + hint)
    if expired:
        conn.execute(
            update(messages)
            .where(messages.c.id.in_(expired))
            .values(
                state=MessageState.UNKNOWN,
                reason="lease_expired",
                obstacle=None,
                fault=None,
                wake_at=now + park,
                next_attempt_at=now + park,
            )
        )
    return Woken(send, unknown, expired, fetch)


def _without(full: Collection[Channel]) -> list[ColumnElement[bool]]:
    return [or_(messages.c.channel.not_in(full), messages.c.state.not_in(WAITING))] if full else []


def _wake_at(conn: Connection, ids: list[int], at: datetime) -> None:
    if ids:
        conn.execute(update(messages).where(among(conn, messages.c.id, ids)).values(wake_at=at))


def extend(conn: Connection, message_id: int, until: datetime) -> None:
    """The message is useful until ``until``."""
    conn.execute(update(messages).where(messages.c.id == message_id).values(useful_until=until))


def paced_before(conn: Connection, at: datetime) -> bool:
    """Does a message wait for its sender's pace whose turn comes before ``at``?"""
    found = conn.execute(
        select(messages.c.id)
        .where(
            messages.c.wake_at <= at,
            messages.c.state == MessageState.PENDING,
            messages.c.obstacle == Obstacle.PACE,
        )
        .limit(1)
    )
    return found.first() is not None


def drop(conn: Connection, ids: Sequence[int]) -> None:
    """Remove messages that were made a moment ago in this transaction and carry nothing."""
    if ids:
        conn.execute(delete(messages).where(messages.c.id.in_(ids)))
