"""How the database goes about the statements that decide what the line costs."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Engine, event, text

from benchmarks.scale.commands import BIG
from benchmarks.scale.shapes import MORNING
from worker.core.cards import Channel
from worker.core.windows import REMEMBERED
from worker.store import cards as card_store
from worker.store import messages as message_store
from worker.store import receipts as receipt_store
from worker.store import reminders as ledger

_LEASE = timedelta(seconds=120)
_BATCH = 250
_SCAN = re.compile(r"Seq Scan on (?:public\.)?(\w+)")


@dataclass(frozen=True, slots=True)
class Plan:
    """A statement of the program, as it was sent, and what the database did."""

    name: str
    statement: str
    plan: str
    ms: float
    whole_tables: tuple[str, ...]


def plans(engine: Engine) -> list[Plan]:
    """Run each statement in earnest inside a transaction that is rolled back."""
    found = []
    for name, work in _work(engine).items():
        for number, (statement, values) in enumerate(_sent(engine, work)):
            told = _explained(engine, statement, values)
            ms = float(re.findall(r"Execution Time: ([\d.]+) ms", told)[-1])
            whole = tuple(sorted(set(_SCAN.findall(told)).intersection(BIG)))
            found.append(Plan(f"{name}{f' {number + 1}' if number else ''}", statement, told, ms,
                              whole))  # fmt: skip
    return found


def as_text(found: Sequence[Plan]) -> str:
    """All plans, one under the other."""
    return "\n".join(f"== {one.name}\n\n{one.statement}\n\n{one.plan}\n" for one in found)


def _work(engine: Engine) -> dict[str, Callable[[Connection], object]]:
    with engine.connect() as conn:
        due = text("SELECT id FROM cards WHERE next_check_at > :at ORDER BY next_check_at LIMIT :n")
        ids = list(conn.execute(due, {"at": MORNING, "n": _BATCH}).scalars())
        waiting = text(
            "SELECT id FROM messages WHERE wake_at IS NOT NULL AND channel = 'email'"
            " ORDER BY wake_at LIMIT :n"
        )
        sends = list(conn.execute(waiting, {"n": _BATCH}).scalars())
    # The next day's windows: so many cards that a claim takes its full number.
    tomorrow = MORNING + timedelta(days=1)
    later = MORNING + timedelta(minutes=30)
    since = (MORNING - REMEMBERED).date()
    hint = timedelta(seconds=60)
    return {
        "claim due cards": lambda c: card_store.claim_due(c, tomorrow, 5_000, _LEASE),
        "claim with nothing due": lambda c: card_store.claim_due(c, MORNING, 5_000, _LEASE),
        "wake messages": lambda c: message_store.wake(c, later, 5_000, hint, hint),
        "wake with nothing due": lambda c: message_store.wake(
            c, MORNING - timedelta(days=1), 5_000, hint, hint
        ),
        "load a batch of cards": lambda c: card_store.lock(c, ids),
        "known reminders": lambda c: ledger.known(c, ids, since),
        "claim messages": lambda c: message_store.claim(c, Channel.EMAIL, sends, later),
        "parked receipts": lambda c: receipt_store.claimable(c, 500),
    }


def _sent(
    engine: Engine, work: Callable[[Connection], object]
) -> list[tuple[str, dict[str, Any] | Sequence[Any]]]:
    """The statements that ``work`` sends, with their parameters; nothing stays done."""
    found: list[tuple[str, dict[str, Any] | Sequence[Any]]] = []

    def keep(_c: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        found.append((statement, values))

    with engine.connect() as conn:
        event.listen(conn, "before_cursor_execute", keep)
        try:
            work(conn)
        finally:
            conn.rollback()
    return found


def _explained(engine: Engine, statement: str, values: Any) -> str:
    with engine.connect() as conn:
        try:
            rows = conn.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", values)
            return "\n".join(row[0] for row in rows)
        finally:
            conn.rollback()


def as_document(found: Sequence[Plan]) -> list[dict[str, Any]]:
    """For the JSON report: names, times, and tables that were read whole."""
    return [
        {"statement": one.name, "ms": round(one.ms, 2), "whole_tables": list(one.whole_tables)}
        for one in found
    ]
