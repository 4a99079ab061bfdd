"""The baselines at work: their worker processes, and what puts the due cards into their queue."""

import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import Engine

from benchmarks.throughput.tables import due_again, due_ids
from worker.children import spawn, stop

ROOT = Path(__file__).parents[2]
_DRAMATIQ = ("-m", "dramatiq", "-p", "2", "-t", "64")
_COMMANDS: Mapping[str, list[list[str]]] = {
    "a2": [[*_DRAMATIQ, "benchmarks.throughput.a2"]],
    "a3": [[*_DRAMATIQ, "benchmarks.throughput.a3"]],
    "celery": [
        ["-m", "celery", "-A", "benchmarks.throughput.celery_app", "worker", "--pool", "threads",
         "-c", "64", "-n", f"bench{n}@%h", "--without-gossip", "--without-mingle",
         "--without-heartbeat", "-l", "ERROR"]
        for n in (1, 2)
    ],
}  # fmt: skip
# Until the worker processes have started; then they are warmed up by sending.
_START_SECONDS = 3.0


class Baseline:
    """A design whose workers run; ``start`` enqueues what is due."""

    def __init__(self, name: str, engine: Engine, children: list[subprocess.Popen[bytes]]) -> None:
        self.name, self._engine = name, engine
        self.pids = [child.pid for child in children]
        module = "celery_app" if name == "celery" else name
        actor = importlib.import_module(f"benchmarks.throughput.{module}").send_reminder
        self._enqueue = actor.delay if name == "celery" else actor.send

    def start(self, most: int | None = None) -> None:
        """One queue message a card."""
        for card in due_ids(self._engine)[:most]:
            self._enqueue(card)

    def reset(self, most: int | None = None) -> None:
        """Forget what was sent."""
        due_again(self._engine)


@contextmanager
def baseline(name: str, engine: Engine, database: str, queue: str, stub: str) -> Iterator[Baseline]:
    """The workers of ``name``, warmed up."""
    os.environ.update(BENCH_DATABASE_URL=database, BENCH_REDIS_URL=queue, BENCH_STUB_URL=stub)
    env = {
        **os.environ,
        "BENCH_WORKER": "1",
        "PYTHONPATH": str(ROOT),
        # As a good engineer would set it once the default turned out to throttle fast actors.
        "dramatiq_queue_prefetch": "128",
    }
    with ExitStack() as stack:
        children = []
        for command in _COMMANDS[name]:
            child = spawn([sys.executable, *command], env=env, stdout=subprocess.DEVNULL)
            stack.callback(_stop, child)
            children.append(child)
        time.sleep(_START_SECONDS)
        yield Baseline(name, engine, children)


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.send_signal(signal.SIGTERM)
    stop(child, 10)
