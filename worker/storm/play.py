"""One storm from its first blow to the comparison."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from worker.cardbook.importer import import_book
from worker.demo.audit import read_json
from worker.storm.accounting import Account, account
from worker.storm.book import card_book
from worker.storm.calm import settle
from worker.storm.life import Life
from worker.storm.plan import plan
from worker.storm.stage import Stage, stage
from worker.storm.strike import Striker

START = datetime(2026, 6, 5, tzinfo=UTC)
_DAY = timedelta(days=1)

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a storm did, and what became of the reminders in it."""

    database: str
    seed: int
    cards: int
    seconds: float
    kills: int
    faults: int
    blows: dict[str, int]
    account: Account

    def as_json(self) -> dict[str, Any]:
        """One flat document."""
        own = {k: v for k, v in asdict(self).items() if k != "account"}
        return {**own, **asdict(self.account), "held": self.held}

    @property
    def held(self) -> bool:
        """Was the promise kept?"""
        a = self.account
        bad = a.lost + a.duplicates + a.sent_after_renewal + a.sent_after_opt_out + a.unexplained
        return bad == 0 and a.due > 0


def storm(
    directory: Path, database: str, seed: int, seconds: float, cards: int, progress: Progress
) -> Outcome:
    """Play a day of ``cards`` cards in ``seconds`` of real time, and compare.

    Runs on for as long as it takes until everything that was begun has ended (at most some 90
    seconds). Raises ``UnreachableError`` if a server of its own does not start.
    """
    began = time.monotonic()
    speed = _DAY.total_seconds() / seconds
    with stage(directory, database, START, speed, seed) as on:
        _import(on, cards, seed)
        life = Life(on.app, on.sandbox_url, on.clock.now)
        striker = Striker(on, life)
        with on.clock, on.company:
            for step in plan(seed, seconds):
                striker.wait_until(step.at)
                progress("storm", step.at / seconds)
                striker.strike(step)
            striker.wait_until(seconds)
            striker.calm()
            settle(on, life, progress)
            now = on.clock.now()
        record = read_json(f"{on.sandbox_url}/sandbox/record")
        (directory / "record.json").write_text(json.dumps(record, indent=1), "utf-8")
        found = account(on.app, record["messages"], life, START, START + _DAY, now, speed)
    faults = sum(record["counters"]["faults"].values())
    took = round(time.monotonic() - began, 1)
    kills, blows = on.company.kills, dict(striker.blows)
    return Outcome(database, seed, cards, took, kills, faults, blows, found)


def _import(on: Stage, cards: int, seed: int) -> None:
    """The card book, as it stood before the day began."""
    wanted = {
        "signature": "Vigencia",
        "language": "es-PE",
        "time_zone": "America/Lima",
        "guardian_email": "guardian@example.com",
    }
    book = card_book(cards, START.date(), seed)
    import_book(on.app.engine, book, "storm", wanted, START, rules=on.app.rules, apply=True)
