"""What one row changes of a card in the store, and what that change means."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row

from worker.cardbook.cells import shortened
from worker.cardbook.last_read import remembered
from worker.cardbook.rows import CardRow
from worker.core.cards import CARD_TIME_ZONE, CardState
from worker.core.hours import local_day
from worker.core.life import SETTLED

# A change of any of these moves a deadline.
_DEADLINE_FIELDS = ("operator", "kind", "plan_days", "plan_end", "last_topup", "balance")
FIELDS = ("msisdn", "iccid", "imsi", "plan", "note", *_DEADLINE_FIELDS)
WATCHED = (CardState.ACTIVE, CardState.SUSPENDED)
MOST_KEPT = 1_000


class Action(StrEnum):
    """What a row does to its card, gravest first; also the event in the card's audit trail
    (``imported`` for ``CREATED``)."""

    REASSIGNED = "reassigned"
    RENEWED = "renewed"
    CONTACT_CHANGED = "contact_changed"
    CHANGED = "changed"
    CREATED = "created"


@dataclass(frozen=True, slots=True)
class Change:
    """One row's change without personal data: ``card`` is ``operator …1234``, ``fields`` are
    names, ``plan_end`` is (old, new) where it moved."""

    row: int
    card: str
    action: Action
    fields: tuple[str, ...] = ()
    plan_end: tuple[date | None, date | None] | None = None


@dataclass(slots=True)
class Changes:
    """All changes counted by action, and the first of each kept."""

    counts: Counter[Action] = field(default_factory=Counter)
    _kept: dict[Action, list[Change]] = field(default_factory=dict)

    def add(
        self, row: CardRow, action: Action, fields: Sequence[str], old: Row[Any] | None
    ) -> None:
        """Count a change; keep what it was if there is room."""
        self.counts[action] += 1
        kept = self._kept.setdefault(action, [])
        if len(kept) < MOST_KEPT:
            moved = (
                (old.plan_end, row.plan_end) if old is not None and "plan_end" in fields else None
            )
            card = f"{row.operator} {shortened(row.msisdn, row.iccid)}"
            names = tuple("holder" if name == "holder_id" else name for name in fields)
            kept.append(Change(row.row, card, action, names, moved))

    def first(self, count: int) -> list[Change]:
        """Up to ``count`` changes (at most ``MOST_KEPT``), the gravest first, then by row."""
        found = [change for action in Action for change in self._kept.get(action, ())]
        return found[: min(count, MOST_KEPT)]


def differing(card: Row[Any], row: CardRow) -> list[str]:
    """The fields in which ``row`` tells something else than the store."""
    return [name for name in FIELDS if getattr(card, name) != getattr(row, name)]


def action_of(card: Row[Any], row: CardRow, fields: Sequence[str], other_person: bool) -> Action:
    """What a change of ``fields`` means; ``holder_id`` is among them if the holder is another."""
    if "holder_id" in fields and other_person:
        return Action.REASSIGNED
    if is_renewal(card, row):
        return Action.RENEWED
    return Action.CONTACT_CHANGED if list(fields) in ([], ["holder_id"]) else Action.CHANGED


def is_renewal(card: Row[Any], row: CardRow) -> bool:
    """Whether the card lives longer than the store knew. A date that moves back is a correction,
    and one that was never told before is only new to us, unless the top-up is one of our time. So
    is an end that moves on by less than half the plan, without a newer top-up: whoever buys a plan
    gets all of its days."""
    if row.plan_end and card.plan_end and row.plan_end > card.plan_end:
        days = row.plan_days or card.plan_days
        if days is None or (row.plan_end - card.plan_end).days * 2 >= days:
            return True
    if row.last_topup is None:
        return False
    known = card.last_topup
    if known is None:
        return bool(row.last_topup >= local_day(card.watched_since, card.time_zone))
    return bool(row.last_topup > known)


def owes_notice(card: Row[Any], row: CardRow, action: Action, now: datetime) -> bool:
    """Whether the holder is told of it, as of a renewal that was entered by hand."""
    if action is not Action.RENEWED or card.state not in WATCHED or card.paused:
        return False
    return row.plan_end is None or row.plan_end >= local_day(now, card.time_zone)


def new_card(row: CardRow, book_id: int, holder_id: int, now: datetime) -> dict[str, Any]:
    """A card to insert."""
    return {
        **{name: getattr(row, name) for name in FIELDS},
        **remembered(row),
        "read_holder_id": holder_id,
        "book_id": book_id,
        "holder_id": holder_id,
        "state": CardState.ACTIVE,
        "time_zone": CARD_TIME_ZONE,
        "watched_since": now,
        "check_asked_at": now,
        "created_at": now,
        "updated_at": now,
    }


def changed_columns(
    card: Row[Any],
    row: CardRow,
    fields: Sequence[str],
    holder_id: int,
    action: Action,
    now: datetime,
) -> Mapping[str, Any]:
    """The columns of a card to update, with its ``row_id``."""
    changed: dict[str, Any] = {name: getattr(row, name) for name in fields if name != "holder_id"}
    if "holder_id" in fields:
        changed["holder_id"] = holder_id
    moved = any(name in _DEADLINE_FIELDS for name in fields)
    if moved or action is Action.REASSIGNED:
        # What the book says now is what holds, whatever was recorded and not confirmed.
        changed |= {**SETTLED, "watched_since": now}
    if action is Action.RENEWED:
        changed["receipt_ref"] = None  # it named another payment
    # A renewal proves that the line lives, be it late. A recycled number stays recycled.
    lives = action is Action.RENEWED and card.state == CardState.SUSPENDED
    if lives or (moved and card.state == CardState.CLOSED):
        changed["state"] = CardState.ACTIVE
    return {"row_id": card.id, **changed, "check_asked_at": now, "updated_at": now}
