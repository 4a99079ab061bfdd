"""While Redis is away each consumer of each process tells of it several times a second, with
tracebacks: one alarm a minute says as much."""

import logging
import time
from typing import Final

import structlog

log = structlog.get_logger(__name__)

_PAUSE_SECONDS: Final = 60.0
# What a queue server that is away, full or read-only raises, by the names of the classes: neither
# library need be imported for a log.
_FAULTS: Final = frozenset({"RedisError", "ConnectionClosed", "ConnectionFailed", "OSError"})
_WORDS: Final = "connection error"


class QueueFaults(logging.Filter):
    """Lets one line about the queue server through a minute, as an alarm; all else as it is."""

    def __init__(self) -> None:
        super().__init__()
        self._quiet_until = float("-inf")

    def filter(self, record: logging.LogRecord) -> bool:
        """See ``logging.Filter``."""
        if not record.name.startswith("dramatiq") or not (fault := _fault(record)):
            return True
        if time.monotonic() >= self._quiet_until:
            self._quiet_until = time.monotonic() + _PAUSE_SECONDS
            log.error("alarm", cause="queue_unreachable", error=fault)
        return False


def _fault(record: logging.LogRecord) -> str | None:
    """The class of the queue server's error in a line of a consumer."""
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    while error is not None:
        if _FAULTS & {kind.__name__ for kind in type(error).__mro__}:
            return type(error).__name__
        error = error.__cause__ or error.__context__
    words = record.levelno >= logging.ERROR and _WORDS in record.getMessage().lower()
    return "ConnectionError" if words else None
