"""Policies: which windows a kind of card has, and when a holder may be disturbed."""

from dataclasses import dataclass
from datetime import timedelta

from worker.core.cards import Destination, Kind
from worker.core.deadlines import GRAVITY, DeadlineKind
from worker.core.hours import Hours

# How long the answer may take whether a reported renewal works, counted from the report: a day for
# the top-up to show, and some time after the question.
ANSWER_WITHIN = timedelta(hours=72)


@dataclass(frozen=True, slots=True)
class Window:
    """``offset`` days from a deadline's day (negative before it), and where to tell of it; one
    that ``closes`` has no ``destinations``: the card is closed then."""

    name: str
    deadline: DeadlineKind
    offset: int
    destinations: tuple[Destination, ...]
    closes: bool = False

    @property
    def urgency(self) -> tuple[int, int]:
        """Sort key, most urgent first: the gravest loss, then the latest window."""
        return GRAVITY.index(self.deadline), -self.offset


@dataclass(frozen=True, slots=True)
class Policy:
    """How one kind of card is watched; ``windows`` of a deadline are in order of time.

    ``useful_days``: how long a notice after a deadline is still worth sending. ``answer_within``:
    how long after the report of a renewal its former dates rest, if nobody says whether it works.
    """

    kind: Kind
    windows: tuple[Window, ...]
    hours: Hours
    useful_days: int
    answer_within: timedelta = ANSWER_WITHIN
