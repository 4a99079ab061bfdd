"""What a card book would change of its book in the store: nothing is written here."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from worker.cardbook import changes as meaning
from worker.cardbook import last_read
from worker.cardbook.changes import WATCHED, Action, Changes
from worker.cardbook.elsewhere import AlsoInBook, elsewhere
from worker.cardbook.existing import Existing, Missing
from worker.cardbook.holders import Holders, Person
from worker.cardbook.last_read import KeptCard
from worker.cardbook.missing_columns import absent, completed
from worker.cardbook.rows import CardBook, CardRow
from worker.store import books as book_store
from worker.store.books import Own


@dataclass(slots=True)
class ImportPlan:
    """What is to be written. A holder is an id, or a person who has none yet."""

    own: Own
    holders: Holders
    missing: list[Missing]
    changes: Changes = field(default_factory=Changes)
    created: list[tuple[CardRow, int | Person]] = field(default_factory=list)
    changed: list[tuple[Row[Any], CardRow, int | Person, list[str], Action]] = field(
        default_factory=list
    )
    kept: list[KeptCard] = field(default_factory=list)
    # What to remember of a card's row, and its holder, unless that one is not the file's.
    read: list[tuple[int, dict[str, Any], int | Person | None]] = field(default_factory=list)
    elsewhere: tuple[AlsoInBook, ...] = ()
    told: int = 0


@dataclass(frozen=True, slots=True)
class _Met:
    """A row and the card it means: ``read`` as the file has it, ``row`` with what the store knows
    of what the file leaves out; ``newer`` is what an event has set since, and the holder ``stays``
    if an event gave the card to them."""

    read: CardRow
    row: CardRow
    card: Row[Any] | None
    newer: Mapping[str, Any]
    stays: bool


def compare(conn: Connection, book: CardBook, own: Own, now: datetime, *, lock: bool) -> ImportPlan:
    """What ``book`` would change; nothing is written."""
    # The cards first: their locks are what checks and life events wait for.
    cards = book_store.cards_of(conn, own.id, lock=lock) if own.id is not None else []
    found = book_store.holders_of(conn, own.id) if own.id is not None else []
    there = Existing(cards, book.rows, book.named)
    silent = absent(book.columns)
    by_id = {row.id: row for row in found}
    every = [_met(row, there.find(row), by_id, silent) for row in book.rows]
    holders = Holders.of(own, found, [one.row for one in every])
    plan = ImportPlan(own, holders, there.missing(), elsewhere=elsewhere(conn, own.id, book.rows))
    # All are resolved before any is compared: a later row may change a shared holder.
    meant = [
        one.card.holder_id
        if one.card is not None and one.stays
        else holders.resolve(person, one.card.holder_id if one.card is not None else None)
        for one, person in zip(every, holders.persons, strict=True)
    ]
    for one, person, holder in zip(every, holders.persons, meant, strict=True):
        if one.card is None:
            plan.created.append((one.row, holder))
            plan.changes.add(one.row, Action.CREATED, (), None)
        else:
            _remember(plan, one, one.card, holder, silent)
            row = replace(one.row, **one.newer) if one.newer else one.row
            _change(plan, row, one.card, person, holder, now)
    return plan


def _met(
    row: CardRow, card: Row[Any] | None, holders: Mapping[int, Row[Any]], silent: Collection[str]
) -> _Met:
    if card is None:
        return _Met(row, row, None, {}, stays=False)
    whole = completed(row, card, holders.get(card.holder_id), silent)
    return _Met(row, whole, card, last_read.newer(whole, card), last_read.keeps_holder(row, card))


def _change(
    plan: ImportPlan,
    row: CardRow,
    card: Row[Any],
    person: Person,
    holder: int | Person,
    now: datetime,
) -> None:
    """Plan what a row changes of its card, if anything."""
    fields = meaning.differing(card, row)
    if holder != card.holder_id:
        fields.append("holder_id")
    if not fields and holder not in plan.holders.updated:
        return
    other = plan.holders.is_other(card.holder_id, person)
    action = meaning.action_of(card, row, fields, other)
    plan.changed.append((card, row, holder, fields, action))
    plan.changes.add(row, action, fields, card)
    plan.told += meaning.owes_notice(card, row, action, now)


def _remember(
    plan: ImportPlan, one: _Met, card: Row[Any], holder: int | Person, silent: Collection[str]
) -> None:
    """Plan what is kept of a row for the next time, and tell where it is older than the store."""
    fields = [*one.newer, *(["holder"] if one.stays else [])]
    if fields and card.state in WATCHED:
        plan.kept.append(last_read.kept(one.row, card, fields))
    memory = last_read.remembered(one.read, silent)
    if last_read.differs(card, memory) or not (one.stays or card.read_holder_id == holder):
        plan.read.append((card.id, memory, None if one.stays else holder))
