"""Time that flows faster: one real second is many seconds for every process of the storm."""

import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

from worker.clock import set_file_clock

_STEP_SECONDS = 0.05


class FastClock:
    """Moves the clock file from ``start`` on, ``speed`` times as fast as real time."""

    def __init__(self, path: Path, start: datetime, speed: float) -> None:
        self.path, self._start, self.speed = path, start, speed
        self._born = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._flow, name="clock", daemon=True)
        set_file_clock(path, start)

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
            set_file_clock(self.path, self.now())
