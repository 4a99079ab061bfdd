"""A renewal that somebody reported is a question until it is answered: when it is asked, and how
long the answer may take.

While the question is open no window of a deadline goes out, for who has paid must not be told to
pay. The plan can wait that long: it is bought anew. What is lost for good cannot, so a graver loss
that is near by the former dates brings both instants forward.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from worker.core.cards import Card, CardState
from worker.core.deadlines import GRAVITY, DeadlineKind, Ladder
from worker.core.policy import Policy

# A top-up may take this long to show; before that nobody can tell.
SHOWS_WITHIN = timedelta(hours=24)
# From the question to the first window at least, so that both never come together.
LEAST_TO_ANSWER = timedelta(hours=6)
# So long before a graver loss can happen the windows hold again: an afternoon to read of it, and a
# whole day to act, since it can from a midnight on.
LEFT_TO_ACT = timedelta(hours=36)
_GONE = (CardState.RECYCLED, CardState.CLOSED)
_GRAVER = frozenset(GRAVITY[: GRAVITY.index(DeadlineKind.PLAN_END)])


@dataclass(frozen=True, slots=True)
class Question:
    """An open renewal: the holder is asked from ``asks_at`` on (``asked``: it has been done), and
    from ``answer_by`` on the former dates hold again unless somebody answers."""

    asks_at: datetime
    answer_by: datetime
    asked: bool

    @property
    def turns_at(self) -> datetime:
        """The next instant at which the clock changes anything."""
        return self.answer_by if self.asked else self.asks_at


def before_renewal(card: Card) -> Card:
    """``card`` with the dates that hold again if its open renewal had no effect."""
    return replace(card, plan_end=card.former_plan_end, last_topup=card.former_last_topup)


def question(card: Card, former: Ladder, policy: Policy, time_zone: str) -> Question | None:
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
    if card.asked_at is not None:
        told_at = policy.hours.next_open(card.asked_at, time_zone)
        answer_by = max(answer_by, told_at + LEAST_TO_ANSWER)
    return Question(asks_at, answer_by, card.asked_at is not None)
