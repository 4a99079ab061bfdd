"""What a card's row said when its book was last read.

A file is older than what happened since: a renewal that was entered by hand moves the plan's end,
and the same file, imported once more, still has the old one. What a row says again is no news; what
it says for the first time is.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row

from worker.cardbook.cells import shortened
from worker.cardbook.rows import CardRow
from worker.core.cards import CardState

# What events set besides an import, and the column of the file that tells it.
_SET_BY_EVENTS = {"plan_end": "expires", "last_topup": "last_topup", "balance": "balance"}
_GONE = (CardState.RECYCLED, CardState.CLOSED)


@dataclass(frozen=True, slots=True)
class KeptCard:
    """A card on which the file is older than the store: ``fields`` are names, ``plan_end`` is (in
    the file, in the store) if it is among them; ``card`` is ``operator …1234``."""

    row: int
    card: str
    fields: tuple[str, ...]
    plan_end: tuple[date | None, date | None] | None = None


def newer(row: CardRow, card: Row[Any]) -> dict[str, Any]:
    """What the store knows better: the fields that an event has set since, and ``row`` repeats."""
    if card.read_holder is None:
        return {}
    return {
        name: getattr(card, name)
        for name in _SET_BY_EVENTS
        if getattr(row, name) == getattr(card, f"read_{name}") != getattr(card, name)
    }


def keeps_holder(row: CardRow, card: Row[Any]) -> bool:
    """Whether the card went to another holder since, or its holder was forgotten, and ``row`` only
    repeats who had it before."""
    if card.read_holder is None or card.read_holder != fingerprint(row):
        return False
    return card.holder_id != card.read_holder_id or card.state in _GONE


def kept(row: CardRow, card: Row[Any], fields: Collection[str]) -> KeptCard:
    """What is told of it."""
    moved = (row.plan_end, card.plan_end) if "plan_end" in fields else None
    return KeptCard(
        row.row, f"{row.operator} {shortened(row.msisdn, row.iccid)}", tuple(fields), moved
    )


def remembered(row: CardRow, missing: Collection[str] = ()) -> dict[str, Any]:
    """The columns that remember ``row``, without those for which the file has no column."""
    values = {
        f"read_{name}": getattr(row, name)
        for name, field in _SET_BY_EVENTS.items()
        if field not in missing
    }
    return {**values, "read_holder": fingerprint(row)}


def differs(card: Row[Any], values: Mapping[str, Any]) -> bool:
    """Whether the store remembers something else."""
    return any(getattr(card, name) != value for name, value in values.items())


def fingerprint(row: CardRow) -> str:
    """Tells whether a row speaks of the same holder as before; nobody can be read from it."""
    person = (row.holder, row.email, row.contact_phone, row.language, row.time_zone)
    return hashlib.blake2s(repr(person).encode(), digest_size=16).hexdigest()
