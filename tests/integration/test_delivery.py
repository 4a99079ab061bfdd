"""Sending: what each answer of a provider makes of a message, and what must never be sent."""

import asyncio
import socket
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from jinja2 import Environment, StrictUndefined
from structlog.testing import capture_logs

from tests.integration.helpers import (
    EMAIL,
    LEASE,
    MORNING,
    NIGHT,
    NO_PERMISSION,
    NOT_A_NUMBER,
    NOW,
    OPTED_OUT,
    PHONE,
    TODAY,
    Carrier,
    Out,
    World,
    always,
    causes,
    in_turn,
)
from tests.integration.sandbox_helpers import set_faults
from tests.patience import patient
from worker.core.cards import CardState, Channel
from worker.core.outcomes import Outcome, OutcomeKind, accepted
from worker.core.reminders import MessageState, ReminderState
from worker.core.retry import RetryPolicy
from worker.errors import UnreachableError
from worker.pipeline.delivery import assembly, outcomes
from worker.store.engine import writing
from worker.store.tables import attempts, cards, holders, messages, reminders, suppressions

SMS, MAIL = Channel.SMS, Channel.EMAIL
PENDING, SENT = ReminderState.PENDING, ReminderState.SENT
ENDS_TODAY: dict[str, Any] = {"plan_end": TODAY}  # one window is open: plan_end+0d, by SMS alone


def test_what_the_provider_takes_is_sent_with_its_id(world: World) -> None:
    world.card()
    world.check()
    assert world.send() == {MessageState.SENT: 2}
    taken = {m["channel"]: m for m in world.accepted()}
    assert (taken["sms"]["to"], taken["email"]["to"]) == (PHONE, EMAIL)
    for attempt in world.rows(attempts):
        message = next(row for row in world.rows(messages) if row.id == attempt.message_id)
        theirs = taken[message.channel]
        assert (message.state, message.attempts, message.wake_at) == (MessageState.SENT, 1, None)
        assert message.provider_id == attempt.provider_id == theirs["id"]
        assert attempt.outcome == OutcomeKind.ACCEPTED
        assert attempt.ended_at >= attempt.started_at == NOW
        assert attempt.address == theirs["to"]
    assert taken["sms"]["text"] == world.message(SMS).body
    assert taken["email"]["text"] == world.message(MAIL).subject
    assert taken["email"]["attempt"] in {str(row.id) for row in world.rows(attempts)}
    assert world.told() == [("sms", SENT, None), ("email", SENT, None)]


def test_what_is_sent_is_not_sent_again(world: World) -> None:
    world.card()
    world.check()
    world.send()
    assert world.send(NOW + timedelta(days=1)) == {}
    assert world.calls() == 2


