"""The clock: finds what is due and hands it to the workers as ids. Any number of these may run."""

import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from worker import metrics
from worker.app import App
from worker.core.cards import Channel
from worker.errors import UnreachableError
from worker.heartbeat import Heartbeat
from worker.store import cards as card_store
from worker.store import messages as message_store
from worker.store.engine import writing
from worker.watch import Watch

log = structlog.get_logger(__name__)

# How often what waits for its sender's pace is looked for: a bucket holds a second's worth.
PACE_SECONDS = 0.5
# One claim: large enough to be cheap, small enough to be a short transaction.
_CLAIM = 5_000


class Hinting(Protocol):
    """Whoever does the work: the queue, or in `vigencia once` this very process."""

    def check_cards(self, ids: Sequence[int]) -> None:
        """Have these cards checked."""
        ...

    def send(self, channel: Channel, ids: Sequence[int]) -> None:
        """Have these messages sent."""
        ...

    def reconcile(self, ids: Sequence[int]) -> None:
        """Have these unknown messages settled."""
        ...

    def fetch(self, ids: Sequence[int]) -> None:
        """Have these sent messages, of which nothing was heard, asked about."""
        ...


@dataclass(frozen=True, slots=True)
class Tick:
    """What one tick found."""

    cards: int = 0
    messages: int = 0

    def __bool__(self) -> bool:
        return bool(self.cards or self.messages)


def tick(app: App, now: datetime, hints: Hinting) -> Tick:
    """Claim everything due at ``now`` and hint it to the workers, in batches of ids.

    Costs what is due, not what is stored. Claims are committed before the hints go out, so a
    hint is never about something that can still be rolled back.
    """
    own = app.settings.scheduler
    lease = timedelta(seconds=own.check_lease_seconds)
    cards = 0
    app.receipts.apply_parked(now)
    while True:
        with writing(app.engine) as conn:
            ids = card_store.claim_due(conn, now, _CLAIM, lease)
        for batch in _batches(ids, own.check_batch):
            hints.check_cards(batch)
        cards += len(ids)
        if len(ids) < _CLAIM:
            return Tick(cards, wake(app, now, hints))


def wake(app: App, now: datetime, hints: Hinting) -> int:
    """Hint the messages that need a look at ``now``, and nothing else; returns how many."""
    own = app.settings.scheduler
    messages = 0
    while True:
        woken = _wake(app, now)
        for channel, due in woken.send.items():
            for batch in _batches(due, own.send_batch):
                hints.send(channel, batch)
        for batch in _batches(woken.reconcile, own.send_batch):
            hints.reconcile(batch)
        for batch in _batches(woken.fetch, own.send_batch):
            hints.fetch(batch)
        if woken.expired:
            log.error("alarm", cause="worker_lost", messages=len(woken.expired))
        messages += len(woken)
        if len(woken) < _CLAIM:
            return messages


def _wake(app: App, now: datetime) -> message_store.Woken:
    hint = timedelta(seconds=app.settings.scheduler.hint_seconds)
    with writing(app.engine) as conn:
        return message_store.wake(conn, now, _CLAIM, hint, app.retry.park)


def run(app: App, hints: Hinting, stopping: threading.Event, ticks: int | None = None) -> Tick:
    """Tick until ``stopping`` is set, or ``ticks`` times; returns all that was found.

    A database that is away is waited for, with an alarm at each look.
    """
    pause = app.settings.scheduler.tick_seconds
    heartbeat, watch = Heartbeat(app.settings.heartbeat_url), Watch(app)
    total = Tick()
    log.info("scheduler_started", tick_seconds=pause)
    for _ in itertools.count() if ticks is None else range(ticks):
        began = time.monotonic()
        try:
            found = tick(app, app.now(), hints)
            total = Tick(total.cards + found.cards, total.messages + found.messages)
            if found:
                log.info("tick", cards=found.cards, messages=found.messages)
            metrics.tick(time.monotonic() - began, time.time())
            heartbeat.beat()
            watch.look(app.now())
        except UnreachableError as error:
            log.error("alarm", cause="database_unreachable", reason=error.message)
        if _rest(app, hints, stopping, pause - (time.monotonic() - began)):
            break
    return total


def _rest(app: App, hints: Hinting, stopping: threading.Event, seconds: float) -> bool:
    """Wait until the next tick is due; whether to stop. Meanwhile what waits for nothing but its
    sender's pace is sent: its turn comes every second, whatever the tick."""
    end = time.monotonic() + seconds
    while app.paced and end - time.monotonic() > PACE_SECONDS:
        if stopping.wait(PACE_SECONDS):
            return True
        try:
            wake(app, app.now(), hints)
        except UnreachableError:
            break  # the tick waits for the database, and tells of it
    return stopping.wait(max(0.0, end - time.monotonic()))


def _batches(ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
