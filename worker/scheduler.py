"""The clock: finds what is due and hands it to the workers as ids. Any number of these may run."""

import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from worker.app import App
from worker.core.cards import Channel
from worker.errors import UnreachableError
from worker.store import cards as card_store
from worker.store import messages as message_store
from worker.store.engine import writing

log = structlog.get_logger(__name__)

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
    cards = messages = 0
    while True:
        with writing(app.engine) as conn:
            ids = card_store.claim_due(conn, now, _CLAIM, lease)
        for batch in _batches(ids, own.check_batch):
            hints.check_cards(batch)
        cards += len(ids)
        if len(ids) < _CLAIM:
            break
    while True:
        woken = _wake(app, now)
        for channel, due in woken.send.items():
            for batch in _batches(due, own.send_batch):
                hints.send(channel, batch)
        for batch in _batches(woken.reconcile, own.send_batch):
            hints.reconcile(batch)
        if woken.expired:
            log.error("alarm", cause="worker_lost", messages=len(woken.expired))
        messages += len(woken)
        if len(woken) < _CLAIM:
            return Tick(cards, messages)


def _wake(app: App, now: datetime) -> message_store.Woken:
    hint = timedelta(seconds=app.settings.scheduler.hint_seconds)
    with writing(app.engine) as conn:
        return message_store.wake(conn, now, _CLAIM, hint, app.retry.park)


def run(app: App, hints: Hinting, stopping: threading.Event, ticks: int | None = None) -> Tick:
    """Tick until ``stopping`` is set, or ``ticks`` times; returns all that was found.

    A database that is away is waited for, with an alarm at each look.
    """
    pause = app.settings.scheduler.tick_seconds
    total = Tick()
    log.info("scheduler_started", tick_seconds=pause)
    for _ in itertools.count() if ticks is None else range(ticks):
        began = time.monotonic()
        try:
            found = tick(app, app.now(), hints)
            total = Tick(total.cards + found.cards, total.messages + found.messages)
            if found:
                log.info("tick", cards=found.cards, messages=found.messages)
        except UnreachableError as error:
            log.error("alarm", cause="database_unreachable", reason=error.message)
        if stopping.wait(max(0.0, pause - (time.monotonic() - began))):
            break
    return total


def _batches(ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
