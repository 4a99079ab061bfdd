"""What each life event does to a card.

Pure: a card and a happening go in; the changes, the notice owed and what has become untrue come
out.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from worker.core.cards import Card, CardState
from worker.core.hours import local_day
from worker.core.life import (
    ALL_NOTICES,
    Effect,
    Happening,
    ImpossibleError,
    LifeEvent,
    LifeNotice,
)
from worker.core.renewal_effects import (
    asked,
    confirmed,
    corrected,
    failed,
    renewed,
    settled,
    unanswered,
)

_EMPTY = frozenset({LifeNotice.LOW_BALANCE, LifeNotice.LOW_DATA})


def happen(card: Card, what: Happening, now: datetime) -> Effect:
    """What ``what`` does to ``card`` at ``now``. Raises ``ImpossibleError``."""
    if card.state in (CardState.RECYCLED, CardState.CLOSED):
        raise ImpossibleError(f"the card is {card.state}: its number is never contacted again")
    return _EFFECTS[what.event](card, what, now)


def _low(notice: LifeNotice) -> Callable[[Card, Happening, datetime], Effect]:
    """Once a cycle: the day that names the notice is that of the last top-up."""

    def effect(card: Card, what: Happening, now: datetime) -> Effect:
        changes = {} if what.balance is None else {"balance": what.balance}
        cycle = card.last_topup or card.plan_end or local_day(now, card.time_zone)
        return Effect(changes, notice, notice, cycle)

    return effect


def _suspended(card: Card, what: Happening, now: datetime) -> Effect:
    if card.state is CardState.SUSPENDED:
        raise ImpossibleError("the card is suspended already")
    return Effect(
        {"state": CardState.SUSPENDED},
        "suspended",
        LifeNotice.SUSPENDED,
        local_day(now, card.time_zone),
        ends=_EMPTY,
    )


def _recycled(card: Card, what: Happening, now: datetime) -> Effect:
    return Effect(
        {"state": CardState.RECYCLED},
        "recycled",
        LifeNotice.RECYCLED,
        local_day(now, card.time_zone),
        ends=ALL_NOTICES,
        ends_deadlines=True,
    )


def _reassigned(card: Card, what: Happening, now: datetime) -> Effect:
    if what.holder_id is None or what.holder_id == card.holder_id:
        raise ImpossibleError("the card has this holder already")
    changes = {"holder_id": what.holder_id, **settled(now)}
    return Effect(changes, "reassigned", ends=ALL_NOTICES, ends_deadlines=True)


def _registration(card: Card, what: Happening, now: datetime) -> Effect:
    notice = LifeNotice.REGISTRATION_NOTICE
    return Effect({}, notice, notice, local_day(now, card.time_zone))


def _registration_resolved(card: Card, what: Happening, now: datetime) -> Effect:
    ends = frozenset({LifeNotice.REGISTRATION_NOTICE})
    return Effect({}, "registration_resolved", ends=ends)


def _paused(card: Card, what: Happening, now: datetime) -> Effect:
    if card.paused:
        raise ImpossibleError("the card is paused already")
    return Effect({"paused": True}, "paused", ends=ALL_NOTICES, ends_deadlines=True)


def _resumed(card: Card, what: Happening, now: datetime) -> Effect:
    """The pause ended a question that waited, so an open one is asked anew."""
    if not card.paused:
        raise ImpossibleError("the card is not paused")
    return Effect({"paused": False, "asked_at": None, "watched_since": now}, "resumed")


def _closed(card: Card, what: Happening, now: datetime) -> Effect:
    """The number has gone to somebody else: nothing more is owed, and little needs to be kept."""
    changes = {"state": CardState.CLOSED, "imsi": None, "note": None, "receipt_ref": None}
    return Effect(changes, "closed", ends=ALL_NOTICES, ends_deadlines=True)


_EFFECTS: Mapping[LifeEvent, Callable[[Card, Happening, datetime], Effect]] = {
    LifeEvent.RENEWED: renewed,
    LifeEvent.CORRECTED: corrected,
    LifeEvent.CONFIRMED: confirmed,
    LifeEvent.RENEWAL_NOT_EFFECTIVE: asked,
    LifeEvent.RENEWAL_UNANSWERED: unanswered,
    LifeEvent.RENEWAL_FAILED: failed,
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
