"""A morning: the windows of one day open, about one card in a hundred has something to tell."""

import statistics
import time
from typing import Any

from benchmarks.scale.collector import Collector
from benchmarks.scale.server import processor
from benchmarks.scale.shapes import MORNING
from worker.processes.scheduler import tick
from worker.setup.app import App

_TICKS = 20


def due(app: App, most_checked: int) -> dict[str, Any]:
    """The tick that claims and hints, then the checks of those batches, in this process."""
    hints = Collector()
    began, cpu, used = time.perf_counter(), time.process_time(), processor(app.engine)
    found = tick(app, MORNING, hints)
    tick_s, tick_cpu = time.perf_counter() - began, time.process_time() - cpu
    tick_used = processor(app.engine) - used
    checked = reminders = messages = 0
    began, cpu, used = time.perf_counter(), time.process_time(), processor(app.engine)
    longest = 0.0
    for batch in hints.checks:
        if checked >= most_checked:
            break
        at = time.perf_counter()
        done = app.checks.run(batch, MORNING)
        longest = max(longest, time.perf_counter() - at)
        checked, reminders = checked + done.cards, reminders + done.reminders
        messages += done.messages
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    used = processor(app.engine) - used
    idle = []
    for _ in range(_TICKS):
        at = time.perf_counter()
        tick(app, MORNING, Collector())
        idle.append((time.perf_counter() - at) * 1000)
    return {
        "due": found.cards,
        "tick_s": round(tick_s, 3),
        "tick_cpu_s": round(tick_cpu, 3),
        "tick_database_cpu_s": round(tick_used, 2),
        "claimed_per_s": round(found.cards / tick_s),
        "hints": len(hints.checks),
        "checked": checked,
        "reminders": reminders,
        "messages": messages,
        "check_s": round(seconds, 2),
        "check_cpu_s": round(cpu, 2),
        "check_database_cpu_s": round(used, 2),
        "checked_per_s": round(checked / seconds),
        "checked_per_cpu_s": round(checked / cpu),
        "longest_batch_ms": round(longest * 1000, 1),
        "idle_tick_after_ms": round(statistics.median(idle), 3),
        "first_idle_tick_after_ms": round(idle[0], 3),
    }
