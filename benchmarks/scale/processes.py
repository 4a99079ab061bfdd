"""Several schedulers and workers on one database: nothing is done twice, and how fast it goes."""

import multiprocessing
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, text

from benchmarks.scale.collector import Collector
from benchmarks.scale.server import number, open_app, processor
from benchmarks.scale.shapes import NOW
from worker.processes.scheduler import tick

_SPAWN = multiprocessing.get_context("spawn")
SCHEDULERS = 2
_ONE_SECOND = timedelta(seconds=1)


class _Queue(Collector):
    """Hands hints to the worker processes."""

    def __init__(self, queue: Any) -> None:
        super().__init__()
        self._queue = queue

    def check_cards(self, ids: Sequence[int]) -> None:
        self._queue.put(list(ids))


def _schedule(url: str, queue: Any, ready: Any, go: Any) -> None:
    app = open_app(url)
    with app.engine.connect():
        pass
    ready.release()
    go.wait()
    tick(app, NOW, _Queue(queue))


def _work(url: str, queue: Any, told: Any, ready: Any, go: Any) -> None:
    app = open_app(url)
    with app.engine.connect():
        pass
    ready.release()
    go.wait()
    cards: list[int] = []
    reminders = 0
    cpu = time.process_time()
    while (ids := queue.get()) is not None:
        done = app.checks.run(ids, NOW)
        assert done.cards == len(ids), "somebody else was at one of these cards"
        cards += ids
        reminders += done.reminders
    told.put((cards, reminders, time.process_time() - cpu))


def several(engine: Engine, url: str, wanted: int, workers: Sequence[int]) -> dict[str, Any]:
    """Check ``wanted`` cards with each number of worker processes and two schedulers."""
    deadlocks = number(engine, _DEADLOCKS)
    rounds = [_round(engine, url, wanted, count) for count in workers]
    return {
        "cards": wanted,
        "schedulers": SCHEDULERS,
        "rounds": rounds,
        "deadlocks": number(engine, _DEADLOCKS) - deadlocks,
    }


_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


def _round(engine: Engine, url: str, wanted: int, workers: int) -> dict[str, Any]:
    due = _make_due(engine, wanted)
    queue, told = _SPAWN.Queue(), _SPAWN.Queue()
    ready, go = _SPAWN.Semaphore(0), _SPAWN.Event()
    schedulers = [
        _SPAWN.Process(target=_schedule, args=(url, queue, ready, go), daemon=True)
        for _ in range(SCHEDULERS)
    ]
    checkers = [
        _SPAWN.Process(target=_work, args=(url, queue, told, ready, go), daemon=True)
        for _ in range(workers)
    ]
    for process in (*schedulers, *checkers):
        process.start()
    for _ in (*schedulers, *checkers):
        assert ready.acquire(timeout=60), "a process did not start"
    began, used = time.perf_counter(), processor(engine)
    go.set()
    for process in schedulers:
        process.join(600)
        assert process.exitcode == 0, "a scheduler failed"
    handed_out = time.perf_counter() - began
    for _ in checkers:
        queue.put(None)
    results = [told.get(timeout=600) for _ in checkers]
    seconds, used = time.perf_counter() - began, processor(engine) - used
    for process in checkers:
        process.join(60)
        assert process.exitcode == 0, "a worker failed"
    times = Counter(card for cards, _, _ in results for card in cards)
    twice = sum(1 for count in times.values() if count > 1)
    assert not twice, f"{twice} cards were checked more than once"
    assert len(times) == due, f"{due} cards were due and {len(times)} were checked"
    cpu = sum(cpu for *_, cpu in results)
    return {
        "workers": workers,
        "cards": due,
        "seconds": round(seconds, 2),
        "cards_per_s": round(due / seconds),
        "claimed_in_s": round(handed_out, 2),
        "worker_cpu_s": round(cpu, 2),
        "cards_per_worker_cpu_s": round(due / cpu),
        "database_cpu_s": round(used, 2),
        "checked_twice": twice,
        "new_reminders": sum(reminders for _, reminders, _ in results),
    }


def _make_due(engine: Engine, wanted: int) -> int:
    """Have cards checked that owe nothing; returns how many."""
    with engine.begin() as conn:
        changed = conn.execute(
            text(
                "UPDATE cards SET next_check_at = :at WHERE next_check_at > :now AND id IN"
                " (SELECT id FROM cards WHERE state = 'active' AND next_check_at > :now"
                " AND book_id <= 1001 ORDER BY id LIMIT :wanted)"
            ),
            {"at": NOW - _ONE_SECOND, "now": NOW, "wanted": wanted},
        ).rowcount
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("VACUUM (ANALYZE) cards"))
        conn.execute(text("CHECKPOINT"))
    return int(changed)
