"""Sums over notices: by day and channel, the peak, segments and cost. They can be added up."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from worker.core.cards import CARD_TIME_ZONE, Destination
from worker.core.hours import local_day
from worker.core.prices import ELSEWHERE, EMAIL, Prices
from worker.simulation.notices import Digest, SimulatedEnding, SimulatedNotice
from worker.simulation.period import Period


@dataclass(slots=True)
class Totals:
    """Counts of what is sent, by day in Lima: messages under a destination's name, the reminders in
    them under ``<destination>_notices``, and ``segments``.

    ``digests``: the messages to guardians and when they go, counted apart since holders of
    different parts share one. ``units``: what is paid for otherwise, segments or emails, by
    route, and ``by_day`` the same. ``broken``: cards no rule could check.
    """

    cards: int = 0
    broken: int = 0
    days: defaultdict[date, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    outcomes: Counter[str] = field(default_factory=Counter)
    digests: dict[Digest, datetime] = field(default_factory=dict)
    units: Counter[str] = field(default_factory=Counter)
    by_day: defaultdict[date, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, notices: Iterable[SimulatedNotice]) -> None:
        """Count ``notices``."""
        for notice in notices:
            self.outcomes[notice.outcome] += 1
            if notice.outcome not in (SimulatedEnding.SEND, SimulatedEnding.GUARDIAN):
                continue
            on = local_day(notice.at, CARD_TIME_ZONE)
            day = self.days[on]
            day[f"{notice.to}_notices"] += 1
            if notice.digest:
                self._go(notice.digest, notice.at)
            if notice.leads:
                day[notice.to] += 1
                day["segments"] += notice.segments
                sms = notice.to is Destination.SMS
                for units in (self.units, self.by_day[on]):
                    units[notice.route or ELSEWHERE] += notice.segments if sms else 1

    def _go(self, digest: Digest, at: datetime) -> None:
        self.digests[digest] = min(at, self.digests.get(digest, at))

    def merge(self, other: "Totals") -> None:
        """Count what ``other`` counted."""
        self.cards += other.cards
        self.broken += other.broken
        self.outcomes += other.outcomes
        self.units += other.units
        for day, counts in other.days.items():
            self.days[day] += counts
        for day, counts in other.by_day.items():
            self.by_day[day] += counts
        for digest, at in other.digests.items():
            self._go(digest, at)

    def as_json(self, period: Period, prices: Prices) -> dict[str, Any]:
        """The totals as they are told; a day has a line even if nothing is sent on it."""
        digests = Counter(local_day(at, CARD_TIME_ZONE) for at in self.digests.values())
        days = {
            day: self.days.get(day, Counter()) + Counter({Destination.GUARDIAN.value: digests[day]})
            for day in period.days
        }
        paid = {day: self.by_day[day] + Counter({EMAIL: digests[day]}) for day in period.days}
        by_day = [
            {**_line(day, counts), "cost": prices.cost(paid[day])[0]}
            for day, counts in days.items()
        ]
        whole: Counter[str] = sum(days.values(), Counter())
        peak = max(by_day, key=_messages)
        cost, note = prices.cost(self.units + Counter({EMAIL: digests.total()}))
        return {
            "cards": self.cards,
            "unchecked_cards": self.broken,
            "by_day": by_day,
            "by_channel": {
                to.value: {"messages": whole[to], "notices": whole[f"{to}_notices"]}
                for to in Destination
            },
            "by_outcome": {outcome.value: self.outcomes[outcome] for outcome in SimulatedEnding},
            "peak_day": (
                {"day": peak["day"], "messages": _messages(peak)} if _messages(peak) else None
            ),
            "segments": whole["segments"],
            "cost": cost,
            "cost_note": note,
        }


def _line(day: date, counts: Counter[str]) -> dict[str, Any]:
    names = (*Destination, *(f"{to}_notices" for to in Destination), "segments")
    return {"day": day.isoformat(), **{str(name): counts[name] for name in names}}


def _messages(line: dict[str, Any]) -> int:
    return sum(int(line[to.value]) for to in Destination)
