"""Life events: what happens to a card between two deadlines, and what each of them changes.

Pure: a card and a happening go in; the changes, the notice owed and what has become untrue come
out. Source of the events: what operators, holders and card keepers report of Peruvian cards.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from worker.core.cards import Card, CardState
from worker.core.hours import local_day

# Nobody sells a longer plan: a date beyond it is a slip of the finger, such as 2126 for 2026.
_LONGEST_PLAN_YEARS = 20


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


_RENEWAL = frozenset(
    {
        LifeNotice.RENEWAL_RECORDED,
        LifeNotice.RENEWAL_NOT_EFFECTIVE,
        LifeNotice.RENEWAL_FAILED,
    }
)
# What asks the holder whether a renewal works: its links say so.
QUESTIONS = frozenset({LifeNotice.RENEWAL_RECORDED, LifeNotice.RENEWAL_NOT_EFFECTIVE})
_EMPTY = frozenset({LifeNotice.LOW_BALANCE, LifeNotice.LOW_DATA})
_ALL = frozenset(LifeNotice)
# The columns of a card without any renewal that could still be answered.
SETTLED: Mapping[str, object] = {
    "renewed_at": None,
    "asked_at": None,
    "former_plan_end": None,
    "former_last_topup": None,
    "claimed_plan_end": None,
    "claimed_last_topup": None,
}


def happen(card: Card, what: Happening, now: datetime) -> Effect:
    """What ``what`` does to ``card`` at ``now``. Raises ``ImpossibleError``."""
    if card.state in (CardState.RECYCLED, CardState.CLOSED):
        raise ImpossibleError(f"the card is {card.state}: its number is never contacted again")
    return _EFFECTS[what.event](card, what, now)


def _today(card: Card, now: datetime) -> date:
    return local_day(now, card.time_zone)


def _renewed(card: Card, what: Happening, now: datetime) -> Effect:
    """A renewal; told once more on the day it was told, it corrects what was told before: nobody
    tops a card up twice in a day, but many mistype a date."""
    today = _today(card, now)
    if what.plan_end is not None and what.plan_end < today:
        raise ImpossibleError(f"the new plan end {what.plan_end} has passed already")
    if card.renewed_at is not None and _today(card, card.renewed_at) == today:
        return _corrected(card, what, now)
    topup = _topup(what, today, today)
    _check_end(card, what, today)
    first = card.renewed_at is None
    changes: dict[str, object] = {
        **SETTLED,
        "plan_end": what.plan_end,
        "last_topup": topup,
        "state": CardState.ACTIVE,
        "renewed_at": now,
        "receipt_ref": what.receipt_ref,
        # What holds again if the renewal turns out to have had no effect.
        "former_plan_end": card.plan_end if first else card.former_plan_end,
        "former_last_topup": card.last_topup if first else card.former_last_topup,
        "watched_since": now,
    }
    if what.balance is not None:
        changes["balance"] = what.balance
    return Effect(
        changes, "renewed", LifeNotice.RENEWAL_RECORDED, today, ends=_ALL, ends_deadlines=True
    )


def _corrected(card: Card, what: Happening, now: datetime) -> Effect:
    """Dates that had been entered wrongly: nothing has happened to the card, so nobody is told,
    and a renewal that is open stays open. A notice that waits tells the right dates."""
    changes: dict[str, object] = {
        "plan_end": what.plan_end,
        "last_topup": _topup(what, card.last_topup, _today(card, now)),
        "watched_since": now,
    }
    _check_end(card, what, _today(card, now))
    if what.balance is not None:
        changes["balance"] = what.balance
    if what.receipt_ref is not None:
        changes["receipt_ref"] = what.receipt_ref
    return Effect(changes, "corrected", ends_deadlines=True)


def _topup(what: Happening, default: date | None, today: date) -> date | None:
    topup = what.last_topup or default
    if topup is not None and topup > today:
        raise ImpossibleError(f"the top-up {topup} lies in the future")
    return topup


def _check_end(card: Card, what: Happening, today: date) -> None:
    if what.plan_end is None and card.plan_end is not None:
        raise ImpossibleError("the card has a plan that ends: tell its new end")
    if what.plan_end is not None and what.plan_end.year > today.year + _LONGEST_PLAN_YEARS:
        raise ImpossibleError(
            f"the new plan end {what.plan_end} lies more than {_LONGEST_PLAN_YEARS} years ahead"
        )


def _confirmed(card: Card, what: Happening, now: datetime) -> Effect:
    """It works. Said after the answer had stayed away too long, it brings the renewal back."""
    if card.renewed_at is not None:
        ends = frozenset({LifeNotice.RENEWAL_NOT_EFFECTIVE})
        return Effect(_settled(now), "confirmed", ends=ends)
    if card.claimed_last_topup is None:
        raise ImpossibleError("there is no renewal that waits to be confirmed")
    changes = _settled(now)
    changes["plan_end"] = card.claimed_plan_end
    changes["last_topup"] = card.claimed_last_topup
    return Effect(changes, "confirmed", ends=_RENEWAL, ends_deadlines=True)


def _asked(card: Card, what: Happening, now: datetime) -> Effect:
    """Nobody has said yet whether it works: the holder is asked, and the question stays open."""
    if card.renewed_at is None:
        raise ImpossibleError("there is no renewal that waits to be confirmed")
    if card.asked_at is not None:
        raise ImpossibleError("its holder was asked already")
    notice = LifeNotice.RENEWAL_NOT_EFFECTIVE
    return Effect({"asked_at": now}, notice, notice, _today(card, now), ends=_RENEWAL)


def _unanswered(card: Card, what: Happening, now: datetime) -> Effect:
    """The answer stayed away too long: the former dates hold, and their windows tell the holder.
    What was reported is kept, for the answer may still come."""
    if card.asked_at is None:
        raise ImpossibleError("its holder was not asked whether a renewal works")
    changes = {
        **_settled(now),
        "plan_end": card.former_plan_end,
        "last_topup": card.former_last_topup,
        "claimed_plan_end": card.plan_end,
        "claimed_last_topup": card.last_topup,
    }
    return Effect(changes, LifeEvent.RENEWAL_UNANSWERED, ends=_RENEWAL, ends_deadlines=True)


def _failed(card: Card, what: Happening, now: datetime) -> Effect:
    """A renewal without effect: the former deadlines hold, and their windows resume."""
    changes: dict[str, object] = _settled(now)
    if card.renewed_at is not None:
        changes["plan_end"] = card.former_plan_end
        changes["last_topup"] = card.former_last_topup
    notice, on = LifeNotice.RENEWAL_FAILED, _today(card, now)
    return Effect(changes, notice, notice, on, ends=_RENEWAL, ends_deadlines=True)


def _settled(now: datetime) -> dict[str, object]:
    return {**SETTLED, "watched_since": now}


def _low(notice: LifeNotice) -> Callable[[Card, Happening, datetime], Effect]:
    """Once a cycle: the day that names the notice is that of the last top-up."""

    def effect(card: Card, what: Happening, now: datetime) -> Effect:
        changes = {} if what.balance is None else {"balance": what.balance}
        cycle = card.last_topup or card.plan_end or _today(card, now)
        return Effect(changes, notice, notice, cycle)

    return effect


def _suspended(card: Card, what: Happening, now: datetime) -> Effect:
    if card.state is CardState.SUSPENDED:
        raise ImpossibleError("the card is suspended already")
    return Effect(
        {"state": CardState.SUSPENDED},
        "suspended",
        LifeNotice.SUSPENDED,
        _today(card, now),
        ends=_EMPTY,
    )


def _recycled(card: Card, what: Happening, now: datetime) -> Effect:
    return Effect(
        {"state": CardState.RECYCLED},
        "recycled",
        LifeNotice.RECYCLED,
        _today(card, now),
        ends=_ALL,
        ends_deadlines=True,
    )


def _reassigned(card: Card, what: Happening, now: datetime) -> Effect:
    if what.holder_id is None or what.holder_id == card.holder_id:
        raise ImpossibleError("the card has this holder already")
    changes = {"holder_id": what.holder_id, **_settled(now)}
    return Effect(changes, "reassigned", ends=_ALL, ends_deadlines=True)


def _registration(card: Card, what: Happening, now: datetime) -> Effect:
    notice = LifeNotice.REGISTRATION_NOTICE
    return Effect({}, notice, notice, _today(card, now))


def _registration_resolved(card: Card, what: Happening, now: datetime) -> Effect:
    ends = frozenset({LifeNotice.REGISTRATION_NOTICE})
    return Effect({}, "registration_resolved", ends=ends)


def _paused(card: Card, what: Happening, now: datetime) -> Effect:
    if card.paused:
        raise ImpossibleError("the card is paused already")
    return Effect({"paused": True}, "paused", ends=_ALL, ends_deadlines=True)


def _resumed(card: Card, what: Happening, now: datetime) -> Effect:
    """The pause ended a question that waited, so an open one is asked anew."""
    if not card.paused:
        raise ImpossibleError("the card is not paused")
    return Effect({"paused": False, "asked_at": None, "watched_since": now}, "resumed")


def _closed(card: Card, what: Happening, now: datetime) -> Effect:
    """The number has gone to somebody else: nothing more is owed, and little needs to be kept."""
    changes = {"state": CardState.CLOSED, "imsi": None, "note": None, "receipt_ref": None}
    return Effect(changes, "closed", ends=_ALL, ends_deadlines=True)


_EFFECTS: Mapping[LifeEvent, Callable[[Card, Happening, datetime], Effect]] = {
    LifeEvent.RENEWED: _renewed,
    LifeEvent.CORRECTED: _corrected,
    LifeEvent.CONFIRMED: _confirmed,
    LifeEvent.RENEWAL_NOT_EFFECTIVE: _asked,
    LifeEvent.RENEWAL_UNANSWERED: _unanswered,
    LifeEvent.RENEWAL_FAILED: _failed,
    LifeEvent.LOW_BALANCE: _low(LifeNotice.LOW_BALANCE),
    LifeEvent.LOW_DATA: _low(LifeNotice.LOW_DATA),
    LifeEvent.SUSPENDED: _suspended,
    LifeEvent.RECYCLED: _recycled,
    LifeEvent.REASSIGNED: _reassigned,
    LifeEvent.REGISTRATION_NOTICE: _registration,
    LifeEvent.REGISTRATION_RESOLVED: _registration_resolved,
    LifeEvent.PAUSED: _paused,
    LifeEvent.RESUMED: _resumed,
    LifeEvent.CLOSED: _closed,
}
