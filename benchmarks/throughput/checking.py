"""Cards a second through a check, and what an idle tick costs."""

import statistics
import time
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Engine, update

from benchmarks.throughput.load import NOW
from worker.core.cards import Channel
from worker.processes.scheduler import tick
from worker.setup.app import App
from worker.store import cards as card_store
from worker.store.engine import writing
from worker.store.tables import cards

_BATCH = 500
_IDLE_TICKS = 15


class Nobody:
    """Takes hints and does nothing."""

    def check_cards(self, ids: Sequence[int]) -> None:
        """Ignore it."""

    def send(self, channel: Channel, ids: Sequence[int]) -> None:
        """Ignore it."""

    def reconcile(self, ids: Sequence[int]) -> None:
        """Ignore it."""

    def fetch(self, ids: Sequence[int]) -> None:
        """Ignore it."""

    def work_jobs(self, ids: Sequence[int]) -> None: ...

    def is_full(self, channel: Channel | None) -> bool:
        """Never."""
        return False


def checks_per_second(app: App, number: int) -> float:
    """Claim, evaluate, write and advance ``number`` cards in batches of 500, in one process."""
    make_due(app.engine, number)
    began, done = time.perf_counter(), 0
    while done < number:
        with writing(app.engine) as conn:
            claimed = card_store.claim_due(conn, NOW, _BATCH, timedelta(seconds=120))
        ids = [one.card for one in claimed]
        if not ids:
            break
        app.checks.run(ids, NOW)
        done += len(ids)
    return done / (time.perf_counter() - began)


def make_due(engine: Engine, number: int) -> None:
    """Have the first ``number`` cards checked."""
    with writing(engine) as conn:
        conn.execute(update(cards).where(cards.c.id <= number).values(next_check_at=NOW))


def idle_tick_ms(app: App) -> float:
    """The median of a tick with nothing due, in milliseconds."""
    took = []
    for _ in range(_IDLE_TICKS):
        began = time.perf_counter()
        tick(app, NOW - timedelta(hours=2), Nobody())
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1000
