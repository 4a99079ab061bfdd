"""What Prometheus is told of the ledger and the queue, read when it asks."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Final

import redis
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from worker.core.cards import Destination
from worker.core.lifecycle import OPEN
from worker.errors import VigenciaError
from worker.setup.app import App
from worker.setup.broker import NAMESPACE, QUEUES
from worker.setup.log import mask
from worker.store import gauges as gauge_store
from worker.store.engine import reading

# However many ask, the database answers once in so many seconds.
_FRESH: Final = 5.0


class Ledger(Collector):
    """Collects the gauges; what cannot be reached is left out, and ``vigencia_up`` says so."""

    def __init__(self, app: App, queue_url: str | None) -> None:
        self._app, self._queue_url = app, queue_url
        self._lock = Lock()
        self._found: list[Metric] = []
        self._read_at = float("-inf")

    def describe(self) -> list[Metric]:
        """Nothing beforehand: the names come with the values."""
        return []

    def collect(self) -> list[Metric]:
        """The gauges, no older than a few seconds."""
        with self._lock:
            if time.monotonic() - self._read_at >= _FRESH:
                self._found = list(self._read())
                self._read_at = time.monotonic()
            return self._found

    def _read(self) -> Iterator[Metric]:
        up = _gauge("up", "Does it answer?", "part")
        parts = {"database": self._database} | ({"queue": self._queue} if self._queue_url else {})
        for name, read in parts.items():
            try:
                yield from list(read())
                up.add_metric([name], 1)
            except (VigenciaError, redis.RedisError, OSError, ValueError):
                up.add_metric([name], 0)
        yield up

    def _database(self) -> Iterator[Metric]:
        now = self._app.now()
        with reading(self._app.engine) as conn:
            found = gauge_store.gauges(conn, now, now.astimezone(UTC).date())
        waiting = _gauge("messages_open", "Messages that have not ended.", "channel", "state")
        for to in Destination:
            for state in OPEN:
                count = found.messages.get((to.value, state.value), 0)
                waiting.add_metric([to.value, state.value], count)
        yield waiting
        yield _gauge("reminders_due", "Reminders that are due and wait.", value=found.reminders_due)
        yield _gauge(
            "oldest_due_seconds", "Age of the oldest of them.", value=_age(found.oldest_due, now)
        )
        yield _gauge(
            "checks_waiting", "Cards handed out to be checked.", value=found.checks_waiting
        )
        yield _gauge(
            "oldest_check_seconds", "Age of the oldest.", value=_age(found.oldest_check, now)
        )
        open_ = _gauge("breaker_open", "Breakers that are open.", "key")
        for key in sorted({mask(key) for key in found.breakers}):
            open_.add_metric([key], 1)
        yield open_
        yield _gauge("receipts_parked", "Receipts of attempts not known yet.", value=found.parked)
        names = ("usage_messages", "usage_segments", "usage_spend")
        used = [
            _gauge(f"{name}_today", "Of all books on this UTC day.", "channel") for name in names
        ]
        for name, values in found.used.items():
            for gauge, value in zip(used, values, strict=True):
                gauge.add_metric([name], value)
        yield from used

    def _queue(self) -> Iterator[Metric]:
        client: Any = redis.Redis.from_url(
            str(self._queue_url), socket_connect_timeout=2, socket_timeout=2
        )
        with client, client.pipeline(transaction=False) as pipe:
            for queue in QUEUES:
                pipe.llen(f"{NAMESPACE}:{queue}")
                pipe.llen(f"{NAMESPACE}:{queue}.DQ")
                pipe.zcard(f"{NAMESPACE}:{queue}.XQ")
            counts = pipe.execute()
        depth = _gauge("queue_depth", "Hints that wait for a worker.", "queue")
        dead = _gauge("queue_dead", "Hints that met a bug and were given up.", "queue")
        for number, queue in enumerate(QUEUES):
            waiting, delayed, given_up = counts[3 * number : 3 * number + 3]
            depth.add_metric([queue], waiting + delayed)
            dead.add_metric([queue], given_up)
        yield from (depth, dead)


def _gauge(name: str, text: str, *labels: str, value: float | None = None) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"vigencia_{name}", text, value=value, labels=labels or None)


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())
