"""Who has said stop is not written to: by word, for one card or all, in every order of events."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from tests.integration.helpers import (
    EMAIL,
    MORNING,
    NOW,
    OPTED_OUT,
    PHONE,
    TODAY,
    Carrier,
    Out,
    World,
    always,
    explained,
)
from tests.integration.sandbox_helpers import mailbox
from worker.core.cards import Channel
from worker.core.life import LifeEvent
from worker.core.optout import Said
from worker.core.outcomes import Outcome, OutcomeKind, accepted
from worker.core.reminders import ReminderState
from worker.pipeline.consent import Consent
from worker.store import recipients
from worker.store import suppressions as store
from worker.store.engine import reading, writing
from worker.store.tables import books, card_events, inbound, messages, reminders, suppressions

SMS, MAIL = Channel.SMS, Channel.EMAIL
LATER = NOW + timedelta(minutes=5)
SM1, SM2 = ("twilio", "SM1"), ("twilio", "SM2")
TAKEN = Outcome(OutcomeKind.ACCEPTED, "accepted")
RETRY = Outcome(OutcomeKind.TRANSIENT, "twilio:http_500")


def consent(world: World) -> Consent:
    return Consent(world.engine)


def say(world: World, text: str, read: Said | None = None, sender: str = PHONE) -> str:
    return consent(world).inbound(sender, text, NOW, read=read)


def in_force(world: World) -> list[tuple[str, str, int | None, str, str]]:
    return [
        (row.channel, row.address, row.card_id, row.reason, row.source)
        for row in world.rows(suppressions)
        if row.lifted_at is None
    ]


def told_to(world: World) -> list[str]:
    return sorted(m["to"] for m in world.accepted())


def test_who_says_baja_gets_no_sms_any_more_and_the_email_goes_on(world: World) -> None:
    card = world.card()
    world.check()
    assert say(world, " baja ") == "opted_out"
    for now in (NOW, LATER):
        world.send(now)
    assert told_to(world) == [EMAIL]
    assert ("sms", ReminderState.SUPPRESSED, "opted_out") in world.told()
    assert in_force(world) == [("sms", PHONE, None, "opted_out", "word")]
    [event] = world.rows(card_events)
    assert (event.card_id, event.event) == (card, "opted_out")
    assert event.detail == {"channel": "sms", "source": "word", "all_cards": True}


def test_a_notice_that_went_by_sms_alone_goes_by_email_after_an_opt_out(world: World) -> None:
    world.card(plan_end=TODAY)
    world.check()
    say(world, "STOP")
    world.send()
    world.send(LATER)
    assert told_to(world) == [EMAIL]


def test_saying_it_twice_is_no_news(world: World) -> None:
    world.card()
    assert [say(world, word) for word in ("STOP", "salir", "退订")] == ["opted_out"] * 3
    assert len(world.rows(suppressions)) == len(world.rows(card_events)) == 1


def test_of_many_who_hear_it_at_once_one_writes_it(world: World) -> None:
    world.card()
    threads = [threading.Thread(target=say, args=(world, "STOP")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(world.rows(suppressions)) == len(world.rows(card_events)) == 1


@pytest.mark.parametrize(
    "text",
    [
        *(
            "BAJA.",
            "¡BAJA!",
            "Baja, gracias",
            "STOP.",
            "stop please",
            "STOPALL",
            "REVOKE",
            "OPTOUT",
        ),
        *("退订。", "TD。", "回TD"),
    ],
)
def test_a_word_with_marks_and_courtesy_around_it_is_heard(world: World, text: str) -> None:
    world.card()
    world.check()
    assert say(world, text) == "opted_out"
    world.send()
    assert told_to(world) == [EMAIL]


@pytest.mark.parametrize("text", ["START", "YES", "UNSTOP", "Alta.", "恢复", "恢復!"])
def test_the_words_back_let_sms_go_out_again(world: World, text: str) -> None:
    world.card()
    world.check()
    assert say(world, "BAJA") == "opted_out"
    assert say(world, text) == "opted_in"
    world.send(channel=SMS)
    assert told_to(world) == [PHONE]


def test_a_sentence_with_a_word_in_it_stops_nothing_and_is_for_a_person_to_read(
    world: World,
) -> None:
    card = world.card()
    world.check()
    told = "Quiero dar de baja mi línea 987 654 321, escriba a rosa@example.com"
    with capture_logs() as logs:
        assert Consent(world.engine).inbound(PHONE, told, NOW, brought=SM1) == "unclear"
    [alarm] = [one for one in logs if one["event"] == "alarm"]
    assert alarm["cause"] == "opt_out_unclear"
    assert alarm["text"] == "Quiero dar de baja mi línea ***, escriba a ***"
    assert (alarm["number"], alarm["cards"]) == ("***4321", [card])
    assert world.events() == [(card, "holder_wrote")]
    assert [row.text for row in world.rows(inbound)] == [alarm["text"]]
    world.send()
    assert told_to(world) == sorted([EMAIL, PHONE])


def test_the_same_message_brought_again_says_nothing_new(world: World) -> None:
    world.card()
    own = consent(world)
    assert own.inbound(PHONE, "START", NOW, brought=SM1) == "opted_in"
    assert own.inbound(PHONE, "STOP", LATER, brought=SM2) == "opted_out"
    assert own.inbound(PHONE, "START", LATER + timedelta(days=300), brought=SM1) == "seen"
    assert [row[3] for row in in_force(world)] == ["opted_out"]


@pytest.mark.parametrize(
    ("first", "second", "end"), [("STOP", "ALTA", []), ("ALTA", "STOP", ["opted_out"])]
)
def test_of_two_words_the_one_said_later_counts_though_it_is_read_first(
    world: World, first: str, second: str, end: list[str]
) -> None:
    own, late = consent(world), LATER + timedelta(hours=1)
    own.inbound(PHONE, second, late, brought=SM2, said_at=LATER)
    assert own.inbound(PHONE, first, late, brought=SM1, said_at=NOW) == "overtaken"
    assert [row[3] for row in in_force(world)] == end


def test_of_many_who_bring_one_message_at_once_one_takes_it(world: World) -> None:
    heard: list[str] = []

    def bring() -> None:
        heard.append(consent(world).inbound(PHONE, "STOP", NOW, brought=SM1))

    threads = [threading.Thread(target=bring) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(heard) == ["opted_out", *["seen"] * 7]


FAR = TODAY + timedelta(days=20)  # plan_end-30d, which its policy sends by email alone


@pytest.mark.parametrize(
    "reason", ["opted_out", "sendgrid:group_unsubscribe", "sendgrid:opted_out"]
)
def test_who_unsubscribes_from_emails_gets_no_sms_of_what_is_sent_by_email_alone(
    world: World, reason: str
) -> None:
    world.card(plan_days=90, plan_end=FAR)
    world.check()
    world.suppress(MAIL, EMAIL, reason)
    for now in (NOW, LATER):
        world.send(now)
    assert told_to(world) == []
    assert world.told() == [("email", ReminderState.SUPPRESSED, reason)]


def test_a_dead_mailbox_still_sends_by_sms_what_goes_by_email_alone(world: World) -> None:
    world.card(plan_days=90, plan_end=FAR)
    world.check()
    world.suppress(MAIL, EMAIL, "sendgrid:bounce")
    for now in (NOW, LATER):
        world.send(now)
    assert told_to(world) == [PHONE]


def test_the_guardian_hears_of_who_declines_emails_and_has_no_phone(world: World) -> None:
    world.change(books, world.book(), guardian_email="shop@example.com")
    world.card(world.holder(contact_phone=None), msisdn=None, plan_days=90, plan_end=FAR)
    world.check()
    world.suppress(MAIL, EMAIL, "opted_out")
    for now in (NOW, LATER):
        world.send(now)
    assert world.told() == [
        ("email", ReminderState.SUPPRESSED, "opted_out"),
        ("guardian", ReminderState.SENT, None),
    ]


@pytest.mark.parametrize("text", ["NO", "SI", "gracias", "N", ""])
def test_other_words_change_nothing(world: World, text: str) -> None:
    world.card()
    assert say(world, text) == "ignored"
    assert say(world, "AYUDA") == "help"
    assert not world.rows(suppressions)


def test_what_twilio_has_read_is_kept_as_its_reading(world: World) -> None:
    assert say(world, "basta", Said.OUT) == "opted_out"
    assert in_force(world) == [("sms", PHONE, None, "opted_out", "optout")]


def test_who_starts_again_gets_sms_again(world: World) -> None:
    world.card()
    say(world, "STOP")
    assert say(world, "alta") == "opted_in"
    world.check()
    world.send()
    assert told_to(world) == sorted([PHONE, EMAIL])
    [row] = world.rows(suppressions)
    assert (row.lifted_at, row.lifted_reason) == (NOW, "holder: word")
    assert [event for _, event in world.events()] == ["opted_out", "opted_in"]
    say(world, "STOP")  # and once more
    assert in_force(world) == [("sms", PHONE, None, "opted_out", "word")]


@pytest.mark.parametrize(
    ("reason", "lifted"), [("twilio:30005", False), ("recycled", False), ("twilio:21610", True)]
)
def test_a_word_takes_back_an_opt_out_and_revives_no_dead_number(
    world: World, reason: str, lifted: bool
) -> None:
    with writing(world.engine) as conn:
        store.add(conn, SMS, {PHONE: reason}, NOW)
    say(world, "START")
    assert bool(in_force(world)) is not lifted


def test_the_holders_word_stands_over_what_the_provider_found(world: World) -> None:
    with writing(world.engine) as conn:
        store.add(conn, SMS, {PHONE: "twilio:30005"}, NOW)
        assert store.add(conn, SMS, {PHONE: "twilio:30006"}, NOW) == []
    assert in_force(world) == [("sms", PHONE, None, "twilio:30005", "provider")]
    say(world, "STOP")
    with writing(world.engine) as conn:
        store.add(conn, SMS, {PHONE: "twilio:21610"}, NOW)
    assert in_force(world) == [("sms", PHONE, None, "opted_out", "word")]


@pytest.mark.parametrize("before", [None, "opted_out", "twilio:30005"])
def test_a_recycled_number_stays_blocked_whatever_its_new_owner_says(
    world: World, before: str | None
) -> None:
    """And whatever was known of it before, which may end in time or be taken back."""
    holder = world.holder(contact_phone=None)
    card = world.card(holder, msisdn=PHONE)
    source = store.PROVIDER if before == "twilio:30005" else "word"
    if before:
        with writing(world.engine) as conn:
            store.add(
                conn, SMS, {PHONE: before}, NOW, source=source, expires_at=NOW + timedelta(days=90)
            )
    world.live(card, LifeEvent.RECYCLED)
    with writing(world.engine) as conn:
        assert store.lift_expired(conn, NOW + timedelta(days=90)) == 0
    for word in ("STOP", "START"):
        say(world, word)
    assert [row[3] for row in in_force(world)] == ["recycled"]


def test_a_provider_that_knows_of_an_opt_out_is_believed(world: World) -> None:
    world.card(world.holder(contact_phone=OPTED_OUT))
    world.check()
    world.send(channel=SMS)
    assert in_force(world) == [("sms", OPTED_OUT, None, "twilio:21610", "provider")]
    assert say(world, "START", sender=OPTED_OUT) == "opted_in"
    assert in_force(world) == []


def test_one_card_can_be_silent_while_the_others_go_on(world: World) -> None:
    silent, loud = world.cards(2, world.holder())
    consent(world).opt_out(SMS, PHONE, NOW, source="link", reason="opted_out", card_id=silent)
    world.check()
    world.send(channel=SMS)
    [text] = world.accepted(SMS)
    assert "more SIM" not in text["text"]
    states = {(row.card_id, row.channel): row.state for row in world.rows(reminders)}
    assert states[silent, "sms"] == ReminderState.SUPPRESSED
    assert states[loud, "sms"] == ReminderState.SENT
    [event] = world.rows(card_events)
    assert (event.card_id, event.detail["all_cards"]) == (silent, False)
    say(world, "STOP")
    assert len(in_force(world)) == 2
    say(world, "START")
    assert in_force(world) == []


def test_an_opt_out_during_the_call_ends_what_would_be_tried_again(world: World) -> None:
    world.card(plan_end=TODAY)
    world.check()

    async def answer(out: Out) -> Outcome:
        say(world, "STOP")
        return RETRY

    world.send(channel=SMS, providers={SMS: Carrier(answer)})
    calls = always(TAKEN)
    world.send(NOW + timedelta(hours=1), channel=SMS, providers={SMS: calls})
    assert calls.calls == []
    assert world.message(SMS).reason == "opted_out"
    world.send(NOW + timedelta(hours=1))
    assert told_to(world) == [EMAIL]


def test_an_opt_out_during_a_call_that_succeeds_holds_for_the_next(world: World) -> None:
    world.card()
    world.check()

    async def answer(out: Out) -> Outcome:
        say(world, "STOP")
        return accepted(f"id-{out.attempt}")

    world.send(channel=SMS, providers={SMS: Carrier(answer)})
    assert world.message(SMS).state == "sent"
    later = NOW + timedelta(days=4)
    world.check(later)
    calls = always(TAKEN)
    world.send(later, channel=SMS, providers={SMS: calls})
    assert calls.calls == []


def test_who_has_stopped_everything_is_told_nothing_and_the_guardian_hears_of_it(
    world: World,
) -> None:
    world.card()
    world.change(books, guardian_email="guardian@example.com")
    say(world, "STOP")
    consent(world).opt_out(MAIL, EMAIL.upper(), NOW, source="link", reason="opted_out")
    world.check()
    for minutes in range(3):
        world.send(NOW + timedelta(minutes=minutes))
    assert told_to(world) == ["guardian@example.com"]
    [alert] = mailbox(world.sandbox)["email"]["guardian@example.com"]
    assert "...0000" in alert["text"]


def test_a_person_lifts_it_with_a_reason_that_is_kept(world: World) -> None:
    world.card()
    say(world, "STOP")
    said = consent(world).lift(SMS, PHONE, MORNING, reason="he asked by phone")
    assert said == ["word"]
    [row] = world.rows(suppressions)
    assert (row.lifted_at, row.lifted_reason) == (MORNING, "he asked by phone")
    assert consent(world).lift(SMS, PHONE, MORNING, reason="again") == []
    world.check()
    world.send()
    assert PHONE in told_to(world)


def test_all_that_waits_is_silent_after_an_opt_out_of_both_channels(world: World) -> None:
    holder = world.holder()
    for days in (0, 1, 5):
        world.cards(3, holder, plan_end=TODAY + timedelta(days=days))
    world.check()
    say(world, "STOP")
    consent(world).opt_out(MAIL, EMAIL, NOW, source="one_click", reason="opted_out")
    for days in range(8):
        now = NOW + timedelta(days=days)
        world.check(now)
        world.send(now)
    assert world.accepted() == []
    assert {row.state for row in world.rows(messages)} == {"cancelled"}


@pytest.mark.parametrize(
    ("channel", "address", "indexes"),
    [
        (SMS, PHONE, {"ix_holders_contact_phone", "ix_cards_msisdn", "ix_cards_holder_id"}),
        (MAIL, "Rosa@example.com", {"ix_holders_email", "ix_cards_holder_id"}),
    ],
)
def test_the_cards_of_an_address_are_found_by_indexes(
    world: World, channel: Channel, address: str, indexes: set[str]
) -> None:
    for n in range(100, 200):
        world.card(world.holder(contact_phone=f"+51950000{n}", email=f"h{n}@example.com"))
    wanted = world.card(world.holder(email="rosa@EXAMPLE.com"))
    own = world.card(world.holder(contact_phone=None, email=None), msisdn=PHONE)
    with writing(world.engine) as conn:
        conn.execute(text("ANALYZE"))  # or the plan depends on whether somebody did so meanwhile
    with reading(world.engine) as conn:
        found = recipients.cards_at(conn, channel, address)
        assert found == ([wanted, own] if channel is SMS else [wanted])
        plan = explained(conn, lambda: recipients.cards_at(conn, channel, address))
    assert {name for name in indexes if name in plan} == indexes, plan
    assert "SCAN" not in plan.upper().replace("INDEX SCAN", "").replace("HEAP SCAN", ""), plan
