"""A tick that finds nothing to do, with few cards and with many."""

import statistics
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.scale.collector import Collector
from benchmarks.scale.shapes import NOW
from worker.processes.scheduler import tick
from worker.setup.app import App

_TICKS = 20


def idle(apps: Sequence[tuple[int, App]]) -> dict[str, Any]:
    """Medians in milliseconds by the number of cards, taken in turns; and the ratio to the first.

    ``apps``: the number of cards and the app on a database that has so many.
    """
    took: dict[int, list[float]] = {number: [] for number, _ in apps}
    for turn in range(_TICKS + 3):
        for number, app in apps:
            began = time.perf_counter()
            found = tick(app, NOW, Collector())
            if turn >= 3:  # the first ones open connections and read catalogues
                took[number].append((time.perf_counter() - began) * 1000)
            assert not found, f"{found} in a tick that was to be idle"
    medians = {number: statistics.median(times) for number, times in took.items()}
    first = medians[apps[0][0]]
    return {
        "ms": {str(number): round(median, 3) for number, median in medians.items()},
        "ratio": round(medians[apps[-1][0]] / first, 2),
    }
