"""A file that is imported again is older than what happened since; and which book a name means."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.integration.helpers import NOW, TODAY, WANTED, World
from tests.integration.test_import import LATER, OTHER, ROW, book_of, only, put, put_book
from worker.cardbook.book_names import settled_name
from worker.cardbook.importer import import_book
from worker.cardbook.rows import CardRow
from worker.cardbook.zones import Why
from worker.core.hours import local_day
from worker.core.life import LifeEvent
from worker.errors import CardBookError
from worker.pipeline.events import Life
from worker.store import views
from worker.store.books import HolderValues
from worker.store.engine import reading
from worker.store.tables import books, cards, holders

_LONGER = TODAY + timedelta(days=35)
_TOPPED_UP = replace(ROW, last_topup=TODAY - timedelta(days=25))


def _renewed(world: World, card: CardRow = _TOPPED_UP) -> None:
    put(world, card)
    topup = local_day(LATER, "America/Lima")
    world.live(only(world).id, LifeEvent.RENEWED, LATER, plan_end=_LONGER, last_topup=topup)


def test_a_renewal_is_not_undone_by_the_same_file(world: World) -> None:
    _renewed(world)
    dry = put(world, _TOPPED_UP, now=LATER, apply=False)
    assert (dry.changed, dry.unchanged) == (0, 1)
    [kept] = dry.kept
    assert (kept.row, kept.fields) == (2, ("plan_end", "last_topup"))
    assert kept.plan_end == (ROW.plan_end, _LONGER)
    before = world.rows(cards)
    done = put(world, _TOPPED_UP, now=LATER + timedelta(hours=1))
    assert (done.changed, done.told, len(done.kept)) == (0, 0, 1)
    assert world.rows(cards) == before
    world.live(only(world).id, LifeEvent.CONFIRMED, LATER)
    put(world, _TOPPED_UP, now=LATER + timedelta(hours=2))
    assert only(world).plan_end == _LONGER


def test_what_the_file_says_for_the_first_time_is_news(world: World) -> None:
    _renewed(world)
    corrected = replace(_TOPPED_UP, plan_end=TODAY + timedelta(days=34))
    done = put(world, corrected, now=LATER + timedelta(hours=1))
    assert (done.changed, only(world).plan_end) == (1, TODAY + timedelta(days=34))
    # Its top-up is the one of before: there the event is newer still.
    assert [one.fields for one in done.kept] == [("last_topup",)]
    back = put(world, _TOPPED_UP, now=LATER + timedelta(hours=2))
    assert (back.changed, only(world).plan_end) == (1, ROW.plan_end)


def test_a_file_that_has_caught_up_is_remembered(world: World) -> None:
    _renewed(world)
    caught_up = replace(_TOPPED_UP, plan_end=_LONGER)
    assert put(world, caught_up, now=LATER).changed == 0
    again = put(world, _TOPPED_UP, now=LATER + timedelta(hours=1))
    assert (again.changed, only(world).plan_end) == (1, ROW.plan_end)


def test_a_reported_balance_outlives_the_same_file(world: World) -> None:
    full = replace(ROW, balance=Decimal("20.00"))
    put(world, full)
    world.live(only(world).id, LifeEvent.LOW_BALANCE, LATER, balance=Decimal("2.00"))
    assert put(world, full, now=LATER).changed == 0
    assert only(world).balance == Decimal("2.00")


def test_a_card_given_to_somebody_else_stays_theirs(world: World) -> None:
    put(world, ROW)
    person: HolderValues = {
        "name": "Luis",
        "language": None,
        "time_zone": None,
        "contact_phone": None,
        "email": "luis@example.com",
    }
    Life(world.engine, world.rules).reassign(only(world).id, person, LATER)
    now_his = only(world).holder_id
    done = put(world, ROW, now=LATER)
    assert (done.changed, only(world).holder_id) == (0, now_his)
    assert [one.fields for one in done.kept] == [("holder",)]
    again = put(world, ROW, now=LATER + timedelta(hours=1))
    assert (again.changed, only(world).holder_id) == (0, now_his)
    # With other contacts the row speaks of somebody anew.
    assert put(world, replace(ROW, email="rosa2@example.com"), now=LATER).actions == {
        "reassigned": 1
    }


def test_a_forgotten_holder_is_not_brought_back_by_the_same_file(world: World) -> None:
    put(world, ROW)
    world.live(only(world).id, LifeEvent.RECYCLED, LATER)
    world.change(cards, state="closed")
    world.change(holders, name="", email=None, contact_phone=None)
    put(world, ROW, now=LATER)
    [holder] = world.rows(holders)
    assert (holder.name, holder.email, holder.contact_phone) == ("", None, None)


@pytest.mark.parametrize(
    "name", ["ROSA QUISPE", "rosa quispe", "Rosa  Quispe", "Ｒｏｓａ Quispe", "Rosa Quíspe"]
)
def test_a_name_typed_otherwise_is_the_same_person(world: World, name: str) -> None:
    put(world, ROW)
    done = put(world, replace(ROW, holder=name), now=LATER)
    assert done.actions == {"contact_changed": 1}
    assert len(world.rows(holders)) == 1
    assert put(world, replace(ROW, holder=name), now=LATER).changed == 0


def test_a_person_typed_in_two_ways_in_one_file_is_one(world: World) -> None:
    put(world, ROW, replace(OTHER, holder="ROSA QUISPE"))
    [holder] = world.rows(holders)
    assert holder.name == "Rosa Quispe"
    assert put(world, ROW, replace(OTHER, holder="ROSA QUISPE"), now=LATER).changed == 0


def test_another_name_is_another_person(world: World) -> None:
    put(world, ROW)
    assert put(world, replace(ROW, holder="Rosa Quispe Díaz")).actions == {"reassigned": 1}


def test_a_book_that_is_not_there_is_asked_for(world: World) -> None:
    put(world, ROW)
    world.change(books, name="tienda")
    with reading(world.engine) as conn:
        for name in ("Tienda", "TIENDA", "ｔｉｅｎｄａ", " tienda "):
            assert settled_name(conn, name, new=False) == "tienda"
            with pytest.raises(CardBookError, match="the same name"):
                settled_name(conn, name, new=True)
        with pytest.raises(CardBookError) as error:
            settled_name(conn, "tienad", new=False)
        assert "'tienda'" in error.value.hint
        assert "--new-book" in error.value.hint
        assert settled_name(conn, "tienda", new=True) == "tienda"
        assert settled_name(conn, "tienad", new=True) == "tienad"


def test_a_card_of_another_book_is_told(world: World) -> None:
    put(world, ROW)
    for row in (ROW, replace(ROW, msisdn=None)):
        found = import_book(
            world.engine, book_of(row), "second", WANTED, NOW, rules=world.rules, apply=False
        )
        assert [(one.row, one.book) for one in found.elsewhere] == [(2, "demo")]
    assert put(world, ROW, apply=False).elsewhere == ()


def test_zones_are_told_with_where_they_are_from(world: World) -> None:
    rows = (
        replace(ROW, contact_phone="+8613800138000"),
        replace(OTHER, contact_phone=None, time_zone="Europe/Madrid"),
    )
    done = put_book(world, book_of(*rows), keep=lambda _: Path("kept.xlsx"))
    assert done.zones == {("Asia/Shanghai", Why.PREFIX): 1, ("Europe/Madrid", Why.ROW): 1}


def test_a_book_is_found_however_its_name_is_typed(world: World) -> None:
    put(world, ROW)
    with reading(world.engine) as conn:
        assert views.book_named(conn, "DEMO").name == "demo"
        assert len(views.list_cards(conn, "Demo", None)) == 1
        assert views.list_cards(conn, "dmeo", None) == []
