"""Taking cards and books away: what waits ends, persons and numbers go, proof stays its time.

Rows that proof hangs on stay too, without a number or a name: were they deleted, their ids could be
given to others, and a link in an old message would act for a stranger. Only a book of which nothing
was ever handed to a provider, and the book of samples, go whole.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    delete,
    func,
    or_,
    select,
    update,
)

from worker.core.cards import CardState
from worker.core.masking import last_four
from worker.core.reminders import MessageState, ReminderState
from worker.store import card_index
from worker.store import cards as card_store
from worker.store import reminder_changes as ledger
from worker.store.books import erase_done
from worker.store.bulk import batched
from worker.store.cards import CardEvent
from worker.store.reminder_changes import ReminderChange
from worker.store.tables import (
    alarms,
    attempts,
    audit,
    books,
    card_events,
    cards,
    finder,
    holders,
    jobs,
    memberships,
    messages,
    outlook,
    receipts,
    rechecks,
    reminders,
    saves,
    suppressions,
    tallies,
    usage,
)

# The reason of what ended with its card, and the event in its trail.
REMOVED: Final = "removed"
_UNDER_WAY: Final = (MessageState.SENDING, MessageState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a card or a book is made of: ``waiting`` reminders and ``under_way`` messages (a call
    is open, or nobody knows how it ended), and the ``proof``: messages that were ever tried."""

    cards: int
    holders: int
    waiting: int
    under_way: int
    proof: int


def contents(conn: Connection, *, book_id: int, card_id: int | None = None) -> Contents:
    """Count what belongs to a book, or to one card of it."""
    mine = _cards(book_id, card_id)
    of_mine = reminders.c.card_id.in_(mine)
    carried = select(reminders.c.message_id).where(of_mine)
    tried = select(attempts.c.message_id)
    in_books = messages.c.book_id == book_id
    if card_id is not None:
        in_books &= messages.c.id.in_(carried)
    waits = (of_mine, reminders.c.state == ReminderState.PENDING)
    there = cards.c.id.in_(mine), cards.c.removed_at.is_(None)
    return Contents(
        cards=_count(conn, cards, *there),
        holders=int(
            conn.execute(
                select(func.count(cards.c.holder_id.distinct())).where(*there)
            ).scalar_one()
        ),
        waiting=_count(conn, reminders, *waits),
        under_way=_count(conn, messages, in_books, messages.c.state.in_(_UNDER_WAY)),
        proof=_count(conn, messages, in_books, messages.c.id.in_(tried)),
    )


def hold(conn: Connection, book_id: int) -> None:
    """Until this transaction ends nobody checks a card of the book or takes up a message of it."""
    conn.execute(select(books.c.id).where(books.c.id == book_id).with_for_update()).all()
    for table in (cards, messages):
        mine = select(table.c.id).where(table.c.book_id == book_id).order_by(table.c.id)
        conn.execute(mine.with_for_update()).all()


def erase_book(conn: Connection, book_id: int) -> None:
    """Delete the book with all that belongs to it, proof included. ``hold`` came before."""
    mine = _cards(book_id)
    letters = select(messages.c.id).where(messages.c.book_id == book_id)
    tries = select(attempts.c.id).where(attempts.c.message_id.in_(letters))
    named = select(attempts.c.provider_id).where(attempts.c.message_id.in_(letters))
    of_provider = receipts.c.provider_id.in_(named.where(attempts.c.provider_id.is_not(None)))
    doomed: tuple[tuple[Table, ColumnElement[bool]], ...] = (
        (receipts, or_(receipts.c.attempt_id.in_(tries), of_provider)),
        (attempts, attempts.c.message_id.in_(letters)),
        (reminders, reminders.c.card_id.in_(mine)),
        (messages, messages.c.book_id == book_id),
        (card_events, card_events.c.card_id.in_(mine)),
        (saves, saves.c.book_id == book_id),
        # About one card only; what an address said of everything it is sent stays.
        (suppressions, suppressions.c.card_id.in_(mine)),
        (cards, cards.c.book_id == book_id),
        (holders, holders.c.book_id == book_id),
        (usage, usage.c.book_id == book_id),
        (rechecks, rechecks.c.book_id == book_id),
        (outlook, outlook.c.book_id == book_id),
        (finder, finder.c.book_id == book_id),
        (tallies, tallies.c.book_id == book_id),
        (alarms, alarms.c.book_id == book_id),
        (jobs, jobs.c.book_id == book_id),
        (memberships, memberships.c.book_id == book_id),
        (books, books.c.id == book_id),
    )
    # What people did in it stays, of a book that is no more.
    conn.execute(update(audit).where(audit.c.book_id == book_id).values(book_id=None))
    for table, which in doomed:
        conn.execute(delete(table).where(which))


