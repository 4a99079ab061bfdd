"""Which cards an address serves, and what a signed link is about."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select

from worker.core.cards import CardState, Channel
from worker.store.tables import attempts, cards, holders, messages, reminders

_OPEN = (CardState.ACTIVE, CardState.SUSPENDED)


def cards_at(conn: Connection, channel: Channel, address: str) -> list[int]:
    """Ids of the watched cards whose holder is reached on ``channel`` at ``address``."""
    query = (
        select(cards.c.id)
        .join(holders, holders.c.id == cards.c.holder_id)
        .where(cards.c.state.in_(_OPEN))
        .order_by(cards.c.id)
    )
    if channel is Channel.EMAIL:
        query = query.where(func.lower(holders.c.email) == address.lower())
    else:
        own = holders.c.contact_phone.is_(None) & (cards.c.msisdn == address)
        query = query.where(or_(holders.c.contact_phone == address, own))
    return list(conn.execute(query).scalars())


def message(conn: Connection, message_id: int) -> Row[Any] | None:
    """A message with its holder's language and the ``address`` it was last sent to; ``None``
    where nothing was sent."""
    query = (
        select(messages, holders.c.language, attempts.c.address)
        .join(holders, holders.c.id == messages.c.holder_id)
        .join(attempts, attempts.c.message_id == messages.c.id)
        .where(messages.c.id == message_id)
        .order_by(attempts.c.started_at.desc())
        .limit(1)
    )
    return conn.execute(query).one_or_none()


def cards_of_message(conn: Connection, message_id: int) -> list[int]:
    """Ids of the cards a message tells of."""
    query = select(reminders.c.card_id).where(reminders.c.message_id == message_id).distinct()
    return sorted(conn.execute(query).scalars())


def reminder(conn: Connection, reminder_id: int) -> Row[Any] | None:
    """A reminder with the holder it was sent to (``told_id``) and the language of that holder."""
    query = (
        select(reminders, messages.c.holder_id.label("told_id"), holders.c.language)
        .join(messages, messages.c.id == reminders.c.message_id)
        .join(holders, holders.c.id == messages.c.holder_id)
        .where(reminders.c.id == reminder_id)
    )
    return conn.execute(query).one_or_none()


def addresses_of(
    conn: Connection, *, book_id: int | None = None, card_id: int | None = None
) -> dict[tuple[str, str], list[int]]:
    """The addresses of holders of a book, or of one card: ids of the cards by channel and address,
    with what those addresses serve only where the card has none of its own."""
    query = select(cards.c.id, cards.c.msisdn, holders.c.contact_phone, holders.c.email).join(
        holders, holders.c.id == cards.c.holder_id
    )
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


def trail(card_ids: Sequence[int], event: str, detail: Mapping[str, Any], now: datetime) -> Any:
    """One row of the audit trail for each card."""
    return [
        {"card_id": card, "at": now, "event": event, "detail": dict(detail)} for card in card_ids
    ]
