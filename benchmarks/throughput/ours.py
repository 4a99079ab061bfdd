"""Our line as it is deployed: the scheduler's tick here, `vigencia worker` beside it."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import redis

from benchmarks.throughput.load import NOW, due_again
from worker.children import spawn, stop
from worker.clock import set_file_clock
from worker.processes.actors import Hints
from worker.processes.scheduler import tick
from worker.setup.app import App
from worker.setup.broker import open_broker
from worker.setup.build import build_ready

PROCESSES = 2


def settings(database: str, queue: str, stub: str, in_flight: int, clock: Path) -> dict[str, str]:
    """The environment: every guarantee is on; only the limit of calls is what is compared."""
    set_file_clock(clock, NOW)
    return {
        "DATABASE_URL": database,
        "REDIS_URL": queue,
        "VIGENCIA_CLOCK_FILE": str(clock),
        "VIGENCIA_SANDBOX__URL": stub,
        "VIGENCIA_DELIVERY__IN_FLIGHT": str(in_flight // PROCESSES),
        "VIGENCIA_LOG_LEVEL": "ERROR",
    }


class Ours:
    """One App to tick with, and the worker processes."""

    name = "ours"

    def __init__(self, app: App, queue: str, pid: int, clock: Path) -> None:
        self._app, self._clock = app, clock
        self._hints = Hints(open_broker(queue), app)
        self.pids = [pid]

    def reset(self, most: int = 10**9) -> None:
        """Forget what was sent; ``most`` cards are due."""
        due_again(self._app.engine, most)
        set_file_clock(self._clock, NOW)

    def start(self, most: int | None = None) -> None:
        """Do what the scheduler does at one tick."""
        self._began = time.monotonic()
        tick(self._app, NOW, self._hints)

    def again(self) -> None:
        """The next ticks: what was refused is due again."""
        now = NOW + timedelta(seconds=time.monotonic() - self._began)
        set_file_clock(self._clock, now)
        tick(self._app, now, self._hints)


@contextmanager
def ours(env: dict[str, str]) -> Iterator[Ours]:
    """Worker processes that have started, and an app beside them."""
    kept = dict(os.environ)
    os.environ.update(env)
    app = build_ready()
    command = [sys.executable, "-m", "worker.cli", "worker", "-p", str(PROCESSES)]
    child = spawn(command, env=dict(os.environ))
    try:
        _wait_for_consumers(env["REDIS_URL"], child.pid)
        yield Ours(app, env["REDIS_URL"], child.pid, Path(env["VIGENCIA_CLOCK_FILE"]))
    finally:
        stop(child, 20)
        app.engine.dispose()
        os.environ.clear()
        os.environ.update(kept)


def _wait_for_consumers(queue: str, pid: int) -> None:
    """Until both processes have told the queue that they are there (dramatiq's heartbeats)."""
    client = redis.Redis.from_url(queue)
    give_up = time.monotonic() + 30
    while client.zcard("vigencia:__heartbeats__") < PROCESSES:
        if time.monotonic() > give_up:
            raise RuntimeError("the workers did not start")
        time.sleep(0.05)
    time.sleep(1.0)
    client.close()
