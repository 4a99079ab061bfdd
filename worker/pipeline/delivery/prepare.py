"""Before the call: claim, look once more, render, and commit the attempts. One transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, Engine

from worker.core.breaker import is_down
from worker.core.cards import Audience, Channel
from worker.core.pace import Budget, last_chance
from worker.core.recheck import recheck
from worker.core.reminders import MessageState, Obstacle
from worker.core.retry import Next
from worker.core.rules import Rules
from worker.core.senders import SenderPool
from worker.errors import ConfigError
from worker.pipeline.delivery.batch_writes import Writes
from worker.pipeline.delivery.breaker_gate import Gate
from worker.pipeline.delivery.daily_caps import Capping
from worker.pipeline.delivery.eligibility import Eligibility
from worker.pipeline.delivery.limits import Limits
from worker.pipeline.delivery.provider_health import ProviderHealth
from worker.pipeline.delivery.rendering import Renderer, check_storable, contents, digest_of
from worker.pipeline.delivery.stages import Eligible, Prepared, Ready
from worker.store import attempts as attempt_store
from worker.store import outbox, quarantine, suppressions
from worker.store.engine import reading, writing
from worker.store.outbox import MessageContent
from worker.store.planner_hints import by_index

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Preparation:
    """Makes claimed messages ready to send at ``now``; ``lease`` must outlast the longest call.
    ``hold``: the pause while a text of ours is broken. A channel without a sender is off.
    ``live``: real people are reached."""

    engine: Engine
    rules: Rules
    renderer: Renderer
    senders: Mapping[Channel, SenderPool]
    limits: Limits
    health: ProviderHealth
    lease: timedelta
    hold: timedelta
    live: bool = False

    def run(
        self,
        channel: Channel,
        ids: Sequence[int],
        now: datetime,
        audience: Audience = Audience.HOLDER,
    ) -> Prepared:
        """Claim the due ones of ``ids`` that ``audience`` reads, end or postpone what must not go
        now, return the rest."""
        pool = self.senders.get(channel)
        budget = self.limits.budget(pool, channel, len(ids)) if pool else Budget()
        try:
            with writing(self.engine, durable=True) as conn:
                by_index(conn)
                if quarantine.current(conn) is not None:  # what was sent already is not known
                    return Prepared()
                prepared = _Batch(self, conn, channel, audience, budget, now).run(ids)
        except BaseException:
            budget.used = budget.queued = 0
            raise
        finally:
            if pool:
                self.limits.settle(pool, budget)
        return prepared

    def is_open(self, ready: Ready, now: datetime) -> bool:
        """Is it within the holder's hours?"""
        return self.rules.hours.next_open(now, ready.outgoing.holder.time_zone) <= now

    def stands(self, ready: Ready, now: datetime) -> bool:
        """Would the last look let the message go at ``now`` just as it is? Changes nothing.
        Raises ``UnreachableError``."""
        outgoing, rules = ready.outgoing, self.rules
        with reading(self.engine) as conn:
            loaded = outbox.load(conn, [outgoing.id])
            reasons = suppressions.reasons(conn, ready.sender.channel, {ready.out.to})
        for found in loaded:
            verdict = recheck(
                *(found.items, found.holder, outgoing.channel, now, rules.hours, rules.ladder),
                *(suppressions.why(reasons), outgoing.audience),
            )
            kept = {item.id for item in verdict.keep}
            same = kept == {item.id for item in ready.items} and verdict.address == ready.out.to
            return same and verdict.postpone is None and found.attempts == outgoing.attempts + 1
        return False


