"""One storm from its first blow to the comparison."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from benchmarks.storm.accounting import StormAccount, account
from benchmarks.storm.book import card_books
from benchmarks.storm.calm import settle
from benchmarks.storm.enough import Enough, Seen
from benchmarks.storm.life import StormLife
from benchmarks.storm.pace import measure_pace
from benchmarks.storm.plan import plan
from benchmarks.storm.stage import StormStage, stage
from benchmarks.storm.strike import Striker
from worker.cardbook.importer import import_book
from worker.demo.audit import read_json
from worker.errors import UnreachableError
from worker.store.engine import reading
from worker.store.tables import reminders

START = datetime(2026, 6, 5, tzinfo=UTC)
_DAY = timedelta(days=1)
# Between two looks at whether it is enough.
_LOOK_SECONDS = 2.0

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class StormResult:
    """What a storm did, and what became of the reminders in it.

    ``pace``: how much slower than usual the machine was. ``missing``: in words, what has not
    happened often enough to prove anything.
    """

    database: str
    seed: int
    cards: int
    seconds: float
    pace: float
    kills: int
    faults: int
    blows: dict[str, int]
    missing: list[str]
    account: StormAccount

    def as_json(self) -> dict[str, Any]:
        """One flat document."""
        own = {k: v for k, v in asdict(self).items() if k != "account"}
        return {**own, **asdict(self.account), "held": self.held}

    @property
    def kept(self) -> bool:
        """Is nothing lost, doubled, sent when it must not be, or unexplained?"""
        a = self.account
        bad = a.lost + a.duplicates + a.sent_after_renewal + a.sent_after_opt_out + a.unexplained
        return bad == 0

    @property
    def held(self) -> bool:
        """Was the promise kept, and did enough happen to say so?"""
        return self.kept and not self.missing


def storm(
    directory: Path,
    database: str,
    seed: int,
    seconds: float,
    cards: int,
    enough: Enough,
    progress: Progress,
) -> StormResult:
    """Play with ``cards`` cards until ``enough`` has happened, a day in ``seconds`` of real time,
    and compare. A machine that is slow now gets as much more time for everything.

    Runs on for as long as it takes until everything that was begun has ended. Raises
    ``UnreachableError`` if a server of its own does not start.
    """
    began, pace = time.monotonic(), measure_pace()
    speed = _DAY.total_seconds() / (seconds * pace)
    with stage(directory, database, START, speed, seed, pace) as on:
        _import(on, cards, seed)
        life = StormLife(on.app, on.sandbox_url, on.clock.now)
        striker = Striker(on, life, pace)
        with on.clock, on.company:
            missing = _play(on, striker, seed, pace, enough, progress)
            end = on.clock.now()
            striker.calm()
            if not settle(on, life, pace, progress):
                missing.append("it did not come to rest")
            now = on.clock.now()
        record = read_json(f"{on.sandbox_url}/sandbox/record")
        (directory / "record.json").write_text(json.dumps(record, indent=1), "utf-8")
        found = account(
            *(on.app, record["messages"], life, striker.weather), *(START, end, now, speed)
        )
    faults = sum(record["counters"]["faults"].values())
    took = round(time.monotonic() - began, 1)
    kills, blows = on.company.kills, dict(striker.blows)
    return StormResult(database, seed, cards, took, pace, kills, faults, blows, missing, found)


def _play(
    on: StormStage, striker: Striker, seed: int, pace: float, enough: Enough, progress: Progress
) -> list[str]:
    """Strike until it is enough; returns what was still missing at the limit."""
    looked, due = 0.0, 0
    for step in plan(seed, pace):
        striker.wait_until(step.at)
        striker.strike(step)
        if (at := on.clock.elapsed()) - looked < _LOOK_SECONDS * pace:
            continue
        looked, due = at, max(due, _due(on))
        seen = Seen(due, on.company.kills, striker.spoiled(), striker.blows)
        progress("storm", enough.share(seen))
        missing = enough.missing(seen)
        if not missing or at > enough.limit:
            return missing
    raise AssertionError("a plan has no end")


def _due(on: StormStage) -> int:
    """How many notices have fallen due; none that is known of while the database is away."""
    try:
        with reading(on.app.engine) as conn:
            fell = reminders.c.due_at.between(START, on.clock.now())
            found = conn.execute(select(func.count()).where(fell))
            return int(found.scalar() or 0)
    except UnreachableError:
        return 0


def _import(on: StormStage, cards: int, seed: int) -> None:
    """The card books, as they stood before the day began."""
    wanted = {
        "signature": "Vigencia",
        "language": "es-PE",
        "time_zone": "America/Lima",
        "guardian_email": "guardian@example.com",
    }
    for name, book in card_books(cards, START.date(), seed):
        import_book(on.app.engine, book, name, wanted, START, rules=on.app.rules, apply=True)
