"""Which cards an address serves, and what a signed link is about."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import CompoundSelect, Connection, Row, Select, String, func, select, union

from worker.core.cards import CardState, Channel
from worker.store.bulk import among
from worker.store.cards import CardEvent
from worker.store.tables import (
    attempts,
    books,
    card_events,
    cards,
    holders,
    messages,
    reminders,
)

_OPEN = (CardState.ACTIVE, CardState.SUSPENDED)


def cards_at(conn: Connection, channel: Channel, address: str) -> list[int]:
    """Ids of the watched cards whose holder is reached on ``channel`` at ``address``."""
    return sorted(conn.execute(_at(channel, address)).scalars())


def _at(channel: Channel, address: str) -> CompoundSelect[Any] | Select[Any]:
    """Each look-up with an index of its own: an OR over two tables would read them whole."""
    watched = (
        select(cards.c.id)
        .join(holders, holders.c.id == cards.c.holder_id)
        .where(cards.c.state.in_(_OPEN))
    )
    if channel is Channel.EMAIL:
        return watched.where(func.lower(holders.c.email) == address.lower())
    own = watched.where(cards.c.msisdn == address, holders.c.contact_phone.is_(None))
    return union(watched.where(holders.c.contact_phone == address), own)


def message(conn: Connection, message_id: int) -> Row[Any] | None:
    """A message with its holder's language, the ``signature`` of its book and the ``address`` it
    was last sent to; ``None``
    where nothing was sent, or so long ago that the address is erased."""
    query = (
        select(messages, holders.c.language, books.c.signature, attempts.c.address)
        .join(holders, holders.c.id == messages.c.holder_id)
        .join(books, books.c.id == messages.c.book_id)
        .join(attempts, attempts.c.message_id == messages.c.id)
        .where(messages.c.id == message_id, attempts.c.address != "")
        .order_by(attempts.c.started_at.desc())
        .limit(1)
    )
    return conn.execute(query).one_or_none()


def cards_of_message(conn: Connection, message_id: int) -> list[int]:
    """Ids of the cards a message tells of."""
    query = select(reminders.c.card_id).where(reminders.c.message_id == message_id).distinct()
    return sorted(conn.execute(query).scalars())


def reminder(conn: Connection, reminder_id: int) -> Row[Any] | None:
    """A reminder with the holder it was sent to (``told_id``), the language of that holder, and
    when its message was made (``told_at``)."""
    query = (
        select(
            reminders,
            messages.c.holder_id.label("told_id"),
            messages.c.created_at.label("told_at"),
            holders.c.language,
        )
        .join(messages, messages.c.id == reminders.c.message_id)
        .join(holders, holders.c.id == messages.c.holder_id)
        .where(reminders.c.id == reminder_id)
    )
    return conn.execute(query).one_or_none()


def last_notice(conn: Connection, card_id: int, notice: str, holder_id: int) -> int | None:
    """The id of the last reminder of ``notice`` that a message carries to this holder."""
    query = (
        select(reminders.c.id)
        .join(messages, messages.c.id == reminders.c.message_id)
        .where(
            reminders.c.card_id == card_id,
            reminders.c.deadline == notice,
            messages.c.holder_id == holder_id,
        )
        .order_by(messages.c.id.desc(), reminders.c.id.desc())
    )
    return conn.execute(query.limit(1)).scalar()


def last_event(
    conn: Connection, card_id: int, events: Collection[str], after: datetime
) -> str | None:
    """The last of ``events`` that happened to a card after an instant."""
    query = select(card_events.c.event).where(
        card_events.c.card_id == card_id,
        card_events.c.event.in_(list(events)),
        card_events.c.at > after,
        card_events.c.undone_at.is_(None),
    )
    return conn.execute(query.order_by(card_events.c.id.desc()).limit(1)).scalar()


def served_by(
    conn: Connection,
    addresses: Collection[str],
    *,
    book_id: int | None = None,
    card_id: int | None = None,
) -> dict[tuple[str, str], list[int]]:
    """The cards that ``addresses`` serve, of a book or of one card: ids by channel and address. A
    card's own number counts only where its holder has no other."""
    mine = cards.join(holders, holders.c.id == cards.c.holder_id)
    ways = (holders.c.contact_phone, cards.c.msisdn, func.lower(holders.c.email, type_=String))
    served = union(
        *(select(cards.c.id).select_from(mine).where(among(conn, w, addresses)) for w in ways)
    )
    query = select(cards.c.id, cards.c.msisdn, holders.c.contact_phone, holders.c.email)
    query = query.select_from(mine).where(cards.c.id.in_(served))
    if book_id is not None:
        query = query.where(cards.c.book_id == book_id)
    if card_id is not None:
        query = query.where(cards.c.id == card_id)
    found: dict[tuple[str, str], list[int]] = {}
    for row in conn.execute(query.order_by(cards.c.id)):
        if phone := row.contact_phone or row.msisdn:
            found.setdefault((Channel.SMS, phone), []).append(row.id)
        if row.email:
            found.setdefault((Channel.EMAIL, row.email.lower()), []).append(row.id)
    return found


def trail(
    card_ids: Iterable[int], event: str, detail: Mapping[str, object], now: datetime
) -> list[CardEvent]:
    """One row of the audit trail for each card."""
    return [
        {"card_id": card, "at": now, "event": event, "detail": dict(detail)} for card in card_ids
    ]
