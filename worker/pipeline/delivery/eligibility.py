"""Before the call: which messages of a batch are still true, may be told now, and are not stopped
by a breaker."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from worker.core.addressing import address_of
from worker.core.cards import Audience, Channel, Destination
from worker.core.recheck import Item, goes_over, recheck
from worker.core.reminders import Obstacle, ReminderState
from worker.core.rules import Rules
from worker.core.senders import SenderPool
from worker.pipeline.delivery.batch_writes import Writes
from worker.pipeline.delivery.breaker_gate import Gate
from worker.pipeline.delivery.digests import Digests
from worker.pipeline.delivery.stages import Eligible
from worker.providers.registry import is_opt_out
from worker.store import attempts as attempt_store
from worker.store import suppressions
from worker.store.outbox import OutgoingMessage

# Not reasons of an end, but what a message waited for when its time ran out.
_WAITED_FOR = (Obstacle.BREAKER, Obstacle.PACE, Obstacle.CAP)
# Why a message of the sample book ends where messages reach real people.
SAMPLE = "sample_book"

Why = Callable[[str, int], str | None]


@dataclass(frozen=True, slots=True)
class Eligibility:
    """The last look at the messages of a batch over ``channel`` to ``audience``, inside its
    transaction. ``pool``: who serves the channel, if anybody; ``away``: providers that rest.
    ``live``: real people are reached, so that what invented cards owe ends here."""

    conn: Connection
    rules: Rules
    channel: Channel
    pool: SenderPool | None
    gate: Gate
    writes: Writes
    now: datetime
    away: Collection[str] = ()
    live: bool = False
    audience: Audience = Audience.HOLDER

    def eligible(self, all_outgoing: Sequence[OutgoingMessage]) -> list[Eligible]:
        """Those to send, the most urgent first: it takes the probe, and later the tokens and what
        is left of a cap. What becomes of the others is written."""
        gather = self.gate.limits.gather
        if self.audience is Audience.GUARDIAN and gather is not None:
            digests = Digests(self.conn, self.rules.hours, gather, self.writes, self.now)
            all_outgoing = digests.together(all_outgoing)
        dead = self._suppressed(all_outgoing)
        several = self.pool is not None and len(self.pool.senders) > 1
        failed = attempt_store.failed_by(self.conn, [p.id for p in all_outgoing]) if several else {}
        urgent = sorted(all_outgoing, key=lambda outgoing: outgoing.useful_until)
        looked = (self._still_true(one, dead, failed.get(one.id)) for one in urgent)
        return [one for one in looked if one]

    def _suppressed(self, all_outgoing: Sequence[OutgoingMessage]) -> Why:
        """Why an address is not to be used for a card; none is on a channel nobody serves."""
        if self.pool is None:
            return lambda address, card: "channel_off"
        addresses = {
            address
            for outgoing in all_outgoing
            for item in outgoing.items
            if (address := self._address(outgoing, item))
        }
        return suppressions.why(suppressions.reasons(self.conn, self.pool.channel, addresses))

    def _still_true(
        self, outgoing: OutgoingMessage, dead: Why, failed: str | None
    ) -> Eligible | None:
        rules, writes = self.rules, self.writes
        if outgoing.sample and self.live:
            self._refuse_sample(outgoing)
            return None
        verdict = recheck(
            *(outgoing.items, outgoing.holder, self.channel, self.now),
            *(rules.hours, rules.ladder, dead, self.audience),
        )
        for end in verdict.ended:
            missed = end.state is ReminderState.MISSED
            waited = missed and outgoing.obstacle in _WAITED_FOR
            writes.end(end.item, end.state, str(outgoing.reason) if waited else end.reason)
        over = [goes_over(end, outgoing.holder, self._wanted, is_opt_out) for end in verdict.ended]
        writes.go_over(outgoing, [item for item in over if item])
        writes.reroute(outgoing, verdict.rerouted)
        if not verdict.keep or verdict.address is None:
            reason = verdict.ended[0].reason if verdict.ended else "nothing_left_to_say"
            writes.cancel(outgoing, reason)
            return None
        if verdict.postpone is not None:
            writes.wait(outgoing, Obstacle.HOURS, "quiet_hours", verdict.postpone)
            return None
        return self._on_its_way(outgoing, verdict.keep, verdict.address, failed)

    def _address(self, outgoing: OutgoingMessage, item: Item) -> str | None:
        return address_of(item.card, outgoing.holder, self.channel, self.audience)

    def _wanted(self, item: Item) -> Collection[Destination]:
        return self.rules.destinations(item.card, item.key)

    def _refuse_sample(self, outgoing: OutgoingMessage) -> None:
        """Nobody real is told of invented cards: their numbers may be somebody's."""
        for item in outgoing.items:
            self.writes.end(item, ReminderState.SUPPRESSED, SAMPLE)
        self.writes.cancel(outgoing, SAMPLE)

    def _on_its_way(
        self,
        outgoing: OutgoingMessage,
        keep: tuple[Item, ...],
        address: str,
        failed: str | None,
    ) -> Eligible | None:
        """The first sender in order that is open, or due to be tried; else the message waits for
        the one that is tried first. ``failed``: the provider that was tried last."""
        pool, attempts = self.pool, outgoing.attempts
        order = pool.order(outgoing.id, attempts, failed, self.away) if pool else ()
        closed = {sender: self.gate.closed_for(sender, address) for sender in order}
        for sender, stopped in closed.items():
            if not stopped or self.gate.try_probe(outgoing, stopped):
                spare = any(not shut for other, shut in closed.items() if other is not sender)
                return Eligible(outgoing, keep, address, sender, stopped, spare)
        soonest = min(closed.values(), key=lambda shut: max(one.probe_at for one in shut))
        self.gate.hold(outgoing, keep, soonest, self.writes)
        return None
