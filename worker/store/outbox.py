"""The outbox: messages with all that a send needs. One process has each at a time, with a lease."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from sqlalchemy import Connection, Row, exists, select

from worker.core.addressing import UNREACHED
from worker.core.cards import Audience, Channel, Destination, Holder, told_by
from worker.core.life import LifeNotice
from worker.core.recheck import Item
from worker.core.reminders import WAITING, MessageState, Obstacle, ReminderState
from worker.store import cards as card_store
from worker.store.bulk import among, update_many
from worker.store.reminders import key_of, told_by_email, unreached
from worker.store.tables import books, card_events, holders, messages, reminders


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A claimed message with all that a send needs; ``items`` are its waiting reminders.
    ``obstacle`` and ``fault``: what it waited for, if anything, and ``reason`` tells people so;
    ``tries``: how often in a row it was certainly not
    sent; ``sample``: its book is the invented one; to an
    ``audience`` of guardians ``holder`` stands for the keeper of the book."""

    id: int
    book_id: int
    channel: Channel
    attempts: int
    useful_until: datetime
    holder: Holder
    signature: str
    items: tuple[Item, ...]
    reason: str | None = None
    obstacle: Obstacle | None = None
    fault: str | None = None
    tries: int = 0
    sample: bool = False
    audience: Audience = Audience.HOLDER

    @property
    def destination(self) -> Destination:
        """Where it goes, in one word."""
        return told_by(self.channel, self.audience)


class MessageContent(TypedDict):
    """What is kept of the message ``row_id`` for people to look at, and its count of ``attempts``
    with the one that is about to be made."""

    row_id: int
    attempts: int
    subject: str | None
    body: str
    segments: int | None


def claim(
    conn: Connection, channel: Channel, ids: Sequence[int], now: datetime
) -> list[OutgoingMessage]:
    """Hold the due ones of ``ids`` until this transaction ends; who is late gets none. Those that
    ``begin`` names are ours beyond it, the others stay as they are."""
    due = (
        _OUTBOX.where(
            among(conn, messages.c.id, ids),
            messages.c.channel == channel,
            messages.c.state.in_(WAITING),
            messages.c.next_attempt_at <= now,
        )
        .order_by(messages.c.next_attempt_at, messages.c.id)
        .with_for_update(of=messages, skip_locked=True)
    )
    return _with_items(conn, conn.execute(due).all())


def begin(conn: Connection, rows: Sequence[MessageContent], until: datetime) -> None:
    """Claimed messages are ours to send ``until`` then: keep what is about to be sent."""
    update_many(conn, messages, rows, state=MessageState.SENDING, wake_at=until)


def load(conn: Connection, ids: Sequence[int]) -> list[OutgoingMessage]:
    """The messages ``ids`` with their holders and waiting reminders."""
    if not ids:
        return []
    wanted = _OUTBOX.where(among(conn, messages.c.id, ids))
    rows = conn.execute(wanted.order_by(messages.c.next_attempt_at, messages.c.id)).all()
    return _with_items(conn, rows)


def waiting_digests(
    conn: Connection, guardian: int, besides: Collection[int], now: datetime
) -> list[OutgoingMessage]:
    """The messages to a guardian that wait and were never tried, ``besides`` these; locked. What
    tells of an event that can still be undone waits by itself."""
    undoable = (
        exists()
        .where(reminders.c.message_id == messages.c.id)
        .where(card_events.c.card_id == reminders.c.card_id, card_events.c.undo_until > now)
    )
    rows = conn.execute(
        select(messages.c.id)
        .where(
            messages.c.holder_id == guardian,
            messages.c.audience == Audience.GUARDIAN,
            messages.c.state == MessageState.PENDING,
            messages.c.attempts == 0,
            messages.c.id.not_in(besides),
            ~undoable,
        )
        .with_for_update(skip_locked=True)
    )
    return load(conn, list(rows.scalars()))


_OUTBOX = (
    select(*(messages.c[name] for name in ("id", "book_id", "channel", "attempts", "useful_until")))
    .add_columns(
        messages.c.audience,
        messages.c.tries,
        messages.c.reason,
        messages.c.obstacle,
        messages.c.fault,
        messages.c.holder_id,
        holders.c.name,
        holders.c.language,
    )
    .add_columns(holders.c.time_zone, holders.c.contact_phone, holders.c.email)
    .add_columns(books.c.signature, books.c.sample)
    .join(holders, holders.c.id == messages.c.holder_id)
    .join(books, books.c.id == messages.c.book_id)
)


def _with_items(conn: Connection, rows: Sequence[Row[Any]]) -> list[OutgoingMessage]:
    if not rows:
        return []
    waiting = conn.execute(
        select(reminders).where(
            among(conn, reminders.c.message_id, [row.id for row in rows]),
            reminders.c.state == ReminderState.PENDING,
        )
    ).all()
    watched = card_store.load(conn, {row.card_id for row in waiting})
    dated = told_by_email(conn, {row.card_id for row in waiting if _moves_dates(row)})
    keepers = [(row.card_id, key_of(row)) for row in waiting if row.audience == Audience.GUARDIAN]
    lost = unreached(conn, keepers)
    items: dict[int, list[Item]] = defaultdict(list)
    for row in waiting:
        one, key = watched[row.card_id], key_of(row)
        item = Item(
            id=row.id,
            key=key,
            due_at=row.due_at,
            useful_until=row.useful_until,
            card=one.card,
            told=one.holder,
            why=UNREACHED if (row.card_id, key) in lost else row.reason,
            owed_since=row.created_at,
            dated=dated.get(row.card_id, ()),
        )
        items[row.message_id].append(item)
    return [_outgoing(row, tuple(items[row.id])) for row in rows]


def _moves_dates(row: Any) -> bool:
    """Does its email take back what earlier ones told?"""
    to_holder = row.channel == Channel.EMAIL and row.audience == Audience.HOLDER
    return to_holder and bool(row.deadline == LifeNotice.RENEWAL_RECORDED)


def _outgoing(row: Any, items: tuple[Item, ...]) -> OutgoingMessage:
    holder = Holder(
        row.holder_id, row.name, row.language, row.time_zone, row.contact_phone, row.email
    )
    return OutgoingMessage(
        id=row.id,
        book_id=row.book_id,
        channel=Channel(row.channel),
        attempts=row.attempts,
        useful_until=row.useful_until,
        holder=holder,
        signature=row.signature,
        items=items,
        reason=row.reason,
        obstacle=Obstacle(row.obstacle) if row.obstacle else None,
        fault=row.fault,
        tries=row.tries,
        sample=row.sample,
        audience=Audience(row.audience),
    )
