"""Time that flows faster: one real second is many seconds for every process of the storm."""

import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

from worker.clock import set_file_clock

_STEP_SECONDS = 0.05
# By how much the clock of some processes is wrong: what a machine without NTP may reach.
AHEAD = timedelta(minutes=10)


class FastClock:
    """Moves the clock file from ``start`` on, ``speed`` times as fast as real time.

    ``ahead`` is the file of a second clock, which is ``AHEAD`` of it.
    """

    def __init__(self, path: Path, start: datetime, speed: float) -> None:
        self.path, self._start, self.speed = path, start, speed
        self.ahead = path.with_name(f"{path.name}-ahead")
        self._born = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._flow, name="clock", daemon=True)
        self._show(start)

    def now(self) -> datetime:
        """The time of the storm."""
        return self._start + timedelta(seconds=self.speed * self.elapsed())

    def elapsed(self) -> float:
        """Real seconds since it began to flow."""
        return time.monotonic() - self._born

    def __enter__(self) -> "FastClock":
        self._born = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _flow(self) -> None:
        while not self._stopping.wait(_STEP_SECONDS):
            self._show(self.now())

    def _show(self, now: datetime) -> None:
        set_file_clock(self.path, now)
        set_file_clock(self.ahead, now + AHEAD)
