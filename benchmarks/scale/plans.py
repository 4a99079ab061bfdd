"""How the database goes about the statements that decide what the line costs."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, event, text

from benchmarks.scale.commands import BIG
from benchmarks.scale.pages import pages
from benchmarks.scale.shapes import MORNING
from worker.core.cards import Channel
from worker.core.outcomes import accepted
from worker.pipeline.delivery.record import record
from worker.pipeline.delivery.stages import Ended
from worker.setup.app import App
from worker.store import cards as card_store
from worker.store import messages as message_store
from worker.store import receipts as receipt_store
from worker.store.console.pages import looking
from worker.store.engine import writing
from worker.store.planner_hints import by_index

_LEASE = timedelta(seconds=120)
_BATCH = 250
_SCAN = re.compile(r"Seq Scan on (?:public\.)?(\w+)")
_PAGES = re.compile(r"Buffers: shared(?: hit=(\d+))?(?: read=(\d+))?")
# A statement that reads more than this walks along all there is, be it by an index.
MOST_PAGES = 1_000_000
_EXPLAINED = ("SELECT", "INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True, slots=True)
class ExplainedStatement:
    """A statement of the program, as it was sent, and what the database did; ``pages`` of 8 KB."""

    name: str
    statement: str
    plan: str
    ms: float
    pages: int
    whole_tables: tuple[str, ...]

    @property
    def reads_all(self) -> bool:
        """Does it go through a large table, or along a whole index of one?"""
        return bool(self.whole_tables) or self.pages > MOST_PAGES


def plans(app: App) -> list[ExplainedStatement]:
    """Run the program's own steps in earnest, and explain each statement where it is sent: in its
    transaction, with the settings of that, and undone before it is executed."""
    found: list[ExplainedStatement] = []
    for name, work in _work(app).items():
        with _explained(app.engine, name, found):
            work()
    return found


def as_text(found: Sequence[ExplainedStatement]) -> str:
    """All plans, one under the other."""
    return "\n".join(f"== {one.name}\n\n{one.statement}\n\n{one.plan}\n" for one in found)


def as_document(found: Sequence[ExplainedStatement]) -> list[dict[str, Any]]:
    """For the JSON report: names, times, pages, and tables that were read whole."""
    return [
        {"statement": one.name, "ms": round(one.ms, 2), "pages": one.pages,
         "whole_tables": list(one.whole_tables)}
        for one in found
    ]  # fmt: skip


def _work(app: App) -> Mapping[str, Callable[[], object]]:
    # The next day's windows: so many cards that a claim takes its full number.
    tomorrow, later = MORNING + timedelta(days=1), MORNING + timedelta(minutes=30)
    hint, longest = timedelta(seconds=60), app.retry.park
    with app.engine.connect() as conn:
        due = text("SELECT id FROM cards WHERE next_check_at > :at ORDER BY next_check_at LIMIT :n")
        cards = list(conn.execute(due, {"at": MORNING, "n": _BATCH}).scalars())
        waiting = text(
            "SELECT id FROM messages WHERE wake_at IS NOT NULL AND channel = 'email'"
            " ORDER BY wake_at LIMIT :n"
        )
        sends = list(conn.execute(waiting, {"n": _BATCH}).scalars())

    def wake(at: datetime) -> Callable[[], object]:
        return undone(lambda c: message_store.wake(c, at, 5_000, hint, longest))

    def undone(step: Callable[[Connection], object]) -> Callable[[], object]:
        def run() -> None:
            with app.engine.connect() as conn:
                step(conn)
                conn.rollback()

        return run

    def looked(read: Callable[[Connection], object]) -> Callable[[], object]:
        def run() -> None:
            with looking(app.engine, seconds=60) as conn:
                read(conn)

        return run

    def send() -> None:
        ready = app.delivery.preparation.run(Channel.EMAIL, sends, later).ready
        ended = [Ended(one, accepted(f"plan-{one.outgoing.id}"), later) for one in ready]
        with writing(app.engine) as conn:
            by_index(conn)
            record(conn, ended, app.retry)

    return {
        "claim due cards": undone(lambda c: card_store.claim_due(c, tomorrow, 5_000, _LEASE)),
        "claim with nothing due": undone(
            lambda c: card_store.claim_due(c, MORNING - timedelta(days=1), 5_000, _LEASE)
        ),
        "wake messages": wake(later),
        "wake with nothing due": wake(MORNING - timedelta(days=1)),
        "parked receipts": undone(lambda c: receipt_store.claimable(c, 500)),
        "check a batch": lambda: app.checks.run(cards, tomorrow),
        "prepare and record a batch": send,
        **{name: looked(read) for name, read in pages(app).items()},
    }


@contextmanager
def _explained(engine: Engine, name: str, found: list[ExplainedStatement]) -> Iterator[None]:
    def explain(conn: Connection, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if not statement.startswith(_EXPLAINED) or "set_config" in statement:
            return
        own: Any = conn.connection.driver_connection
        with own.cursor() as cursor:
            cursor.execute("SAVEPOINT explained")
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", values)
            told = "\n".join(row[0] for row in cursor.fetchall())
            cursor.execute("ROLLBACK TO explained")
        ms = float(re.findall(r"Execution Time: ([\d.]+) ms", told)[-1])
        read = [int(hit or 0) + int(cold or 0) for hit, cold in _PAGES.findall(told)]
        whole = tuple(sorted(set(_SCAN.findall(told)).intersection(BIG)))
        number = sum(1 for one in found if one.name.startswith(f"{name}: ")) + 1
        found.append(
            ExplainedStatement(
                f"{name}: {number}", statement, told, ms, max(read, default=0), whole
            )
        )

    event.listen(engine, "before_cursor_execute", explain)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", explain)
