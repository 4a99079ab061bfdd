"""New rules: all cards are checked again behind what is due, in short transactions."""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text

from benchmarks.scale.collector import Collector
from benchmarks.scale.commands import run_command
from benchmarks.scale.server import number, processor
from benchmarks.scale.shapes import NOW
from worker.clock import set_file_clock
from worker.processes import scheduler
from worker.setup.app import App

_WAL = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"
_DUE_MEANWHILE = 250


def policy(
    app: App, engine: Engine, env: Mapping[str, str], clock: Path, most: int
) -> dict[str, Any]:
    """Ask by the command; then tick and check in turns until ``most`` cards were checked. At every
    tick some notices fall due: they must be handed out before all that was merely asked for."""
    set_file_clock(clock, NOW)
    before = number(engine, _WAL)
    asked = run_command(engine, env, ("cards", "recheck"))
    asked["wal_bytes"] = number(engine, _WAL) - before
    before, began, cpu = number(engine, _WAL), time.perf_counter(), time.process_time()
    used = processor(engine)
    ticks: list[float] = []
    claims: list[float] = []
    checked = behind = first = 0
    with _timed(claims):
        while checked < most:
            now = NOW + timedelta(seconds=10 * (len(ticks) + 1))
            due = _fall_due(engine, now)
            hints = Collector()
            at = time.perf_counter()
            found = scheduler.tick(app, now, hints)
            ticks.append(time.perf_counter() - at)
            order = [card for batch in hints.checks for card in batch]
            first += len(due.intersection(order[: len(due)]))
            behind += len(due.difference(order[: len(due)]))
            for batch in hints.checks:
                checked += app.checks.run(batch, NOW).cards
            if found.cards <= len(due):
                break
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    used = processor(engine) - used
    assert not behind, f"{behind} notices that were due waited behind what was not"
    wal = number(engine, _WAL) - before
    return {
        "asked": asked,
        "ticks": len(ticks),
        "checked": checked,
        "seconds": round(seconds, 1),
        "cards_per_s": round(checked / seconds),
        "cards_per_cpu_s": round(checked / cpu),
        "database_cpu_s": round(used, 2),
        "longest_tick_s": round(max(ticks), 3),
        "longest_claim_ms": round(max(claims) * 1000, 1),
        "wal_bytes_per_card": round(wal / checked),
        "due_meanwhile": first,
        "due_behind_the_recheck": behind,
        "left": number(engine, "SELECT count(*) FROM rechecks"),
    }


class _timed:  # noqa: N801 - a context, used as a function
    """Notes how long each claim of the scheduler takes, its commit included."""

    def __init__(self, took: list[float]) -> None:
        self._took, self._real = took, scheduler._hand_out

    def __enter__(self) -> None:
        def timed(*args: Any) -> int:
            began = time.perf_counter()
            found = self._real(*args)
            self._took.append(time.perf_counter() - began)
            return found

        scheduler._hand_out = timed  # type: ignore[assignment]

    def __exit__(self, *_: object) -> None:
        scheduler._hand_out = self._real


def _fall_due(engine: Engine, now: datetime) -> set[int]:
    """Have the check of the newest cards fall due at ``now``: those a recheck comes to last."""
    with engine.begin() as conn:
        ids = set(conn.execute(text(_NEWEST), {"number": _DUE_MEANWHILE}).scalars())
        _due_at(conn, ids, now)
    return ids


_NEWEST = """
SELECT id FROM cards WHERE state = 'active' AND check_since IS NULL AND check_asked_at IS NULL
AND next_check_at IS NOT NULL ORDER BY id DESC LIMIT :number
"""


def _due_at(conn: Connection, ids: set[int], now: datetime) -> None:
    conn.execute(
        text("UPDATE cards SET next_check_at = :now WHERE id = ANY(:ids)"),
        {"now": now, "ids": list(ids)},
    )
