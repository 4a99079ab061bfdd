"""The rules in force: operator packs and policies together, asked one card at a time."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from worker.core.cards import Card, Channel, Destination, Holder, Kind
from worker.core.deadlines import Ladder, ladder
from worker.core.hours import Hours
from worker.core.life import LifeNotice
from worker.core.operators import OperatorPack
from worker.core.policy import Policy
from worker.core.reminders import Known, ReminderKey
from worker.core.renewal import OpenRenewal, before_renewal, question
from worker.core.routes import Routes
from worker.core.tolerance import Tolerance
from worker.core.window_cache import Timetables, of_ladder, of_table
from worker.core.window_times import Span, Timetable, spans
from worker.core.windows import Decision, at_rest, decide


@dataclass(frozen=True, slots=True)
class Rules:
    """``packs`` by operator code, ``policies`` by kind, ``events``: where each life notice
    goes. Every kind and every notice has its own. ``tolerance``: how late is still on time."""

    packs: Mapping[str, OperatorPack]
    policies: Mapping[Kind, Policy]
    events: Mapping[LifeNotice, tuple[Destination, ...]] = field(default_factory=dict)
    routes: Routes = field(default_factory=Routes)
    tolerance: Tolerance = field(default_factory=Tolerance)
    # Not for another set of rules: `replace` makes a new one.
    _timetables: Timetables = field(
        default_factory=Timetables, init=False, compare=False, repr=False
    )

    @property
    def hours(self) -> Hours:
        """When holders may be disturbed: one rule for all kinds."""
        return self.policies[Kind.DATA].hours

    def pack(self, operator: str) -> OperatorPack:
        """The operator's pack; of an operator without one nothing is known but its name."""
        return self.packs.get(operator) or OperatorPack(operator, operator.title(), {}, {})

    def destinations(self, card: Card, key: ReminderKey) -> Collection[Destination]:
        """Where the policy wants the notice ``key`` of ``card`` to be told; nowhere if its window
        is no longer in it."""
        if isinstance(key.deadline, LifeNotice):
            return self.events.get(key.deadline, ())
        windows = self.policies[card.kind].windows
        return next((one.destinations for one in windows if one.name == key.window), ())

    def ladder(self, card: Card) -> Ladder:
        """All known deadlines of ``card``."""
        key = of_ladder(card)
        return self._timetables.ladders.of(key, lambda: ladder(card, self.pack(card.operator)))

    def timetable(self, card: Card, holder: Holder) -> Timetable:
        """Every window of ``card`` with the time it is open."""

        def work_out() -> Timetable:
            policy = self.policies[card.kind]
            return Timetable(tuple(spans(card, holder, self.ladder(card), policy)))

        return self._timetables.tables.of(of_table(card, holder), work_out)

    def spans(self, card: Card, holder: Holder) -> tuple[Span, ...]:
        """The windows of ``timetable``."""
        return self.timetable(card, holder).spans

    def question(self, card: Card, holder: Holder) -> OpenRenewal | None:
        """Whether the last renewal of ``card`` works: ``None`` where nobody has to say so."""
        if card.renewed_at is None:
            return None
        former = self.ladder(before_renewal(card))
        return question(card, former, self.policies[card.kind], holder.time_zone)

    def at_rest(self, card: Card, holder: Holder, now: datetime) -> Decision | None:
        """What ``evaluate`` says as long as no reminder of the card waits, where the rest of its
        ledger changes nothing; else ``None``."""
        renewal = self.question(card, holder)
        return at_rest(card, self.timetable(card, holder), now, renewal)

    def evaluate(
        self,
        card: Card,
        holder: Holder,
        now: datetime,
        known: Collection[Known] = (),
        heard: Collection[Channel] = (),
    ) -> Decision:
        """What ``card`` owes at ``now``."""
        policy, steps = self.policies[card.kind], self.ladder(card)
        table = self.timetable(card, holder)
        renewal = self.question(card, holder)
        return decide(card, holder, steps, table, policy, now, known, self.routes, heard, renewal)
