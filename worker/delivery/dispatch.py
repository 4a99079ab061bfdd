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
from worker.delivery.record import Ended, record
from worker.delivery.recorder import Recorder
from worker.providers.base import Provider, SmsOut
from worker.providers.choice import named
from worker.store import usage
from worker.store.engine import writing

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Delivery:
    """Sends messages; one per process, so that ``in_flight`` bounds all its calls."""

    engine: Engine
    preparation: Preparation
    providers: Mapping[Channel, Provider[Any]]
    retry: RetryPolicy
    in_flight: int
    _slots: asyncio.Semaphore = field(init=False)
    _recorder: Recorder = field(init=False)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.in_flight)
        self._recorder = Recorder(self._write, self.preparation.lease)

    async def run(self, channel: Channel, ids: Sequence[int], now: datetime) -> Counter[str]:
        """Send the due ones of ``ids``; returns how many messages ended in which state."""
        started = time.monotonic()

        def clock() -> datetime:
            return now + timedelta(seconds=time.monotonic() - started)

        ready = await asyncio.to_thread(self.preparation.run, channel, ids, now)
        tripped = Tripped()
        sends = (self._send(one, now, clock, tripped) for one in ready)
        return Counter(await asyncio.gather(*sends))

    async def _send(
        self, one: Ready, now: datetime, clock: Callable[[], datetime], tripped: Tripped
    ) -> str:
        async with self._slots:
            outcome = tripped.answer(one)
            if outcome is None:
                outcome = await self._call(one, now, clock)
                tripped.note(one, outcome)
        return await self._recorder.record(Ended(one, outcome, clock()))

    async def _call(self, one: Ready, now: datetime, clock: Callable[[], datetime]) -> Outcome:
        if clock() - now >= self.preparation.lease:  # others may have taken it over by now
            return Outcome(OutcomeKind.NOT_SENT, "lease_over_before_the_call")
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
