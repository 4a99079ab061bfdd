"""From checked rows into the store: one transaction, all or nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row

from worker.cardbook.holders import Holders, Person
from worker.cardbook.rows import CardBook, CardRow
from worker.core.cards import CARD_TIME_ZONE, CardState
from worker.store import books as book_store
from worker.store.cards import AT_ONCE, add_events
from worker.store.engine import writing

# A change of any of these moves a deadline.
_DEADLINE_FIELDS = ("operator", "kind", "plan_days", "plan_end", "last_topup", "balance")
_FIELDS = ("msisdn", "iccid", "imsi", "plan", "note", *_DEADLINE_FIELDS)


@dataclass(frozen=True, slots=True)
class Result:
    """What an import did or, if not ``applied``, would do; refused rows are never written."""

    book: CardBook
    created: int
    changed: int
    unchanged: int
    refused: int
    applied: bool


class _DryRunOver(Exception):  # noqa: N818 - it is no error
    """Rolls the transaction back once everything has been tried."""


def import_book(
    engine: Engine,
    book: CardBook,
    name: str,
    wanted: Mapping[str, Any],
    now: datetime,
    *,
    apply: bool,
) -> Result:
    """Upsert the cards of ``book`` into the book ``name``; nothing is written unless ``apply``
    and every row is right. ``wanted`` holds the book's own values, see ``store.books.ensure``.
    """
    refused = book.total - len(book.rows)
    applied = apply and refused == 0
    result = None
    try:
        with writing(engine) as conn:
            counts = _write(conn, book.rows, name, wanted, now)
            result = Result(book, *counts, refused, applied)
            if not applied:
                raise _DryRunOver
    except _DryRunOver:
        pass
    assert result is not None  # noqa: S101 - set before either way out of the transaction
    return result


def _write(
    conn: Connection,
    rows: Sequence[CardRow],
    name: str,
    wanted: Mapping[str, Any],
    now: datetime,
) -> tuple[int, int, int]:
    own = book_store.ensure(conn, name, wanted, now)
    holders = Holders.load(conn, own, rows)
    there = _Existing(book_store.cards_of(conn, own.id), rows)
    matched = [(row, there.find(row)) for row in rows]
    meant = [
        (row, card, holders.resolve(row, card.holder_id if card else None)) for row, card in matched
    ]
    names = {holder: person.name for holder, person in holders.by_id.items()}
    holders.write(conn, now)
    created: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    for row, card, holder in meant:
        holder_id = holders.known[holder] if isinstance(holder, Person) else holder
        values = {**_values(row), "holder_id": holder_id}
        if card is None:
            created.append(_new(values, own.id, now))
            continue
        different = [k for k, v in values.items() if getattr(card, k) != v]
        if different:
            changed.append(_changed(card, values, different, now))
            old, new = names.get(card.holder_id), row.holder
            events.append(_event(card.id, _name_of(different, old != new), different, now))
        elif holder_id in holders.updated:
            changed.append(_changed(card, values, [], now))
            events.append(_event(card.id, "contact_changed", [], now))
    ids = book_store.add_cards(conn, created)
    book_store.update_cards(conn, changed)
    add_events(conn, [_event(card, "imported", [], now) for card in ids] + events)
    return len(created), len(changed), len(rows) - len(created) - len(changed)


class _Existing:
    """The cards of a book, found by ICCID, else by number (a chip that was replaced), but not by
    the number of a chip that another row of the file names."""

    def __init__(self, cards: Sequence[Row[Any]], rows: Sequence[CardRow]) -> None:
        named = {row.iccid for row in rows if row.iccid}
        self._by_iccid = {card.iccid: card for card in cards if card.iccid}
        self._by_msisdn = {
            card.msisdn: card for card in cards if card.msisdn and card.iccid not in named
        }

    def find(self, row: CardRow) -> Row[Any] | None:
        if row.iccid and (card := self._by_iccid.get(row.iccid)):
            return card
        return self._by_msisdn.get(row.msisdn) if row.msisdn else None


def _values(row: CardRow) -> dict[str, Any]:
    return {field: getattr(row, field) for field in _FIELDS}


def _new(values: dict[str, Any], book_id: int, now: datetime) -> dict[str, Any]:
    return {
        **values,
        "book_id": book_id,
        "state": CardState.ACTIVE,
        "time_zone": CARD_TIME_ZONE,
        "watched_since": now,
        "next_check_at": AT_ONCE,
        "created_at": now,
        "updated_at": now,
    }


def _changed(
    card: Row[Any], values: dict[str, Any], different: Sequence[str], now: datetime
) -> dict[str, Any]:
    moved = any(field in _DEADLINE_FIELDS for field in different)
    # A renewal that comes late proves that the line lives. A recycled number stays recycled.
    reopened = moved and card.state == CardState.CLOSED
    return {
        "row_id": card.id,
        **values,
        "state": CardState.ACTIVE if reopened else card.state,
        # What the book says now is what holds, whatever was recorded and not confirmed.
        "renewed_at": None if moved else card.renewed_at,
        "watched_since": now if moved else card.watched_since,
        "next_check_at": AT_ONCE,
        "updated_at": now,
    }


def _name_of(different: Sequence[str], other_person: bool) -> str:
    """What a change means, gravest first."""
    if "holder_id" in different and other_person:
        return "reassigned"
    renewed = "plan_end" in different or "last_topup" in different
    return "renewed" if renewed else "changed"


def _event(card_id: int, event: str, fields: Sequence[str], now: datetime) -> dict[str, Any]:
    """The trail names the fields that changed, never their values."""
    return {"card_id": card_id, "at": now, "event": event, "detail": {"fields": list(fields)}}
