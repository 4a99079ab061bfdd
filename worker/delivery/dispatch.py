"""The calls: a batch at once, bounded by one limit a process, recorded in small groups."""

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
from worker.errors import UnreachableError
from worker.providers.base import Provider, SmsOut
from worker.providers.choice import named
from worker.store import usage
from worker.store.breakers import Breaker
from worker.store.engine import writing

log = structlog.get_logger(__name__)

# Outcomes written in one transaction: enough to be cheap, few enough to lose little in a crash.
_GROUP = 100
# How long an outcome waits for others (seconds). A crash meanwhile makes it unknown, no more.
_LINGER = 0.03


@dataclass(slots=True)
class Delivery:
    """Sends messages; one per process, so that ``in_flight`` bounds all its calls."""

    engine: Engine
    preparation: Preparation
    providers: Mapping[Channel, Provider[Any]]
    retry: RetryPolicy
    in_flight: int
    _slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.in_flight)

    async def run(self, channel: Channel, ids: Sequence[int], now: datetime) -> Counter[str]:
        """Send the due ones of ``ids``; returns how many messages ended in which state."""
        started = time.monotonic()

        def clock() -> datetime:
            return now + timedelta(seconds=time.monotonic() - started)

        ready = await asyncio.to_thread(self.preparation.run, channel, ids, now)
        done: asyncio.Queue[Ended] = asyncio.Queue()
        tripped = Tripped()
        tasks = [asyncio.create_task(self._send(one, done, now, clock, tripped)) for one in ready]
        try:
            return await self._record_all(done, len(tasks))
        finally:
            for task in tasks:
                task.cancel()

    async def _send(
        self,
        one: Ready,
        done: asyncio.Queue[Ended],
        now: datetime,
        clock: Callable[[], datetime],
        tripped: Tripped,
    ) -> None:
        async with self._slots:
            outcome = tripped.answer(one)
            if outcome is None:
                outcome = await self._call(one, now, clock)
                tripped.note(one, outcome)
        await done.put(Ended(one, outcome, clock()))

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

    async def _record_all(self, done: asyncio.Queue[Ended], expected: int) -> Counter[str]:
        states: Counter[str] = Counter()
        while states.total() < expected:
            group = [await done.get()]
            if states.total() + len(group) + done.qsize() < expected:
                await asyncio.sleep(_LINGER)
            while len(group) < _GROUP and not done.empty():
                group.append(done.get_nowait())
            states.update(await self._record(group))
        return states

    async def _record(self, group: Sequence[Ended]) -> list[str]:
        """Write a group, with patience: what the provider took must not be forgotten because the
        database restarts. After the lease others settle it, so then it is over."""
        give_up = time.monotonic() + self.preparation.lease.total_seconds()
        pause = 0.5
        while True:
            try:
                states, closed = await asyncio.to_thread(self._write, group)
                break
            except UnreachableError:
                if time.monotonic() + pause > give_up:
                    raise
                log.warning("outcomes_wait_for_the_database", count=len(group))
                await asyncio.sleep(pause)
                pause = min(pause * 2, 8.0)
        if closed:
            await asyncio.to_thread(release, self.engine, closed, group[-1].at)
        return states

    def _write(self, group: Sequence[Ended]) -> tuple[list[str], list[Breaker]]:
        own = self.preparation
        with writing(self.engine) as conn:
            found = settle(conn, group, own.limits.breaker, own.rules.hours)
            nexts = record(conn, group, self.retry, found.until, found.told)
            uses = [one.ready.use for one in refused(group)]
            usage.add(conn, [use.back() for use in uses if use])
        for one, following in zip(group, nexts, strict=True):
            metrics.settled(one.ready.parcel.channel, following.state)
        return [following.state.value for following in nexts], found.closed
