"""The clock: finds what is due and hands it to the workers as ids. Any number of these may run."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from sqlalchemy import Connection

from worker import metrics
from worker.core.cards import Channel
from worker.errors import VigenciaError
from worker.monitoring.alarms import Watch
from worker.monitoring.heartbeat import Heartbeat
from worker.monitoring.tallies import Tallies
from worker.pipeline.retention import Hourly
from worker.processes.clock_guard import ClockGuard, guard_of
from worker.processes.filling import Filling
from worker.processes.listener import Listener
from worker.setup.app import App
from worker.store import cards as card_store
from worker.store import jobs, rechecks
from worker.store import messages as message_store
from worker.store.cards import Claimed
from worker.store.engine import reading, writing

log = structlog.get_logger(__name__)

# How long the end waits for sums that are being written: they are made anew in any case.
_PATIENCE = 5.0
# How often what waits for its sender's pace is looked for: a bucket holds a second's worth.
PACE_SECONDS = 0.5
# A clock that goes back by more has been wrong before; less is how clocks are kept right.
_SET_BACK = timedelta(minutes=5)
# One claim: large enough to be cheap, small enough to be a short transaction.
_CLAIM = 5_000
# The same for messages: to find the most urgent all that are due are read, so a queue that is half
# empty is filled in one go.
_WAKE = 16_000
# Checks that were asked for (of an import, after new rules) go out as long as no more than these
# are with the workers: what falls due meanwhile waits behind so many in the queue, and not behind
# all cards there are. About what one machine checks between two ticks.
_ASKED = 100_000

# Long work that somebody asked for, in one tick; a worker that has it in hand is not asked again.
_JOBS = 20

Claim = Callable[[Connection, datetime, int, timedelta], list[Claimed]]


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

    def work_jobs(self, ids: Sequence[int]) -> None:
        """Have these jobs worked."""
        ...

    def is_full(self, channel: Channel | None) -> bool:
        """Would more to send over ``channel`` (``None``: to check) only stand in line?"""
        ...


class Chore(Protocol):
    """Work that has time: it is done in batches, between two ticks."""

    @property
    def under_way(self) -> bool:
        """Is there more to do, as soon as there is time?"""
        ...

    def go_on(self, now: datetime) -> None:
        """Do one batch, if it is time."""
        ...


@dataclass(frozen=True, slots=True)
class Tick:
    """What one tick found; ``more``: something was left since the workers have enough."""

    cards: int = 0
    messages: int = 0
    more: bool = False
    jobs: int = 0

    def __bool__(self) -> bool:
        return bool(self.cards or self.messages or self.jobs)


def tick(app: App, now: datetime, hints: Hinting) -> Tick:
    """Claim everything due at ``now`` and hint it to the workers, in batches of ids; then what was
    asked for and is not due, as far as that leaves room.

    Costs what is due, not what is stored. Claims are committed before the hints go out, so a
    hint is never about something that can still be rolled back. What the workers cannot begin soon
    stays in the database: in a long queue its lease would run out, and it would be there twice.
    """
    app.receipts.apply_parked(now)
    cards, found = 0, _CLAIM
    while found == _CLAIM and not hints.is_full(None):
        found = _hand_out(app, card_store.claim_due, now, _CLAIM, hints)
        cards += found
    messages = wake(app, now, hints)
    cards += _asked(app, now, hints)
    asked = _jobs(app, now)
    if asked:
        hints.work_jobs(asked)
    more = any(hints.is_full(queue) for queue in (None, *Channel))
    return Tick(cards, messages, more, len(asked))


def _asked(app: App, now: datetime, hints: Hinting) -> int:
    """Hint the checks that were asked for; returns how many."""
    with reading(app.engine) as conn:
        room = rechecks.room(conn, _ASKED)
    cards = 0
    for claim in (card_store.claim_asked, rechecks.claim):
        found = 1
        while found and cards < room and not hints.is_full(None):
            found = _hand_out(app, claim, now, min(_CLAIM, room - cards), hints)
            cards += found
    return cards


def _jobs(app: App, now: datetime) -> list[int]:
    """The jobs to be worked. Nearly always there is none, which costs a look at an empty index."""
    with reading(app.engine) as conn:
        if not jobs.any_due(conn, now):
            return []
    with writing(app.engine) as conn:
        return jobs.due(conn, now, _JOBS)


def _hand_out(app: App, claim: Claim, now: datetime, limit: int, hints: Hinting) -> int:
    """Claim up to ``limit`` cards and hint them; returns how many."""
    own = app.settings.scheduler
    with writing(app.engine) as conn:
        claimed = claim(conn, now, limit, timedelta(seconds=own.check_lease_seconds))
    for batch in _by_holder(claimed, own.check_batch):
        hints.check_cards(batch)
    return len(claimed)


def wake(app: App, now: datetime, hints: Hinting) -> int:
    """Hint the messages that need a look at ``now``, and nothing else; returns how many."""
    own = app.settings.scheduler
    messages = 0
    while True:
        full = [channel for channel in Channel if hints.is_full(channel)]
        woken = _wake(app, now, full)
        for channel in Channel:
            for batch in _batches(woken.send.get(channel, []), own.send_batch):
                hints.send(channel, batch)
        for batch in _batches(woken.reconcile, own.send_batch):
            hints.reconcile(batch)
        for batch in _batches(woken.fetch, own.send_batch):
            hints.fetch(batch)
        if woken.expired:
            log.error("alarm", cause="worker_lost", messages=len(woken.expired))
        messages += len(woken)
        if len(woken) < _WAKE:
            return messages


def _wake(app: App, now: datetime, full: Sequence[Channel]) -> message_store.Woken:
    hint = timedelta(seconds=app.settings.scheduler.hint_seconds)
    with writing(app.engine) as conn:
        return message_store.wake(conn, now, _WAKE, hint, app.retry.park, full)


def run(
    app: App,
    hints: Hinting,
    stopping: threading.Event,
    ticks: int | None = None,
    guard: ClockGuard | None = None,
) -> Tick:
    """Tick until ``stopping`` is set, or ``ticks`` times; returns all that was found.

    A database that is away is waited for, with an alarm at each look; so is a clock that is ahead.
    """
    guard = guard or guard_of(app)
    pause = app.settings.scheduler.tick_seconds
    heartbeat, watch = Heartbeat(app.settings.heartbeat_url), Watch(app)
    listener = Listener(app)
    tallies = Tallies(app)
    chores: list[Chore] = [
        Hourly(app.retention if app.settings.retention.automatic else None),
        Filling(app),
    ]
    total, latest = Tick(), app.now()
    log.info("scheduler_started", tick_seconds=pause)
    for _ in itertools.count() if ticks is None else range(ticks):
        began, wait = time.monotonic(), pause
        try:
            if guard.ahead() is not None:  # it has raised the alarm
                if stopping.wait(wait):
                    break
                continue
            latest = _mend_time(app, latest, app.now())
            found = tick(app, app.now(), hints)
            if found.more:
                wait = min(pause, PACE_SECONDS)
            total = Tick(total.cards + found.cards, total.messages + found.messages)
            if found:
                log.info("tick", cards=found.cards, messages=found.messages)
            metrics.tick(time.monotonic() - began, time.time())
            heartbeat.beat()
            watch.look(app.now())
            listener.look(app.now())
            tallies.look(app.now())
            for chore in chores:
                chore.go_on(app.now())
        except VigenciaError as error:
            log.error("alarm", cause="database_unreachable", reason=error.message, hint=error.hint)
        except Exception:  # a bug must not stop the clock: the next look may do better
            log.exception("alarm", cause="tick_failed")
        if _rest(app, hints, stopping, wait - (time.monotonic() - began), chores):
            break
    tallies.wait(_PATIENCE)
    return total


def _mend_time(app: App, latest: datetime, now: datetime) -> datetime:
    """If the clock was set back: what was decided meanwhile is decided again. Cards had been put
    off until after windows that are only now to come. Returns the latest time that was seen."""
    if now >= latest - _SET_BACK:
        return max(latest, now)
    log.error("alarm", cause="clock_set_back", seconds=round((latest - now).total_seconds()))
    with writing(app.engine) as conn:
        rechecks.ask(conn, None, now)
    return now


def _rest(
    app: App,
    hints: Hinting,
    stopping: threading.Event,
    seconds: float,
    chores: Sequence[Chore],
) -> bool:
    """Wait until the next tick is due; whether to stop. Meanwhile what waits for nothing but its
    sender's pace is sent: its turn comes every second, whatever the tick. Chores go on a batch at a
    time, so that they never keep a tick waiting longer than one takes."""
    end = time.monotonic() + seconds
    while (app.paced or _under_way(chores)) and end - time.monotonic() > PACE_SECONDS:
        if stopping.wait(PACE_SECONDS):
            return True
        try:
            if app.paced:
                wake(app, app.now(), hints)
            for chore in chores:
                if chore.under_way:
                    chore.go_on(app.now())
        except Exception:
            break  # the tick meets it too, and tells of it
    return stopping.wait(max(0.0, end - time.monotonic()))


def _under_way(chores: Sequence[Chore]) -> bool:
    return any(chore.under_way for chore in chores)


def _by_holder(claimed: Sequence[Claimed], size: int) -> Iterator[Sequence[int]]:
    """The cards in batches of ``size``, or more where one holder has more: who is told of several
    cards is told in one message, and what is checked together goes into one."""
    batch: list[int] = []
    for _, group in itertools.groupby(claimed, lambda one: one.holder):
        cards = [one.card for one in group]
        if batch and len(batch) + len(cards) > size:
            yield batch
            batch = []
        batch += cards
    if batch:
        yield batch


def _batches(ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
