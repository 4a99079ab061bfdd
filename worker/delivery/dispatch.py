"""The calls: a batch at once, bounded by one limit a process."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Engine

from worker import metrics
from worker.core.cards import Channel
from worker.core.outcomes import Outcome, OutcomeKind
from worker.core.retry import RetryPolicy
from worker.core.segments import measure
from worker.delivery.breaking import Tripped, refused, release, settle
from worker.delivery.prepare import Preparation, Ready
from worker.delivery.record import LATE, Ended, record
from worker.delivery.recorder import Recorder
from worker.providers.base import Provider, SmsOut
from worker.providers.choice import named
from worker.store import usage
from worker.store.bulk import batched
from worker.store.engine import writing

log = structlog.get_logger(__name__)

_SILENT = (OutcomeKind.NOT_SENT, OutcomeKind.AMBIGUOUS)

# Messages claimed and rendered at a time: enough to be cheap. Those behind them stay free for other
# workers, and what is known when a worker dies, until the calls come to them.
_PART = 125


@dataclass(frozen=True, slots=True)
class _Call:
    """A message on its way: ours until ``until``; ``begun`` once it has its slot."""

    ready: Ready
    until: datetime
    begun: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Delivery:
    """Sends messages; one per process, so that ``in_flight`` bounds its calls on each channel: one
    whose provider is slow keeps no place from the other."""

    engine: Engine
    preparation: Preparation
    providers: Mapping[Channel, Provider[Any]]
    retry: RetryPolicy
    in_flight: int
    _slots: dict[Channel, asyncio.Semaphore] = field(init=False)
    _recorder: Recorder = field(init=False)

    def __post_init__(self) -> None:
        sms, email = asyncio.Semaphore(self.in_flight), asyncio.Semaphore(self.in_flight)
        self._slots = {Channel.SMS: sms, Channel.EMAIL: email, Channel.GUARDIAN: email}
        self._recorder = Recorder(self._write, self.preparation.lease)

    async def run(self, channel: Channel, ids: Sequence[int], now: datetime) -> Counter[str]:
        """Send the due ones of ``ids``; returns how many messages ended in which state."""
        started = time.monotonic()

        def clock() -> datetime:
            return now + timedelta(seconds=time.monotonic() - started)

        tripped = Tripped()
        sends: list[asyncio.Task[str]] = []
        try:
            for part in batched(ids, _PART):
                calls = await self._prepare(channel, part, clock() if sends else now)
                sends += [asyncio.create_task(self._send(one, clock, tripped)) for one in calls]
                if calls:  # slots are given in order: with the last one all have begun
                    await calls[-1].begun.wait()
        except Exception:  # what was claimed before goes out all the same
            await asyncio.gather(*sends, return_exceptions=True)
            raise
        return Counter(await asyncio.gather(*sends))

    async def _prepare(
        self, channel: Channel, ids: Sequence[int], now: datetime
    ) -> Sequence[_Call]:
        ready = await asyncio.to_thread(self.preparation.run, channel, ids, now)
        return [_Call(one, now + self.preparation.lease) for one in ready]

    async def _send(self, call: _Call, clock: Callable[[], datetime], tripped: Tripped) -> str:
        one = call.ready
        slots, down = self._slots[one.parcel.channel], False
        # The other half of the lease is for the call itself, and for writing how it ended.
        left = call.until - self.preparation.lease / 2 - clock()
        acquired = await _acquired(slots, left.total_seconds())
        call.begun.set()
        if not acquired:
            return await self._recorder.record(Ended(one, LATE, clock()))
        try:
            outcome = tripped.answer(one)
            if outcome is None:
                outcome = await self._call(one, clock)
                down = self._is_down(one, outcome)
                tripped.note(one, outcome, down=down)
                if down and outcome.kind is OutcomeKind.NOT_SENT:
                    outcome = Outcome(OutcomeKind.DOWN, outcome.code)
        finally:
            slots.release()
        return await self._recorder.record(Ended(one, outcome, clock(), down))

    def _is_down(self, one: Ready, outcome: Outcome) -> bool:
        if one.lane is None:
            return False
        down = self.preparation.erring.down(one.lane.provider, outcome)
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
        with writing(self.engine) as conn:
            found = settle(conn, group, own.limits.breaker, own.rules.hours)
            nexts = record(conn, group, self.retry, found.until, found.told)
            uses = [one.ready.use for one in refused(group)]
            usage.add(conn, [use.back() for use in uses if use])
        for one, following in zip(group, nexts, strict=True):
            metrics.settled(one.ready.parcel.channel, following.state)
        if found.closed:
            release(self.engine, found.closed, group[-1].at)
        return [following.state.value for following in nexts]


async def _acquired(slots: asyncio.Semaphore, seconds: float) -> bool:
    """Wait for a place, but not for longer than ``seconds``; whether there was one."""
    try:
        async with asyncio.timeout(seconds):
            await slots.acquire()
    except TimeoutError:
        return False
    return True
