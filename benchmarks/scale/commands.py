"""What people ask at a terminal, at this size: how long it takes and what it reads."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from benchmarks.scale.shapes import MORNING
from worker.monitoring.alarms import Watch
from worker.setup.app import App
from worker.store import alarm_counts
from worker.store import gauges as gauge_store
from worker.store.engine import reading

BIG = (
    *("cards", "holders", "reminders", "messages", "attempts", "receipts", "card_events"),
    *("outlook", "finder"),
)
_DAY = f"{MORNING:%Y-%m-%d}"
_WEEK = f"{MORNING - timedelta(days=6):%Y-%m-%d}"
COMMANDS = (
    ("cards", "list", "--limit", "50"),
    ("cards", "list", "--book", "shop 17", "--limit", "50"),
    ("cards", "list", "--book", "shop 17"),
    ("cards", "show", "+51900001234"),
    ("cards", "show", "8951000000000001234"),
    ("cards", "show", "1234"),
    ("cards", "export", "{out}", "--book", "shop 17"),
    ("messages", "list"),
    ("messages", "list", "--state", "pending"),
    ("messages", "list", "--state", "failed"),
    ("messages", "list", "--book", "shop 17"),
    ("messages", "list", "--book", "shop 17", "--state", "failed"),
    ("messages", "show", "1000"),
    ("suppressions", "list"),
    ("doctor",),
    ("promise", "--from", _DAY, "--to", _DAY),
    ("promise", "--from", _DAY, "--to", _DAY, "--book", "shop 17"),
    ("promise", "--from", _WEEK, "--to", _DAY, "--book", "shop 17"),
)


def commands(
    engine: Engine, env: Mapping[str, str], folder: Path, told: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Each command as a process of its own: seconds, memory, and rows read by whole-table scans."""
    found = []
    for words in COMMANDS:
        out = folder / "out.csv"
        out.unlink(missing_ok=True)
        one = run_command(engine, env, [word.format(out=out) for word in words])
        cost = f"{one['seconds']:7.2f} s (processor {one['cpu_s']:.2f})"
        told(f"{cost} {one['scanned']:>12,} rows scanned  {one['command']}")
        found.append(one)
    return found


def run_command(engine: Engine, env: Mapping[str, str], arguments: Sequence[str]) -> dict[str, Any]:
    """Run `vigencia` with ``arguments``; seconds, memory, and rows read by whole-table scans."""
    before = scanned(engine)
    began = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", "worker.cli", *arguments],
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    time.sleep(0.2)  # a backend tells its statistics as it ends
    after = scanned(engine)
    tables = {name: after[name] - before[name] for name in BIG if after[name] > before[name]}
    return {
        "command": "vigencia " + " ".join(arguments),
        "seconds": round(seconds, 2),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_mb": usage.ru_maxrss >> 10,
        "exit": child.returncode,
        "scanned": sum(tables.values()),
        "tables": tables,
    }


def scanned(engine: Engine) -> dict[str, int]:
    """Rows read by sequential scans so far, by table."""
    with engine.connect() as conn:
        conn.execute(text("SELECT pg_stat_clear_snapshot()"))
        rows = conn.execute(text("SELECT relname, seq_tup_read FROM pg_stat_user_tables"))
        return {row.relname: int(row.seq_tup_read) for row in rows if row.relname in BIG}


def looks(app: App, engine: Engine) -> list[dict[str, Any]]:
    """What the scheduler and Prometheus ask by themselves once a minute or more often."""

    def gauges() -> None:
        with reading(app.engine) as conn:
            gauge_store.gauges(conn, MORNING, MORNING.date())

    def missed() -> None:
        with reading(app.engine) as conn:
            alarm_counts.missed_since(conn, MORNING - timedelta(days=1), 20)

    watch = Watch(app)
    wanted: dict[str, Callable[[], object]] = {
        "gauges": gauges,
        "standing": lambda: watch.standing(MORNING, MORNING - timedelta(hours=1)),
        "missed": missed,
    }
    found = []
    for name, look in wanted.items():
        before = scanned(engine)
        began = time.perf_counter()
        look()
        seconds = time.perf_counter() - began
        app.engine.dispose()
        time.sleep(0.2)
        after = scanned(engine)
        rows = sum(after[table] - before[table] for table in BIG)
        found.append({"look": name, "ms": round(seconds * 1000, 1), "scanned": rows})
    return found
