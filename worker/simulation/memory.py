"""The ledger of one holder in memory: what is known of each reminder, and how it ended."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count

from worker.core.cards import Audience, Card, Destination, Holder, Language
from worker.core.recheck import Item
from worker.core.reminders import Known, Planned, ReminderKey, ReminderState
from worker.simulation.notices import OUTCOMES, SimulatedEnding, SimulatedNotice

_DEAD = (ReminderState.SUPPRESSED, ReminderState.MISSED)


@dataclass(slots=True)
class Memory:
    """``cards`` as they are now, and what is ``known`` of the reminders of each.

    Reminders that are planned here get numbers below every id of the database.
    """

    holder: Holder
    cards: dict[int, Card]
    known: dict[int, dict[ReminderKey, Known]]
    notices: list[SimulatedNotice] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=lambda: count(-1, -1))

    def plan(self, card: Card, planned: Planned) -> Item:
        """Write a reminder down, waiting, and hand it out to travel in a message."""
        due_at = planned.due_at.astimezone(UTC)
        return self._write(card, planned.key, due_at, planned.useful_until)

    def owe(self, items: Iterable[Item], to: Destination, now: datetime) -> list[Item]:
        """The notices of ``items`` owed to ``to`` too from ``now`` on, but those that are
        owed there already."""
        return [
            self._write(item.card, key, now, item.useful_until)
            for item in items
            for key in (item.key.to(to),)
            if self.is_free(item.card, key)
        ]

    def is_free(self, card: Card, key: ReminderKey) -> bool:
        """May the notice be owed, or is it in the ledger already and not to be revived?"""
        known = self.known[card.id].get(key)
        return known is None or known.revivable

    def waiting(self, items: Iterable[Item]) -> list[Item]:
        """Those of ``items`` that are still to be sent, with their cards as they are now."""
        return [
            item if item.card is card else replace(item, card=card)
            for item in items
            for card in (self.cards[item.card.id],)
            if self._waits(item)
        ]

    def _waits(self, item: Item) -> bool:
        known = self.known[item.card.id].get(item.key)
        return known is not None and known.id == item.id and known.state is ReminderState.PENDING

    def end(
        self,
        item: Item,
        state: ReminderState,
        reason: str | None,
        now: datetime,
        language: Language | None = None,
    ) -> SimulatedNotice:
        """The reminder ends at ``now``, told in ``language`` (default: the holder's own)."""
        key = item.key
        self.known[item.card.id][key] = Known(item.id, key, state, item.due_at, reason)
        told_guardian = key.audience is Audience.GUARDIAN and state is ReminderState.SENT
        notice = SimulatedNotice(
            at=now,
            card=item.card.id,
            holder=self.holder.name,
            deadline=key.deadline,
            deadline_on=key.on,
            window=key.window,
            to=key.destination,
            language=language or self.holder.language,
            outcome=SimulatedEnding.GUARDIAN if told_guardian else OUTCOMES[state],
            reason=reason,
        )
        self.notices.append(notice)
        return notice

    def end_stale(self, card: Card, ids: Sequence[int], now: datetime) -> None:
        """The waiting reminders ``ids`` speak of a deadline that ``card`` no longer has."""
        for known in [k for k in self.known[card.id].values() if k.id in ids]:
            item = Item(known.id, known.key, known.due_at, known.due_at, card)
            self.end(item, ReminderState.SUPERSEDED, "renewed", now)

    def without_hope(self, items: Iterable[Item]) -> list[Item]:
        """Those of ``items`` that reach the holder on no channel: nothing of the same window
        waits, was sent, or was overtaken."""
        return [item for item in items if not any(map(self._alive, self._siblings(item)))]

    def _siblings(self, item: Item) -> list[Known]:
        known = self.known[item.card.id]
        keys = map(item.key.to, Destination)
        return [known[key] for key in keys if key in known]

    @staticmethod
    def _alive(known: Known) -> bool:
        return known.state not in _DEAD

    def _write(self, card: Card, key: ReminderKey, due_at: datetime, until: datetime) -> Item:
        number = next(self._numbers)
        self.known[card.id][key] = Known(number, key, ReminderState.PENDING, due_at)
        return Item(number, key, due_at, until, card)
