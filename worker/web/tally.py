"""Counts of what happens often: a flood of requests makes a line a second, not a line each."""

from collections import Counter
from typing import Final

import structlog

from worker.clock import Throttle

log = structlog.get_logger(__name__)

_PAUSE_SECONDS: Final = 1.0


class Tally:
    """Adds up, and tells the log at most once a second for each event. Never given an address."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {}
        self._throttles: dict[str, Throttle] = {}

    def add(self, event: str, what: str, count: int = 1) -> None:
        """Count ``what`` under ``event``; the first of a quiet time is told at once."""
        self._counts.setdefault(event, Counter())[what] += count
        if self._throttles.setdefault(event, Throttle(_PAUSE_SECONDS)).is_due():
            self._tell(event)

    def flush(self) -> None:
        """Tell what has not been told."""
        for event, counts in self._counts.items():
            if counts:
                self._tell(event)

    def _tell(self, event: str) -> None:
        counts, self._counts[event] = self._counts[event], Counter()
        level = log.warning if event.endswith("_refused") else log.info
        level(event, **{"counts": dict(counts)})
