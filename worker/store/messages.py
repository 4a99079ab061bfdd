"""Messages: the unit of sending, each claimed by one process at a time, with a lease."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, func, or_, select, update

from worker.core.cards import Channel, Holder
from worker.core.pace import PACE
from worker.core.recheck import Item
from worker.core.reminders import WAITING, MessageState, ReminderState
from worker.store import cards as card_store
from worker.store.bulk import among, insert_many, update_many
from worker.store.reminders import key_of
from worker.store.tables import books, holders, messages, reminders


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to create; it is due at ``due_at`` and the scheduler will look at it then."""

    book_id: int
    holder_id: int
    channel: Channel
    due_at: datetime
    useful_until: datetime


@dataclass(frozen=True, slots=True)
class Parcel:
    """A claimed message with all that a send needs; ``items`` are its waiting reminders.
    ``reason``: what it waited for, if anything."""

    id: int
    book_id: int
    channel: Channel
    attempts: int
    useful_until: datetime
    holder: Holder
    signature: str
    items: tuple[Item, ...]
    reason: str | None = None


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
        select(messages.c.id, messages.c.channel, messages.c.state)
        .where(messages.c.wake_at <= now, *_without(full))
        .order_by(messages.c.useful_until, messages.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    send: dict[Channel, list[int]] = defaultdict(list)
    for row in rows:
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


def claim(conn: Connection, channel: Channel, ids: Sequence[int], now: datetime) -> list[Parcel]:
    """Hold the due ones of ``ids`` until this transaction ends; who is late gets none. Those that
    ``begin`` names are ours beyond it, the others stay as they are."""
    due = (
        _PARCELS.where(
            among(conn, messages.c.id, ids),
            messages.c.channel == channel,
            messages.c.state.in_(WAITING),
            messages.c.next_attempt_at <= now,
        )
        .order_by(messages.c.next_attempt_at, messages.c.id)
        .with_for_update(of=messages, skip_locked=True)
    )
    return _with_items(conn, conn.execute(due).all())


def begin(conn: Connection, rows: Sequence[Mapping[str, Any]], until: datetime) -> None:
    """Claimed messages are ours to send ``until`` then: keep what is about to be sent, ``row_id
    subject body segments``, and the count of ``attempts`` with this one."""
    update_many(conn, messages, rows, state=MessageState.SENDING, wake_at=until)


def load(conn: Connection, ids: Sequence[int]) -> list[Parcel]:
    """The messages ``ids`` with their holders and waiting reminders."""
    if not ids:
        return []
    wanted = _PARCELS.where(among(conn, messages.c.id, ids))
    rows = conn.execute(wanted.order_by(messages.c.next_attempt_at, messages.c.id)).all()
    return _with_items(conn, rows)


_PARCELS = (
    select(*(messages.c[name] for name in ("id", "book_id", "channel", "attempts", "useful_until")))
    .add_columns(messages.c.reason, messages.c.holder_id, holders.c.name, holders.c.language)
    .add_columns(holders.c.time_zone, holders.c.contact_phone, holders.c.email)
    .add_columns(books.c.signature)
    .join(holders, holders.c.id == messages.c.holder_id)
    .join(books, books.c.id == messages.c.book_id)
)


def _with_items(conn: Connection, rows: Sequence[Row[Any]]) -> list[Parcel]:
    if not rows:
        return []
    waiting = conn.execute(
        select(reminders).where(
            among(conn, reminders.c.message_id, [row.id for row in rows]),
            reminders.c.state == ReminderState.PENDING,
        )
    ).all()
    watched = card_store.load(conn, {row.card_id for row in waiting})
    items: dict[int, list[Item]] = defaultdict(list)
    for row in waiting:
        one = watched[row.card_id]
        item = Item(
            row.id, key_of(row), row.due_at, row.useful_until, one.card, one.holder, row.reason
        )
        items[row.message_id].append(item)
    return [_parcel(row, tuple(items[row.id])) for row in rows]


def _parcel(row: Any, items: tuple[Item, ...]) -> Parcel:
    holder = Holder(
        row.holder_id, row.name, row.language, row.time_zone, row.contact_phone, row.email
    )
    return Parcel(
        id=row.id,
        book_id=row.book_id,
        channel=Channel(row.channel),
        attempts=row.attempts,
        useful_until=row.useful_until,
        holder=holder,
        signature=row.signature,
        items=items,
        reason=row.reason,
    )


def still_sending(conn: Connection, counts: Mapping[int, int]) -> dict[int, str | None]:
    """Those of the messages that are ``sending`` with this count of attempts, and the provider's
    id of any attempt that is known to have been taken. All are locked."""
    rows = conn.execute(
        select(messages.c.id, messages.c.attempts, messages.c.state, messages.c.provider_id)
        .where(among(conn, messages.c.id, list(counts)))
        .order_by(messages.c.id)
        .with_for_update()
    ).all()
    sending = [row for row in rows if row.state == MessageState.SENDING]
    return {row.id: row.provider_id for row in sending if row.attempts == counts[row.id]}


def set_states(
    conn: Connection,
    rows: Sequence[Mapping[str, Any]],
    expected: Collection[MessageState] = (MessageState.SENDING,),
) -> None:
    """Update messages by ``message`` and ``count``: their ``state``, ``reason``, and
    ``next_attempt_at`` (``None`` where they have ended).

    A compare-and-set: only a message still in one of ``expected`` with ``count`` attempts changes,
    so a process that comes back late cannot undo what another has settled.
    """
    statement = update(messages).where(
        messages.c.id == bindparam("message"),
        messages.c.attempts == bindparam("count"),
        or_(*(messages.c.state == state for state in expected)),
    )
    again = [{**row, "wake_at": row["next_attempt_at"]} for row in rows if row["next_attempt_at"]]
    ended = [
        {key: row[key] for key in row if key != "next_attempt_at"} | {"wake_at": None}
        for row in rows
        if row["next_attempt_at"] is None
    ]
    for changes in (again, ended):
        if changes:
            conn.execute(statement, changes)


def set_all_sent(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Record that the provider took messages that this transaction holds: ``row_id provider_id
    sent_at wake_at``."""
    update_many(conn, messages, rows, state=MessageState.SENT, reason=None)


def set_sent(
    conn: Connection, message_id: int, provider_id: str, at: datetime, wake_at: datetime | None
) -> bool:
    """Record that the provider took a message under ``provider_id``, and look again at
    ``wake_at``. False if it is known to have been taken under another id: the first one stays.
    """
    taken = conn.execute(
        update(messages)
        .where(messages.c.id == message_id, messages.c.provider_id.is_(None))
        .values(
            state=MessageState.SENT,
            reason=None,
            wake_at=wake_at,
            sent_at=at,
            provider_id=provider_id,
        )
    )
    if taken.rowcount:
        return True
    known = select(messages.c.provider_id).where(messages.c.id == message_id)
    return conn.execute(known).scalar() == provider_id


def set_delivered(conn: Connection, message_id: int, provider_id: str, at: datetime) -> None:
    """Record that a message has arrived; the first time that was said stays."""
    conn.execute(
        update(messages)
        .where(messages.c.id == message_id, messages.c.state != MessageState.DELIVERED)
        .values(
            state=MessageState.DELIVERED,
            reason=None,
            wake_at=None,
            delivered_at=at,
            provider_id=func.coalesce(messages.c.provider_id, provider_id),
        )
    )


def set_undelivered(
    conn: Connection,
    message_id: int,
    state: MessageState,
    reason: str | None,
    again_at: datetime | None,
) -> None:
    """Record that a message that was taken did not arrive: it ends in ``state``, or is tried again
    at ``again_at``, as if the provider did not have it."""
    values: dict[str, Any] = {
        "state": state,
        "reason": reason,
        "wake_at": again_at,
        "delivered_at": None,
    }
    if again_at is not None:
        values |= {"next_attempt_at": again_at, "provider_id": None}
    conn.execute(update(messages).where(messages.c.id == message_id).values(**values))


def look_again(
    conn: Connection, message_id: int, provider_id: str, wake_at: datetime | None
) -> None:
    """Ask about a sent message again at ``wake_at``, or never."""
    conn.execute(
        update(messages)
        .where(
            messages.c.id == message_id,
            messages.c.provider_id == provider_id,
            messages.c.state == MessageState.SENT,
        )
        .values(wake_at=wake_at)
    )


def set_provider(conn: Connection, message_id: int, provider_id: str) -> None:
    """Follow another attempt of a message from here on."""
    conn.execute(
        update(messages).where(messages.c.id == message_id).values(provider_id=provider_id)
    )


def not_counted(conn: Connection, ids: Iterable[int]) -> None:
    """Take back the count of attempts that our own configuration spoiled."""
    if wanted := list(ids):
        conn.execute(
            update(messages)
            .where(messages.c.id.in_(wanted), messages.c.attempts > 0)
            .values(attempts=messages.c.attempts - 1)
        )


def waiting_digests(conn: Connection, guardian: int, besides: Collection[int]) -> list[Parcel]:
    """The messages to a guardian that wait and were never tried, ``besides`` these; locked."""
    rows = conn.execute(
        select(messages.c.id)
        .where(
            messages.c.holder_id == guardian,
            messages.c.channel == Channel.GUARDIAN,
            messages.c.state == MessageState.PENDING,
            messages.c.attempts == 0,
            messages.c.id.not_in(besides),
        )
        .with_for_update(skip_locked=True)
    )
    return load(conn, list(rows.scalars()))


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
            messages.c.reason == PACE,
        )
        .limit(1)
    )
    return found.first() is not None


def drop(conn: Connection, message_id: int) -> None:
    """Remove a message that was made a moment ago in this transaction and carries nothing."""
    drop_all(conn, [message_id])


def drop_all(conn: Connection, ids: Sequence[int]) -> None:
    """The same for several."""
    if ids:
        conn.execute(delete(messages).where(messages.c.id.in_(ids)))
