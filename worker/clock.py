"""The only places that ask what time it is. Below the entry points ``now`` is an argument."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

Clock = Callable[[], datetime]

# Goes on while the machine sleeps, which CLOCK_MONOTONIC does not. Not every system has it.
BOOT_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def system_clock() -> datetime:
    """The time of this machine, in UTC."""
    return datetime.now(UTC)


def file_clock(path: Path) -> Clock:
    """A clock that stands where ``path`` says (an ISO 8601 instant), for every process that reads
    it: this is how days are fast-forwarded through real processes."""

    def now() -> datetime:
        return datetime.fromisoformat(path.read_text(encoding="utf-8").strip())

    return now


def set_file_clock(path: Path, now: datetime) -> None:
    """Move a file clock; whoever reads meanwhile sees the old time or the new, never a half."""
    fresh = path.with_suffix(".new")
    fresh.write_text(now.astimezone(UTC).isoformat(), encoding="utf-8")
    fresh.replace(path)


class Throttle:
    """What is done, or told, at most once in so many ``seconds`` of this process."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._last = float("-inf")

    def is_due(self) -> bool:
        """Is it time again? Who is told so does it, and the time begins anew."""
        now = self._clock()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True


class Stopwatch:
    """How much time has passed since it was made. A process may be stopped in between, or its
    machine put to sleep, and goes on without having noticed.

    ``played`` is the clock of a play, in which time flows faster than here: leases are counted by
    it, so it must be heard too.
    """

    def __init__(self, played: Clock | None = None) -> None:
        self._steady, self._wall = time.clock_gettime(BOOT_CLOCK), time.time()
        self._played, self._began = played, played() if played else None

    def passed(self) -> timedelta:
        """By the clock that nobody sets: for instants that are written down."""
        steady = timedelta(seconds=time.clock_gettime(BOOT_CLOCK) - self._steady)
        if self._played is None or self._began is None:
            return steady
        return max(steady, self._played() - self._began)

    def longest(self) -> timedelta:
        """By the clock that says most. A virtual machine that was paused shows it in its time of
        day only, so this is what a lease is held against."""
        return max(self.passed(), timedelta(seconds=time.time() - self._wall))
