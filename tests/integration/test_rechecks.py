"""Checks that were asked for: all of them are done, behind what is due, whoever is at work."""

from datetime import datetime, timedelta

import pytest

from tests.integration.helpers import LEASE, NOW, World, flat
from tests.integration.test_scheduler import Told
from worker.core.cards import CardState
from worker.processes.scheduler import tick
from worker.setup.app import App
from worker.store import rechecks
from worker.store.engine import reading, writing
from worker.store.rechecks import Underway
from worker.store.tables import cards

LATER = NOW + timedelta(days=30)


@pytest.fixture
def app(world: World, monkeypatch: pytest.MonkeyPatch) -> App:
    """The real app; six checks that were asked for may be with the workers."""
    monkeypatch.setattr("worker.processes.scheduler._ASKED", 6)
    monkeypatch.setattr("worker.processes.scheduler._CLAIM", 4)
    return world.app(lambda: NOW, scheduler={"check_batch": 4})


def handed_out(app: App, now: datetime = NOW) -> list[int]:
    told = Told()
    tick(app, now, told)
    return flat(told.checks)


def checked(world: World, ids: list[int]) -> None:
    """As a check leaves them that finds nothing to do."""
    for card in ids:
        world.change(cards, card, check_since=None, next_check_at=LATER)


def ask(world: World, book: int | None = None) -> int:
    with writing(world.engine) as conn:
        return rechecks.ask(conn, book, NOW)


def underway(world: World) -> list[Underway]:
    with reading(world.engine) as conn:
        return rechecks.underway(conn)


@pytest.mark.parametrize("asked_by", ["import", "recheck"])
def test_what_is_due_goes_before_any_number_of_checks_that_were_asked_for(
    app: App, world: World, asked_by: str
) -> None:
    asked = asked_by == "import"
    ids = world.cards(20, next_check_at=LATER, check_asked_at=NOW if asked else None)
    if asked_by == "recheck":
        assert ask(world) == 20
    due = world.card(next_check_at=NOW)
    first = handed_out(app)
    assert first[0] == due
    assert 0 < len(first) <= 6, "the rest waits until the workers have room"
    assert handed_out(app) == []
    later = world.card(next_check_at=NOW + timedelta(seconds=10))
    checked(world, first[:3])
    second = handed_out(app, NOW + timedelta(seconds=10))
    assert second[0] == later, "not behind those that were asked for long before"
    seen = [*first, *second]
    for _ in range(10):
        checked(world, seen)
        seen += handed_out(app, NOW + timedelta(seconds=20))
    assert sorted(seen) == sorted([*ids, due, later]), "each of them once"
    assert underway(world) == []


def test_a_check_of_all_goes_on_where_it_was_and_ends(app: App, world: World) -> None:
    ids = world.cards(9, next_check_at=LATER)
    world.change(cards, ids[1], state=CardState.CLOSED, next_check_at=None)
    assert ask(world) == 8
    first = handed_out(app)
    [now] = underway(world)
    assert (now.book, now.asked_at) == (None, NOW)
    assert 0 < now.done < 1
    world.card(next_check_at=LATER)
    checked(world, first)
    assert sorted(first + handed_out(app)) == [ids[0], *ids[2:]]
    assert underway(world) == []
    assert handed_out(app) == []


def test_asked_for_again_it_begins_anew_and_a_book_alone_is_its_own_matter(
    app: App, world: World
) -> None:
    ids = world.cards(4, next_check_at=LATER)
    assert ask(world, world.book() + 1) == 0
    assert underway(world) == []
    assert ask(world, world.book()) == 4
    with writing(world.engine) as conn:
        assert [one.card for one in rechecks.claim(conn, NOW, 2, LEASE)] == ids[:2]
    checked(world, ids)
    assert ask(world, world.book()) == 4
    assert [one.book for one in underway(world)] == ["demo"]
    assert handed_out(app) == ids


def test_a_card_that_somebody_holds_is_waited_for_by_nobody_and_not_left_out(
    app: App, world: World
) -> None:
    if world.engine.dialect.name == "sqlite":
        pytest.skip("one writer at a time: nothing is held")
    ids = world.cards(4, next_check_at=LATER)
    ask(world)
    with writing(world.engine) as conn:
        conn.execute(cards.update().where(cards.c.id == ids[2]).values(note="held"))
        assert handed_out(app) == ids[:2]
        assert handed_out(app) == []
    assert handed_out(app) == ids[2:]
    assert handed_out(app) == []
    assert underway(world) == []
