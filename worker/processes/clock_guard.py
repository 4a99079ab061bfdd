"""Is this machine's clock to be believed? One that jumps ahead calls notices missed that are still
to come, and sends others days too early."""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog

from worker.clock import BOOT_CLOCK, Clock, system_clock
from worker.processes import clocks
from worker.setup.app import App

log = structlog.get_logger(__name__)

# By so much the clock may run beside the one that nobody sets before others are asked.
_JUMP: Final = timedelta(minutes=1)
# By so much all others must be behind it.
_WRONG: Final = timedelta(minutes=5)
# Seconds between two questions while it is wrong.
AGAIN: Final = 10.0

# How far the clocks of others are ahead of ours, by who they are.
Others = Callable[[], Mapping[str, timedelta]]


class ClockGuard:
    """Asks others at first and whenever the clock has jumped ahead, for most of the time nobody.

    Ours is wrong if all who answer are behind it: the database where that has a clock of its own,
    and the providers. Where nobody can be asked it is believed.
    """

    def __init__(self, now: Clock, others: Others, again: float = AGAIN) -> None:
        self._now, self._others, self._again = now, others, again
        self._believed: tuple[datetime, float] | None = None
        self._wrong: timedelta | None = None
        self._asked = float("-inf")
        self._lock = threading.Lock()

    def ahead(self) -> timedelta | None:
        """By how much the clock is ahead, and nothing must be done by it; ``None`` if it is right.
        Raises ``UnreachableError`` if the database is away when it is to be asked."""
        with self._lock:
            now, steady = self._now(), time.clock_gettime(BOOT_CLOCK)
            if self._wrong is None and self._went_on(now, steady):
                return None
            if self._wrong is None or steady - self._asked >= self._again:
                behind = [-ahead for ahead in self._others().values()]
                self._asked = steady
                self._wrong = min(behind) if behind and min(behind) > _WRONG else None
                if self._wrong is not None:
                    seconds = round(self._wrong.total_seconds())
                    log.error("alarm", cause="clock_ahead", seconds=seconds)
            if self._wrong is None:
                self._believed = now, steady
            return self._wrong

    def _went_on(self, now: datetime, steady: float) -> bool:
        """Has it only gone on since it was last found right?"""
        if self._believed is None:
            return False
        wall, before = self._believed
        return now - wall <= timedelta(seconds=steady - before) + _JUMP


def guard_of(app: App) -> ClockGuard:
    """The guard of this process. The clock of a play is what it is told to be."""

    def others() -> Mapping[str, timedelta]:
        if app.now is not system_clock:
            return {}
        found = dict(clocks.differences(app))
        if app.gateways.sandboxed:  # on this machine, with this clock
            for gateway in app.gateways.own.values():
                found.pop(gateway.provider.title, None)
        return found

    return ClockGuard(app.now, others)
