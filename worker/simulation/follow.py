"""Follows one holder from instant of change to instant of change, as scheduler and workers would.

The order at one instant is theirs too: first the checks, then what is due to be sent.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import heappop, heappush

from worker.core.addressing import address_of
from worker.core.cards import Card, Destination
from worker.core.hours import local_day
from worker.core.life import LifeEvent
from worker.core.naming import alike, parts
from worker.core.recheck import Item
from worker.core.reminders import ReminderState
from worker.core.windows import Decision
from worker.simulation.conditions import Conditions
from worker.simulation.household import Household
from worker.simulation.life import close, find
from worker.simulation.memory import Memory
from worker.simulation.notices import SimulatedNotice
from worker.simulation.period import Period
from worker.simulation.post import HolderOutbox

# A message before it is one: where it goes, the day at the holder's, what an SMS says of all.
_Group = tuple[Destination, str | None, object, object]


@dataclass(frozen=True, slots=True)
class Followed:
    """``notices`` in order of time; ``broken`` cards could not be checked by any rule."""

    notices: list[SimulatedNotice]
    broken: int


def follow(household: Household, given: Conditions, period: Period) -> Followed:
    """What becomes of every reminder of one holder on the days of ``period``."""
    begin = period.begin.astimezone(UTC)
    known = {
        w.card.id: {k.key: k for k in household.known.get(w.card.id, ())} for w in household.cards
    }
    memory = Memory(household.holder, {w.card.id: w.card for w in household.cards}, known)
    post = HolderOutbox(memory, given, household.cards[0].signature, household.suppressed)
    for one in household.waiting:
        post.put(max(one.at, begin), one.to, one.items, ("waiting", one.id))
    checks = _Checks(household, memory, post, given)
    checks.due = [(begin, index) for index in range(len(household.cards))]
    while True:
        now = min((at for at in (checks.next(), post.next()) if at), default=period.ends)
        if now >= period.ends:
            break
        checks.run(now)
        post.send(now)
    return Followed([n for n in memory.notices if n.at >= period.opens], checks.broken)


class _Checks:
    """The cards of one holder, by the instant of their next check."""

    def __init__(
        self, here: Household, memory: Memory, post: HolderOutbox, given: Conditions
    ) -> None:
        self._ids = [watched.card.id for watched in here.cards]
        self._memory, self._post, self._rules = memory, post, given.rules
        self.due: list[tuple[datetime, int]] = []
        self.broken = 0

    def next(self) -> datetime | None:
        return self.due[0][0] if self.due else None

    def run(self, now: datetime) -> None:
        """Check what is due: one message for each destination, address and day."""
        groups: dict[_Group, list[Item]] = defaultdict(list)
        while self.due and self.due[0][0] <= now:
            _, index = heappop(self.due)
            card = self._memory.cards[self._ids[index]]
            try:
                card, decision = self._decide(card, now)
            except Exception:  # as in a real check, it must not silence its neighbours
                self.broken += 1
                continue
            self._write(card, decision, groups, now)
            if decision.next_check_at is not None:
                heappush(self.due, (decision.next_check_at.astimezone(UTC), index))
        letters = [
            (to, day, part)
            for (to, _, day, _), items in groups.items()
            for part in parts(sorted(items, key=lambda item: item.useful_until), to.channel)
        ]
        # Of several at one instant the most urgent goes first: it may take what a cap leaves.
        for to, day, items in sorted(letters, key=lambda one: one[2][-1].useful_until):
            due = min(item.due_at for item in items)
            # What is found at one instant about any holder goes to the guardian in one digest.
            self._post.put(due, to, items, (items[0].card.book_id, now, day))

    def _decide(self, card: Card, now: datetime) -> tuple[Card, Decision]:
        holder, known = self._memory.holder, self._memory.known[card.id].values()
        decision = self._rules.evaluate(card, holder, now, known)
        for found, event in (
            (decision.asks, LifeEvent.RENEWAL_NOT_EFFECTIVE),
            (decision.lapsed, LifeEvent.RENEWAL_UNANSWERED),
        ):
            if found:
                card = find(event, card, self._memory, self._post, self._rules, now)
                decision = self._rules.evaluate(card, holder, now, known)
        if decision.closes:
            close(card, self._memory, now)
        return card, decision

    def _write(
        self, card: Card, decision: Decision, groups: dict[_Group, list[Item]], now: datetime
    ) -> None:
        holder = self._memory.holder
        if decision.stale:
            self._memory.end_stale(card, decision.stale, now)
        for planned in decision.planned:
            item = self._memory.plan(card, planned)
            if planned.state is not ReminderState.PENDING:
                self._memory.end(item, planned.state, planned.reason, now)
                continue
            key = planned.key
            address = address_of(card, holder, key.channel, key.audience)
            day = local_day(planned.due_at, holder.time_zone)
            same = alike(card, key)
            groups[key.destination, address, day, same].append(item)
