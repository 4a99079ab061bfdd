"""What people ask to see: cards and messages with all that belongs to them."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, RowMapping, Select, case, func, or_, select

from worker.core.cards import CardState, told_by
from worker.core.lifecycle import OPEN
from worker.core.reminders import WAITING
from worker.errors import CardBookError
from worker.store.books import named_like
from worker.store.bulk import among
from worker.store.tables import (
    attempts,
    books,
    card_events,
    cards,
    holders,
    messages,
    receipts,
    reminders,
)


def list_cards(conn: Connection, book: str | None, limit: int | None) -> Sequence[RowMapping]:
    """Cards with their holder, in the order of import."""
    # A name may be typed in other letters; that of no book finds no card.
    meant = named_like(conn, book) if book else None
    return conn.execute(_cards(meant[1] if meant else book).limit(limit)).mappings().all()


def each_card(conn: Connection, book: str) -> Iterator[RowMapping]:
    """As ``list_cards``, for any number of cards: read as they are asked for, in bounded memory."""
    rows = conn.execute(_cards(book), execution_options={"yield_per": 1000})
    yield from rows.mappings()


def book_named(conn: Connection, name: str | None) -> Row[Any]:
    """The book ``name``, or the only one there is. Raises CardBookError where none is meant."""
    query = select(books).where(books.c.removed_at.is_(None)).order_by(books.c.name)
    meant = named_like(conn, name) if name else None
    own = query.where(books.c.name == (meant[1] if meant else name))
    found = conn.execute(own if name else query).all()
    if len(found) == 1:
        return found[0]
    there = ", ".join(repr(row.name) for row in conn.execute(query.limit(20)))
    if not there:
        raise CardBookError("There is no card book yet.", "Import one with: vigencia cards import")
    told = f"There is no card book {name!r}." if name else "There is more than one card book."
    raise CardBookError(told, f"Choose one with --book: {there}.")


def list_books(conn: Connection, name: str | None = None) -> Sequence[RowMapping]:
    """The books that were not removed (the one called ``name``), with the number of their cards
    and of those that are ``watched``."""
    open_ = cards.c.state.in_((CardState.ACTIVE, CardState.SUSPENDED))
    there = (cards.c.book_id == books.c.id) & cards.c.removed_at.is_(None)
    query = (
        select(
            *(books.c[own] for own in ("id", "signature", "language", "time_zone")),
            *(books.c[own] for own in ("guardian_email", "created_at", "sample")),
            books.c.name.label("book"),
            func.count(cards.c.id).label("cards"),
            func.count(case((open_, cards.c.id))).label("watched"),
        )
        .outerjoin(cards, there)
        .where(books.c.removed_at.is_(None))
        .group_by(books.c.id)
        .order_by(books.c.name)
    )
    return conn.execute(query.where(books.c.name == name) if name else query).mappings().all()


def count_cards(conn: Connection, book: str) -> tuple[int, int]:
    """How many cards a book has, and how many mobile numbers stand in more than one of them."""
    mine = cards.join(books, books.c.id == cards.c.book_id)
    of_book = select(cards.c.msisdn, func.count().label("times")).select_from(mine)
    of_book = of_book.where(books.c.name == book, cards.c.removed_at.is_(None)).group_by(
        cards.c.msisdn
    )
    numbers = of_book.subquery()
    shared = case((numbers.c.msisdn.is_not(None) & (numbers.c.times > 1), 1), else_=0)
    found = conn.execute(select(func.sum(numbers.c.times), func.sum(shared))).one()
    return int(found[0] or 0), int(found[1] or 0)


def show_card(conn: Connection, number: str) -> dict[str, Any] | None:
    """The card with this id, ICCID or mobile number, with its reminders and its audit trail."""
    wanted = [cards.c.iccid == number, cards.c.msisdn == number]
    wanted.append(cards.c.msisdn == f"+51{number}")
    if number.isascii() and number.isdigit() and len(number) < 9:
        wanted = [cards.c.id == int(number)]
    row = None
    for condition in wanted:
        row = row or card_by(conn, condition)
    if row is None:
        return None
    told, events = reminders_of(conn, row["id"]), events_of(conn, row["id"])
    return {**row, "reminders": told[::-1], "events": events[::-1]}


def card_by(conn: Connection, which: ColumnElement[bool]) -> RowMapping | None:
    """The first card of ``which``, with its holder and its book, unless it was removed."""
    return conn.execute(_cards(None).where(which).limit(1)).mappings().first()


def reminders_of(conn: Connection, card_id: int, limit: int | None = None) -> list[dict[str, Any]]:
    """The reminders of a card, the latest first."""
    mine = select(reminders).where(reminders.c.card_id == card_id)
    latest = mine.order_by(reminders.c.due_at.desc(), reminders.c.id.desc()).limit(limit)
    return list(map(_shown, conn.execute(latest).mappings()))


def events_of(conn: Connection, card_id: int, limit: int | None = None) -> list[dict[str, Any]]:
    """The audit trail of a card, the latest first."""
    latest = (
        select(card_events.c.at, card_events.c.event, card_events.c.detail)
        .where(card_events.c.card_id == card_id)
        .order_by(card_events.c.id.desc())
        .limit(limit)
    )
    return list(map(dict, conn.execute(latest).mappings()))


def _cards(book: str | None) -> Select[Any]:
    query = (
        select(
            cards,
            books.c.name.label("book"),
            books.c.time_zone.label("book_time_zone"),
            holders.c.name.label("holder"),
            holders.c.language,
            holders.c.time_zone.label("holder_time_zone"),
            holders.c.email,
            holders.c.contact_phone,
        )
        .join(holders, holders.c.id == cards.c.holder_id)
        .join(books, books.c.id == cards.c.book_id)
        .where(cards.c.removed_at.is_(None))
        .order_by(cards.c.id)
    )
    return query.where(books.c.name == book) if book else query


def list_messages(
    conn: Connection, state: str | None, book: str | None, limit: int | None
) -> list[dict[str, Any]]:
    """Messages with their holder, latest first."""
    query = _messages().order_by(messages.c.id.desc()).limit(limit)
    if state:
        query = query.where(messages.c.state == state)
    if state in OPEN:
        query = query.where(messages.c.wake_at.is_not(None))  # so that an index finds them
    if book:
        # Not by its name: the database then knows whether it has most of all messages, or few and
        # those are found by their holders.
        book_id = conn.execute(select(books.c.id).where(books.c.name == book)).scalar()
        query = query.where(messages.c.book_id == book_id, holders.c.book_id == book_id)
    return list(map(_shown, conn.execute(query).mappings()))


def messages_by(conn: Connection, ids: Sequence[int]) -> list[dict[str, Any]]:
    """The messages ``ids``, latest first."""
    query = _messages().where(among(conn, messages.c.id, ids)).order_by(messages.c.id.desc())
    return list(map(_shown, conn.execute(query).mappings()))


def waiting_messages(conn: Connection, book_id: int | None, limit: int) -> list[dict[str, Any]]:
    """The messages that wait to be sent, the next one first."""
    waits = (messages.c.wake_at.is_not(None), messages.c.state.in_(WAITING))
    query = _messages().where(*waits).order_by(messages.c.next_attempt_at, messages.c.id)
    if book_id is not None:
        query = query.where(messages.c.book_id == book_id)
    return list(map(_shown, conn.execute(query.limit(limit)).mappings()))


def show_message(conn: Connection, message_id: int) -> dict[str, Any] | None:
    """A message with its text, its reminders, its attempts and what providers reported."""
    row = conn.execute(
        _messages()
        .add_columns(messages.c.subject, messages.c.body)
        .where(messages.c.id == message_id)
    ).mappings()
    found = row.first()
    if found is None:
        return None
    carried = conn.execute(
        select(reminders).where(reminders.c.message_id == message_id).order_by(reminders.c.id)
    ).mappings()
    tried = conn.execute(
        select(attempts).where(attempts.c.message_id == message_id).order_by(attempts.c.started_at)
    ).mappings()
    told = conn.execute(
        select(
            receipts.c.provider,
            receipts.c.status,
            receipts.c.code,
            receipts.c.occurred_at,
            receipts.c.received_at,
        )
        .join(attempts, attempts.c.id == receipts.c.attempt_id)
        .where(attempts.c.message_id == message_id)
        .order_by(receipts.c.id)
    ).mappings()
    return {
        **_shown(found),
        "reminders": list(map(_shown, carried)),
        "tries": list(map(_without_phase, tried)),
        "reports": list(map(dict, told)),
    }


def _messages() -> Select[Any]:
    return (
        select(
            messages.c.id,
            books.c.name.label("book"),
            books.c.time_zone.label("book_time_zone"),
            holders.c.name.label("holder"),
            holders.c.time_zone.label("holder_time_zone"),
            holders.c.language,
            messages.c.channel,
            messages.c.audience,
            messages.c.state,
            messages.c.reason,
            messages.c.obstacle,
            messages.c.fault,
            messages.c.attempts,
            messages.c.segments,
            messages.c.created_at,
            messages.c.next_attempt_at,
            messages.c.useful_until,
            messages.c.sent_at,
            messages.c.delivered_at,
            messages.c.provider_id,
        )
        .join(holders, holders.c.id == messages.c.holder_id)
        .join(books, books.c.id == messages.c.book_id)
    )


def _shown(row: RowMapping) -> dict[str, Any]:
    """A row of messages or reminders as people are shown it: one word says where it goes."""
    found = dict(row)
    return found | {"channel": told_by(found["channel"], found.pop("audience")).value}


def _without_phase(row: RowMapping) -> dict[str, Any]:
    """An attempt as people are shown it: outcome and code tell them more."""
    return {name: value for name, value in row.items() if name != "phase"}


def cards_to_check(conn: Connection, now: datetime) -> bool:
    """Are there cards that are due and unchecked, or in the hands of a worker?"""
    owed = (cards.c.check_since.is_not(None), cards.c.check_asked_at.is_not(None))
    due = or_(cards.c.next_check_at <= now, *owed)
    return conn.execute(select(cards.c.id).where(due).limit(1)).first() is not None


def unended(conn: Connection) -> tuple[int, datetime | None]:
    """How many messages have not ended, and when the first of them is next looked at."""
    row = conn.execute(
        select(func.count(), func.min(messages.c.next_attempt_at)).where(messages.c.state.in_(OPEN))
    ).one()
    return row[0], row[1]


def next_look(conn: Connection) -> datetime | None:
    """The earliest instant at which a card or a message needs a look."""
    instants = [
        conn.execute(select(func.min(cards.c.next_check_at))).scalar(),
        conn.execute(select(func.min(cards.c.check_asked_at))).scalar(),
        conn.execute(select(func.min(messages.c.wake_at))).scalar(),
    ]
    return min((instant for instant in instants if instant is not None), default=None)
