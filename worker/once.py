"""One tick, then work until nothing is due, in this process: for cron, and for tests."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from worker.app import App
from worker.clock import Clock
from worker.core.cards import Channel
from worker.core.reminders import MessageState
from worker.scheduler import tick


@dataclass(frozen=True, slots=True)
class Report:
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

    async def work(self) -> None:
        while self._jobs:
            await self._jobs.popleft()()


async def run_once(app: App, now: datetime | None = None) -> Report:
    """Do all that is due at ``now`` (default: the clock's time, which moves on meanwhile)."""
    started = time.monotonic()
    clock: Clock = app.now if now is None else lambda: now
    inbox = _Inbox(app, clock)
    try:
        while await asyncio.to_thread(tick, app, clock(), inbox):
            await inbox.work()
    finally:
        await app.close()
    counts = inbox.counts
    return Report(
        checked=counts["checked"],
        reminders=counts["reminders"],
        messages=counts["messages"],
        sent=counts[MessageState.SENT],
        retryable=counts[MessageState.RETRYABLE] + counts[MessageState.HELD],
        unknown=counts[MessageState.UNKNOWN],
        failed=counts[MessageState.FAILED],
        seconds=round(time.monotonic() - started, 3),
    )
