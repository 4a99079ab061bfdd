"""A card is told of only if the message names it, on the real path to the phone."""

from datetime import UTC, datetime, timedelta

from tests.integration.helpers import NOW, PHONE, TODAY, World
from tests.integration.sandbox_helpers import mailbox
from worker.core.cards import Channel, Kind
from worker.core.reminders import ReminderState
from worker.store.tables import cards, messages, reminders

SMS = Channel.SMS


def texts(world: World) -> list[str]:
    return [sms["body"] for sms in mailbox(world.sandbox)["sms"].get(PHONE, [])]


def send_all(world: World) -> None:
    """What a message did not name is in another one: look until nothing waits."""
    for _ in range(10):
        if not world.send().total():
            return


def test_an_sms_names_every_card_that_it_tells_of(world: World) -> None:
    holder = world.holder(email=None)
    world.cards(3, holder)
    world.check()
    send_all(world)
    [text] = texts(world)
    tails = [row.msisdn[-4:] for row in world.rows(cards)]
    assert all(tail in text for tail in tails), text
    assert "more SIM" not in text


def test_a_card_that_found_no_room_comes_in_an_sms_of_its_own(world: World) -> None:
    holder = world.holder(email=None)
    world.cards(9, holder)
    world.check()
    send_all(world)
    found = texts(world)
    for row in world.rows(cards):
        naming = [text for text in found if row.msisdn[-4:] in text]
        assert len(naming) == 1, (row.msisdn[-4:], found)
    assert {row.state for row in world.rows(reminders) if row.channel == SMS} == {
        ReminderState.SENT
    }


def test_one_sentence_is_true_of_all_cards_that_it_names(world: World) -> None:
    """Two days, two operators: no SMS lends a card the date or the operator of another."""
    holder = world.holder(email=None)
    world.card(holder, operator="claro")
    world.card(holder, operator="entel")
    world.card(holder, operator="claro", plan_end=TODAY + timedelta(days=4))
    world.check()
    send_all(world)
    found = texts(world)
    assert len(found) == 3
    for row in world.rows(cards):
        [text] = [text for text in found if row.msisdn[-4:] in text]
        assert row.operator.title() in text
        assert f"{row.plan_end.day} {row.plan_end:%b}" in text


def test_what_changed_since_it_was_written_is_not_lumped_together(world: World) -> None:
    """Written for one day, sent on another: then the sentence of the one is not that of the
    other, and each has its own message."""
    holder = world.holder(email=None)
    first, second = world.cards(2, holder)
    world.check()
    # One of the two was renewed by a correction of the book between the check and the send.
    world.change(cards, second, plan="60 dias", operator="entel")
    send_all(world)
    found = texts(world)
    assert len(found) == 2
    assert [("Claro" in text, "Entel" in text) for text in found] in (
        [(True, False), (False, True)],
        [(False, True), (True, False)],
    )
    assert first != second


def test_one_card_with_two_deadlines_is_one_card(world: World) -> None:
    """A plan that ends and a line that is lost: an email of both tells of no further card."""
    holder = world.holder(contact_phone=None)
    world.card(
        holder,
        kind=Kind.RETENTION,
        operator="entel",
        plan_days=None,
        plan_end=TODAY + timedelta(days=7),
        last_topup=TODAY - timedelta(days=53),
        msisdn="+51987650000",
    )
    world.check()
    send_all(world)
    [email] = mailbox(world.sandbox)["email"]["rosa@example.com"]
    assert len([r for r in world.rows(reminders) if r.channel == "email"]) == 2
    assert "(+1" not in email["subject"]
    assert "more SIM" not in email["subject"] + email["text"]


def test_an_sms_is_valid_until_the_holders_hours_end(world: World) -> None:
    """At 19:59 a provider may keep it for a minute: "TOMORROW" must not arrive at night."""
    world.card(world.holder(email=None), plan_end=TODAY + timedelta(days=1))
    late = datetime(2026, 6, 13, 0, 59, tzinfo=UTC)  # 19:59 in Lima
    world.check(late)
    world.send(late)
    [sms] = mailbox(world.sandbox)["sms"][PHONE]
    assert 1 <= sms["validity_s"] <= 60


def test_an_sms_is_not_valid_beyond_its_deadline(world: World) -> None:
    """In China the plan ends at 13:00, in the middle of the hours."""
    world.card(world.holder(email=None, time_zone="Asia/Shanghai"), plan_end=TODAY)
    noon = datetime(2026, 6, 13, 4, 30, tzinfo=UTC)  # 12:30 in Beijing
    world.check(noon)
    world.send(noon)
    [sms] = mailbox(world.sandbox)["sms"][PHONE]
    assert sms["validity_s"] <= 1800
    assert NOW < noon


def test_messages_that_are_split_are_each_sent_once(world: World) -> None:
    holder = world.holder(email=None)
    world.cards(6, holder)
    world.check()
    send_all(world)
    states = {row.state for row in world.rows(messages)}
    assert states == {"sent"}
    assert len(texts(world)) == len(world.rows(messages))
