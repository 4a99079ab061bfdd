"""What pages find cards by is what the cards say, whatever has happened to them."""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, event, select, update

from tests.integration.card_index_check import is_index_true
from tests.integration.helpers import NOW, TODAY, World
from tests.integration.test_import import ROW, put
from worker.cardbook.removal import remove_book, remove_card
from worker.cardbook.rows import CardRow
from worker.core.cards import Kind
from worker.core.life import LifeEvent
from worker.core.operators import Fact, Rung
from worker.core.rules import Rules
from worker.errors import CardBookError, VigenciaError
from worker.pipeline.events import Life
from worker.processes.filling import Filling
from worker.setup.app import App
from worker.store import fills
from worker.store.books import HolderValues
from worker.store.engine import reading, writing
from worker.store.tables import cards, finder, holders, outlook

_NAMES = ("Rosa Quispe", "ROSA quispe", "王小明", "王 小明", "José-María Ñandú", "Zoë")
_EVENTS = (
    *(LifeEvent.RENEWED, LifeEvent.CONFIRMED, LifeEvent.RENEWAL_FAILED, LifeEvent.CORRECTED),
    *(LifeEvent.SUSPENDED, LifeEvent.RECYCLED, LifeEvent.PAUSED, LifeEvent.LOW_BALANCE),
    *(LifeEvent.RENEWAL_NOT_EFFECTIVE, LifeEvent.RENEWAL_UNANSWERED),
)


class Play:
    """A book of a few cards, and everything that may happen to it, drawn by ``dice``."""

    def __init__(self, world: World, dice: random.Random) -> None:
        self.world, self.dice, self.now = world, dice, NOW

    def step(self) -> None:
        steps: list[Callable[[], object]] = [self._import, self._live, self._live, self._check]
        steps += [self._reassign, self._remove_card, self._later]
        with suppress(VigenciaError):  # it cannot happen to the card as it is
            self.dice.choice(steps)()

    def _row(self, number: int) -> CardRow:
        pick, today = self.dice.choice, self.now.date()
        return replace(
            ROW,
            row=number + 2,
            msisdn=pick((None, f"+5190000000{number}", f"+5190000000{number}")),
            iccid=f"895100000000000000{number}",
            imsi=pick((None, "716101234567890")),
            operator=pick(("claro", "entel", "other")),
            kind=pick((Kind.DATA, Kind.RETENTION)),
            plan_end=today + timedelta(days=pick((-400, -3, 0, 5, 30))),
            last_topup=pick((None, today - timedelta(days=pick((1, 100, 500))))),
            holder=pick(_NAMES),
            contact_phone=pick(("+51987654321", "+51987654322")),
        )

    def _import(self) -> None:
        put(self.world, *(self._row(n) for n in self.dice.sample(range(5), 3)), now=self.now)

    def _card(self) -> Any:
        return self.dice.choice(self.world.rows(cards))

    def _live(self) -> None:
        what = self.dice.choice(_EVENTS)
        end = self.now.date() + timedelta(days=self.dice.choice((0, 30)))
        given = {"plan_end": end} if what in (LifeEvent.RENEWED, LifeEvent.CORRECTED) else {}
        self.world.live(self._card().id, what, self.now, **given)

    def _reassign(self) -> None:
        person: HolderValues = {
            "name": self.dice.choice(_NAMES),
            "language": None,
            "time_zone": None,
            "contact_phone": "+51987654323",
            "email": None,
        }
        Life(self.world.engine, self.world.rules).reassign(self._card().id, person, self.now)

    def _remove_card(self) -> None:
        if self.dice.random() < 0.3:
            row = self._card()
            if row.removed_at is None:
                remove_card(self.world.engine, row._mapping, self.now, apply=True)

    def _later(self) -> None:
        self.now += timedelta(days=self.dice.choice((1, 5, 200)))

    def _check(self) -> None:
        self.world.check(self.now)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_cards_are_found_by_what_they_are(world: World, seed: int) -> None:
    play = Play(world, random.Random(seed))
    play._import()
    for _ in range(30):
        play.step()
        with reading(world.engine) as conn:
            assert is_index_true(conn, world.rules)
    with suppress(CardBookError):
        remove_book(world.engine, "demo", play.now, apply=True)
        assert {len(world.rows(table)) for table in (outlook, finder)} == {0}


