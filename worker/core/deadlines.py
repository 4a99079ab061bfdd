"""The ladder: every instant at which a card loses something."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from worker.core.cards import Card
from worker.core.operators import UNUSED_BALANCE_DAYS, OperatorPack, Rung


class DeadlineKind(StrEnum):
    """What is lost."""

    PLAN_END = "plan_end"
    OUTGOING_BLOCK = "outgoing_block"
    BALANCE_LOSS = "balance_loss"
    LINE_LOSS = "line_loss"
    REASSIGNMENT = "reassignment"


# The gravest loss first: it decides which notice goes when only one may.
GRAVITY = (
    DeadlineKind.LINE_LOSS,
    DeadlineKind.REASSIGNMENT,
    DeadlineKind.BALANCE_LOSS,
    DeadlineKind.OUTGOING_BLOCK,
    DeadlineKind.PLAN_END,
)


@dataclass(frozen=True, slots=True)
class Deadline:
    """Something is lost for certain at ``at``, the end of the day ``on`` in the card's time zone.

    ``at`` is a midnight in that zone, as ``end_of_day`` makes it.
    """

    kind: DeadlineKind
    on: date
    at: datetime

    @property
    def begins(self) -> datetime:
        """The instant from which the loss can happen: who acts before it is safe.

        A plan lasts to the end of its last day. All other deadlines are counted in days since the
        last top-up, and the sources do not tell at which hour of the day ``on`` an operator acts:
        so they begin with that day. A line lost on 13 June must be topped up by the end of the
        12th, while only after the 13th it is certain that the loss would have happened.
        """
        return self.at if self.kind is DeadlineKind.PLAN_END else self.at - timedelta(days=1)


Ladder = Mapping[DeadlineKind, Deadline]


def end_of_day(day: date, time_zone: str) -> datetime:
    """The instant at which ``day`` is over in ``time_zone`` (midnight of the next day there)."""
    return datetime.combine(day + timedelta(days=1), time(), ZoneInfo(time_zone))


def ladder(card: Card, pack: OperatorPack) -> dict[DeadlineKind, Deadline]:
    """All known deadlines of ``card``; one that is not known is left out, never guessed."""
    days = {kind: day for kind, day in _days(card, pack).items() if day is not None}
    return {
        kind: Deadline(kind, day, end_of_day(day, card.time_zone)) for kind, day in days.items()
    }


def last_known_topup(card: Card) -> date | None:
    """The latest day on which money certainly reached the card, ``None`` if nobody knows.

    A plan of n days that ends on T was paid for no earlier than T - n, so a running plan moves
    the clock of the line even where the book's last top-up is older. A plan of unknown length
    that outlives the recorded top-up proves a later one on a day nobody can tell.
    """
    if card.plan_end is None or card.plan_days is None:
        return card.last_topup
    paid = card.plan_end - timedelta(days=card.plan_days)
    return max(paid, card.last_topup) if card.last_topup else paid


def _days(card: Card, pack: OperatorPack) -> dict[DeadlineKind, date | None]:
    topup = last_known_topup(card)
    line_loss = _line_loss(card, pack, topup)
    return {
        DeadlineKind.PLAN_END: card.plan_end,
        DeadlineKind.OUTGOING_BLOCK: _outgoing_block(card, pack, topup),
        DeadlineKind.BALANCE_LOSS: _outlived(card, _after(topup, pack.days(Rung.BALANCE_LOSS))),
        DeadlineKind.LINE_LOSS: line_loss,
        DeadlineKind.REASSIGNMENT: _after(line_loss, pack.days(Rung.REASSIGNMENT)),
    }


def _line_loss(card: Card, pack: OperatorPack, topup: date | None) -> date | None:
    if card.msisdn is None:
        return None  # a travel eSIM without a Peruvian number has no line to lose
    days = pack.days(Rung.LINE_LOSS)
    if days is not None and card.balance is not None and card.balance > 0:
        days = max(days, UNUSED_BALANCE_DAYS)
    return _outlived(card, _after(topup, days))


def _outgoing_block(card: Card, pack: OperatorPack, topup: date | None) -> date | None:
    if card.msisdn is None:
        return None
    blocked = _after(topup, pack.days(Rung.OUTGOING_BLOCK))
    # As long as a plan runs the card makes calls, whenever it was paid for.
    return None if blocked and card.plan_end and blocked <= card.plan_end else blocked


def _outlived(card: Card, day: date | None) -> date | None:
    """``day``, unless the plan outlives it: then the top-up that counts is not in the book."""
    return None if day and card.plan_end and day < card.plan_end else day


def _after(day: date | None, days: int | None) -> date | None:
    return None if day is None or days is None else day + timedelta(days=days)
