"""From checked rows into the store: one transaction, all or nothing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from worker.cardbook import changes as meaning
from worker.cardbook.changes import Action, Change
from worker.cardbook.elsewhere import AlsoInBook
from worker.cardbook.existing import Missing
from worker.cardbook.fingerprint import fingerprint, require_same
from worker.cardbook.holders import Person
from worker.cardbook.import_effects import end_waiting, tell_renewals
from worker.cardbook.last_read import KeptCard
from worker.cardbook.plan import ImportPlan, compare
from worker.cardbook.rows import CardBook
from worker.cardbook.zones import Why
from worker.core.actor import Source
from worker.core.rules import Rules
from worker.pipeline import saving
from worker.store import books as book_store
from worker.store import card_index
from worker.store.books import Own
from worker.store.bulk import batched
from worker.store.cards import CardEvent, add_events
from worker.store.engine import reading, writing

# Writes the refused rows somewhere, with words in the given language, and returns where.
KeepRefused = Callable[[str], Path]
Step = Callable[[str], None]
# Given the book's number, once its cards are written.
Finish = Callable[[Connection, int, "Result"], None]
STEPS = ("comparing", "writing", "telling")


@dataclass(frozen=True, slots=True)
class Result:
    """What an import did or, if not ``applied``, would do; refused rows are never written.

    ``changes`` are the first of them, gravest first; ``actions`` counts all. ``told``: renewed
    cards whose holders get the checklist. ``missing``: cards of the book in no row of the file.
    ``zones``: how many rows took which time zone, and from where (``row``, ``phone``, ``book``).
    ``kept``: cards on which an event is newer than the file. ``elsewhere``: rows whose card is in
    another book too.
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
    # Which time zone the holders of the rows get and why, with how many rows.
    zones: Mapping[tuple[str, Why], int]
    kept: tuple[KeptCard, ...] = ()
    elsewhere: tuple[AlsoInBook, ...] = ()
    refused_file: Path | None = None
    # What the changes are, as one text (``fingerprint``); only where it was asked for.
    digest: str | None = None


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
    digest: bool = False,
    previewed: str | None = None,
    finish: Finish = lambda _conn, _book_id, _result: None,
) -> Result:
    """Upsert the cards of ``book`` into the book ``name``.

    Nothing is written unless ``apply`` and either every row is right or ``keep_refused`` puts the
    refused ones elsewhere, which happens before the transaction ends: if it fails, nothing is
    written. ``wanted`` holds the book's own values, see ``store.books.ensure``; ``step`` is told
    each of ``STEPS`` as it begins. ``digest``: say in the result what would be done as one text;
    with that text as ``previewed`` exactly that is written, or ``StalePreviewError`` raised.
    ``finish`` writes what belongs to it in the same transaction, as the last of all.
    """
    refused = book.total - len(book.rows)
    if not apply or (refused and keep_refused is None):
        with reading(engine) as conn:
            step("comparing")
            own = book_store.peek(conn, name, wanted)
            plan = compare(conn, book, own, now, lock=False)
            found = _result(book, plan, applied=False)
            return replace(found, digest=fingerprint(plan)) if digest else found
    with writing(engine) as conn:
        step("comparing")
        row = book_store.ensure(conn, name, wanted, now)
        plan = compare(conn, book, Own(row.id, row.language, row.time_zone), now, lock=True)
        if previewed is not None:
            require_same(plan, previewed)
        step("writing")
        renewed = _write(conn, plan, row.id, rules, now)
        step("telling")
        tell_renewals(conn, rules, renewed, now)
        kept = keep_refused(row.language) if refused and keep_refused else None
        result = _result(book, plan, applied=True, refused_file=kept)
        finish(conn, row.id, result)
        return result


def _write(
    conn: Connection, plan: ImportPlan, book_id: int, rules: Rules, now: datetime
) -> list[tuple[int, int]]:
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
    _write_memory(conn, plan.read, id_of)
    for some in batched(ids):
        add_events(conn, [_event(card, "imported", (), now) for card in some])
    for several in batched(plan.changed):
        add_events(conn, [_event(c.id, action, fields, now) for c, _, _, fields, action in several])
    by_action = {
        action: {card.id for card, *_, does in plan.changed if does is action}
        for action in (Action.RENEWED, Action.REASSIGNED)
    }
    end_waiting(conn, book_id, by_action[Action.RENEWED], by_action[Action.REASSIGNED], now)
    for some in batched(sorted(by_action[Action.RENEWED])):
        saving.renewed(conn, some, now, Source.IMPORT)
    former = {card.holder_id for card, *_, fields, _ in plan.changed if "holder_id" in fields}
    book_store.erase_done(conn, former, now)
    card_index.renew(conn, rules, [*ids, *(card.id for card, *_ in plan.changed)])
    card_index.rename(conn, plan.holders.updated)
    return [
        (id_of(holder), card.id)
        for card, row, holder, _, action in plan.changed
        if meaning.owes_notice(card, row, action, now)
    ]


def _write_memory(
    conn: Connection,
    read: Iterable[tuple[int, dict[str, Any], int | Person | None]],
    id_of: Callable[[int | Person], int],
) -> None:
    """Keep what the rows said, for the next time that the book is read."""
    book_store.update_cards(
        conn,
        (
            {"row_id": card, **memory, **({} if who is None else {"read_holder_id": id_of(who)})}
            for card, memory, who in read
        ),
    )


def _event(card_id: int, event: str, fields: Sequence[str], now: datetime) -> CardEvent:
    """The trail names the fields that changed, never their values."""
    return {"card_id": card_id, "at": now, "event": event, "detail": {"fields": list(fields)}}


def _result(
    book: CardBook, plan: ImportPlan, *, applied: bool, refused_file: Path | None = None
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
        zones=plan.holders.zones,
        kept=tuple(plan.kept),
        elsewhere=plan.elsewhere,
        refused_file=refused_file,
    )