class _Batch:
    """The messages of one claim, inside its transaction."""

    def __init__(
        self,
        own: Preparation,
        conn: Connection,
        channel: Channel,
        audience: Audience,
        budget: Budget,
        now: datetime,
    ) -> None:
        self._own, self._conn, self._now = own, conn, now
        self._channel, self._audience, self._budget = channel, audience, budget
        self._writes = Writes()
        self._kept: list[MessageContent] = []
        limits, rules, until = own.limits, own.rules, now + own.lease
        self._gate = Gate(conn, own.senders, limits, rules.hours, now, until)
        self._look = Eligibility(
            conn,
            rules,
            channel,
            own.senders.get(channel),
            self._gate,
            self._writes,
            now,
            own.health.away(now),
            own.live,
            audience,
        )
        self._capping = Capping(conn, channel, limits, rules.routes, rules.hours, now, audience)

    def run(self, ids: Sequence[int]) -> Prepared:
        """Claim, look, bound, and commit what is left."""
        claimed = outbox.claim(self._conn, self._channel, ids, self._now)
        mine = [one for one in claimed if one.audience is self._audience]
        later = [one.id for one in claimed if one.audience is not self._audience]
        eligible = self._look.eligible(mine)
        batch = [one.outgoing.id for one in eligible]
        books = {one.outgoing.book_id for one in eligible}
        self._capping.look({one.address for one in eligible}, books, batch)
        ready = [found for one in eligible if (found := self._ready(one))]
        self._writes.flush(self._conn, self._now)
        self._commit_attempts(ready)
        self._capping.write()
        return Prepared(ready, later)

    def _ready(self, one: Eligible) -> Ready | None:
        """A ``Ready`` if the message may go now; else it waits, and another may be the probe."""
        found = self._bounded(one)
        if found is None:
            self._gate.give_back(one.outgoing, one.tries)
        return found

    def _bounded(self, one: Eligible) -> Ready | None:
        outgoing, writes = one.outgoing, self._writes
        zone = outgoing.holder.time_zone
        if met := self._capping.free_at(one.address, one.items, zone):
            self._capping.hold(outgoing, one.items, met, writes)
            return None
        if not self._budget.is_open:
            writes.wait(outgoing, Obstacle.PACE, "pace", self._place(one))
            return None
        try:
            text = self._own.renderer.render(
                outgoing, one.items, one.address, self._now, one.sender.address
            )
            kept = contents(outgoing, text.out)
            check_storable(kept, text.out)
        except Exception as error:
            # Ours to mend, so it waits for that; the next look ends what became useless meanwhile.
            # Whatever it is: its neighbours have nothing to do with it.
            hint = error.hint if isinstance(error, ConfigError) else type(error).__name__
            log.exception("alarm", cause="template_failed", message=outgoing.id, hint=hint)
            again = self._now + self._own.hold
            writes.settle(outgoing, Next(MessageState.HELD, again, "template_failed"))
            return None
        segments = kept["segments"] or 0
        if met := self._capping.use(outgoing, one.address, segments):
            self._capping.hold(outgoing, one.items, met, writes)
            return None
        self._budget.spend(max(1, segments))
        self._kept.append(kept)
        writes.split(outgoing, text.left)
        use, probe = self._capping.uses[-1], bool(one.tries)
        down = any(is_down(breaker.code) for breaker in one.tries)
        return Ready(outgoing, text.items, text.out, one.sender, use, probe, one.spare, down)

    def _place(self, one: Eligible) -> datetime:
        """When a message that finds the bucket empty comes back."""
        until = min(item.useful_until for item in one.items)
        last = last_chance(until, self._own.rules.hours, one.outgoing.holder.time_zone)
        waited = one.outgoing.obstacle is Obstacle.PACE
        return self._budget.place(self._now, last, waited=waited)

    def _commit_attempts(self, ready: Sequence[Ready]) -> None:
        attempt_store.add(
            self._conn,
            [
                {
                    "id": one.out.attempt,
                    "message_id": one.outgoing.id,
                    "address": one.out.to,
                    "digest": digest_of(one.out),
                    "started_at": self._now,
                    "provider": one.sender.provider,
                    "sender": one.sender.address,
                }
                for one in ready
            ],
        )
        outbox.begin(self._conn, self._kept, self._now + self._own.lease)