def close_book(conn: Connection, book_id: int, now: datetime) -> list[ReminderChange]:
    """Take the cards of a book away and forget its persons; the proof stays. ``hold`` came
    before. Returns the reminders that end with it."""
    ended = _close(conn, _cards(book_id), now)
    mine = conn.execute(select(holders.c.id).where(holders.c.book_id == book_id))
    erase_done(conn, mine.scalars().all(), now)
    conn.execute(delete(rechecks).where(rechecks.c.book_id == book_id))
    # Files that were sent for it hold its numbers and names.
    conn.execute(delete(jobs).where(jobs.c.book_id == book_id))
    conn.execute(
        update(books).where(books.c.id == book_id).values(guardian_email=None, removed_at=now)
    )
    return ended


def close_card(conn: Connection, card_id: int, now: datetime) -> list[ReminderChange]:
    """Take one card away, and forget its holder unless another card is theirs. Returns the
    reminders that end with it."""
    row = conn.execute(select(cards).where(cards.c.id == card_id).with_for_update()).one()
    ended = _close(conn, _cards(row.book_id, card_id), now)
    erase_done(conn, [row.holder_id], now)
    return ended


def _close(conn: Connection, mine: Select[Any], now: datetime) -> list[ReminderChange]:
    waiting = select(reminders.c.id).where(
        reminders.c.card_id.in_(mine), reminders.c.state == ReminderState.PENDING
    )
    changes: list[ReminderChange] = []
    for some in batched(conn.execute(waiting).scalars().all()):
        changes += ledger.end(conn, some, ReminderState.SUPERSEDED, REMOVED, now)
    there = cards.c.id.in_(mine), cards.c.removed_at.is_(None)
    rows = conn.execute(select(cards.c.id, cards.c.msisdn, cards.c.iccid).where(*there)).all()
    undoable = card_events.c.card_id.in_(mine), card_events.c.undo_until.is_not(None)
    conn.execute(update(card_events).where(*undoable).values(undo_until=None, before=None))
    card_store.add_events(conn, [_event(row, now) for row in rows])
    person = ("read_holder", "read_holder_id")
    numbers = dict.fromkeys(("msisdn", "iccid", "imsi", "note", "receipt_ref", *person))
    checks = dict.fromkeys(("next_check_at", "check_since", "check_asked_at"))
    ended = {"state": CardState.CLOSED, "removed_at": now, "updated_at": now}
    conn.execute(update(cards).where(*there).values(**numbers, **checks, **ended))
    card_index.forget(conn, [row.id for row in rows])
    return changes


def _event(row: Any, now: datetime) -> CardEvent:
    """The end of its number is what the proof still calls it by."""
    detail = {"number": f"…{last_four(row.msisdn, row.iccid)}"}
    return {"card_id": row.id, "at": now, "event": REMOVED, "detail": detail}


def _cards(book_id: int, card_id: int | None = None) -> Select[Any]:
    mine = select(cards.c.id).where(cards.c.book_id == book_id)
    return mine if card_id is None else mine.where(cards.c.id == card_id)


def _count(conn: Connection, table: Table, *which: ColumnElement[bool]) -> int:
    return int(conn.execute(select(func.count()).select_from(table).where(*which)).scalar_one())
