"""A renewal that somebody reported is a question until it is answered: when it is asked, and how
long the answer may take.

While the question is open no window of a deadline goes out, for who has paid must not be told to
pay. The plan can wait that long: it is bought anew. What is lost for good cannot, so a graver loss
that is near by the former dates brings both instants forward.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from worker.core.cards import Card, CardState
from worker.core.deadlines import GRAVITY, DeadlineKind, Ladder
from worker.core.hours import Hours
from worker.core.life import LifeNotice
from worker.core.policy import Policy
from worker.core.reminders import Known, ReminderState

# A top-up may take this long to show; before that nobody can tell.
SHOWS_WITHIN = timedelta(hours=24)
# From the question to the first window at least, so that both never come together.
LEAST_TO_ANSWER = timedelta(hours=6)
# From the message that the renewal was recorded to the question.
LEAST_BETWEEN = timedelta(hours=6)
# What was reported in the night is told in the morning; where the question would follow sooner than
# this, it comes instead, since it says the same.
_IN_ONE = timedelta(hours=3)
# So long before a graver loss can happen the windows hold again: an afternoon to read of it, and a
# whole day to act, since it can from a midnight on.
LEFT_TO_ACT = timedelta(hours=36)
_GONE = (CardState.RECYCLED, CardState.CLOSED)
_GRAVER = frozenset(GRAVITY[: GRAVITY.index(DeadlineKind.PLAN_END)])


@dataclass(frozen=True, slots=True)
class OpenRenewal:
    """An open renewal: the holder is asked from ``asks_at`` on (``asked``: it has been done), and
    from ``answer_by`` on the former dates hold again unless somebody answers."""

    asks_at: datetime
    answer_by: datetime
    asked: bool

    @property
    def turns_at(self) -> datetime:
        """The next instant at which the clock changes anything."""
        return self.answer_by if self.asked else self.asks_at


def spaced(
    asks_at: datetime, answer_by: datetime, told_at: datetime, hours: Hours, time_zone: str
) -> datetime:
    """When to ask a holder who was told at ``told_at`` that the renewal was recorded: some hours
    after that, unless the windows would then hold later than they have to."""
    later = told_at + LEAST_BETWEEN

    def windows_hold(asks: datetime) -> datetime:
        answered = hours.next_open(asks, time_zone) + LEAST_TO_ANSWER
        return hours.next_open(max(answer_by, answered), time_zone)

    too_late = windows_hold(later) > windows_hold(asks_at)
    return asks_at if asks_at >= later or too_late else later


def before_renewal(card: Card) -> Card:
    """``card`` with the dates that hold again if its open renewal had no effect."""
    return replace(card, plan_end=card.former_plan_end, last_topup=card.former_last_topup)


def question(card: Card, former: Ladder, policy: Policy, time_zone: str) -> OpenRenewal | None:
    """The question that ``card`` stands under, ``None`` without an open renewal and once the
    number is gone. ``former``: the ladder of the former dates; ``time_zone``: the holder's, since
    a question that falls into the night is told at the next opening."""
    if card.renewed_at is None or card.state in _GONE:
        return None
    reported = card.renewed_at
    answer_by = reported + policy.answer_within
    for kind in _GRAVER.intersection(window.deadline for window in policy.windows):
        loss = former.get(kind)
        if loss is not None and loss.at > reported:
            latest = max(loss.begins - LEFT_TO_ACT, reported + 2 * LEAST_TO_ANSWER)
            answer_by = min(answer_by, latest)
    asks_at = min(reported + SHOWS_WITHIN, answer_by - LEAST_TO_ANSWER)
    if card.asked_at is None:
        told_at = policy.hours.next_open(reported, time_zone)  # or later: see `spaced`
        asks_at = spaced(asks_at, answer_by, told_at, policy.hours, time_zone)
        if told_at < asks_at < told_at + _IN_ONE:
            asks_at = told_at
        answer_by = max(answer_by, asks_at + LEAST_TO_ANSWER)
    else:
        told_at = policy.hours.next_open(card.asked_at, time_zone)
        answer_by = max(answer_by, told_at + LEAST_TO_ANSWER)
    return OpenRenewal(asks_at, answer_by, card.asked_at is not None)


def too_soon(
    card: Card,
    renewal: OpenRenewal,
    known: Collection[Known],
    now: datetime,
    hours: Hours,
    time_zone: str,
) -> datetime | None:
    """When to ask instead of ``now``, where the message that the renewal was recorded has left so
    late that it has only just gone; ``known``: the ledger of ``card``."""
    if card.renewed_at is None:
        return None
    told = [
        one.ended_at
        for one in known
        if one.key.deadline == LifeNotice.RENEWAL_RECORDED
        and one.state in (ReminderState.SENT, ReminderState.DELIVERED)
        and one.ended_at is not None
        and card.renewed_at <= one.ended_at <= now
    ]
    if not told:
        return None
    later = spaced(renewal.asks_at, renewal.answer_by, max(told), hours, time_zone)
    return later if later > now else None
