"""Importing a card book: all of it or nothing, and what each change of a row means."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Row
from sqlalchemy.exc import DBAPIError

from tests.integration.helpers import NOW, TODAY, WANTED, World
from worker.cardbook.columns import load_columns
from worker.cardbook.importer import Result, import_book
from worker.cardbook.options import ReadOptions
from worker.cardbook.parse import read_cardbook
from worker.cardbook.rows import CardBook, CardRow
from worker.core.cards import Channel, Kind
from worker.core.reminders import MessageState, ReminderState
from worker.paths import shipped
from worker.store import views
from worker.store.cards import AT_ONCE
from worker.store.engine import reading
from worker.store.tables import books, card_events, cards, holders, messages

DATA = Path(__file__).parents[1] / "data"
LATER = NOW + timedelta(days=1)
ROW = CardRow(
    row=2,
    msisdn="+51900000001",
    iccid="8951000000000000001",
    imsi=None,
    operator="claro",
    kind=Kind.DATA,
    plan="30 dias",
    plan_days=30,
    plan_end=TODAY + timedelta(days=5),
    last_topup=None,
    balance=None,
    holder="Rosa Quispe",
    email="rosa@example.com",
    contact_phone="+51987654321",
    language=None,
    time_zone=None,
    note=None,
)
OTHER = replace(ROW, row=3, msisdn="+51900000002", iccid="8951000000000000002")


def book_of(*rows: CardRow, refused: int = 0) -> CardBook:
    return CardBook("book.csv", "utf-8", None, {}, len(rows) + refused, rows, (), ())


def put(
    world: World, *rows: CardRow, now: datetime = NOW, apply: bool = True, **wanted: Any
) -> Result:
    return import_book(world.engine, book_of(*rows), "demo", {**WANTED, **wanted}, now, apply=apply)


def counts(result: Result) -> tuple[int, int, int]:
    return result.created, result.changed, result.unchanged


def only(world: World) -> Row[Any]:
    [card] = world.rows(cards)
    return card


@pytest.mark.parametrize("name", ["cardbook-zh.xlsx", "cardbook-en.tsv"])
def test_the_samples_are_imported_exactly_as_they_were_meant(engine: Engine, name: str) -> None:
    parsed = read_cardbook(
        shipped("examples") / name, ReadOptions(), load_columns(shipped("config") / "columns.toml")
    )
    result = import_book(engine, parsed, "demo", WANTED, NOW, apply=True)
    assert (result.refused, result.applied) == (0, True)
    expected = json.loads((DATA / f"{Path(name).stem}.expected.json").read_text("utf-8"))
    with reading(engine) as conn:
        found = views.list_cards(conn, "demo", None)
    assert [{key: _plain(card[key]) for key in expected[0]} for card in found] == expected
    again = import_book(engine, parsed, "demo", WANTED, LATER, apply=True)
    assert counts(again) == (0, 0, len(expected))


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def test_a_new_card_is_watched_from_now_and_checked_at_once(world: World) -> None:
    assert counts(put(world, ROW)) == (1, 0, 0)
    card = only(world)
    assert (card.state, card.time_zone) == ("active", "America/Lima")
    assert card.watched_since == card.created_at == card.updated_at == NOW
    assert card.next_check_at == AT_ONCE
    assert world.events() == [(card.id, "imported")]
    [holder] = world.rows(holders)
    assert (holder.language, holder.time_zone) == ("es-PE", "America/Lima")


def test_imported_twice_a_book_changes_nothing(world: World) -> None:
    put(world, ROW, OTHER)
    tables = (books, holders, cards, card_events)
    before = [world.rows(table) for table in tables]
    assert counts(put(world, ROW, OTHER, now=LATER)) == (0, 0, 2)
    assert [world.rows(table) for table in tables] == before


def test_rows_of_one_person_share_a_holder(world: World) -> None:
    put(world, ROW, OTHER)
    [holder] = world.rows(holders)
    assert {card.holder_id for card in world.rows(cards)} == {holder.id}


def test_a_new_plan_end_is_a_renewal(world: World) -> None:
    put(world, ROW)
    world.check()
    assert only(world).next_check_at > NOW
    renewed = replace(ROW, plan_end=TODAY + timedelta(days=35))
    assert counts(put(world, renewed, now=LATER)) == (0, 1, 0)
    card = only(world)
    assert card.plan_end == TODAY + timedelta(days=35)
    assert (card.watched_since, card.next_check_at) == (LATER, AT_ONCE)
    assert (card.created_at, card.updated_at) == (NOW, LATER)
    assert world.events() == [(card.id, "imported"), (card.id, "renewed")]
    [_, event] = world.rows(card_events)
    assert event.detail == {"fields": ["plan_end"]}
    world.check(LATER)
    assert {row[1] for row in world.told()} == {ReminderState.SUPERSEDED}
    assert world.send(LATER) == {}


def test_a_new_topup_is_a_renewal(world: World) -> None:
    put(world, ROW)
    put(world, replace(ROW, last_topup=TODAY), now=LATER)
    assert world.events()[-1][1] == "renewed"
    assert only(world).watched_since == LATER


def test_what_moves_no_deadline_is_a_change_and_the_card_stays_watched(world: World) -> None:
    put(world, ROW)
    put(world, replace(ROW, note="VIP"), now=LATER)
    assert world.events()[-1][1] == "changed"
    card = only(world)
    assert (card.note, card.watched_since, card.next_check_at) == ("VIP", NOW, AT_ONCE)


def test_the_trail_never_holds_a_value(world: World) -> None:
    put(world, ROW)
    put(world, replace(ROW, msisdn="+51900000009", note="private"), now=LATER)
    told = json.dumps([row.detail for row in world.rows(card_events)])
    assert "private" not in told
    assert "+519" not in told


def test_a_dry_run_tells_what_would_be_and_writes_nothing(world: World) -> None:
    result = put(world, ROW, OTHER, apply=False)
    assert (counts(result), result.applied) == ((2, 0, 0), False)
    assert [world.rows(t) for t in (books, holders, cards, card_events)] == [[], [], [], []]
    put(world, ROW)
    before = world.rows(cards)
    changed = replace(ROW, plan_end=TODAY + timedelta(days=35))
    assert counts(put(world, changed, OTHER, apply=False, now=LATER)) == (1, 1, 0)
    assert world.rows(cards) == before


def test_one_refused_row_keeps_the_whole_book_out(world: World) -> None:
    book = book_of(ROW, refused=1)
    result = import_book(world.engine, book, "demo", WANTED, NOW, apply=True)
    assert (result.refused, result.applied, result.created) == (1, False, 1)
    assert world.rows(cards) == []


def test_new_contacts_of_the_same_person_keep_the_holder(world: World) -> None:
    put(world, ROW, OTHER)
    [before] = world.rows(holders)
    moved: dict[str, Any] = {"email": "nueva@example.com", "contact_phone": "+51911111111"}
    put(world, replace(ROW, **moved), replace(OTHER, **moved), now=LATER)
    [after] = world.rows(holders)
    assert after.id == before.id
    assert (after.email, after.contact_phone) == ("nueva@example.com", "+51911111111")
    assert (after.created_at, after.updated_at) == (NOW, LATER)
    assert [event for _, event in world.events()][2:] == ["contact_changed"] * 2


def test_waiting_notices_go_to_the_new_contacts(world: World) -> None:
    put(world, ROW)
    world.check()
    put(world, replace(ROW, contact_phone="+51911111111"), now=NOW)
    world.send()
    assert [m["to"] for m in world.accepted(Channel.SMS)] == ["+51911111111"]


def test_a_person_whose_other_card_keeps_the_old_contacts_is_told_apart(world: World) -> None:
    put(world, ROW, OTHER)
    put(world, replace(ROW, email="nueva@example.com"), OTHER, now=LATER)
    first, second = world.rows(cards)
    assert first.holder_id != second.holder_id
    emails = {row.id: row.email for row in world.rows(holders)}
    assert emails == {second.holder_id: ROW.email, first.holder_id: "nueva@example.com"}
    assert "reassigned" not in [event for _, event in world.events()]


def test_a_card_with_a_new_holder_is_reassigned_and_only_that_one_is_told(world: World) -> None:
    put(world, ROW)
    world.check()
    new: dict[str, Any] = {
        "holder": "Luis Paz",
        "contact_phone": "+51911111111",
        "email": "luis@example.com",
    }
    put(world, replace(ROW, **new), now=NOW)
    assert world.events()[-1] == (only(world).id, "reassigned")
    assert len(world.rows(holders)) == 2
    world.check()
    world.send()
    world.send()
    assert sorted(m["to"] for m in world.accepted()) == ["+51911111111", "luis@example.com"]
    states = sorted(row.state for row in world.rows(messages))
    assert states == [MessageState.CANCELLED] * 2 + [MessageState.SENT] * 2


def test_a_replaced_chip_keeps_the_card(world: World) -> None:
    put(world, ROW)
    old = only(world)
    put(world, replace(ROW, iccid="8951000000000000099"), now=LATER)
    new = only(world)
    assert (new.id, new.msisdn) == (old.id, old.msisdn)
    assert new.iccid == "8951000000000000099"


def test_a_number_that_moved_to_another_chip_of_the_book_stays_with_that_chip(
    world: World,
) -> None:
    put(world, ROW, OTHER)
    first, second = world.rows(cards)
    swapped = (replace(ROW, msisdn=OTHER.msisdn), replace(OTHER, msisdn=ROW.msisdn))
    assert counts(put(world, *swapped, now=LATER)) == (0, 2, 0)
    numbers = {card.id: card.msisdn for card in world.rows(cards)}
    assert numbers == {first.id: OTHER.msisdn, second.id: ROW.msisdn}


def test_cards_without_a_number_are_told_apart_by_their_chip(world: World) -> None:
    rows = [replace(ROW, msisdn=None), replace(OTHER, msisdn=None)]
    assert counts(put(world, *rows)) == (2, 0, 0)
    assert counts(put(world, *rows, now=LATER)) == (0, 0, 2)


def test_two_books_may_hold_the_same_card_and_never_meet(world: World) -> None:
    put(world, ROW)
    for name in ("other", "other"):
        import_book(world.engine, book_of(ROW), name, WANTED, NOW, apply=True)
    assert len(world.rows(cards)) == len(world.rows(holders)) == 2
    with reading(world.engine) as conn:
        assert [len(views.list_cards(conn, name, None)) for name in ("demo", "other")] == [1, 1]


def test_cards_that_a_later_file_leaves_out_stay(world: World) -> None:
    put(world, ROW, OTHER)
    put(world, ROW, now=LATER)
    assert len(world.rows(cards)) == 2


def test_the_time_zone_follows_the_row_then_the_phone_then_the_book(world: World) -> None:
    put(
        world,
        replace(ROW, time_zone="Asia/Shanghai", contact_phone="+51987654321"),
        replace(OTHER, holder="Wang", contact_phone="+8613800138000"),
        replace(OTHER, row=4, msisdn=None, iccid="8951000000000000003", contact_phone=None),
        set_time_zone="Europe/Madrid",
    )
    zones = [row.time_zone for row in world.rows(holders)]
    assert zones == ["Asia/Shanghai", "Asia/Shanghai", "Europe/Madrid"]


def test_a_books_own_values_are_kept_until_they_are_set_anew(world: World) -> None:
    put(world, ROW, set_signature="Chips Rosa")
    put(world, OTHER, signature="Another default", now=LATER)
    [book] = world.rows(books)
    assert (book.signature, book.created_at) == ("Chips Rosa", NOW)
    put(world, OTHER, set_signature="Chips Luis", now=LATER)
    [book] = world.rows(books)
    assert book.signature == "Chips Luis"


def test_a_failure_midway_takes_everything_back(world: World) -> None:
    put(world, ROW)
    before = [world.rows(t) for t in (holders, cards, card_events)]
    changed = replace(ROW, plan_end=TODAY + timedelta(days=35), email="nueva@example.com")
    twice = replace(OTHER, iccid="8951000000000000008")
    clash = replace(OTHER, row=4, msisdn="+51900000003", iccid="8951000000000000008")
    with pytest.raises(DBAPIError):
        put(world, changed, twice, clash, now=LATER)
    assert [world.rows(t) for t in (holders, cards, card_events)] == before


def test_a_big_book_goes_in_as_one(world: World) -> None:
    many = [
        replace(ROW, row=n, msisdn=f"+51{900_000_000 + n}", iccid=f"8951{n:015}")
        for n in range(2_000)
    ]
    assert counts(put(world, *many)) == (2_000, 0, 0)
    moved = [replace(row, plan_end=TODAY + timedelta(days=40)) for row in many]
    assert counts(put(world, *moved, now=LATER)) == (0, 2_000, 0)
    assert {card.watched_since for card in world.rows(cards)} == {LATER}


def test_the_order_of_the_file_is_the_order_of_the_cards(world: World) -> None:
    many = [
        replace(ROW, row=n, msisdn=f"+51{900_000_000 + n}", iccid=None, holder=f"Holder {n % 7}")
        for n in range(300)
    ]
    put(world, *many)
    names = {row.id: row.name for row in world.rows(holders)}
    found = [(card.msisdn, names[card.holder_id]) for card in world.rows(cards)]
    assert found == [(row.msisdn, row.holder) for row in many]


def test_an_import_may_look_back(world: World) -> None:
    put(world, ROW, now=datetime(2026, 6, 20, tzinfo=UTC))
    assert only(world).next_check_at == AT_ONCE
