"""One tick, then work until nothing is due, in this process: for cron, and for tests."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from worker.clock import Clock
from worker.core.cards import Channel
from worker.core.reminders import MessageState
from worker.monitoring.tallies import Tallies
from worker.processes.filling import Filling
from worker.processes.jobs.work import work as work_job
from worker.processes.scheduler import PACE_SECONDS, tick
from worker.setup.app import App
from worker.store import messages as message_store
from worker.store.engine import reading

# How long a run goes on for what waits for its sender's pace: the next run is never far.
_PATIENCE = 240.0
# Batches between two looks for what is due.
_AT_HAND = 100


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run did. ``unknown`` and ``retryable`` messages are looked at by a later run."""

    checked: int
    reminders: int
    messages: int
    sent: int
    retryable: int
    unknown: int
    failed: int
    seconds: float


class _Inbox:
    """Takes the scheduler's hints and does the work here, in order."""

    def __init__(self, app: App, now: Clock) -> None:
        self._app, self._now = app, now
        self._jobs: deque[Callable[[], Coroutine[Any, Any, None]]] = deque()
        self.counts: Counter[str] = Counter()

    def check_cards(self, ids: Sequence[int]) -> None:
        async def job() -> None:
            checked = await asyncio.to_thread(self._app.checks.run, ids, self._now())
            self.counts.update(
                checked=checked.cards, reminders=checked.reminders, messages=checked.messages
            )
            for channel, due in checked.due.items():
                self.send(channel, due)

        self._jobs.append(job)

    def send(self, channel: Channel, ids: Sequence[int]) -> None:
        async def job() -> None:
            self.counts.update(await self._app.delivery.run(channel, ids, self._now()))

        self._jobs.append(job)

    def reconcile(self, ids: Sequence[int]) -> None:
        async def job() -> None:
            self.counts.update(await self._app.reconciliation.run(ids, self._now()))

        self._jobs.append(job)

    def fetch(self, ids: Sequence[int]) -> None:
        async def job() -> None:
            self.counts.update(await self._app.fetching.run(ids, self._now()))

        self._jobs.append(job)

    def work_jobs(self, ids: Sequence[int]) -> None:
        async def job() -> None:
            for one in ids:
                await asyncio.to_thread(work_job, self._app, one)

        self._jobs.append(job)

    def is_full(self, channel: Channel | None) -> bool:
        """All that is at hand is done before the next look."""
        return len(self._jobs) >= _AT_HAND

    async def work(self) -> None:
        while self._jobs:
            await self._jobs.popleft()()


async def run_once(app: App, now: datetime | None = None) -> RunReport:
    """Do all that is due at ``now`` (default: the clock's time, which moves on meanwhile)."""
    started = time.monotonic()
    clock: Clock = app.now if now is None else lambda: now
    inbox = _Inbox(app, clock)
    try:
        await _listen(app, clock())  # before anything is sent to who has said stop
        give_up = started + _PATIENCE if now is None else started
        while True:
            while await asyncio.to_thread(tick, app, clock(), inbox):
                await inbox.work()
            paced = app.paced and await asyncio.to_thread(_waits_for_its_pace, app, clock())
            if not paced or time.monotonic() > give_up:
                break
            await asyncio.sleep(PACE_SECONDS)
        await asyncio.to_thread(_keep_books, app, clock(), give_up)
    finally:
        await app.close()
    counts = inbox.counts
    return RunReport(
        checked=counts["checked"],
        reminders=counts["reminders"],
        messages=counts["messages"],
        sent=counts[MessageState.SENT] + counts[MessageState.DELIVERED],
        retryable=counts[MessageState.RETRYABLE] + counts[MessageState.HELD],
        unknown=counts[MessageState.UNKNOWN],
        failed=counts[MessageState.FAILED],
        seconds=round(time.monotonic() - started, 3),
    )


def _waits_for_its_pace(app: App, now: datetime) -> bool:
    with reading(app.engine) as conn:
        return message_store.paced_before(conn, now + timedelta(seconds=_PATIENCE))


def _keep_books(app: App, now: datetime, give_up: float) -> None:
    """What pages are read from: cards that are not entered yet, as far as there is time, and the
    sums of the days."""
    for _ in Filling(app).batches():
        if time.monotonic() > give_up:
            break
    Tallies(app).make(now)


async def _listen(app: App, now: datetime) -> None:
    listening = app.listening(app.heard) if app.listening({}) else None
    if listening is not None and await asyncio.to_thread(listening.is_time, now):
        await listening.run(now)
