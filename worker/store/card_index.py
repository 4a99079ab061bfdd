"""What pages find cards by: the days of their deadlines (``outlook``) and their terms (``finder``).

Whoever changes a date, a state, a number or a holder of cards calls ``renew`` in the same
transaction. Only what differs is written. A check that finds nothing new never comes here.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, delete, select

from worker.core.cards import Card, CardState
from worker.core.deadlines import GRAVITY
from worker.core.operators import Rung
from worker.core.rules import Rules
from worker.core.search_terms import terms
from worker.store.bulk import add_many, among, batched
from worker.store.cards import Watched, to_watched, watched_columns
from worker.store.tables import cards, finder, outlook

# The columns of a card from which the rows here are made: whoever sets one calls ``renew``.
MADE_FROM: Final = frozenset(
    {
        *("holder_id", "operator", "msisdn", "iccid", "imsi"),
        *("plan_days", "plan_end", "last_topup", "balance", "state"),
    }
)
# The day of the row at the end: see ``tables.outlook``.
NO_DAY: Final = date.max
NO_DEADLINE: Final = ""

_WATCHED: Final = (CardState.ACTIVE, CardState.SUSPENDED)
# To be raised when rows are made in another way: then all are made anew.
_VERSION: Final = 1

_Rows = set[tuple[Any, ...]]


def digest(rules: Rules) -> str:
    """What the rows of all cards depend on beside the cards: the days that operators give."""
    days = [
        (code, *(pack.days(rung) for rung in Rung)) for code, pack in sorted(rules.packs.items())
    ]
    return sha256(repr((_VERSION, days)).encode()).hexdigest()


def renew(conn: Connection, rules: Rules, ids: Iterable[int]) -> None:
    """Make the rows of these cards what follows from the cards as they are now."""
    for some in batched(ids):
        found = list(_cards(conn, among(conn, cards.c.id, some)))
        _write(conn, outlook, some, {one.card.id: _days(rules, one.card) for one, _ in found})
        _write(conn, finder, some, {one.card.id: _terms(one, imsi) for one, imsi in found})


def rename(conn: Connection, holder_ids: Iterable[int]) -> None:
    """Make the terms of all cards of these holders anew, since their names have changed."""
    for some in batched(holder_ids):
        found = list(_cards(conn, among(conn, cards.c.holder_id, some)))
        words = {one.card.id: _terms(one, imsi) for one, imsi in found}
        _write(conn, finder, list(words), words)


def forget(conn: Connection, ids: Iterable[int]) -> None:
    """Delete the rows of these cards, which were removed."""
    for some in batched(ids):
        for table in (outlook, finder):
            conn.execute(delete(table).where(among(conn, table.c.card_id, some)))


def _cards(conn: Connection, which: ColumnElement[bool]) -> Iterator[tuple[Watched, str | None]]:
    """Cards that were not removed, each with its IMSI, which no other decision needs."""
    query = watched_columns().add_columns(cards.c.imsi).where(which, cards.c.removed_at.is_(None))
    for row in conn.execute(query):
        yield to_watched(row), row.imsi


def _days(rules: Rules, card: Card) -> _Rows:
    """Of deadlines on one day the gravest comes first: it is the card's next, the others none."""
    found = rules.ladder(card) if card.state in _WATCHED else {}
    before: date | None = None
    rows: set[tuple[Any, ...]] = set()
    for kind in sorted(found, key=lambda kind: (found[kind].on, GRAVITY.index(kind))):
        rows.add((kind.value, card.book_id, found[kind].on, before))
        before = found[kind].on
    return rows | {(NO_DEADLINE, card.book_id, NO_DAY, before)}


def _terms(one: Watched, imsi: str | None) -> _Rows:
    card = one.card
    found = terms(card.msisdn, card.iccid, imsi, one.holder.name)
    return {(card.book_id, term) for term in found}


def _write(
    conn: Connection, table: Table, ids: Collection[int], wanted: Mapping[int, _Rows]
) -> None:
    """Make the rows of the cards ``ids`` those that are ``wanted``: each without its card, in the
    order of the table's columns."""
    names = [column.name for column in table.c if column.name != "card_id"]
    there: dict[int, _Rows] = {}
    found = select(table.c.card_id, *(table.c[name] for name in names))
    for card, *values in conn.execute(found.where(among(conn, table.c.card_id, ids))):
        there.setdefault(card, set()).add(tuple(values))
    differ = [card for card in ids if there.get(card) != wanted.get(card)]
    if stale := [card for card in differ if card in there]:
        conn.execute(delete(table).where(among(conn, table.c.card_id, stale)))
    rows = (
        {"card_id": card, **dict(zip(names, row, strict=True))}
        for card in differ
        for row in sorted(wanted.get(card, ()))
    )
    add_many(conn, table, rows)
