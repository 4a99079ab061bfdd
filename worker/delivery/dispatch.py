"""The calls: a batch at once, bounded by one limit a process."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Engine

from worker import metrics
from worker.core.breaker import PREFIX
from worker.core.cards import Channel
from worker.core.outcomes import Outcome, OutcomeKind
from worker.core.retry import RetryPolicy
from worker.core.segments import measure
from worker.delivery.breaking import Tripped, refused, release, settle
from worker.delivery.elsewhere import Elsewhere
from worker.delivery.following import LATE, Ended, storable
from worker.delivery.prepare import Preparation, Ready
from worker.delivery.record import record
from worker.delivery.recorder import Recorder
from worker.delivery.slots import Slots
from worker.providers.base import Provider, SmsOut
from worker.providers.choice import named
from worker.store import usage
from worker.store.bulk import batched
from worker.store.engine import writing
from worker.store.plans import by_index

log = structlog.get_logger(__name__)

_SILENT = (OutcomeKind.NOT_SENT, OutcomeKind.AMBIGUOUS)

# Messages claimed and rendered at a time, at most: enough to be cheap. Those behind them stay free
# for other workers, and unhurt if this one dies, until the calls come to them.
_PART = 150


@dataclass(frozen=True, slots=True)
class _Call:
    """A message on its way: ours until ``until``; ``begun`` once it has its slot."""

    ready: Ready
    until: datetime
    begun: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Delivery:
    """Sends messages; one per process, so that ``in_flight`` bounds all its calls."""

    engine: Engine
    preparation: Preparation
    providers: Mapping[Channel, Provider[Any]]
    retry: RetryPolicy
    in_flight: int
    _slots: Slots = field(init=False)
    _recorder: Recorder = field(init=False)

    def __post_init__(self) -> None:
        self._slots = Slots(self.in_flight)
        self._recorder = Recorder(self._write, self.preparation.lease)

    async def run(self, channel: Channel, ids: Sequence[int], now: datetime) -> Counter[str]:
        """Send the due ones of ``ids``; returns how many messages ended in which state."""
        started = time.monotonic()

        def clock() -> datetime:
            return now + timedelta(seconds=time.monotonic() - started)

        tripped = Tripped()
        sends: list[asyncio.Task[str]] = []
        try:
            for part in _parts(ids):
                calls = await self._prepare(channel, part, clock() if sends else now)
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
        return Counter(one for one in ended if isinstance(one, str))

    async def _prepare(
        self, channel: Channel, ids: Sequence[int], now: datetime
    ) -> Sequence[_Call]:
        ready = await asyncio.to_thread(self.preparation.run, channel, ids, now)
        return [_Call(one, now + self.preparation.lease) for one in ready]

    async def _send(self, call: _Call, clock: Callable[[], datetime], tripped: Tripped) -> str:
        one = call.ready
        channel, down = one.parcel.channel, False
        # The other half of the lease is for the call itself, and for writing how it ended.
        left = call.until - self.preparation.lease / 2 - clock()
        acquired = await self._slots.take(channel, left.total_seconds())
        call.begun.set()
        if not acquired:
            return await self._recorder.record(Ended(one, LATE, clock()))
        try:
            outcome = tripped.answer(one) or self._known_down(one, clock())
            if outcome is None:
                outcome = await self._call(one, clock)
                down = self._is_down(one, outcome, clock())
                tripped.note(one, outcome, down=down)
                if down and one.lane and outcome.kind is OutcomeKind.NOT_SENT:
                    outcome = Outcome(OutcomeKind.DOWN, one.lane.down)
        finally:
            self._slots.give(channel)
        return await self._recorder.record(Ended(one, outcome, clock(), down))

    def _known_down(self, one: Ready, now: datetime) -> Outcome | None:
        if one.lane is None or one.probe:
            return None
        known = self.preparation.erring.knows_down(one.lane.provider, now)
        return Outcome(OutcomeKind.DOWN, PREFIX + one.lane.down) if known else None

    def _is_down(self, one: Ready, outcome: Outcome, at: datetime) -> bool:
        if one.lane is None:
            return False
        down = self.preparation.erring.down(one.lane.provider, outcome, at)
        return down or (one.tries_down and outcome.kind in _SILENT)

    async def _call(self, one: Ready, clock: Callable[[], datetime]) -> Outcome:
        try:
            outcome = await self._measured(one)
        except Exception:  # a bug: without an outcome the batch would wait for ever
            log.exception("alarm", cause="provider_failed", message=one.parcel.id)
            return Outcome(OutcomeKind.AMBIGUOUS, "provider_failed")
        erring = self.preparation.erring
        if one.lane and erring.note(one.lane.provider, outcome, clock()) and one.spare:
            log.warning("provider_rests", provider=one.lane.provider, code=outcome.code)
        return outcome

    async def _measured(self, one: Ready) -> Outcome:
        provider = self.providers[one.parcel.channel]
        if one.lane:
            provider = named(provider, one.lane.provider)
        began = time.monotonic()
        outcome = await provider.send(one.out)
        seconds = time.monotonic() - began
        taken = outcome.kind is OutcomeKind.ACCEPTED and isinstance(one.out, SmsOut)
        segments = measure(one.out.text).segments if taken else 0
        metrics.attempt(provider.name, outcome.kind, seconds, segments)
        return outcome

    def _write(self, group: Sequence[Ended]) -> list[str]:
        own = self.preparation
        group = [storable(one) for one in group]
        with writing(self.engine) as conn:
            by_index(conn)
            found = settle(conn, group, own.limits.breaker, own.rules.hours)
            ways = Elsewhere(own.rules.hours, own.lanes.keys())
            nexts = record(conn, group, self.retry, found.until, found.told, found.alone, ways)
            uses = [one.ready.use for one in refused(group)]
            usage.add(conn, [use.back() for use in uses if use])
        for one, following in zip(group, nexts, strict=True):
            metrics.settled(one.ready.parcel.channel, following.state)
        if found.closed:
            release(self.engine, found.closed, group[-1].at)
        return [following.state.value for following in nexts]


def _parts(ids: Sequence[int]) -> Iterator[list[int]]:
    """``ids`` in parts of equal size: a small rest would cost as much as a whole one."""
    count = max(1, -(-len(ids) // _PART))
    return batched(ids, max(1, -(-len(ids) // count)))
