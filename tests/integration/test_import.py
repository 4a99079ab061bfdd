"""Importing a card book: all of it or nothing, and what each change of a row means."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Row
from sqlalchemy.exc import DBAPIError

from tests.integration.helpers import LEASE, NIGHT, NOW, TODAY, WANTED, World
from tests.vocabulary import VOCABULARY
from worker.cardbook.changes import Action
from worker.cardbook.importer import KeepRefused, Result, import_book
from worker.cardbook.options import ReadOptions
from worker.cardbook.parse import read_cardbook
from worker.cardbook.rows import CardBook, CardRow
from worker.core.cards import Channel, Kind, Language
from worker.core.hours import local_day
from worker.core.life import LifeEvent
from worker.core.reminders import MessageState, ReminderState
from worker.core.rules import Rules
from worker.errors import CardBookError
from worker.paths import shipped
from worker.store import views
from worker.store.cards import claim_asked
from worker.store.engine import reading, writing
from worker.store.tables import books, card_events, cards, holders, messages, reminders

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
    return put_book(world, book_of(*rows), now, apply, **wanted)


def put_book(
    world: World,
    book: CardBook,
    now: datetime = NOW,
    apply: bool = True,
    keep: KeepRefused | None = None,
    **wanted: Any,
) -> Result:
    return import_book(
        world.engine,
        book,
        "demo",
        {**WANTED, **wanted},
        now,
        rules=world.rules,
        apply=apply,
        keep_refused=keep,
    )


def counts(result: Result) -> tuple[int, int, int]:
    return result.created, result.changed, result.unchanged


def only(world: World) -> Row[Any]:
    [card] = world.rows(cards)
    return card


@pytest.mark.parametrize("name", ["cardbook-zh.xlsx", "cardbook-en.tsv"])
def test_the_samples_are_imported_exactly_as_they_were_meant(
    engine: Engine, rules: Rules, name: str
) -> None:
    parsed = read_cardbook(shipped("examples") / name, ReadOptions(), VOCABULARY)
    result = import_book(engine, parsed, "demo", WANTED, NOW, rules=rules, apply=True)
    assert (result.refused, result.applied) == (0, True)
    expected = json.loads((DATA / f"{Path(name).stem}.expected.json").read_text("utf-8"))
    with reading(engine) as conn:
        found = views.list_cards(conn, "demo", None)
    assert [{key: _plain(card[key]) for key in expected[0]} for card in found] == expected
    again = import_book(engine, parsed, "demo", WANTED, LATER, rules=rules, apply=True)
    assert counts(again) == (0, 0, len(expected))


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def test_a_new_card_is_watched_from_now_and_checked_at_once(world: World) -> None:
    assert counts(put(world, ROW)) == (1, 0, 0)
    card = only(world)
    assert (card.state, card.time_zone) == ("active", "America/Lima")
    assert card.watched_since == card.created_at == card.updated_at == NOW
    assert card.check_asked_at == NOW
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
    assert counts(put(world, renewed(), now=LATER)) == (0, 1, 0)
    card = only(world)
    assert card.plan_end == TODAY + timedelta(days=35)
    assert (card.watched_since, card.check_asked_at) == (LATER, LATER)
    assert (card.created_at, card.updated_at) == (NOW, LATER)
    assert world.events() == [(card.id, "imported"), (card.id, "renewed")]
    [_, event] = world.rows(card_events)
    assert event.detail == {"fields": ["plan_end"]}
    world.check(LATER)
    told = {(row.deadline, row.state) for row in world.rows(reminders)}
    assert told == {
        ("plan_end", ReminderState.SUPERSEDED),
        ("renewal_recorded", ReminderState.PENDING),
    }


def renewed(row: CardRow = ROW, days: int = 30) -> CardRow:
    """The row with a plan that ends later."""
    assert row.plan_end is not None
    return replace(row, plan_end=row.plan_end + timedelta(days=days))


def test_a_renewal_by_import_is_told_like_one_that_is_entered(world: World) -> None:
    put(world, ROW)
    world.check()
    by_hand, [card] = world.rows(reminders), world.rows(cards)
    assert put(world, renewed(), now=LATER).told == 1
    imported = _owed(world)
    world.change(cards, plan_end=ROW.plan_end)
    for row in world.rows(reminders):
        if row.id > by_hand[-1].id:
            world.change(reminders, row.id, deadline_on=TODAY - timedelta(days=9))
    world.live(card.id, LifeEvent.RENEWED, LATER, plan_end=renewed().plan_end)
    assert _owed(world) == imported != []
    world.send(LATER)
    assert {m["to"] for m in world.accepted()} == {ROW.contact_phone, ROW.email}


def _owed(world: World) -> list[tuple[Any, ...]]:
    """What of a renewal was written last, without ids."""
    rows = [row for row in world.rows(reminders) if row.deadline == "renewal_recorded"]
    today = local_day(LATER, "America/Lima")
    return sorted(
        (row.channel, row.state, row.window, row.due_at, row.useful_until, row.deadline_on)
        for row in rows
        if row.deadline_on == today
    )


def test_the_cards_of_one_holder_share_the_messages_of_their_renewals(world: World) -> None:
    """One email for all 40, and an SMS for every four that it names."""
    many = [
        replace(ROW, row=n, msisdn=f"+51{900_000_000 + n}", iccid=f"8951{n:015}") for n in range(40)
    ]
    put(world, *many)
    assert put(world, *map(renewed, many), now=LATER).told == 40
    channels = Counter(row.channel for row in world.rows(messages))
    assert channels == {Channel.EMAIL: 1, Channel.SMS: 10}
    assert len(world.rows(reminders)) == 80
    world.send(LATER)
    assert len(world.accepted()) == 11


@pytest.mark.parametrize("told_between", [False, True])
def test_two_renewals_on_one_day_are_told_once(world: World, told_between: bool) -> None:
    put(world, ROW)
    put(world, renewed(), now=LATER)
    if told_between:
        world.send(LATER)
    put(world, renewed(days=60), now=LATER)
    world.send(LATER)
    assert len(world.accepted()) == 2


@pytest.mark.parametrize(
    "row",
    [
        replace(ROW, plan_end=TODAY + timedelta(days=1)),
        replace(ROW, plan_end=TODAY + timedelta(days=19)),
        replace(ROW, plan_end=None, last_topup=TODAY - timedelta(days=90)),
        replace(ROW, last_topup=TODAY - timedelta(days=90)),
        replace(ROW, balance=Decimal(3)),
        replace(ROW, plan="60 dias", plan_days=60),
    ],
    ids=[
        "moved back",
        "moved on by less than half the plan",
        "end unknown",
        "topup long ago",
        "balance",
        "plan",
    ],
)
def test_a_correction_is_no_renewal_and_nobody_is_told(world: World, row: CardRow) -> None:
    put(world, ROW)
    result = put(world, row, now=LATER)
    assert (result.changed, result.told) == (1, 0)
    assert world.events()[-1][1] == "changed"
    assert world.rows(messages) == []
    card = only(world)
    assert (card.watched_since, card.check_asked_at) == (LATER, LATER)


def test_a_renewal_whose_plan_has_ended_already_is_not_told(world: World) -> None:
    put(world, replace(ROW, plan_end=TODAY - timedelta(days=60)))
    result = put(world, replace(ROW, plan_end=TODAY - timedelta(days=30)), now=LATER)
    assert (world.events()[-1][1], result.told) == ("renewed", 0)
    assert world.rows(messages) == []


def test_a_paused_card_is_renewed_in_silence(world: World) -> None:
    put(world, ROW)
    world.live(only(world).id, LifeEvent.PAUSED)
    assert put(world, renewed(), now=LATER).told == 0
    assert world.rows(messages) == []
    assert only(world).paused


def test_the_keeper_who_imports_is_not_told_of_holders_out_of_reach(world: World) -> None:
    alone = replace(ROW, contact_phone=None, email=None, msisdn=None)
    put(world, alone, set_guardian_email="keeper@example.com")
    put(world, renewed(alone), now=LATER)
    assert world.rows(messages) == []
    assert {row.reason for row in world.rows(reminders)} == {"no_address"}


def test_a_renewal_ends_what_waits_of_the_time_before(world: World) -> None:
    put(world, ROW)
    card = only(world).id
    world.live(card, LifeEvent.LOW_DATA, NIGHT)
    put(world, renewed(), now=NIGHT)
    states = {row.deadline: (row.state, row.reason) for row in world.rows(reminders)}
    assert states["low_data"] == (ReminderState.SUPERSEDED, "renewed")


def test_a_renewal_brings_a_suspended_card_back(world: World) -> None:
    put(world, ROW)
    world.live(only(world).id, LifeEvent.SUSPENDED)
    put(world, replace(ROW, note="VIP"), now=LATER)
    assert only(world).state == "suspended"
    put(world, replace(renewed(), note="VIP"), now=LATER)
    assert only(world).state == "active"


def test_the_book_settles_a_renewal_that_waits_to_be_confirmed(world: World) -> None:
    put(world, ROW)
    world.live(only(world).id, LifeEvent.RENEWED, plan_end=renewed().plan_end)
    assert only(world).renewed_at == NOW
    put(world, renewed(days=31), now=LATER)
    card = only(world)
    assert (card.renewed_at, card.former_plan_end, card.former_last_topup) == (None, None, None)


@pytest.mark.parametrize("row", [
    replace(ROW, plan_end=TODAY + timedelta(days=20)),
    replace(ROW, plan_end=TODAY + timedelta(days=6), last_topup=TODAY),
    replace(ROW, plan_end=TODAY + timedelta(days=6), plan_days=None),
], ids=["half the plan", "a newer top-up", "a plan of unknown length"])  # fmt: skip
def test_what_may_have_been_paid_for_is_a_renewal(world: World, row: CardRow) -> None:
    put(world, replace(ROW, plan_days=row.plan_days))
    assert put(world, row, now=LATER).told == 1


def test_the_receipt_of_an_earlier_renewal_does_not_name_an_imported_one(world: World) -> None:
    put(world, ROW)
    world.live(only(world).id, LifeEvent.RENEWED, plan_end=renewed().plan_end, receipt_ref="R-1")
    assert only(world).receipt_ref == "R-1"
    put(world, renewed(days=60), now=LATER)
    assert only(world).receipt_ref is None


def test_a_recycled_number_stays_recycled_whatever_a_book_says(world: World) -> None:
    put(world, ROW)
    world.live(only(world).id, LifeEvent.RECYCLED)
    told = len(world.rows(messages))
    assert put(world, renewed(), now=LATER).told == 0
    assert only(world).state == "recycled"
    assert len(world.rows(messages)) == told


def test_cards_that_no_row_names_are_told_and_stay(world: World) -> None:
    third = replace(ROW, row=4, msisdn="+51900000003", iccid="8951000000000000003")
    put(world, ROW, OTHER, third)
    first, second, paused = world.rows(cards)
    world.live(paused.id, LifeEvent.PAUSED)
    before = world.rows(cards)
    for apply in (False, True):
        result = put(world, ROW, now=LATER, apply=apply)
        [missing] = result.missing
        assert (missing.id, missing.operator, missing.number) == (second.id, "claro", "…0002")
    assert world.rows(cards) == before
    assert first.id not in {card.id for card in result.missing}


@pytest.mark.parametrize("name", [OTHER.msisdn, OTHER.iccid])
def test_a_card_that_a_refused_row_names_is_not_missing(world: World, name: str) -> None:
    put(world, ROW, OTHER)
    book = replace(book_of(ROW, refused=1), named=frozenset({name}))
    assert put_book(world, book, LATER).missing == ()


def test_a_number_is_not_taken_from_a_chip_that_a_refused_row_names(world: World) -> None:
    put(world, ROW)
    assert ROW.iccid is not None
    moved = replace(ROW, iccid="8951000000000000077")
    book = replace(book_of(moved, refused=1), named=frozenset({ROW.iccid}))
    assert counts(put_book(world, book, LATER, apply=False)) == (1, 0, 0)


def test_the_good_rows_go_in_once_the_refused_ones_are_kept(world: World, tmp_path: Path) -> None:
    kept = tmp_path / "book.refused.xlsx"
    book = book_of(ROW, refused=1)
    dry = put_book(world, book, apply=False, keep=lambda _: kept)
    assert (dry.applied, dry.refused_file) == (False, None)
    assert world.rows(cards) == []
    result = put_book(world, book, keep=lambda _: kept)
    assert (result.applied, result.refused, result.refused_file) == (True, 1, kept)
    assert only(world).msisdn == ROW.msisdn


def test_nothing_goes_in_where_the_refused_rows_cannot_be_kept(world: World) -> None:
    def full(_language: str) -> Path:
        raise CardBookError("no space left", "make room")

    with pytest.raises(CardBookError):
        put_book(world, book_of(ROW, refused=1), keep=full)
    assert [world.rows(t) for t in (books, holders, cards, card_events)] == [[], [], [], []]


def test_what_is_told_of_changes_shows_no_number_and_no_address(world: World) -> None:
    put(world, ROW, OTHER)
    result = put(world, renewed(), replace(OTHER, email="nueva@example.com"), now=LATER)
    assert [(c.row, c.card, c.action, c.fields) for c in result.changes] == [
        (2, "claro …0001", Action.RENEWED, ("plan_end",)),
        (3, "claro …0002", Action.CONTACT_CHANGED, ("holder",)),
    ]
    assert result.changes[0].plan_end == (ROW.plan_end, renewed().plan_end)
    assert "@" not in str(result.changes)
    assert "+51" not in str(result.changes)


def test_the_gravest_changes_are_told_first(world: World) -> None:
    put(world, OTHER)
    result = put(world, ROW, renewed(OTHER), now=LATER)
    assert [c.action for c in result.changes] == [Action.RENEWED, Action.CREATED]


def test_a_former_holder_without_cards_is_forgotten(world: World) -> None:
    put(world, ROW)
    put(world, replace(ROW, holder="Luis Paz", email="luis@example.com"), now=LATER)
    former, present = world.rows(holders)
    assert (former.name, former.email, former.contact_phone) == ("", None, None)
    assert (present.name, present.email) == ("Luis Paz", "luis@example.com")


def test_a_reassigned_card_ends_its_events_too(world: World) -> None:
    put(world, ROW)
    world.live(only(world).id, LifeEvent.LOW_DATA, NIGHT)
    put(world, replace(ROW, holder="Luis Paz"), now=NIGHT)
    assert {(row.state, row.reason) for row in world.rows(reminders)} == {
        (ReminderState.SUPERSEDED, "reassigned")
    }
    assert only(world).watched_since == NIGHT


def test_a_holder_who_gets_a_name_is_the_same_person(world: World) -> None:
    put(world, replace(ROW, holder=""))
    put(world, ROW, now=LATER)
    assert world.events()[-1][1] == "contact_changed"


def test_new_defaults_of_the_book_reach_the_holders_who_follow_them(world: World) -> None:
    put(world, ROW, replace(OTHER, language=Language.EN))
    put(world, ROW, replace(OTHER, language=Language.EN), now=LATER, set_language="zh-Hans")
    assert [row.language for row in world.rows(holders)] == ["zh-Hans", "en"]


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
    assert (card.note, card.watched_since, card.check_asked_at) == ("VIP", NOW, LATER)


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
    result = put_book(world, book_of(ROW, refused=1))
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
        import_book(world.engine, book_of(ROW), name, WANTED, NOW, rules=world.rules, apply=True)
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
    """A day before the import is played: what is new is due then, too."""
    put(world, ROW, now=datetime(2026, 6, 20, tzinfo=UTC))
    with writing(world.engine) as conn:
        claimed = claim_asked(conn, NOW, 10, LEASE)
    card = only(world)
    assert [one.card for one in claimed] == [card.id]
    assert (card.check_since, card.next_check_at) == (NOW, NOW + LEASE)
    assert card.check_asked_at is None


def test_a_newer_file_without_a_column_leaves_its_values_as_they_are(
    world: World, tmp_path: Path
) -> None:
    put(world, replace(ROW, note="VIP", imsi="716060000000001"))
    file = tmp_path / "numbers.csv"
    file.write_text(f"msisdn,operator,kind,expires\n{ROW.msisdn},claro,data,{ROW.plan_end}\n")
    parsed = read_cardbook(file, ReadOptions(), VOCABULARY)
    result = import_book(world.engine, parsed, "demo", WANTED, LATER, rules=world.rules, apply=True)
    assert counts(result) == (0, 0, 1)
    card, [holder] = only(world), world.rows(holders)
    assert (card.note, card.imsi, card.iccid) == ("VIP", "716060000000001", ROW.iccid)
    assert (holder.email, holder.contact_phone) == (ROW.email, ROW.contact_phone)


def test_a_blank_cell_in_a_column_that_is_there_takes_the_value_away(
    world: World, tmp_path: Path
) -> None:
    put(world, ROW)
    file = tmp_path / "blank.csv"
    rows = f"{ROW.msisdn},claro,data,{ROW.plan_end},\n"
    file.write_text(f"msisdn,operator,kind,expires,email\n{rows}")
    parsed = read_cardbook(file, ReadOptions(), VOCABULARY)
    import_book(world.engine, parsed, "demo", WANTED, LATER, rules=world.rules, apply=True)
    [holder] = world.rows(holders)
    assert (holder.email, holder.contact_phone) == (None, ROW.contact_phone)
