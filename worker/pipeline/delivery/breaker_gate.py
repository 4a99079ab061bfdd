"""Before the call: what an open breaker holds, and the one message that may try it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection

from worker.core.addressing import address_of
from worker.core.breaker import Sender, is_down, rest
from worker.core.cards import Audience, Channel
from worker.core.hours import Hours
from worker.core.recheck import Item
from worker.core.reminders import MessageState, Obstacle, ReminderState
from worker.core.retry import Next
from worker.core.senders import SenderPool
from worker.pipeline.delivery.batch_writes import Writes
from worker.pipeline.delivery.freeing import free
from worker.pipeline.delivery.limits import Limits, country_of
from worker.store import attempts as attempt_store
from worker.store import breakers as breaker_store
from worker.store.breakers import Breaker
from worker.store.outbox import OutgoingMessage


@dataclass(slots=True)
class Gate:
    """The open breakers as one batch finds them. ``senders``: those of all channels. ``until``:
    when a probe that is taken now counts as lost."""

    conn: Connection
    senders: Mapping[Channel, SenderPool]
    limits: Limits
    hours: Hours
    now: datetime
    until: datetime
    _open: dict[str, Breaker] = field(init=False)
    _first: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._open = breaker_store.load(self.conn)
        waited = [b for b in self._open.values() if b.behind and b.probe and b.probe_at <= self.now]
        for one in waited:
            if breaker_store.close_outlived(self.conn, one):
                free(self.conn, one, self.now)
                del self._open[one.key]

    def closed_for(self, sender: Sender, address: str) -> list[Breaker]:
        """The breakers that stop a message to ``address`` on ``sender``; none, nearly always."""
        if not self._open:
            return []
        keys = sender.keys(country_of(address))
        return [self._open[key] for key in sorted(keys) if key in self._open]

    def try_probe(self, outgoing: OutgoingMessage, stopped: Sequence[Breaker]) -> bool:
        """Is it time to try, and may this message be the one? One that has met the fault itself
        comes after those that have not."""
        stopped = [self._open.get(one.key, one) for one in stopped]
        if any(self._soonest(one) > self.now for one in stopped):
            return False
        for one in stopped:
            if not is_down(one.code) and self._has_met(outgoing, one):
                if one.probe_at > self.now or self._wake_another(outgoing, one):
                    return False
            elif one.probe_at > self.now and is_down(one.code):
                return False
        taken: list[Breaker] = []
        for one in stopped:
            if not breaker_store.take_probe(self.conn, one, outgoing.id, self.until):
                self.give_back(outgoing, taken)
                return False
            taken.append(one)
        for one in taken:
            self._open[one.key] = replace(one, probe_at=self.until, probe=outgoing.id)
        return True

    def _soonest(self, one: Breaker) -> datetime:
        """When anything may be tried: what has not met the fault waits for no doubled pause, unless
        another is being tried."""
        if is_down(one.code) or one.probe is not None:
            return one.probe_at
        return self.limits.breaker.sooner(one.probe_at, one.failures)

    def _has_met(self, outgoing: OutgoingMessage, one: Breaker) -> bool:
        return outgoing.id in attempt_store.met(self.conn, [outgoing.id], one.code)

    def _wake_another(self, outgoing: OutgoingMessage, one: Breaker) -> bool:
        woken = breaker_store.release(
            self.conn, one, self.now, 1, unmet=True, besides=[outgoing.id]
        )
        return woken > 0

    def give_back(self, outgoing: OutgoingMessage, stopped: Sequence[Breaker]) -> None:
        """The message is not sent now after all: let another try."""
        for one in stopped:
            breaker_store.give_back(self.conn, one, outgoing.id)
            self._open[one.key] = one

    def hold(
        self,
        outgoing: OutgoingMessage,
        items: Sequence[Item],
        stopped: Sequence[Breaker],
        writes: Writes,
    ) -> None:
        """Hold what can wait; hand over what cannot, if the other channel is of help.

        Only the most urgent message of a batch comes back for the next trial; the others rest
        longer, since the end of the fault wakes them.
        """
        stopped = [self._open[one.key] for one in stopped]
        breaker = max(stopped, key=lambda one: one.probe_at)
        # Somebody took the probe this moment: its lease is when to look again.
        soonest = self._soonest(breaker)
        if soonest < breaker.probe_at and self._has_met(outgoing, breaker):
            soonest = breaker.probe_at
        probe_at = soonest if soonest > self.now else self.until
        later = self.now + self.limits.breaker.longest
        looks = [probe_at] if breaker.key not in self._first else [later, probe_at]
        late, found = [], []
        for item in items:
            at = rest(item.useful_until, looks, self.hours, outgoing.holder.time_zone)
            if at is None and self._helps(outgoing, item):
                late.append(item)
            else:
                found.append(at or min(probe_at, item.useful_until))
        for item in late:
            writes.end(item, ReminderState.SUPPRESSED, breaker.reason)
        writes.go_over(outgoing, late)
        if not found:
            writes.cancel(outgoing, breaker.reason)
            return
        self._first.add(breaker.key)
        held = Next(
            *(MessageState.HELD, min(found), breaker.reason, Obstacle.BREAKER, breaker.code)
        )
        writes.settle(outgoing, held)

    def _helps(self, outgoing: OutgoingMessage, item: Item) -> bool:
        """Can the other channel tell the holder now?"""
        other = outgoing.channel.other
        pool = self.senders.get(other)
        if outgoing.audience is Audience.GUARDIAN or pool is None:
            return False
        if not address_of(item.card, outgoing.holder, other):
            return False
        return any(self._open.keys().isdisjoint(sender.keys(None)) for sender in pool.senders)