def test_a_check_that_changes_no_date_does_not_touch_them(world: World) -> None:
    world.cards(3)
    sent: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(world.engine, "before_cursor_execute", note)
    try:
        world.check()
    finally:
        event.remove(world.engine, "before_cursor_execute", note)
    assert sent
    assert not [one for one in sent if "outlook" in one or "finder" in one]


def test_the_name_of_whoever_is_forgotten_is_forgotten_here_too(world: World) -> None:
    holder = world.holder(name="Zoë Unica")
    gone, _ = world.cards(2, holder)
    world.live(gone, LifeEvent.RECYCLED)
    assert {"nzoe", "nunica"} <= {row.term for row in world.rows(finder)}
    # The last card of that holder goes to another.
    person: HolderValues = {
        "name": "Rosa",
        "language": None,
        "time_zone": None,
        "contact_phone": None,
        "email": None,
    }
    Life(world.engine, world.rules).reassign(gone + 1, person, NOW)
    assert {row.name for row in world.rows(holders) if row.id == holder} == {""}
    assert not {"nzoe", "nunica"} & {row.term for row in world.rows(finder)}


def entered(app: App, batches: int | None = None) -> int:
    """Go on with what is not entered yet; returns how many batches there were."""
    number = 0
    for number, _ in enumerate(Filling(app).batches(), 1):
        if number == batches:
            break
    return number


@pytest.fixture
def old(world: World, monkeypatch: pytest.MonkeyPatch) -> App:
    """An installation of before these tables: seven cards, two of them entered in one batch."""
    monkeypatch.setattr("worker.processes.filling.BATCH", 2)
    world.cards(7, world.holder(name="王小明"))
    with writing(world.engine) as conn:
        for table in (outlook, finder):
            conn.execute(delete(table))
    return world.app(lambda: NOW)


def test_cards_that_were_there_are_entered_in_batches_wherever_that_was_left(
    old: App, world: World
) -> None:
    assert entered(old, 2) == 2
    with reading(world.engine) as conn:
        assert 0 < fills.done(conn) < 1
    # Somebody else goes on, after cards have changed and others came.
    world.live(1, LifeEvent.RENEWED, plan_end=TODAY + timedelta(days=30))
    world.live(6, LifeEvent.SUSPENDED)
    world.card()
    assert entered(old) >= 2
    with reading(world.engine) as conn:
        assert is_index_true(conn, world.rules)
        assert fills.done(conn) == 1
    assert entered(old) == 0


def test_after_new_days_of_an_operator_all_are_made_anew(old: App, world: World) -> None:
    entered(old)
    packs = dict(world.rules.packs)
    fact = Fact(33, "a source", TODAY)
    claro = packs["claro"]
    packs["claro"] = replace(claro, rungs={**claro.rungs, Rung.LINE_LOSS: (fact,)})
    new: Rules = replace(world.rules, packs=packs)
    old.rules = new
    assert entered(old) >= 4
    with reading(world.engine) as conn:
        assert is_index_true(conn, new)
    assert entered(old) == 0


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_card_that_somebody_holds_is_left_for_the_next_time(old: App, world: World) -> None:
    with writing(world.engine) as conn:
        conn.execute(select(cards.c.id).where(cards.c.id == 4).with_for_update())
        conn.execute(update(cards).where(cards.c.id == 4).values(operator="entel"))
        entered(old)
        assert {row.card_id for row in world.rows(outlook)} == {1, 2, 3}
        conn.execute(update(cards).where(cards.c.id == 4).values(operator="claro"))
    entered(old)
    with reading(world.engine) as conn:
        assert is_index_true(conn, world.rules)
