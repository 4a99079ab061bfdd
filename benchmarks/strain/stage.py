"""The real program on a stage: scheduler and workers as processes, a queue, and providers."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from sqlalchemy import Engine, text

from benchmarks.stage.providers import Providers
from benchmarks.throughput.meter import cost
from benchmarks.throughput.servers import postgresql_for_many
from worker.children import spawn, stop
from worker.processes.embedded import EmbeddedServer
from worker.setup.broker import NAMESPACE, QUEUES
from worker.store.engine import open_engine, reading
from worker.store.migrate import upgrade


class StrainStage:
    """Servers that stay, and processes that come and go."""

    def __init__(self, folder: Path, database: str, queue: str, providers: Providers) -> None:
        self.folder, self.database, self.providers = folder, database, providers
        self.engine: Engine = open_engine(database)
        self.queue = redis.Redis.from_url(queue)
        self._queue_url = queue
        upgrade(self.engine)

    def environment(self, **more: str) -> dict[str, str]:
        """What the processes are told."""
        urls = self.providers.urls
        return os.environ | {
            "DATABASE_URL": self.database,
            "REDIS_URL": self._queue_url,
            "TWILIO_BASE_URL": urls["sms"],
            "SENDGRID_BASE_URL": urls["email"],
            "VIGENCIA_SANDBOX__URL": urls["email"],
            "VIGENCIA_METRICS__WORKER_PORT": "0",
            "VIGENCIA_METRICS__SCHEDULER_PORT": "0",
            "VIGENCIA_SCHEDULER__TICK_SECONDS": "1",
            "VIGENCIA_LOG_FORMAT": "json",
            **more,
        }

    @contextmanager
    def playing(self, **more: str) -> Iterator["Play"]:
        """Scheduler and workers, from a clean queue and providers that have forgotten all."""
        self.queue.flushall()
        self.providers.reset()
        log = self.folder / "log"
        with log.open("wb") as output:
            env = self.environment(**more)
            start = [sys.executable, "-m", "worker.cli"]
            workers = spawn([*start, "worker", "-p", "2"], env=env, stderr=output)
            try:
                self._wait_for(workers)
                scheduler = spawn([*start, "scheduler"], env=env, stderr=output)
            except BaseException:
                stop(workers, 40)
                raise
            try:
                yield Play(self, workers.pid, scheduler.pid, log)
            finally:
                stop(scheduler, 20)
                stop(workers, 40)

    def _wait_for(self, workers: "subprocess.Popen[bytes]") -> None:
        """Until both processes have told the queue that they are there (dramatiq's heartbeats)."""
        give_up = time.monotonic() + 60
        while self.queue.zcard(f"{NAMESPACE}:__heartbeats__") < 2:
            if workers.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError((self.folder / "log").read_text("utf-8", "replace")[-2000:])
            time.sleep(0.05)

    def vigencia(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command as a person runs it."""
        return subprocess.run(
            [sys.executable, "-m", "worker.cli", *arguments],
            env=self.environment(), capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def rows(self, query: str) -> list[Any]:
        """Of the database, outside of all that is measured."""
        with reading(self.engine) as conn:
            return [tuple(row) for row in conn.execute(text(query))]

    def states(self, channel: str) -> Counter[str]:
        """How many messages are in which state."""
        query = f"SELECT state, count(*) FROM messages WHERE channel = '{channel}' GROUP BY state"  # noqa: S608
        return Counter({str(state): int(count) for state, count in self.rows(query)})


class Play:
    """What is seen while it plays."""

    def __init__(self, stage: StrainStage, workers: int, scheduler: int, log: Path) -> None:
        self._stage, self._workers, self._scheduler, self._log = stage, workers, scheduler, log
        self.longest: Counter[str] = Counter()

    def until(self, met: Callable[[], bool], seconds: float) -> float | None:
        """Wait; how long it took (``None``: it never came). Queues are measured meanwhile."""
        began = time.monotonic()
        while not met():
            if time.monotonic() - began > seconds:
                return None
            for _ in range(4):
                self._look()
                time.sleep(0.05)
        return time.monotonic() - began

    def _look(self) -> None:
        for name in QUEUES:
            length = int(self._stage.queue.llen(f"{NAMESPACE}:{name}"))
            self.longest[name] = max(self.longest[name], length)

    def memory(self) -> dict[str, float]:
        """Peak MB of the largest worker process, and of the scheduler."""
        return {
            "worker_mb": round(cost([self._workers]).peak_mb),
            "scheduler_mb": round(cost([self._scheduler]).peak_mb),
        }

    def alarms(self) -> Counter[str]:
        """Causes of the alarms in the log so far."""
        found: Counter[str] = Counter()
        for line in self._log.read_text("utf-8", "replace").splitlines():
            if '"alarm"' in line:
                try:
                    found[str(json.loads(line).get("cause"))] += 1
                except ValueError:  # half a line
                    continue
        return found


@contextmanager
def stage(database: str) -> Iterator[StrainStage]:
    """Everything a case needs; ``database``: sqlite or postgresql."""
    with tempfile.TemporaryDirectory(prefix="vigencia-strain-") as name:
        folder = Path(name)
        with EmbeddedServer(folder / "queue") as queue, Providers() as providers:
            if database == "sqlite":
                yield StrainStage(folder, f"sqlite:///{folder / 'strain.db'}", queue.url, providers)
                return
            with postgresql_for_many(folder) as url:
                found = StrainStage(folder, url, queue.url, providers)
                yield found
                found.engine.dispose()
