"""What a keeper says of a card: which forms it has now, and what is filled in there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Final

from worker.core.cards import Card, CardState
from worker.core.life import Happening, LifeEvent
from worker.web.console.catalogs import marked as _
from worker.web.console.visit import Visit

_ENDED: Final = (CardState.RECYCLED, CardState.CLOSED)
_SIMPLE: Final = (
    *(LifeEvent.CONFIRMED, LifeEvent.RENEWAL_FAILED, LifeEvent.LOW_DATA, LifeEvent.SUSPENDED),
    *(LifeEvent.REGISTRATION_NOTICE, LifeEvent.REGISTRATION_RESOLVED),
    *(LifeEvent.PAUSED, LifeEvent.RESUMED),
)
_DATED: Final = (LifeEvent.RENEWED, LifeEvent.CORRECTED)
_MOST_YEARS: Final = 20
_LONGEST_RECEIPT: Final = 100


@dataclass(frozen=True, slots=True)
class FilledForm:
    """What a form said: ``what`` happens, or what is ``wrong``, by the field's name."""

    what: Happening | None
    wrong: Mapping[str, str] = field(default_factory=dict)


def offered(card: Card) -> frozenset[LifeEvent]:
    """What may be said of ``card`` as it is now; what is never undone has a page of its own."""
    if card.state in _ENDED:
        return frozenset()
    found = {LifeEvent.RENEWED, LifeEvent.LOW_BALANCE, LifeEvent.LOW_DATA}
    found |= {LifeEvent.REGISTRATION_NOTICE, LifeEvent.REGISTRATION_RESOLVED}
    found.add(LifeEvent.RESUMED if card.paused else LifeEvent.PAUSED)
    if card.is_renewal_open:
        found |= {LifeEvent.CONFIRMED, LifeEvent.RENEWAL_FAILED, LifeEvent.CORRECTED}
    if card.state is not CardState.SUSPENDED:
        found.add(LifeEvent.SUSPENDED)
    return frozenset(found)


def filled(visit: Visit, card: Card, today: date) -> FilledForm:
    """What the form says of ``card``, whose day is ``today``."""
    name = visit.field("event")
    if name in _SIMPLE:
        return FilledForm(Happening(LifeEvent(name)))
    if name == LifeEvent.LOW_BALANCE:
        return _with_balance(visit)
    if name in _DATED:
        return _dated(visit, card, today, LifeEvent(name))
    return FilledForm(None, {"event": _("Choose what happened.")})


def _with_balance(visit: Visit) -> FilledForm:
    wrong: dict[str, str] = {}
    balance = _amount(visit, wrong)
    return (
        FilledForm(None, wrong)
        if wrong
        else FilledForm(Happening(LifeEvent.LOW_BALANCE, balance=balance))
    )


def _dated(visit: Visit, card: Card, today: date, event: LifeEvent) -> FilledForm:
    wrong: dict[str, str] = {}
    end, topup = _day(visit, "plan_end", wrong), _day(visit, "last_topup", wrong)
    balance = _amount(visit, wrong)
    if end is None and card.plan_end is not None:
        wrong.setdefault("plan_end", _("This card has a plan: say on which day it ends now."))
    elif end is not None and event is LifeEvent.RENEWED and end < today:
        wrong["plan_end"] = _("That day has passed already.")
    elif end is not None and end.year > today.year + _MOST_YEARS:
        wrong["plan_end"] = _("That is too far away: is the year right?")
    if topup is not None and topup > today:
        wrong["last_topup"] = _("That day has not come yet.")
    if wrong:
        return FilledForm(None, wrong)
    receipt = visit.field("receipt_ref")[:_LONGEST_RECEIPT] or None
    return FilledForm(Happening(event, end, topup, balance, receipt))


def _day(visit: Visit, name: str, wrong: dict[str, str]) -> date | None:
    text = visit.field(name)
    if not text:
        return None
    try:
        if len(text) != 10:
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        wrong[name] = _("That is not a day; write it as 2026-12-31.")
        return None


def _amount(visit: Visit, wrong: dict[str, str]) -> Decimal | None:
    text = visit.field("balance")
    if not text:
        return None
    try:
        amount = Decimal(text)
        if amount.is_finite() and 0 <= amount < 10**8:
            return amount
    except InvalidOperation:
        pass
    wrong["balance"] = _("That is not an amount; write it as 12.50.")
    return None
