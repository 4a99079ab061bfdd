"""From checked rows into the store: one transaction, all or nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row

from worker.cardbook import changes as meaning
from worker.cardbook.aftermath import end_waiting, tell_renewals
from worker.cardbook.changes import Action, Change, Changes
from worker.cardbook.existing import Existing, Missing
from worker.cardbook.holders import Holders, Person
from worker.cardbook.kept import absent, completed
from worker.cardbook.rows import CardBook, CardRow
from worker.cardbook.zones import Why, tally
from worker.core.rules import Rules
from worker.store import books as book_store
from worker.store.books import Own
from worker.store.bulk import batched
from worker.store.cards import add_events
from worker.store.engine import reading, writing

# Writes the refused rows somewhere, with words in the given language, and returns where.
KeepRefused = Callable[[str], Path]
Step = Callable[[str], None]
STEPS = ("comparing", "writing", "telling")


@dataclass(frozen=True, slots=True)
class Result:
    """What an import did or, if not ``applied``, would do; refused rows are never written.

    ``changes`` are the first of them, gravest first; ``actions`` counts all. ``told``: renewed
    cards whose holders get the checklist. ``missing``: cards of the book in no row of the file.
    """

    book: CardBook
    created: int
    changed: int
    unchanged: int
    refused: int
    applied: bool
    actions: Mapping[Action, int]
    changes: tuple[Change, ...]
    told: int
    missing: tuple[Missing, ...]
    refused_file: Path | None = None
    # Which time zone the holders of the rows get, why, and how many rows.
    zones: tuple[tuple[str, Why, int], ...] = ()


@dataclass(slots=True)
class _Plan:
    """What is to be written. A holder is an id, or a person who has none yet."""

    own: Own
    holders: Holders
    missing: list[Missing]
    changes: Changes = field(default_factory=Changes)
    created: list[tuple[CardRow, int | Person]] = field(default_factory=list)
    changed: list[tuple[Row[Any], CardRow, int | Person, list[str], Action]] = field(
        default_factory=list
    )
    told: int = 0
    zones: tuple[tuple[str, Why, int], ...] = ()


def import_book(
    engine: Engine,
    book: CardBook,
    name: str,
    wanted: Mapping[str, Any],
    now: datetime,
    *,
    rules: Rules,
    apply: bool,
    keep_refused: KeepRefused | None = None,
    step: Step = lambda _: None,
) -> Result:
    """Upsert the cards of ``book`` into the book ``name``.

    Nothing is written unless ``apply`` and either every row is right or ``keep_refused`` puts the
    refused ones elsewhere, which happens before the transaction ends: if it fails, nothing is
    written. ``wanted`` holds the book's own values, see ``store.books.ensure``; ``step`` is told
    each of ``STEPS`` as it begins.
    """
    refused = book.total - len(book.rows)
    if not apply or (refused and keep_refused is None):
        with reading(engine) as conn:
            step("comparing")
            own = book_store.peek(conn, name, wanted)
            return _result(book, _compare(conn, book, own, now, lock=False), applied=False)
    with writing(engine) as conn:
        step("comparing")
        row = book_store.ensure(conn, name, wanted, now)
        plan = _compare(conn, book, Own(row.id, row.language, row.time_zone), now, lock=True)
        step("writing")
        renewed = _write(conn, plan, row.id, now)
        step("telling")
        tell_renewals(conn, rules, renewed, now)
        kept = keep_refused(row.language) if refused and keep_refused else None
        return _result(book, plan, applied=True, refused_file=kept)


def _compare(conn: Connection, book: CardBook, own: Own, now: datetime, *, lock: bool) -> _Plan:
    """What ``book`` would change; nothing is written."""
    # The cards first: their locks are what checks and life events wait for.
    cards = book_store.cards_of(conn, own.id, lock=lock) if own.id is not None else []
    found = book_store.holders_of(conn, own.id) if own.id is not None else []
    there = Existing(cards, book.rows, book.named)
    matched = [there.find(row) for row in book.rows]
    by_id = {row.id: row for row in found}
    silent = absent(book.columns)
    rows = [
        completed(row, card, by_id.get(card.holder_id) if card is not None else None, silent)
        for row, card in zip(book.rows, matched, strict=True)
    ]
    holders = Holders.of(own, found, rows)
    plan = _Plan(own, holders, there.missing(), zones=tally(rows, own.time_zone))
    # All are resolved before any is compared: a later row may change a shared holder.
    meant = [
        holders.resolve(person, card.holder_id if card is not None else None)
        for person, card in zip(holders.persons, matched, strict=True)
    ]
    for row, card, person, holder in zip(rows, matched, holders.persons, meant, strict=True):
        if card is None:
            plan.created.append((row, holder))
            plan.changes.add(row, Action.CREATED, (), None)
            continue
        fields = meaning.differing(card, row)
        if holder != card.holder_id:
            fields.append("holder_id")
        if not fields and holder not in holders.updated:
            continue
        other = holders.is_other(card.holder_id, person)
        action = meaning.action_of(card, row, fields, other)
        plan.changed.append((card, row, holder, fields, action))
        plan.changes.add(row, action, fields, card)
        plan.told += meaning.owes_notice(card, row, action, now)
    return plan


def _write(conn: Connection, plan: _Plan, book_id: int, now: datetime) -> list[tuple[int, int]]:
    """Write the plan; returns (holder id, card id) of the renewals that are to be told."""
    plan.holders.write(conn, now)
    known = plan.holders.known

    def id_of(holder: int | Person) -> int:
        return known[holder] if isinstance(holder, Person) else holder

    ids = book_store.add_cards(
        conn, (meaning.new_card(row, book_id, id_of(holder), now) for row, holder in plan.created)
    )
    book_store.update_cards(
        conn,
        (
            meaning.changed_columns(card, row, fields, id_of(holder), action, now)
            for card, row, holder, fields, action in plan.changed
        ),
    )
    for some in batched(ids):
        add_events(conn, [_event(card, "imported", (), now) for card in some])
    for several in batched(plan.changed):
        add_events(conn, [_event(c.id, action, fields, now) for c, _, _, fields, action in several])
    by_action = {
        action: {card.id for card, *_, does in plan.changed if does is action}
        for action in (Action.RENEWED, Action.REASSIGNED)
    }
    end_waiting(conn, book_id, by_action[Action.RENEWED], by_action[Action.REASSIGNED], now)
    former = {card.holder_id for card, *_, fields, _ in plan.changed if "holder_id" in fields}
    book_store.erase_done(conn, former, now)
    return [
        (id_of(holder), card.id)
        for card, row, holder, _, action in plan.changed
        if meaning.owes_notice(card, row, action, now)
    ]


def _event(card_id: int, event: str, fields: Any, now: datetime) -> dict[str, Any]:
    """The trail names the fields that changed, never their values."""
    return {"card_id": card_id, "at": now, "event": event, "detail": {"fields": list(fields)}}


def _result(
    book: CardBook, plan: _Plan, *, applied: bool, refused_file: Path | None = None
) -> Result:
    created, changed = len(plan.created), len(plan.changed)
    return Result(
        book=book,
        created=created,
        changed=changed,
        unchanged=len(book.rows) - created - changed,
        refused=book.total - len(book.rows),
        applied=applied,
        actions=plan.changes.counts,
        changes=tuple(plan.changes.first(meaning.MOST_KEPT)),
        told=plan.told,
        missing=tuple(plan.missing),
        refused_file=refused_file,
        zones=plan.zones,
    )
