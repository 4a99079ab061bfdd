"""Doorways: ids in, one use case, nothing else."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from datetime import datetime
from types import FrameType

import dramatiq
from dramatiq import Actor
from dramatiq.broker import Broker
from dramatiq.errors import DramatiqError
from redis import RedisError

from worker import metrics
from worker.children import end_with_master
from worker.core.cards import Channel
from worker.processes.clock_guard import ClockGuard, guard_of
from worker.processes.gc_tuning import look_rarely
from worker.processes.jobs.apart import LONGEST_SECONDS, work_apart
from worker.processes.queue_faults import OUTAGE, Outage, QueueFaults
from worker.providers.registry import STATUSES
from worker.setup.app import App
from worker.setup.broker import JOBS, NAMESPACE, open_broker
from worker.setup.build import build_ready
from worker.setup.log import configure
from worker.setup.settings import load
from worker.store import jobs
from worker.store.engine import reading

# Hints in a queue with which it is full, until half of them are done. With batches of 250 that is
# half a minute of sending at 1,000 a second: what waits longer than `hint_seconds` is hinted again.
_FULL = 128


class Hints:
    """Tells the workers what to do. A hint that is lost is repeated by the sweep."""

    def __init__(
        self,
        broker: Broker,
        app: App,
        guard: ClockGuard | None = None,
        outage: Outage = OUTAGE,
    ) -> None:
        self._app, self._broker, self._outage = app, broker, outage
        self._guard = guard or guard_of(app)
        self._filled: set[str] = set()
        # A queue for each channel: a slow SMS route never keeps email waiting.
        # What may go out goes before more is checked, or the lines to the providers stand idle.
        self._check = _actor(broker, self._check_cards, "check_cards", "checks", later=1)
        self._send = {
            Channel.SMS: _actor(broker, self._send_sms, "send_sms", "sms"),
            Channel.EMAIL: _actor(broker, self._send_email, "send_email", "email"),
        }
        self._settle = _actor(broker, self._reconcile, "reconcile", "reconcile", later=2)
        self._ask = _actor(broker, self._fetch, "fetch", "reconcile", later=2)
        self._job = _actor(
            *(broker, self._work_jobs, "work_jobs", JOBS),
            later=3,
            time_limit=(LONGEST_SECONDS + 60) * 1_000,
        )

    def check_cards(self, ids: Sequence[int]) -> None:
        """Have these cards checked."""
        self._tell(self._check, ids)

    def send(self, channel: Channel, ids: Sequence[int]) -> None:
        """Have these messages sent."""
        self._tell(self._send[channel], ids)

    def reconcile(self, ids: Sequence[int]) -> None:
        """Have these unknown messages settled."""
        self._tell(self._settle, ids)

    def fetch(self, ids: Sequence[int]) -> None:
        """Have these sent messages, of which nothing was heard, asked about."""
        self._tell(self._ask, ids)

    def work_jobs(self, ids: Sequence[int]) -> None:
        """Have these jobs worked, each by whoever is free."""
        for one in ids:
            self._tell(self._job, [one])

    def is_full(self, channel: Channel | None) -> bool:
        """Is the queue long enough? So is one that cannot be asked: nothing could be told to it."""
        actor = self._check if channel is None else self._send[channel]
        queue = actor.queue_name
        try:
            length = self._broker.client.llen(f"{NAMESPACE}:{queue}")  # type: ignore[attr-defined]
        except RedisError as error:
            self._outage.met(error=type(error).__name__)
            return True
        if length < (_FULL // 2 if queue in self._filled else _FULL):
            self._filled.discard(queue)
            return False
        self._filled.add(queue)
        return True

    def _tell(self, actor: Actor[[list[int]], object], ids: Sequence[int]) -> None:
        try:
            actor.send(list(ids))
        except (DramatiqError, RedisError) as error:
            # The claim behind this hint runs out and the next sweep repeats it.
            self._outage.met(error=type(error).__name__, actor=actor.actor_name, ids=len(ids))
        else:
            self._outage.over()  # only now: a server that is full or read-only answers questions

    def _check_cards(self, ids: list[int]) -> None:
        if (now := self._time()) is None:
            return
        checked = self._app.checks.run(ids, now)
        for channel, due in checked.due.items():
            if not self.is_full(channel):  # else the scheduler sees to it that the urgent go first
                self.send(channel, due)

    async def _send_sms(self, ids: list[int]) -> None:
        await self._deliver(Channel.SMS, ids)

    async def _send_email(self, ids: list[int]) -> None:
        await self._deliver(Channel.EMAIL, ids)

    async def _deliver(self, channel: Channel, ids: list[int]) -> None:
        if now := await asyncio.to_thread(self._time):
            await self._app.delivery.run(channel, ids, now)

    async def _reconcile(self, ids: list[int]) -> None:
        if now := await asyncio.to_thread(self._time):
            await self._app.reconciliation.run(ids, now)

    async def _fetch(self, ids: list[int]) -> None:
        if now := await asyncio.to_thread(self._time):
            await self._app.fetching.run(ids, now)

    def _work_jobs(self, ids: list[int]) -> None:
        for one in ids:
            with reading(self._app.engine) as conn:
                waits = jobs.waits(conn, one)
            if waits:
                work_apart(one)

    def _time(self) -> datetime | None:
        """What time it is; ``None`` where this machine's clock is ahead. Then the work is left to
        others: the claim behind its hint runs out and the next sweep repeats it."""
        return None if self._guard.ahead() else self._app.now()


def boot() -> None:
    """What each worker process runs first: build the app, declare the actors."""
    _end_once()
    settings = load()
    end_with_master(settings.worker.shutdown_seconds)
    # Straight to stderr: in a worker process sys.stderr is a pipe to dramatiq's main process, which
    # fills up and stops everything, the end included, once that process cannot write any more.
    configure(settings.log_level, settings.log_format, sys.__stderr__, filters=[QueueFaults()])
    app = build_ready(settings, serves=True)
    if settings.redis_url is None:
        raise RuntimeError("REDIS_URL is not set")
    broker = open_broker(settings.redis_url.get_secret_value())
    dramatiq.set_broker(broker)
    Hints(broker, app)
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        metrics.enable(STATUSES, several_processes=True)
    _ = app.delivery  # made now, not with the first message
    look_rarely()


def _end_once() -> None:
    """Let the first SIGTERM stop this process, and further ones do nothing.

    At a second one dramatiq leaves its main thread and waits for the others for ever, since they
    were not told. Two are common: the kernel sends one for each thread of a parent that dies.
    """
    stop = signal.getsignal(signal.SIGTERM)
    if not callable(stop):
        return

    def first(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stop(number, frame)

    signal.signal(signal.SIGTERM, first)


def _actor(
    broker: Broker, fn: object, name: str, queue: str, later: int = 0, **options: int
) -> Actor[[list[int]], object]:
    """``later``: of what a process has at hand, those with the lowest number go first."""
    return dramatiq.actor(  # type: ignore[call-overload,no-any-return]
        fn, broker=broker, actor_name=name, queue_name=queue, priority=later, **options
    )
