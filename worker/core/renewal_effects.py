"""What a reported renewal does to its card, and what the answers to it do: it works, it does not,
nobody has said."""

from datetime import date, datetime

from worker.core.cards import Card, CardState
from worker.core.hours import local_day
from worker.core.life import (
    ALL_NOTICES,
    SETTLED,
    Effect,
    Happening,
    ImpossibleError,
    LifeEvent,
    LifeNotice,
)

# Nobody sells a longer plan: a date beyond it is a slip of the finger, such as 2126 for 2026.
_LONGEST_PLAN_YEARS = 20
_RENEWAL = frozenset(
    {
        LifeNotice.RENEWAL_RECORDED,
        LifeNotice.RENEWAL_NOT_EFFECTIVE,
        LifeNotice.RENEWAL_FAILED,
    }
)


def renewed(card: Card, what: Happening, now: datetime) -> Effect:
    """A renewal; told once more on the day it was told, it corrects what was told before: nobody
    tops a card up twice in a day, but many mistype a date."""
    today = local_day(now, card.time_zone)
    if what.plan_end is not None and what.plan_end < today:
        raise ImpossibleError(f"the new plan end {what.plan_end} has passed already")
    if card.renewed_at is not None and local_day(card.renewed_at, card.time_zone) == today:
        return corrected(card, what, now)
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
        changes,
        "renewed",
        LifeNotice.RENEWAL_RECORDED,
        today,
        ends=ALL_NOTICES,
        ends_deadlines=True,
    )


def corrected(card: Card, what: Happening, now: datetime) -> Effect:
    """Dates that had been entered wrongly: nothing has happened to the card, so nobody is told,
    and a renewal that is open stays open. A notice that waits tells the right dates."""
    changes: dict[str, object] = {
        "plan_end": what.plan_end,
        "last_topup": _topup(what, card.last_topup, local_day(now, card.time_zone)),
        "watched_since": now,
    }
    _check_end(card, what, local_day(now, card.time_zone))
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


def confirmed(card: Card, what: Happening, now: datetime) -> Effect:
    """It works. Said after the answer had stayed away too long, it brings the renewal back."""
    if card.renewed_at is not None:
        ends = frozenset({LifeNotice.RENEWAL_NOT_EFFECTIVE})
        return Effect(settled(now), "confirmed", ends=ends)
    if card.claimed_last_topup is None:
        raise ImpossibleError("there is no renewal that waits to be confirmed")
    changes = settled(now)
    changes["plan_end"] = card.claimed_plan_end
    changes["last_topup"] = card.claimed_last_topup
    return Effect(changes, "confirmed", ends=_RENEWAL, ends_deadlines=True)


def asked(card: Card, what: Happening, now: datetime) -> Effect:
    """Nobody has said yet whether it works: the holder is asked, and the question stays open."""
    if card.renewed_at is None:
        raise ImpossibleError("there is no renewal that waits to be confirmed")
    if card.asked_at is not None:
        raise ImpossibleError("its holder was asked already")
    notice = LifeNotice.RENEWAL_NOT_EFFECTIVE
    return Effect({"asked_at": now}, notice, notice, local_day(now, card.time_zone), ends=_RENEWAL)


def unanswered(card: Card, what: Happening, now: datetime) -> Effect:
    """The answer stayed away too long: the former dates hold, and their windows tell the holder.
    What was reported is kept, for the answer may still come."""
    if card.asked_at is None:
        raise ImpossibleError("its holder was not asked whether a renewal works")
    changes = {
        **settled(now),
        "plan_end": card.former_plan_end,
        "last_topup": card.former_last_topup,
        "claimed_plan_end": card.plan_end,
        "claimed_last_topup": card.last_topup,
    }
    return Effect(changes, LifeEvent.RENEWAL_UNANSWERED, ends=_RENEWAL, ends_deadlines=True)


def failed(card: Card, what: Happening, now: datetime) -> Effect:
    """A renewal without effect: the former deadlines hold, and their windows resume."""
    changes: dict[str, object] = settled(now)
    if card.renewed_at is not None:
        changes["plan_end"] = card.former_plan_end
        changes["last_topup"] = card.former_last_topup
    notice, on = LifeNotice.RENEWAL_FAILED, local_day(now, card.time_zone)
    return Effect(changes, notice, notice, on, ends=_RENEWAL, ends_deadlines=True)


def settled(now: datetime) -> dict[str, object]:
    """The columns of a card whose renewal is no question any more; its deadlines count anew."""
    return {**SETTLED, "watched_since": now}
