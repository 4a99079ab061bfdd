"""Life events: the words for what happens to a card between two deadlines.

What each of them changes stands in ``life_effects``. Source of the events: what operators, holders
and card keepers report of Peruvian cards.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum


class LifeEvent(StrEnum):
    """What is entered, or found out by the clock: ``RENEWAL_NOT_EFFECTIVE`` (nobody has confirmed
    it yet, the holder is asked), ``RENEWAL_UNANSWERED`` and ``CLOSED``."""

    RENEWED = "renewed"
    CORRECTED = "corrected"
    CONFIRMED = "confirmed"
    RENEWAL_NOT_EFFECTIVE = "renewal_not_effective"
    RENEWAL_UNANSWERED = "renewal_unanswered"
    RENEWAL_FAILED = "renewal_failed"
    LOW_BALANCE = "low_balance"
    LOW_DATA = "low_data"
    SUSPENDED = "suspended"
    RECYCLED = "recycled"
    REASSIGNED = "reassigned"
    REGISTRATION_NOTICE = "registration_notice"
    REGISTRATION_RESOLVED = "registration_resolved"
    PAUSED = "paused"
    RESUMED = "resumed"
    CLOSED = "closed"


class LifeNotice(StrEnum):
    """What a holder is told of an event; each has its texts."""

    RENEWAL_RECORDED = "renewal_recorded"
    RENEWAL_NOT_EFFECTIVE = "renewal_not_effective"
    RENEWAL_FAILED = "renewal_failed"
    LOW_BALANCE = "low_balance"
    LOW_DATA = "low_data"
    SUSPENDED = "suspended"
    RECYCLED = "recycled"
    REGISTRATION_NOTICE = "registration_notice"


class ImpossibleError(Exception):
    """The event cannot happen to a card in its present state; the text says why."""


@dataclass(frozen=True, slots=True)
class Happening:
    """An event with what was told of it; dates are days in the card's time zone."""

    event: LifeEvent
    plan_end: date | None = None
    last_topup: date | None = None
    balance: Decimal | None = None
    receipt_ref: str | None = None
    holder_id: int | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """``changes``: columns of the card. ``notice`` is owed once for the day or cycle ``on``.

    ``ends``: the notices that are no longer true, ``None`` for none, with the ``reason``;
    ``ends_deadlines``: all waiting reminders of deadlines end too.
    """

    changes: Mapping[str, object]
    reason: str
    notice: LifeNotice | None = None
    on: date | None = None
    ends: frozenset[LifeNotice] = field(default=frozenset())
    ends_deadlines: bool = False


# What asks the holder whether a renewal works: its links say so.
QUESTIONS = frozenset({LifeNotice.RENEWAL_RECORDED, LifeNotice.RENEWAL_NOT_EFFECTIVE})
ALL_NOTICES = frozenset(LifeNotice)
# The columns of a card without any renewal that could still be answered.
SETTLED: Mapping[str, object] = {
    "renewed_at": None,
    "asked_at": None,
    "former_plan_end": None,
    "former_last_topup": None,
    "claimed_plan_end": None,
    "claimed_last_topup": None,
}
