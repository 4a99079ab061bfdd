"""Do early notices help? A share of the holders of one book gets none a week before a plan ends.

Pure. The notices of the last days are never held back, nor anything of a line; and who is held out
depends on nothing but the holder, so that it is the same person in every month.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from worker.core.cards import Audience
from worker.core.deadlines import DeadlineKind
from worker.core.hours import local_day
from worker.core.reminders import Planned, ReminderState
from worker.core.wilson import interval

# The one window that is held back, and why its notices end.
WINDOW: Final = "plan_end-7d"
HELD_OUT: Final = "held_out"
_OF: Final = 2**64


@dataclass(frozen=True, slots=True)
class HoldOut:
    """A ``share`` of the holders of ``book``, with the written yes of its keeper."""

    book: str
    share: float

    def holds(self, holder_id: int) -> bool:
        """Is this holder one of them?"""
        digest = hashlib.sha256(f"{self.book}:{holder_id}".encode()).digest()
        return int.from_bytes(digest[:8], "big") < self.share * _OF

    def without(self, holder_id: int, planned: Sequence[Planned]) -> tuple[Planned, ...]:
        """``planned`` of one card of the book, where what is held back ends at once. Nothing is if
        the keeper would be told of it: that holder is out of reach."""
        mine = [one for one in planned if _is_early(one)]
        readers = {one.key.audience for one in mine}
        if not self.holds(holder_id) or Audience.GUARDIAN in readers:
            return tuple(planned)
        return tuple(_ended(one) if one in mine else one for one in planned)


def _is_early(one: Planned) -> bool:
    return one.key.deadline is DeadlineKind.PLAN_END and one.key.window == WINDOW


def _ended(one: Planned) -> Planned:
    if one.state is not ReminderState.PENDING:
        return one
    return replace(one, state=ReminderState.SUPPRESSED, reason=HELD_OUT)


@dataclass(frozen=True, slots=True)
class OwedNotices:
    """A plan that ended ``on``, whose early notice was due at ``due_at`` and ``held`` back or told;
    ``renewals``: when its card was renewed since."""

    on: date
    due_at: datetime
    time_zone: str
    held: bool
    renewals: tuple[datetime, ...]

    def is_over(self, now: datetime) -> bool:
        """Is it known whether it was renewed in time?"""
        return self.on < local_day(now, self.time_zone)

    @property
    def is_renewed(self) -> bool:
        """Was it, between the notice and the end?"""
        return any(
            self.due_at <= at and local_day(at, self.time_zone) <= self.on for at in self.renewals
        )


@dataclass(frozen=True, slots=True)
class Arm:
    """How many plans of a group ended, how many of them were ``renewed`` in time, and between which
    shares the true one lies with 95 % of confidence."""

    plans: int
    renewed: int
    between: tuple[float, float] | None


def arm(plans: Collection[OwedNotices]) -> Arm:
    """What became of a group of plans that are over."""
    renewed = sum(one.is_renewed for one in plans)
    return Arm(len(plans), renewed, interval(renewed, len(plans)))


def compare(plans: Iterable[OwedNotices], now: datetime) -> tuple[Arm, Arm]:
    """Those who were told, and those who were held out, of the plans that are over."""
    over = [one for one in plans if one.is_over(now)]
    return arm([o for o in over if not o.held]), arm([o for o in over if o.held])
