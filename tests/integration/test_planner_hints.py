"""What the hot transactions ask PostgreSQL for is found by keys: no whole table, no whole index."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from tests.integration.helpers import NOW, World, always
from worker.core.cards import Channel
from worker.core.outcomes import accepted
from worker.store.cards import claim_asked, claim_due
from worker.store.engine import writing
from worker.store.tables import messages

# Never more than a few rows, and all of them are wanted.
SMALL = {"breakers"}
SCANS = {"Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan"}

pytestmark = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def walks(plan: dict[str, Any]) -> list[str]:
    """The scans that are not led by a key."""
    return [
        f"{node['Node Type']} on {node['Relation Name']}"
        for node in nodes(plan)
        if node["Node Type"] in SCANS and node["Relation Name"] not in SMALL
        if "Index Cond" not in node and node["Node Type"] != "Bitmap Heap Scan"
    ]


@contextmanager
def watched(engine: Engine) -> Iterator[dict[str, list[str]]]:
    """The scans of each statement that is sent, as the server plans it there."""
    found: dict[str, list[str]] = {}

    def look(conn: Connection, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if "set_config" in statement or statement.startswith("EXPLAIN"):
            return
        own: Any = conn.connection.driver_connection
        with own.cursor() as cursor:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", values)
            [told] = cursor.fetchone()
        document = told if isinstance(told, list) else json.loads(told)
        found[" ".join(statement.split())] = walks(document[0]["Plan"])

    event.listen(engine, "before_cursor_execute", look)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", look)


def test_checks_find_their_rows_by_keys(world: World) -> None:
    ids = [world.card(world.holder()) for _ in range(30)]
    with watched(world.engine) as found:
        world.check(ids=ids[:20])
    assert len(found) >= 5
    assert {statement: told for statement, told in found.items() if told} == {}


def test_sends_find_their_rows_by_keys(world: World) -> None:
    world.cards(3)
    for _ in range(20):
        world.card(world.holder())
    world.check()
    both = {Channel.SMS: always(accepted("")), Channel.EMAIL: always(accepted(""))}
    ids = [row.id for row in world.rows(messages)]
    with watched(world.engine) as found:
        for channel in both:
            world.send(channel=channel, ids=ids, providers=both)
    assert any(statement.startswith("UPDATE reminders") for statement in found)
    assert len(found) >= 10
    # The quarantine has one row at most: there is nothing to find it by.
    found = {statement: told for statement, told in found.items() if "quarantine" not in statement}
    assert {statement: told for statement, told in found.items() if told} == {}


def test_claims_walk_along_their_index_and_no_further(world: World) -> None:
    world.cards(30, next_check_at=NOW - timedelta(seconds=1))
    world.cards(5)
    with watched(world.engine) as found, writing(world.engine) as conn:
        claim_due(conn, NOW, 10, timedelta(minutes=2))
        claim_asked(conn, NOW, 10, timedelta(minutes=2))
    assert len(found) >= 3
    assert {statement: told for statement, told in found.items() if told} == {}