SMS_FAULTS: dict[str, tuple[dict[str, Any], MessageState, str]] = {
    "rate_limit": ({"kind": "rate_limit", "retry_after": 90}, MessageState.RETRYABLE, "20429"),
    "error_before": ({"kind": "error_before"}, MessageState.UNKNOWN, "http_503"),
    "error_after": ({"kind": "error_after", "status": 500}, MessageState.UNKNOWN, "http_500"),
    "timeout_before": ({"kind": "timeout_before", "hold_s": 2}, MessageState.UNKNOWN, "timeout"),
    "timeout_after": ({"kind": "timeout_after", "hold_s": 2}, MessageState.UNKNOWN, "timeout"),
    "reset_before": ({"kind": "reset_before"}, MessageState.UNKNOWN, "reset"),
    "reset_after": ({"kind": "reset_after"}, MessageState.UNKNOWN, "reset"),
    "truncated": ({"kind": "truncated_after"}, MessageState.UNKNOWN, "reset"),
    "page_502": ({"kind": "html_before", "status": 502}, MessageState.UNKNOWN, "http_502"),
    "page_200": ({"kind": "html_after", "status": 200}, MessageState.UNKNOWN, "broken_reply"),
    "queue_full": ({"kind": "code", "code": 21611}, MessageState.RETRYABLE, "21611"),
    "no_key": ({"kind": "code", "code": 20003, "status": 401}, MessageState.HELD, "20003"),
    "no_country": ({"kind": "code", "code": 21408}, MessageState.HELD, "21408"),
    "too_long": ({"kind": "code", "code": 21617}, MessageState.FAILED, "21617"),
    "new_code": ({"kind": "code", "code": 29999}, MessageState.HELD, "29999"),
    "login_page": ({"kind": "html_before", "status": 302}, MessageState.HELD, "http_302"),
    "proxy": ({"kind": "html_before", "status": 407}, MessageState.HELD, "http_407"),
    "page_400": ({"kind": "html_before", "status": 400}, MessageState.HELD, "http_400"),
    "too_slow": ({"kind": "html_before", "status": 408}, MessageState.HELD, "http_408"),
    "opted_out": ({"kind": "code", "code": 21610}, MessageState.FAILED, "21610"),
    "slow": ({"kind": "slow", "extra_ms": 20}, MessageState.SENT, "accepted"),
}
EMAIL_FAULTS: dict[str, tuple[dict[str, Any], MessageState, str]] = {
    "rate_limit": ({"kind": "rate_limit", "retry_after": 90}, MessageState.RETRYABLE, "http_429"),
    "error_before": ({"kind": "error_before"}, MessageState.UNKNOWN, "http_503"),
    "error_after": ({"kind": "error_after", "status": 500}, MessageState.UNKNOWN, "http_500"),
    "timeout_after": ({"kind": "timeout_after", "hold_s": 2}, MessageState.UNKNOWN, "timeout"),
    "reset_before": ({"kind": "reset_before"}, MessageState.UNKNOWN, "reset"),
    "page_504": ({"kind": "html_before", "status": 504}, MessageState.UNKNOWN, "http_504"),
    "page_200": ({"kind": "html_after", "status": 200}, MessageState.UNKNOWN, "broken_reply"),
    "no_key": ({"kind": "code", "status": 401}, MessageState.HELD, "http_401"),
    "forbidden": ({"kind": "code", "status": 403}, MessageState.HELD, "http_403"),
    "refused": ({"kind": "code", "status": 400}, MessageState.FAILED, "http_400"),
    "login_page": ({"kind": "html_before", "status": 302}, MessageState.HELD, "page_302"),
    "proxy": ({"kind": "html_before", "status": 407}, MessageState.HELD, "page_407"),
    "page_404": ({"kind": "html_before", "status": 404}, MessageState.HELD, "page_404"),
    "misdirected": ({"kind": "html_before", "status": 421}, MessageState.HELD, "page_421"),
    "new_status": ({"kind": "code", "status": 422}, MessageState.HELD, "http_422"),
    "too_large": ({"kind": "html_before", "status": 413}, MessageState.FAILED, "http_413"),
}
FAULTS = {("sms", name): row for name, row in SMS_FAULTS.items()} | {
    ("email", name): row for name, row in EMAIL_FAULTS.items()
}
# Each fault on one of the databases: what it means is decided above the store.
SILENT = (MessageState.SENT, MessageState.RETRYABLE, MessageState.UNKNOWN)


@pytest.mark.parametrize(("engine", "channel", "fault"), in_turn(FAULTS), indirect=["engine"])
def test_each_fault_has_its_way_to_go_on(world: World, channel: str, fault: str) -> None:
    rule, state, code = FAULTS[channel, fault]
    world.card()
    world.check()
    set_faults(world.sandbox, {"channel": channel, "times": 1, **rule})
    with capture_logs() as logs:
        world.send(channel=Channel(channel))
    message = world.message(Channel(channel))
    [attempt] = world.rows(attempts)
    own = [told for told in world.told() if told[0] == channel]
    counted = 0 if state in (MessageState.HELD, MessageState.RETRYABLE) else 1
    assert (message.state, message.attempts) == (state, counted)
    assert attempt.code.endswith(code)
    assert bool(causes(logs)) == (state not in SILENT and fault != "opted_out")
    if state is MessageState.SENT:
        assert own == [(channel, SENT, None)]
    elif state is not MessageState.FAILED:
        assert own == [(channel, PENDING, None)]
        assert message.next_attempt_at == message.wake_at > NOW
    elif fault == "opted_out":
        assert own == [(channel, ReminderState.SUPPRESSED, attempt.code)]
    else:
        assert own == [(channel, ReminderState.MISSED, attempt.code)]
        assert message.wake_at is None
    if fault == "rate_limit":
        assert message.next_attempt_at >= NOW + timedelta(seconds=90)


