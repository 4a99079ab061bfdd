"""What this process counts. Until ``enable`` nothing is counted and nothing is imported.

Counts are for trends and alarms; what is exact is the ledger (`vigencia promise`). Every label
takes a bounded set of values, and none is a person's.
"""

import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from functools import wraps
from typing import TYPE_CHECKING, Final, ParamSpec

import structlog

from worker.core.promise import one_of, reason_class

if TYPE_CHECKING:
    from prometheus_client import Counter, Histogram

log = structlog.get_logger(__name__)
P = ParamSpec("P")

# Seconds to a day: what a tolerance may be, and the steps of an outage on the way there.
_DELAYS: Final = (1, 5, 15, 60, 300, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400)
_CALLS: Final = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
_TICKS: Final = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60)
_WINDOW: Final = re.compile(r"[a-z_]{1,30}[+-]\d{1,3}d|event")


class _Meters:
    """All meters of a process."""

    def __init__(self) -> None:
        from prometheus_client import Counter, Gauge, Histogram

        def counter(name: str, text: str, *labels: str) -> "Counter":
            return Counter(f"vigencia_{name}", text, labels)

        def histogram(name: str, text: str, buckets: Iterable[float], *labels: str) -> "Histogram":
            return Histogram(f"vigencia_{name}", text, labels, buckets=tuple(buckets))

        self.reminders = counter(
            "reminders", "Reminders that ended, by how.", "state", "channel", "reason"
        )
        self.delay = histogram(
            "reminder_delay_seconds",
            "From being owed to being taken by a provider.",
            _DELAYS,
            "window",
        )
        self.attempts = counter("attempts", "Calls to providers.", "provider", "outcome")
        self.latency = histogram(
            "provider_seconds", "How long calls to providers took.", _CALLS, "provider"
        )
        self.messages = counter(
            "messages", "What became of messages after a call.", "channel", "state"
        )
        self.segments = counter("segments", "SMS segments that were taken.", "provider")
        self.receipts = counter("receipts", "Receipts by status.", "provider", "status")
        self.erased = counter("erased_rows", "Rows erased or deleted after their time.", "what")
        self.alarms = counter("alarms", "Alarms in the log.", "cause")
        self.ticks = histogram("tick_seconds", "How long the scheduler's looks took.", _TICKS)
        self.last_tick = Gauge(
            "vigencia_last_tick_timestamp_seconds", "When the scheduler last looked and succeeded."
        )


_meters: _Meters | None = None
_statuses: Mapping[str, Collection[str]] = {}


def enable(statuses: Mapping[str, Collection[str]], *, several_processes: bool = False) -> None:
    """Count from now on. ``statuses``: the providers by name, with the words of their reports. With
    ``several_processes`` the counts go to files that one of them adds up, in the folder of
    ``PROMETHEUS_MULTIPROC_DIR``, which exists."""
    global _meters, _statuses
    _statuses = statuses
    if _meters is None:
        if not several_processes:
            os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
        try:
            _meters = _Meters()
        except OSError as error:  # a full disk, or a folder that is not ours
            log.warning("metrics_not_counted", reason=type(error).__name__)


def _harmless(count: Callable[P, None]) -> Callable[P, None]:
    """Let ``count`` never undo what it counts: the counts of several processes are files, and the
    disk may be full. What a call to a provider came to is known by then and must be recorded."""

    @wraps(count)
    def counted(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            count(*args, **kwargs)
        except Exception as error:  # prometheus_client's files break in several ways
            log.debug("not_counted", what=count.__name__, reason=type(error).__name__)

    return counted


@_harmless
def attempt(provider: str, outcome: str, seconds: float, segments: int = 0) -> None:
    """A call to ``provider`` ended in ``outcome``; ``segments`` of an SMS that was taken."""
    if _meters is not None:
        _meters.attempts.labels(provider, outcome).inc()
        _meters.latency.labels(provider).observe(seconds)
        if segments:
            _meters.segments.labels(provider).inc(segments)


@_harmless
def settled(channel: str, state: str) -> None:
    """A message over ``channel`` is in ``state`` after a call."""
    if _meters is not None:
        _meters.messages.labels(channel, state).inc()


@_harmless
def reminder(state: str, channel: str, reason: str | None) -> None:
    """A reminder ended."""
    if _meters is not None:
        _meters.reminders.labels(state, channel, reason_class(reason, _statuses)).inc()


@_harmless
def accepted(window: str, owed_at: datetime, at: datetime) -> None:
    """A provider took the reminder of ``window`` at ``at``."""
    if _meters is not None:
        name = window if _WINDOW.fullmatch(window) else "other"
        _meters.delay.labels(name).observe(max(timedelta(), at - owed_at).total_seconds())


@_harmless
def receipt(provider: str, status: str) -> None:
    """A provider reported ``status``."""
    if _meters is not None:
        known = one_of(_statuses.get(provider, ()), status)
        _meters.receipts.labels(provider, known).inc()


@_harmless
def erased(what: str, rows: int) -> None:
    """So many rows were erased or deleted in the step ``what`` of retention."""
    if _meters is not None and rows:
        _meters.erased.labels(what).inc(rows)


@_harmless
def alarm(cause: str) -> None:
    """An alarm was logged."""
    if _meters is not None:
        _meters.alarms.labels(cause).inc()


@_harmless
def tick(seconds: float, at: float) -> None:
    """The scheduler looked, for ``seconds``, and succeeded at the UNIX time ``at``."""
    if _meters is not None:
        _meters.ticks.observe(seconds)
        _meters.last_tick.set(at)
