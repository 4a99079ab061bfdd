"""The calls: a batch at once, bounded by one limit a process."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from worker import metrics
from worker.clock import Clock, Stopwatch
from worker.core.breaker import PREFIX
from worker.core.cards import Audience, Channel
from worker.core.outcomes import Outcome, OutcomeKind
from worker.core.segments import measure
from worker.errors import UnreachableError
from worker.pipeline.delivery.breaking import Tripped
from worker.pipeline.delivery.concurrency import Slots
from worker.pipeline.delivery.prepare import Preparation
from worker.pipeline.delivery.provider_health import ProviderHealth
from worker.pipeline.delivery.recorder import Recorder
from worker.pipeline.delivery.stages import LATE, Ended, Ready
from worker.providers.base import Provider, SmsOut
from worker.providers.choice import named
from worker.providers.fence import TooLateError, only_while
from worker.store.bulk import batched

log = structlog.get_logger(__name__)

_SILENT = (OutcomeKind.NOT_SENT, OutcomeKind.AMBIGUOUS)

# Messages claimed and rendered at a time, at most: enough to be cheap. Those behind them stay free
# for other workers, and unhurt if this one dies, until the calls come to them.
_PART = 150

# What was looked at so long ago is looked at again before its call. Most calls begin at once.
_FRESH = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class _Call:
    """A message on its way, as it was ``looked`` at; ``begun`` once it has its slot. ``watch`` runs
    since then: its call begins within half a ``lease`` or not at all, since the other half is for
    the call itself, for writing how it ended, and for clocks that differ."""

    ready: Ready
    looked: datetime
    lease: timedelta
    watch: Stopwatch
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def left(self) -> timedelta:
        """How long the call may still begin."""
        return self.lease / 2 - self.watch.longest()

    def may_leave(self) -> bool:
        """Is it ours for so long that the first byte may still go? A connection may have to be
        opened between the beginning of a call and that."""
        return self.watch.longest() < self.lease * 3 / 4


@dataclass(slots=True)
class Delivery:
    """Sends messages; one per process, so that ``slots`` bound all its calls. A message is ours for
    ``lease``. ``played``: the clock of a play, where time does not flow as on this machine."""

    preparation: Preparation
    recorder: Recorder
    health: ProviderHealth
    providers: Mapping[Channel, Provider[Any]]
    slots: Slots
    lease: timedelta
    played: Clock | None = None

    async def run(self, channel: Channel, ids: Sequence[int], now: datetime) -> Counter[str]:
        """Send the due ones of ``ids``; returns how many messages ended in which state."""
        watch = Stopwatch(self.played)

        def clock() -> datetime:
            return now + watch.passed()

        counts, later = await self._run(channel, Audience.HOLDER, ids, now, clock)
        if later:  # the guardian's come last: only now is known what came to nothing before them
            more, _ = await self._run(channel, Audience.GUARDIAN, later, clock(), clock)
            counts += more
        return counts

    async def _run(
        self,
        channel: Channel,
        audience: Audience,
        ids: Sequence[int],
        now: datetime,
        clock: Clock,
    ) -> tuple[Counter[str], list[int]]:
        """Send those of ``ids`` that ``audience`` reads; returns what became of them, and which
        others there are."""
        tripped = Tripped()
        sends: list[asyncio.Task[str]] = []
        later: list[int] = []
        try:
            for part in _parts(ids):
                at = clock() if sends else now
                watch = Stopwatch(self.played)
                found = await asyncio.to_thread(self.preparation.run, channel, part, at, audience)
                calls = [_Call(one, at, self.lease, watch) for one in found.ready]
                later += found.later
                sends += [asyncio.create_task(self._send(one, clock, tripped)) for one in calls]
                if calls:  # slots are given in order: with the last one all have begun
                    await calls[-1].begun.wait()
        except Exception:  # what was claimed before goes out all the same
            await asyncio.gather(*sends, return_exceptions=True)
            raise
        # All come to their end before one that failed is told of: none is left amid its call.
        ended = await asyncio.gather(*sends, return_exceptions=True)
        for one in ended:
            if isinstance(one, BaseException):
                raise one
        return Counter(one for one in ended if isinstance(one, str)), later

    async def _send(self, call: _Call, clock: Clock, tripped: Tripped) -> str:
        one = call.ready
        channel, down = one.outgoing.channel, False
        acquired = await self.slots.take(channel, call.left.total_seconds())
        call.begun.set()
        if not acquired:
            return await self.recorder.record(Ended(one, LATE, clock()))
        try:
            outcome = tripped.answer(one) or self._known_down(one, clock())
            if outcome is None and not await self._stands(call):
                outcome = LATE
            if outcome is None:
                outcome = await self._call(call, clock)
                down = outcome != LATE and self._is_down(one, outcome, clock())
                tripped.note(one, outcome, down=down)
                if down and outcome.kind is OutcomeKind.NOT_SENT:
                    outcome = Outcome(OutcomeKind.DOWN, one.sender.down)
        finally:
            self.slots.give(channel)
        return await self.recorder.record(Ended(one, outcome, clock(), down))

    async def _stands(self, call: _Call) -> bool:
        """May the call begin? Time has passed since the look, in a line for a place or because the
        process stood still: what is no longer fresh is looked at once more. What may not go is
        handed back, and the next look says why."""
        now = call.looked + call.watch.longest()
        if call.left <= timedelta(0):
            return False
        if call.watch.longest() <= _FRESH:
            return self.preparation.is_open(call.ready, now)
        try:
            stands = await asyncio.to_thread(self.preparation.stands, call.ready, now)
        except UnreachableError:
            return False
        return stands and call.left > timedelta(0)

    def _known_down(self, one: Ready, now: datetime) -> Outcome | None:
        if one.probe:
            return None
        known = self.health.knows_down(one.sender.provider, now)
        return Outcome(OutcomeKind.DOWN, PREFIX + one.sender.down) if known else None

    def _is_down(self, one: Ready, outcome: Outcome, at: datetime) -> bool:
        down = self.health.down(one.sender.provider, outcome, at)
        return down or (one.tries_down and outcome.kind in _SILENT)

    async def _call(self, call: _Call, clock: Clock) -> Outcome:
        one = call.ready
        try:
            with only_while(call.may_leave):
                outcome = await self._measured(one)
        except TooLateError:
            return LATE
        except Exception:  # a bug: without an outcome the batch would wait for ever
            log.exception("alarm", cause="provider_failed", message=one.outgoing.id)
            return Outcome(OutcomeKind.AMBIGUOUS, "provider_failed")
        if self.health.note(one.sender.provider, outcome, clock()) and one.spare:
            log.warning("provider_rests", provider=one.sender.provider, code=outcome.code)
        return outcome

    async def _measured(self, one: Ready) -> Outcome:
        provider = named(self.providers[one.outgoing.channel], one.sender.provider)
        began = time.monotonic()
        outcome = await provider.send(one.out)
        seconds = time.monotonic() - began
        taken = outcome.kind is OutcomeKind.ACCEPTED and isinstance(one.out, SmsOut)
        segments = measure(one.out.text).segments if taken else 0
        metrics.attempt(provider.name, outcome.kind, seconds, segments)
        return outcome


def _parts(ids: Sequence[int]) -> Iterator[list[int]]:
    """``ids`` in parts of equal size: a small rest would cost as much as a whole one."""
    count = max(1, -(-len(ids) // _PART))
    return batched(ids, max(1, -(-len(ids) // count)))
