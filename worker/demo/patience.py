"""How long the play waits for its workers: by what happens, not by how fast the machine is.

A worker process needs a second to start, or half a minute on a busy machine. Meanwhile its hints
lie in the queue, so nothing is lost. A hint is lost where the queue holds none and something still
waits: its server was killed, and the sweep must repeat what was in it.
"""

import time
from collections.abc import Callable

from dramatiq.brokers.redis import RedisBroker
from redis import RedisError

from worker.errors import UnreachableError
from worker.setup.broker import hints_left

# Seconds without any change, while the queue is empty, after which its hints count as lost.
_LOST_AFTER = 2.0
# The same while a hint is in the queue or in a worker's hands: those of a worker that was killed
# are given to another by dramatiq after a minute.
_STUCK_AFTER = 75.0
# The longest time without any change, and how often the sweep may repeat hints without effect.
_LONGEST = 300.0
_MOST_REPEATS = 10
# How often the worker processes may end by themselves without any change in between.
_MOST_ENDS = 3
# Between two looks: short at first, since most waits are, and longer the longer nothing happens.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.1


class Patience:
    """Waits for what the workers do, one look at a time. ``ends`` tells how often their processes
    have ended by themselves."""

    def __init__(self, broker: RedisBroker, ends: Callable[[], int]) -> None:
        self._broker, self._ends = broker, ends
        self.begin()

    def begin(self) -> None:
        """Something new is waited for."""
        self._changed()

    def _changed(self, left: int | None = None) -> None:
        now = time.monotonic()
        self._left, self._since = left, now
        self._hints: int | None = None
        self._moved = self._repeated = now
        self._repeats, self._ends_before = 0, self._ends()

    def must_repeat(self, left: int) -> bool:
        """Whether hints must be repeated, while ``left`` is what waits; else pauses for a moment.

        Raises ``UnreachableError`` if repeating does not help, or the workers do not stay alive.
        """
        if left != self._left:
            self._changed(left)
        self._require_workers(left)
        idle = time.monotonic() - max(self._moved, self._repeated)
        if idle > _LOST_AFTER and self._is_over(idle):
            self._repeats, self._repeated = self._repeats + 1, time.monotonic()
            return True
        time.sleep(min(_FIRST_PAUSE + idle / 20, _LONGEST_PAUSE))
        return False

    def _is_over(self, idle: float) -> bool:
        """Has nothing moved for long enough, in the queue as well?"""
        try:
            hints = hints_left(self._broker)
        except RedisError:  # it is being started again; what was in it is known after that
            return idle > _STUCK_AFTER
        if hints != self._hints:
            self._hints, self._moved = hints, time.monotonic()
            return hints == 0
        return hints == 0 or idle > _STUCK_AFTER

    def _require_workers(self, left: int) -> None:
        ends = self._ends() - self._ends_before
        waited = time.monotonic() - self._since
        if ends >= _MOST_ENDS:
            problem = f"The worker processes have ended {ends} times in a row"
        elif self._repeats > _MOST_REPEATS or waited > _LONGEST:
            problem = f"The workers have done nothing for {waited:.0f} seconds"
        else:
            return
        raise UnreachableError(
            f"{problem}: {left} cards and messages wait.",
            "Run it again; if that repeats, see what `vigencia doctor` says.",
        )
