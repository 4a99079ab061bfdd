"""Checks: which notices a batch of cards owes, each written once, put into letters."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert
from structlog.testing import capture_logs

from tests.integration.helpers import HINT, MORNING, NIGHT, NOW, TODAY, World, causes
from tests.patience import patient
from worker.core.cards import CardState, Channel, Kind
from worker.core.reminders import MessageState, ReminderState
from worker.core.rules import Rules
from worker.pipeline.events import apply
from worker.store.tables import card_events, cards, holders, messages, reminders

SMS, MAIL = Channel.SMS, Channel.EMAIL
PENDING = ReminderState.PENDING


def test_an_open_window_is_owed_on_each_of_its_channels(world: World) -> None:
    card = world.card()
    checked = world.check()
    assert (checked.cards, checked.reminders, checked.messages) == (1, 2, 2)
    sms, mail = world.rows(reminders)
    assert (sms.channel, mail.channel) == (SMS, MAIL)
    for row in (sms, mail):
        assert (row.card_id, row.state, row.reason) == (card, PENDING, None)
        assert (row.deadline, row.window) == ("plan_end", "plan_end-7d")
        assert row.deadline_on == TODAY + timedelta(days=5)
        assert (row.due_at, row.ended_at) == (NOW, None)
    assert {row.message_id for row in (sms, mail)} == {row.id for row in world.rows(messages)}
    for message in world.rows(messages):
        assert (message.state, message.attempts) == (MessageState.PENDING, 0)
        assert message.next_attempt_at == NOW
        assert message.useful_until == sms.useful_until
        # The workers were told of it; the sweep looks only after the hint has run out.
        assert message.wake_at == NOW + HINT
    ids = {row.channel: [row.id] for row in world.rows(messages)}
    assert checked.due == ids


def test_checked_twice_a_card_owes_no_more(world: World) -> None:
    world.cards(3)
    world.check()
    before = (world.rows(reminders), world.rows(messages), world.rows(cards))
    again = world.check(NOW + timedelta(hours=1))
    assert (again.cards, again.reminders, again.messages, again.due) == (3, 0, 0, {})
    assert (world.rows(reminders), world.rows(messages), world.rows(cards)) == before


def test_checked_by_many_at_once_a_card_owes_each_notice_once(world: World) -> None:
    for number in range(20):
        world.cards(5, world.holder(name=f"Holder {number}"))
    ids = [row.id for row in world.rows(cards)]
    start = threading.Barrier(4)
    written: list[int] = []

    def work() -> None:
        start.wait(patient(10))
        written.append(world.check(ids=ids).reminders)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(written) == len(world.rows(reminders)) == 200
    carried = {row.message_id for row in world.rows(reminders)}
    assert carried == {row.id for row in world.rows(messages)}, "a message carries nothing"
    # Five cards are one email and two SMS, for an SMS names four. Those that begin at the same
    # moment may share the cards of the holder at whom they meet: more letters then, but each card
    # in one of them.
    assert 60 <= len(carried) <= 60 + 2 * len(threads)
    assert all(row.next_check_at > NOW for row in world.rows(cards))


def test_one_holder_gets_one_letter_for_all_cards(world: World) -> None:
    first, second = world.holder(), world.holder(name="Luis Paz")
    world.cards(3, first)
    world.cards(2, second)
    world.check()
    groups: dict[tuple[int, str], int] = {}
    holder_of = {row.id: row.holder_id for row in world.rows(cards)}
    letters = {row.id: row for row in world.rows(messages)}
    for row in world.rows(reminders):
        letter = letters[row.message_id]
        assert letter.holder_id == holder_of[row.card_id]
        assert letter.channel == row.channel
        key = (letter.id, row.channel)
        groups[key] = groups.get(key, 0) + 1
    assert sorted(groups.values()) == [2, 2, 3, 3]


def test_without_a_contact_phone_each_number_gets_its_own_letter(world: World) -> None:
    world.cards(3, world.holder(contact_phone=None))
    world.check()
    by_channel = [row.channel for row in world.rows(messages)]
    assert by_channel.count("sms") == 3
    assert by_channel.count("email") == 1


def test_a_letter_is_useful_as_long_as_its_last_notice(world: World) -> None:
    holder = world.holder(contact_phone=None)
    world.card(holder, msisdn=None, plan_end=TODAY + timedelta(days=1))
    world.card(holder, msisdn=None)
    world.check()
    message = world.message(MAIL)
    untils = [row.useful_until for row in world.rows(reminders) if row.message_id == message.id]
    assert len(set(untils)) == 2
    assert message.useful_until == max(untils)


def test_at_night_a_notice_is_written_for_the_morning(world: World) -> None:
    world.card()
    checked = world.check(NIGHT)
    assert checked.due == {}
    for message in world.rows(messages):
        assert message.next_attempt_at == message.wake_at == MORNING


def test_the_next_check_is_when_the_next_window_opens(world: World) -> None:
    world.card()
    world.check()
    [card] = world.rows(cards)
    opening = NOW.replace(day=16, hour=14)  # plan_end-1d, 09:00 in Lima
    assert card.next_check_at == opening
    world.check(opening)
    windows = [row.window for row in world.rows(reminders)]
    assert windows == ["plan_end-7d"] * 2 + ["plan_end-1d"] * 2


@pytest.mark.parametrize("state", [CardState.RECYCLED, CardState.CLOSED])
def test_a_card_that_is_gone_is_not_looked_at_again(world: World, state: CardState) -> None:
    world.card(state=state)
    assert world.check().reminders == 0
    [card] = world.rows(cards)
    assert card.next_check_at is None


def test_a_renewal_ends_the_old_notices_and_makes_new_ones(world: World) -> None:
    card = world.card()
    world.check()
    renewed = TODAY + timedelta(days=6)
    world.change(cards, card, plan_end=renewed)
    world.check(NOW + timedelta(hours=1))
    old, new = world.rows(reminders)[:2], world.rows(reminders)[2:]
    for row in old:
        assert (row.state, row.reason) == (ReminderState.SUPERSEDED, "renewed")
        assert row.ended_at == NOW + timedelta(hours=1)
    assert {row.deadline_on for row in new} == {renewed}
    mail = [row.state for row in new if row.channel == MAIL]
    assert mail == [PENDING]


def test_a_window_that_nobody_looked_at_is_recorded_as_missed(world: World) -> None:
    world.card(watched_since=NOW - timedelta(days=10), plan_end=TODAY, plan_days=30)
    with capture_logs() as logs:
        world.check()
    told = {(row.window, row.channel): (row.state, row.reason) for row in world.rows(reminders)}
    late = (ReminderState.MISSED, "not_checked_in_time")
    assert told == {
        ("plan_end-7d", "sms"): late,
        ("plan_end-7d", "email"): late,
        ("plan_end-1d", "sms"): late,
        ("plan_end-1d", "email"): late,
        ("plan_end+0d", "sms"): (PENDING, None),
    }
    assert causes(logs) == ["reminder_missed"] * 4
    for row in world.rows(reminders):
        ended = row.state == ReminderState.MISSED
        assert (row.message_id is None) == ended
        assert (row.ended_at is not None) == ended
    assert world.check().reminders == 0


def test_what_passed_before_a_card_was_watched_was_never_owed(world: World) -> None:
    world.card(plan_end=TODAY)
    world.check()
    assert [row.window for row in world.rows(reminders)] == ["plan_end+0d"]


def test_without_an_address_a_notice_ends_and_says_why(world: World) -> None:
    world.card(world.holder(contact_phone=None, email=None), msisdn=None)
    world.check()
    none = ReminderState.SUPPRESSED
    assert world.told() == [("sms", none, "no_address"), ("email", none, "no_address")]
    assert world.rows(messages) == []


def test_one_card_that_breaks_a_rule_does_not_silence_its_neighbours(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, broken, last = world.cards(3)
    evaluate = Rules.evaluate

    def fragile(self: Rules, card: Any, *args: Any) -> Any:
        if card.id == broken:
            raise ZeroDivisionError
        return evaluate(self, card, *args)

    monkeypatch.setattr(Rules, "evaluate", fragile)
    with capture_logs() as logs:
        assert world.check().cards == 2
    assert causes(logs) == ["card_check_failed"]
    assert {row.card_id for row in world.rows(reminders)} == {first, last}
    # It stays due: its claim runs out, and it is tried again.
    waiting = {row.id: row.next_check_at for row in world.rows(cards)}
    assert waiting[broken] is None
    assert NOW < waiting[first] == waiting[last]
    assert {row.id for row in world.rows(cards) if row.check_asked_at} == {broken}


def test_a_lapse_or_an_end_that_fails_undoes_only_what_was_written_of_its_own_card(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lapsed: dict[str, Any] = {"renewed_at": NOW - timedelta(days=2), "former_plan_end": TODAY}
    # A line that was lost 90 days ago and more: its number may be a stranger's.
    ended: dict[str, Any] = {"kind": Kind.RETENTION, "plan_end": None, "plan_days": None}
    ended |= {"last_topup": TODAY - timedelta(days=362), "watched_since": NOW - timedelta(days=9)}
    broken = {world.card(**lapsed), world.card(**ended)}
    settled, fine = world.card(**lapsed), world.card()

    def fragile(conn: Any, rules: Rules, one: Any, *args: Any) -> None:
        apply(conn, rules, one, *args)
        if one.card.id in broken:  # the database refuses it: there is no such card
            conn.execute(insert(card_events).values(card_id=0, at=NOW, event="x", detail={}))

    monkeypatch.setattr("worker.pipeline.check.apply", fragile)
    with capture_logs() as logs:
        assert world.check().cards == 4 - len(broken)
    assert causes(logs).count("card_check_failed") == len(broken)
    assert {row.card_id for row in world.rows(reminders)} == {settled, fine}
    assert world.events() == [(settled, "renewal_not_effective")]
    assert {row.id for row in world.rows(cards) if row.check_asked_at} == broken


def test_a_time_zone_that_does_not_exist_breaks_only_its_own_card(world: World) -> None:
    world.card(world.holder(time_zone="Mars/Olympus"))
    fine = world.card(world.holder())
    with capture_logs() as logs:
        world.check()
    assert causes(logs) == ["card_check_failed"]
    assert {row.card_id for row in world.rows(reminders)} == {fine}


def test_a_check_that_cannot_be_written_changes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.card()

    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("worker.store.cards.advance", broken)
    with pytest.raises(RuntimeError):
        world.check()
    assert (world.rows(reminders), world.rows(messages)) == ([], [])


def test_cards_that_do_not_exist_are_passed_over(world: World) -> None:
    card = world.card()
    assert world.check(ids=[card, card + 1, card + 2]).cards == 1
    assert world.check(ids=[]).cards == 0


def test_two_holders_of_one_name_and_number_do_not_share_a_letter(world: World) -> None:
    world.card(world.holder())
    world.card(world.holder())
    world.check()
    letters = [row.holder_id for row in world.rows(messages) if row.channel == SMS]
    assert sorted(letters) == [row.id for row in world.rows(holders)]
