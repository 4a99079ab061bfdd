"""While Redis is away each consumer of each process tells of it several times a second, with
tracebacks: one alarm a minute says as much."""

import logging
import time
from collections.abc import Callable
from threading import Lock
from typing import Any, Final

import structlog

from worker.clock import Throttle

log = structlog.get_logger(__name__)

_PAUSE_SECONDS: Final = 60.0
# What a queue server that is away, full or read-only raises, by the names of the classes: neither
# library need be imported for a log.
_FAULTS: Final = frozenset({"RedisError", "ConnectionClosed", "ConnectionFailed", "OSError"})
_WORDS: Final = "connection error"


class Outage:
    """What this process knows of its queue server: told when it is lost, then once a minute, and
    when it is back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, Lock()
        self._throttle: Throttle | None = None

    def met(self, **details: Any) -> None:
        """The server did not do what it was asked."""
        with self._lock:
            self._throttle = self._throttle or Throttle(_PAUSE_SECONDS, self._clock)
            if not self._throttle.is_due():
                return
        log.error("alarm", cause="queue_unreachable", **details)

    def over(self) -> None:
        """The server did what it was asked."""
        with self._lock:
            if self._throttle is None:
                return
            self._throttle = None
        log.info("queue_reachable")


# A process has one queue server, whoever in it meets the fault.
OUTAGE: Final = Outage()


class QueueFaults(logging.Filter):
    """Lets no line of dramatiq about the queue server through, but for the alarm of ``outage``; all
    else as it is."""

    def __init__(self, outage: Outage = OUTAGE) -> None:
        super().__init__()
        self._outage = outage

    def filter(self, record: logging.LogRecord) -> bool:
        """See ``logging.Filter``."""
        if not record.name.startswith("dramatiq") or not (fault := _fault(record)):
            return True
        self._outage.met(error=fault)
        return False


def _fault(record: logging.LogRecord) -> str | None:
    """The class of the queue server's error in a line of a consumer."""
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    while error is not None:
        if _FAULTS & {kind.__name__ for kind in type(error).__mro__}:
            return type(error).__name__
        error = error.__cause__ or error.__context__
    words = record.levelno >= logging.WARNING and _WORDS in record.getMessage().lower()
    return "ConnectionError" if words else None