def test_a_refused_connection_is_tried_again_soon(world: World) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        world.card()
        world.check()
        assert world.send(channel=SMS, url=url) == {MessageState.RETRYABLE: 1}
    message = world.message(SMS)
    assert (message.reason, message.attempts, message.tries) == ("connect", 0, 1)
    assert NOW < message.next_attempt_at <= NOW + timedelta(seconds=15)
    assert world.send(message.next_attempt_at, SMS) == {MessageState.SENT: 1}


def test_the_attempt_is_committed_before_the_call(world: World) -> None:
    seen: list[tuple[Any, ...]] = []

    async def look(out: Out) -> Outcome:
        [attempt] = world.rows(attempts)  # over a connection of its own
        message = world.message(SMS)
        seen.append((attempt.id, attempt.address, attempt.outcome, message.state, message.attempts))
        return accepted("id-1")

    world.card(**ENDS_TODAY)
    world.check()
    carrier = Carrier(look)
    world.send(channel=SMS, providers={SMS: carrier})
    [out] = carrier.calls
    assert seen == [(out.attempt, PHONE, None, MessageState.SENDING, 1)]


def test_no_transaction_is_open_while_a_provider_is_called(world: World) -> None:
    async def write(out: Out) -> Outcome:
        def other() -> None:
            with writing(world.engine) as conn:  # SQLite: would wait for an open transaction
                conn.execute(reminders.update().values(reason="written meanwhile"))

        await asyncio.wait_for(asyncio.to_thread(other), patient(5))
        return accepted("id-1")

    world.card(**ENDS_TODAY)
    world.check()
    assert world.send(channel=SMS, providers={SMS: Carrier(write)}) == {MessageState.SENT: 1}


