"""Before the call: which messages of a batch are still true, may be told now, and are not stopped
by a breaker."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from worker.core.breaker import PREFIX, Lane
from worker.core.caps import Cap
from worker.core.cards import Channel
from worker.core.pace import PACE
from worker.core.recheck import Item, goes_over, recheck
from worker.core.reminders import MessageState, ReminderState
from worker.core.rules import Rules
from worker.core.ways import Ways
from worker.core.windows import address_of
from worker.delivery.digests import Digests
from worker.delivery.gate import Gate
from worker.delivery.writes import Writes
from worker.store import attempts as attempt_store
from worker.store import suppressions
from worker.store.breakers import Breaker
from worker.store.parcels import Parcel

# Not reasons of an end, but what a message waited for when its time ran out.
_WAITED_FOR = (PREFIX, PACE, *Cap)
# Why a message of the sample book ends where messages reach real people.
SAMPLE = "sample_book"

Why = Callable[[str, int], str | None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A message that is still true, and the lane it goes. ``tries``: the breakers whose probe it
    is; ``spare``: another lane is open to it."""

    parcel: Parcel
    items: tuple[Item, ...]
    address: str
    lane: Lane
    tries: Sequence[Breaker] = ()
    spare: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the messages of a batch over ``channel``, inside its transaction. ``live``: real
    people are reached, so that what invented cards owe ends here."""

    conn: Connection
    rules: Rules
    channel: Channel
    lanes: Mapping[Channel, Ways]
    gate: Gate
    writes: Writes
    now: datetime
    away: Collection[str] = ()
    live: bool = False

    def wanted(self, parcels: Sequence[Parcel]) -> list[Wanted]:
        """Those to send, the most urgent first: it takes the probe, and later the tokens and what
        is left of a cap. What becomes of the others is written."""
        gather = self.gate.limits.gather
        if self.channel is Channel.GUARDIAN and gather is not None:
            digests = Digests(self.conn, self.rules.hours, gather, self.writes, self.now)
            parcels = digests.together(parcels)
        dead = self._suppressed(parcels)
        ways = self.lanes.get(self.channel) or Ways((Lane(self.channel, "", ""),))
        several = len(ways.lanes) > 1
        failed = attempt_store.failed_by(self.conn, [p.id for p in parcels]) if several else {}
        urgent = sorted(parcels, key=lambda parcel: parcel.useful_until)
        found = []
        for parcel in urgent:
            order = ways.order(parcel.id, parcel.attempts, failed.get(parcel.id), self.away)
            if one := self._still_true(parcel, dead, order):
                found.append(one)
        return found

    def _suppressed(self, parcels: Sequence[Parcel]) -> Why:
        """Why an address is not to be used for a card; none is on a channel nobody serves."""
        lane = self.lanes.get(self.channel)
        if lane is None:
            return lambda address, card: "channel_off"
        addresses = {
            address
            for parcel in parcels
            for item in parcel.items
            if (address := address_of(item.card, parcel.holder, self.channel))
        }
        return suppressions.why(suppressions.reasons(self.conn, lane.channel, addresses))

    def _still_true(self, parcel: Parcel, dead: Why, order: Sequence[Lane]) -> Wanted | None:
        rules, writes = self.rules, self.writes
        if parcel.sample and self.live:
            self._refuse_sample(parcel)
            return None
        verdict = recheck(
            parcel.items, parcel.holder, self.channel, self.now, rules.hours, rules.ladder, dead
        )
        for end in verdict.ended:
            missed = end.state is ReminderState.MISSED
            waited = missed and (parcel.reason or "").startswith(_WAITED_FOR)
            writes.end(end.item, end.state, str(parcel.reason) if waited else end.reason)
        over = [goes_over(end, parcel.holder, self._wanted_channels) for end in verdict.ended]
        writes.go_over(parcel, [item for item in over if item])
        writes.reroute(parcel, verdict.rerouted)
        if not verdict.keep or verdict.address is None:
            reason = verdict.ended[0].reason if verdict.ended else "nothing_left_to_say"
            writes.settle(parcel, MessageState.CANCELLED, reason)
            return None
        if verdict.postpone is not None:
            writes.settle(parcel, MessageState.PENDING, "quiet_hours", verdict.postpone)
            return None
        return self._on_its_way(parcel, verdict.keep, verdict.address, order)

    def _wanted_channels(self, item: Item) -> Collection[Channel]:
        return self.rules.channels(item.card, item.key)

    def _refuse_sample(self, parcel: Parcel) -> None:
        """Nobody real is told of invented cards: their numbers may be somebody's."""
        for item in parcel.items:
            self.writes.end(item, ReminderState.SUPPRESSED, SAMPLE)
        self.writes.settle(parcel, MessageState.CANCELLED, SAMPLE)

    def _on_its_way(
        self, parcel: Parcel, keep: tuple[Item, ...], address: str, order: Sequence[Lane]
    ) -> Wanted | None:
        """The first lane of ``order`` that is open, or due to be tried; else the message waits for
        the one that is tried first."""
        closed = {lane: self.gate.closed_for(lane, address) for lane in order}
        for lane, stopped in closed.items():
            if not stopped or self.gate.try_probe(parcel, stopped):
                spare = any(not shut for other, shut in closed.items() if other is not lane)
                return Wanted(parcel, keep, address, lane, stopped, spare)
        soonest = min(closed.values(), key=lambda shut: max(one.probe_at for one in shut))
        self.gate.hold(parcel, keep, soonest, self.writes)
        return None
