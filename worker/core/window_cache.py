"""Deadlines and windows worked out once for all cards that have the same dates and rules.

Cards that are due at one tick share plan ends, kinds and operators: working each out anew took
most of the time of a check.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from worker.core.cards import Card, Holder
from worker.core.deadlines import Ladder
from worker.core.window_times import Timetable

T = TypeVar("T")

# Some 500 bytes each: a few MB a process at most.
_MOST = 20_000


@dataclass(slots=True)
class Cache(Generic[T]):
    """What was worked out, by everything that it depends on; forgets all once it is full."""

    _known: dict[Hashable, T] = field(default_factory=dict)

    def of(self, key: Hashable, work_out: Callable[[], T]) -> T:
        """What ``key`` stands for."""
        found = self._known.get(key)
        if found is None:
            found = work_out()
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = found
        return found


@dataclass(frozen=True, slots=True)
class Timetables:
    """The memories of one set of rules."""

    ladders: Cache[Ladder] = field(default_factory=Cache)
    tables: Cache[Timetable] = field(default_factory=Cache)


def of_ladder(card: Card) -> Hashable:
    """All that a card's deadlines depend on, beside the rules."""
    return (
        card.operator,
        card.plan_end,
        card.plan_days,
        card.last_topup,
        card.msisdn is None,
        card.balance is not None and card.balance > 0,
        card.time_zone,
    )


def of_table(card: Card, holder: Holder) -> Hashable:
    """All that a card's windows depend on, beside the rules."""
    return card.kind, holder.time_zone, of_ladder(card)