def test_a_claim_that_is_taken_by_many_at_once_sends_once(world: World) -> None:
    world.cards(30, world.holder(contact_phone=None, email=None))
    world.check()
    ids = [row.id for row in world.rows(messages)]
    assert len(ids) == 30
    carriers = [always(Outcome(OutcomeKind.ACCEPTED, "accepted")) for _ in range(4)]
    threads = [
        threading.Thread(
            target=world.send, args=(NOW, SMS), kwargs={"ids": ids, "providers": {SMS: carrier}}
        )
        for carrier in carriers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = [out.to for carrier in carriers for out in carrier.calls]
    assert len(told) == len(set(told)) == 30
    assert {row.state for row in world.rows(messages)} == {MessageState.SENT}
    assert len(world.rows(attempts)) == 30


CHANGES: dict[str, tuple[dict[str, Any], ReminderState, str]] = {
    "renewed": (
        {"plan_end": TODAY + timedelta(days=35)},
        ReminderState.SUPERSEDED,
        "renewed",
    ),
    "recycled": ({"state": CardState.RECYCLED}, ReminderState.SUPERSEDED, "recycled"),
    "closed": ({"state": CardState.CLOSED}, ReminderState.SUPERSEDED, "closed"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_card_that_changed_meanwhile_is_not_told_what_is_no_longer_true(
    world: World, change: str
) -> None:
    values, state, reason = CHANGES[change]
    world.card()
    world.check()
    world.change(cards, **values)
    assert world.send() == {}
    assert world.calls() == 0
    assert world.rows(attempts) == []
    assert world.told() == [("sms", state, reason), ("email", state, reason)]
    for message in world.rows(messages):
        assert (message.state, message.reason) == (MessageState.CANCELLED, reason)
        assert (message.wake_at, message.attempts) == (None, 0)


def test_a_renewed_card_is_left_out_of_a_letter_that_goes_out(world: World) -> None:
    kept, renewed = world.cards(2)
    world.check()
    world.change(cards, renewed, plan_end=TODAY + timedelta(days=35))
    assert world.send(channel=SMS) == {MessageState.SENT: 1}
    [sms] = world.accepted(SMS)
    number = {row.id: row.msisdn[-4:] for row in world.rows(cards)}
    assert number[kept] in sms["text"]
    assert number[renewed] not in sms["text"]
    states = {row.card_id: row.state for row in world.rows(reminders) if row.channel == SMS}
    assert states == {kept: SENT, renewed: ReminderState.SUPERSEDED}


def test_who_opted_out_meanwhile_is_told_over_the_other_channel(world: World) -> None:
    world.card(**ENDS_TODAY)
    world.check()
    world.suppress(SMS, PHONE, "twilio:21610")
    assert world.send(channel=SMS) == {}
    assert world.calls() == 0
    assert world.told() == [
        ("sms", ReminderState.SUPPRESSED, "twilio:21610"),
        ("email", PENDING, None),
    ]
    assert world.send() == {MessageState.SENT: 1}
    assert [m["to"] for m in world.accepted()] == [EMAIL]


def test_a_card_with_another_holder_meanwhile_tells_that_one_only(world: World) -> None:
    card = world.card(**ENDS_TODAY)
    world.check()
    other = world.holder(name="Luis Paz", contact_phone="+51911111111", email=None)
    world.change(cards, card, holder_id=other)
    assert world.send() == {}
    assert world.calls() == 0
    old, new = world.rows(messages)
    assert (old.state, new.state) == (MessageState.CANCELLED, MessageState.PENDING)
    assert new.holder_id == other
    assert world.send() == {MessageState.SENT: 1}
    assert [m["to"] for m in world.accepted()] == ["+51911111111"]
    assert world.told() == [("sms", SENT, None)]


def test_what_is_past_its_use_is_missed_with_an_alarm(world: World) -> None:
    world.card()
    world.check()
    until = world.message(SMS).useful_until
    with capture_logs() as logs:
        assert world.send(until) == {}
    assert world.calls() == 0
    missed = ReminderState.MISSED
    assert world.told() == [("sms", missed, "too_late"), ("email", missed, "too_late")]
    assert causes(logs) == ["reminder_missed", "reminder_missed"]
    assert {row.state for row in world.rows(messages)} == {MessageState.CANCELLED}


def test_quiet_hours_postpone_and_burn_no_attempt(world: World) -> None:
    world.card()
    world.check()
    assert world.send(NIGHT) == {}
    assert world.calls() == 0
    for message in world.rows(messages):
        assert (message.state, message.attempts) == (MessageState.PENDING, 0)
        assert message.next_attempt_at == message.wake_at == MORNING
    assert world.rows(attempts) == []
    assert world.send(MORNING - timedelta(seconds=1)) == {}
    assert world.send(MORNING) == {MessageState.SENT: 2}


def test_a_dead_number_is_suppressed_and_email_takes_over_once(world: World) -> None:
    holder = world.holder(contact_phone=OPTED_OUT)
    first, second = world.cards(2, holder, **ENDS_TODAY)
    world.check(ids=[first])
    assert world.send(channel=SMS) == {MessageState.FAILED: 1}
    [row] = world.rows(suppressions)
    assert (row.channel, row.address, row.reason) == (SMS, OPTED_OUT, "twilio:21610")
    world.check(ids=[second])
    world.send(channel=SMS)
    world.send(channel=SMS)
    assert world.calls() == 1, "the dead number was called again"
    assert world.send(NOW + timedelta(minutes=1), MAIL) == {MessageState.SENT: 2}
    world.send(NOW + timedelta(hours=2))
    assert [m["to"] for m in world.accepted()] == [EMAIL, EMAIL]
    told = {(row.card_id, row.channel): row.state for row in world.rows(reminders)}
    assert told == {
        (first, "sms"): ReminderState.SUPPRESSED,
        (second, "sms"): ReminderState.SUPPRESSED,
        (first, "email"): SENT,
        (second, "email"): SENT,
    }


def test_a_notice_that_is_owed_by_email_anyway_is_not_owed_twice(world: World) -> None:
    world.card(world.holder(contact_phone=NOT_A_NUMBER))
    world.check()
    world.send(channel=SMS)
    assert len(world.rows(messages)) == 2
    world.send()
    assert len(world.accepted(MAIL)) == 1


def test_without_another_address_a_dead_number_ends_the_notice(world: World) -> None:
    world.card(world.holder(contact_phone=OPTED_OUT, email=None), **ENDS_TODAY)
    world.check()
    world.send()
    assert world.told() == [("sms", ReminderState.SUPPRESSED, "twilio:21610")]
    assert len(world.rows(messages)) == 1


def test_a_fault_of_ours_holds_the_message_and_counts_no_attempt(world: World) -> None:
    holder = world.holder(contact_phone=NO_PERMISSION)
    world.card(holder, **ENDS_TODAY)
    world.check()
    now = NOW
    for failures in (1, 2, 3):
        with capture_logs() as logs:
            assert world.send(now, SMS) == {MessageState.HELD: 1}
        assert causes(logs) == [OutcomeKind.CONFIG_FAULT]
        message = world.message(SMS)
        assert (message.state, message.attempts) == (MessageState.HELD, 0)
        assert message.reason == "breaker:twilio:21408"
        assert message.next_attempt_at >= now + world.limits.breaker.pause(failures)
        assert world.send(now + timedelta(minutes=1), SMS) == {}
        now = message.next_attempt_at
    assert len(world.rows(attempts)) == 3
    assert world.told() == [("sms", PENDING, None)]
    world.change(holders, holder, contact_phone=PHONE)
    assert world.send(now, SMS) == {MessageState.SENT: 1}
    assert world.message(SMS).attempts == 1


def test_a_retry_waits_for_its_time_and_then_succeeds(world: World) -> None:
    set_faults(world.sandbox, {"channel": "sms", "kind": "rate_limit", "times": 2})
    world.card()
    world.check()
    now = NOW
    for tries in (1, 2):
        assert world.send(now, SMS) == {MessageState.RETRYABLE: 1}
        message = world.message(SMS)
        assert (message.attempts, message.tries) == (0, tries)
        assert world.send(message.next_attempt_at - timedelta(seconds=1), SMS) == {}
        now = message.next_attempt_at
    assert world.send(now, SMS) == {MessageState.SENT: 1}
    assert (world.message(SMS).attempts, len(world.rows(attempts))) == (1, 3)
    assert len(world.accepted(SMS)) == 1


def test_a_retry_that_would_come_too_late_goes_the_other_way(world: World) -> None:
    late = NOW + timedelta(hours=9, minutes=59)  # 19:59 in Lima; the notice is good until 24:00
    world.retry = RetryPolicy(longest=timedelta(hours=6))
    rule = {"channel": "sms", "kind": "rate_limit", "times": 1, "retry_after": 6 * 3600}
    set_faults(world.sandbox, rule)
    world.card(**ENDS_TODAY)
    world.check()
    assert world.send(late, SMS) == {MessageState.FAILED: 1}
    message = world.message(SMS)
    assert message.reason == "twilio:20429: no longer useful"
    assert message.wake_at is None
    assert world.told() == [
        ("sms", ReminderState.SUPPRESSED, message.reason),
        ("email", PENDING, None),
    ]
    assert world.send(late + timedelta(seconds=20), MAIL) == {MessageState.SENT: 1}


def test_a_retry_that_would_come_too_late_is_a_miss_where_there_is_no_other_way(
    world: World,
) -> None:
    late = NOW + timedelta(hours=9, minutes=59)
    set_faults(world.sandbox, {"channel": "sms", "kind": "rate_limit", "rate": 1})
    world.card(world.holder(email=None), **ENDS_TODAY)
    world.check()
    with capture_logs() as logs:
        while world.message(SMS).wake_at is not None:
            late = max(late, world.message(SMS).wake_at)
            world.send(late, SMS)
    assert world.told() == [("sms", ReminderState.MISSED, world.message(SMS).reason)]
    assert "reminder_missed" in causes(logs)


def test_no_count_of_attempts_ends_what_certainly_was_not_sent(world: World) -> None:
    world.retry = RetryPolicy(most=2)
    set_faults(world.sandbox, {"channel": "sms", "kind": "rate_limit", "rate": 1})
    world.card()
    world.check()
    now = NOW
    for _ in range(20):
        assert world.send(now, SMS) == {MessageState.RETRYABLE: 1}
        now = world.message(SMS).next_attempt_at
    assert world.message(SMS).attempts == 0


def test_a_template_that_breaks_holds_only_its_own_messages_until_it_is_mended(
    world: World,
) -> None:
    broken = Environment(undefined=StrictUndefined, autoescape=True).from_string("{{ nobody }}")
    name = "plan_end_near/en/sms.txt.j2"
    content = replace(world.content, templates={**world.content.templates, name: broken})
    world.card(world.holder(language="en"))
    world.card(world.holder(language="es-PE", contact_phone="+51911111111"))
    world.check()
    with capture_logs() as logs:
        assert world.send(channel=SMS, content=content) == {MessageState.SENT: 1}
    assert causes(logs) == ["template_failed"]
    assert [m["to"] for m in world.accepted()] == ["+51911111111"]
    held, fine = [row for row in world.rows(messages) if row.channel == SMS]
    assert (held.state, fine.state) == (MessageState.HELD, MessageState.SENT)
    assert (held.reason, held.attempts) == ("template_failed", 0)
    assert held.wake_at == held.next_attempt_at == NOW + world.retry.hold
    assert world.told()[0] == ("sms", PENDING, None)
    assert world.send(held.next_attempt_at, SMS) == {MessageState.SENT: 1}


def test_outcomes_wait_for_a_database_that_is_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = iter([True])

    def sometimes(engine: Any) -> Any:
        if next(away, False):
            raise UnreachableError("away")
        return writing(engine)

    monkeypatch.setattr(outcomes, "writing", sometimes)
    world.card()
    world.check()
    with capture_logs() as logs:
        assert world.send(channel=SMS) == {MessageState.SENT: 1}
    assert [entry["event"] for entry in logs] == ["outcomes_wait_for_the_database"]
    assert world.told()[0] == ("sms", SENT, None)
    assert world.calls() == 1


def test_a_database_that_stays_away_leaves_the_message_to_its_lease(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(engine: Any) -> Any:
        raise UnreachableError("away")

    monkeypatch.setattr(outcomes, "writing", never)
    monkeypatch.setattr(assembly, "_PATIENCE", timedelta(0))  # else it waits for an hour
    world.card()
    world.check()
    with pytest.raises(UnreachableError):
        world.send(channel=SMS, lease=timedelta(seconds=0.6))
    assert world.message(SMS).state == MessageState.SENDING
    assert world.told()[0] == ("sms", PENDING, None)


def test_a_channel_that_is_off_hands_its_notices_to_the_other(world: World) -> None:
    world.card(**ENDS_TODAY)
    world.card(plan_days=90, plan_end=TODAY + timedelta(days=20))  # plan_end-30d: email alone
    world.check()
    carrier = always(Outcome(OutcomeKind.ACCEPTED, "accepted"))
    assert world.send(providers={SMS: carrier}) == {MessageState.SENT: 1}
    assert world.send(providers={SMS: carrier}) == {MessageState.SENT: 1}
    assert len(carrier.calls) == 2
    assert world.told() == [
        ("sms", SENT, None),
        ("email", ReminderState.SUPPRESSED, "channel_off"),
        ("sms", SENT, None),
    ]


def test_with_every_channel_off_the_notice_ends_and_does_not_circle(world: World) -> None:
    world.card()
    world.check()
    for _ in range(3):
        world.send(providers={})
    off = ReminderState.SUPPRESSED
    assert world.told() == [("sms", off, "channel_off"), ("email", off, "channel_off")]
    assert all(row.wake_at is None for row in world.rows(messages))


def test_a_provider_that_raises_leaves_its_message_unknown_and_its_neighbours_alone(
    world: World,
) -> None:
    async def fragile(out: Out) -> Outcome:
        if out.to == PHONE:
            raise KeyError("a bug")
        return accepted(f"id-{out.attempt}")

    world.card()
    world.card(world.holder(contact_phone="+51911111111"))
    world.check()
    with capture_logs() as logs:
        sent = world.send(channel=SMS, providers={SMS: Carrier(fragile)})
    assert sent == {MessageState.SENT: 1, MessageState.UNKNOWN: 1}
    assert "provider_failed" in causes(logs)
    first, second = [row for row in world.rows(messages) if row.channel == SMS]
    assert (first.state, second.state) == (MessageState.UNKNOWN, MessageState.SENT)


def test_a_message_whose_lease_ran_out_while_it_queued_is_not_called(world: World) -> None:
    async def slow(out: Out) -> Outcome:
        await asyncio.sleep(1.6)
        return accepted(f"id-{out.attempt}")

    world.cards(3, world.holder(contact_phone=None, email=None))
    world.check()
    carrier = Carrier(slow)
    lease = timedelta(seconds=1.5)
    states = world.send(channel=SMS, providers={SMS: carrier}, lease=lease, in_flight=1)
    assert len(carrier.calls) == 1
    assert states == {MessageState.SENT: 1, MessageState.RETRYABLE: 2}
    assert {row.tries for row in world.rows(messages)} == {0}, "what waited was not tried"


def test_messages_of_a_channel_go_out_at_once_up_to_three_quarters(world: World) -> None:
    now = peak = 0

    async def counted(out: Out) -> Outcome:
        nonlocal now, peak
        now += 1
        peak = max(peak, now)
        if now == 9:
            full.set()
        await asyncio.wait_for(full.wait(), patient(20))
        await asyncio.sleep(0.05)  # one too many would come now
        now -= 1
        return accepted(f"id-{out.attempt}")

    world.cards(20, world.holder(contact_phone=None, email=None))
    world.check()
    full = asyncio.Event()
    world.send(channel=SMS, providers={SMS: Carrier(counted)}, in_flight=12)
    assert peak == 9


def test_cards_without_a_contact_phone_are_told_on_their_own_numbers(world: World) -> None:
    world.cards(2, world.holder(contact_phone=None, email=None))
    world.check()
    assert world.send() == {MessageState.SENT: 2}
    numbers = sorted(row.msisdn for row in world.rows(cards))
    assert sorted(m["to"] for m in world.accepted()) == numbers


def test_a_contact_phone_that_went_away_splits_the_letter_by_number(world: World) -> None:
    holder = world.holder(email=None)
    world.cards(3, holder)
    world.check()
    assert len(world.rows(messages)) == 1
    world.change(holders, holder, contact_phone=None)
    assert world.send() == {MessageState.SENT: 1}
    assert world.send() == {MessageState.SENT: 2}
    numbers = sorted(row.msisdn for row in world.rows(cards))
    assert sorted(m["to"] for m in world.accepted()) == numbers
    assert [told for told in world.told() if told[0] == SMS] == [("sms", SENT, None)] * 3


def test_the_lease_is_set_with_the_claim(world: World) -> None:
    leases = []

    async def look(out: Out) -> Outcome:
        leases.append(world.message(SMS).wake_at)
        return accepted("id-1")

    world.card()
    world.check()
    world.send(channel=SMS, providers={SMS: Carrier(look)})
    assert leases == [NOW + LEASE]
