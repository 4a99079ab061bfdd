"""A ledger of the time when special values stood for something else goes on, and goes back."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.integration.helpers import LEASE, NOW, World
from tests.integration.versions import move
from worker.content.render import Content
from worker.core.rules import Rules
from worker.store import migrate
from worker.store.cards import claim_asked, claim_due
from worker.store.engine import open_engine, writing
from worker.store.tables import cards

BEFORE = "0014"


@pytest.fixture
def old(
    empty_url: str, sandbox: str, sandbox_clock: Path, rules: Rules, content: Content
) -> Iterator[World]:
    """A world whose database can be moved between versions."""
    engine = open_engine(empty_url)
    migrate.upgrade(engine)
    yield World(engine, sandbox, sandbox_clock, rules, content)
    engine.dispose()


def raw(world: World, query: str) -> Sequence[tuple[Any, ...]]:
    """As the rows are written, whatever the code makes of them."""
    with world.engine.connect() as conn:
        return [tuple(row) for row in conn.execute(text(query))]


def test_a_check_that_was_asked_for_before_the_move_is_still_due_at_once(old: World) -> None:
    new = old.card()
    later = old.card(next_check_at=NOW + timedelta(days=3))
    never = old.card(next_check_at=None)
    rows = old.rows(cards)
    move(old.engine, BEFORE)
    years = "SELECT substr(CAST(next_check_at AS VARCHAR(40)), 1, 4) FROM cards ORDER BY id"
    assert raw(old, years) == [("1970",), ("2026",), (None,)]
    move(old.engine, "head")
    assert old.rows(cards) == rows
    with writing(old.engine) as conn:
        assert claim_due(conn, NOW, 10, LEASE) == []
        assert [one.card for one in claim_asked(conn, NOW, 10, LEASE)] == [new]
    assert {row.id for row in old.rows(cards) if row.check_since is None} == {later, never}
