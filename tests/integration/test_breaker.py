"""Breakers on the real path: what a fault of our own configuration stops, and what ends it."""

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.helpers import (
    EMAIL,
    LEASE,
    NO_PERMISSION,
    NOW,
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
from worker.core.breaker import BreakerPolicy
from worker.core.cards import Channel, Destination
from worker.core.outcomes import ALONE, Outcome, OutcomeKind, accepted
from worker.core.reminders import MessageState, ReminderState
from worker.pipeline.delivery.limits import Limits, country_of, senders_of
from worker.processes.doctor.examination import look_at
from worker.providers.sendgrid.outcomes import SENDGRID_STATUSES
from worker.providers.twilio.outcomes import TWILIO_CODES
from worker.store import breakers as breaker_store
from worker.store import usage as usage_store
from worker.store.engine import reading, writing
from worker.store.tables import attempts, breakers, cards, messages, usage
from worker.store.usage import Use

SMS, MAIL = Channel.SMS, Channel.EMAIL
HELD, SENT, PENDING = MessageState.HELD, MessageState.SENT, MessageState.PENDING
ENDS_TODAY: dict[str, Any] = {"plan_end": TODAY}  # one window is open: plan_end+0d, by SMS alone
PROBE = BreakerPolicy().probe
AFTER = NOW + PROBE + timedelta(seconds=5)
CHINESE = "+8613812345678"

FAULT = OutcomeKind.CONFIG_FAULT
_TWILIO = [c for c, row in TWILIO_CODES.items() if row.kind is FAULT and row.scope not in ALONE]
_SENDGRID = [status for status, row in SENDGRID_STATUSES.items() if row.kind is FAULT]
FAULTS: dict[str, tuple[Channel, dict[str, Any]]] = {
    **{f"twilio:{code}": (SMS, {"kind": "code", "code": code}) for code in _TWILIO},
    "twilio:http_401": (SMS, {"kind": "html_before", "status": 401}),
    **{f"sendgrid:http_{n}": (MAIL, {"kind": "code", "status": n}) for n in _SENDGRID},
}


def doctor(world: World) -> list[str]:
    """What the examination says of breakers."""
    return [f.message for f in look_at(world.app(lambda: NOW), "limits")]


def refused(code: str = "twilio:20003") -> Carrier:
    return always(Outcome(FAULT, code, alarm=True))


@pytest.mark.parametrize(("engine", "code"), in_turn(FAULTS), indirect=["engine"])
def test_each_fault_of_ours_holds_burns_no_attempt_and_is_over_with_the_next_answer(
    world: World, code: str
) -> None:
    channel, rule = FAULTS[code]
    world.card()
    world.card(world.holder(contact_phone="+51911111111", email="luis@example.com"))
    world.check()
    set_faults(world.sandbox, {"channel": str(channel), "times": 1, **rule})
    first, second = [row.id for row in world.rows(messages) if row.channel == channel]
    with capture_logs() as logs:
        assert world.send(channel=channel, ids=[first]) == {HELD: 1}
    assert causes(logs) == [FAULT]
    assert world.send(channel=channel, ids=[second]) == {}
    assert world.calls() == 1
    for row in (row for row in world.rows(messages) if row.channel == channel):
        assert (row.state, row.attempts, row.reason) == (HELD, 0, f"breaker:{code}")
        assert row.wake_at == row.next_attempt_at >= NOW + PROBE
    [found] = world.open_breakers()
    assert (found.code, found.channel, found.held, found.failures) == (code, channel, 2, 1)
    [told] = doctor(world)
    assert code in told
    assert "2 messages are held" in told
    after = AFTER
    assert world.send(after, channel) == {SENT: 1}, "one message is the probe"
    assert world.send(after + timedelta(seconds=5), channel) == {SENT: 1}, "the other is due"
    assert doctor(world) == []
    assert [row.attempts for row in world.rows(messages) if row.channel == channel] == [1, 1]


def test_an_attempt_says_who_was_called_and_from_which_sender(world: World) -> None:
    world.card()
    world.check()
    world.send()
    told = {(row.provider, row.sender) for row in world.rows(attempts)}
    assert told == {("twilio", "+15005550006"), ("sendgrid", "reminders@example.com")}


def test_a_country_without_permission_leaves_the_others_flowing(world: World) -> None:
    world.card(world.holder(contact_phone=NO_PERMISSION, email=None), **ENDS_TODAY)
    world.check()
    assert world.send(channel=SMS) == {HELD: 1}
    [found] = world.open_breakers()
    assert found.key == f"sms/twilio/{country_of(NO_PERMISSION)}/*"
    world.card(world.holder(contact_phone="+15005550199", email=None), **ENDS_TODAY)
    world.people(3, **ENDS_TODAY)
    soon = NOW + timedelta(minutes=1)
    assert world.send(soon, SMS) == {SENT: 3}
    states = [row.state for row in world.rows(messages)]
    assert sorted(states) == [HELD, HELD, SENT, SENT, SENT]


def test_countries_are_told_apart_by_the_number() -> None:
    numbers = (PHONE, CHINESE, "+14155552671", "+16135550123", NO_PERMISSION, EMAIL)
    assert [country_of(number) for number in numbers] == ["PE", "CN", "US", "CA", "US", None]


def test_what_is_open_on_one_channel_does_not_hold_the_other(world: World) -> None:
    world.card()
    world.check()
    set_faults(world.sandbox, {"channel": "sms", "rate": 1, "kind": "code", "code": 20003})
    assert world.send() == {HELD: 1, SENT: 1}
    assert [m["channel"] for m in world.accepted()] == ["email"]


def test_a_batch_is_not_thrown_against_a_closed_door(world: World) -> None:
    world.people(40, **ENDS_TODAY)
    carrier = refused()
    with capture_logs() as logs:
        assert world.send(providers={SMS: carrier}, in_flight=4) == {HELD: 40}
    assert len(carrier.calls) <= 4
    assert causes(logs) == [FAULT], "one alarm, not one for each message"
    assert {row.attempts for row in world.rows(messages)} == {0}


def used(world: World) -> int:
    with reading(world.engine) as conn:
        return sum(row.messages for row in conn.execute(usage.select()))


def test_what_was_refused_counts_for_no_cap(world: World) -> None:
    world.people(3, **ENDS_TODAY)
    world.send(providers={SMS: refused()})
    assert used(world) == 0
    working = always(accepted("id"))
    world.send(AFTER, SMS, providers={SMS: working})
    assert used(world) == 1


def test_each_failed_probe_lengthens_the_pause_and_only_one_message_is_tried(
    world: World,
) -> None:
    world.people(5, **ENDS_TODAY)
    carrier = refused()
    world.send(providers={SMS: carrier}, in_flight=1)
    now, tried = NOW, len(carrier.calls)
    for failures in (1, 2, 3):
        [found] = world.open_breakers()
        assert found.failures == failures
        assert found.probe_at >= now + BreakerPolicy().pause(failures)
        now = found.probe_at
        with capture_logs() as logs:
            world.send(now, SMS, providers={SMS: carrier})
        tried += 1
        assert len(carrier.calls) == tried
        assert causes(logs) == [FAULT]


def test_only_one_of_those_who_wait_is_woken_for_the_probe(world: World) -> None:
    world.people(20, **ENDS_TODAY)
    world.send(providers={SMS: refused()}, in_flight=1)
    woken = world.wake(AFTER)
    assert len(woken.send[SMS]) == 1


def test_an_answer_makes_all_that_waited_due_at_once_the_most_urgent_first(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.pipeline.delivery.breaking._RELEASED", 3)
    world.people(10, **ENDS_TODAY)
    world.send(providers={SMS: refused()}, in_flight=1)
    after = AFTER
    working = always(accepted("id"))
    assert world.send(after, SMS, providers={SMS: working}) == {SENT: 1}
    assert world.open_breakers() == []
    soon = after + timedelta(seconds=5)
    assert len(world.wake(soon).send[SMS]) == 9
    assert world.send(soon, SMS, providers={SMS: working}) == {SENT: 9}


def test_what_waits_for_another_fault_stays_where_it_is(world: World) -> None:
    world.card(world.holder(contact_phone=NO_PERMISSION, email=None), **ENDS_TODAY)
    world.check()
    world.send(channel=SMS)
    world.people(2, **ENDS_TODAY)
    world.send(NOW + timedelta(seconds=1), SMS, providers={SMS: replace(refused(), name="twilio")})
    assert len(world.open_breakers()) == 2
    after = AFTER
    waits = next(row for row in world.rows(messages) if row.reason == "breaker:twilio:21408")
    others = [row.id for row in world.rows(messages) if row.id != waits.id]
    working = replace(always(accepted("id")), name="twilio")
    assert world.send(after, SMS, ids=others, providers={SMS: working}) == {SENT: 1}
    assert [found.code for found in world.open_breakers()] == ["twilio:21408"]


@pytest.mark.parametrize("kind", [OutcomeKind.AMBIGUOUS, OutcomeKind.NOT_SENT])
def test_a_probe_that_nobody_answered_proves_nothing(world: World, kind: OutcomeKind) -> None:
    world.people(3, **ENDS_TODAY)
    world.send(providers={SMS: refused()}, in_flight=1)
    after = AFTER
    silent = always(Outcome(kind, "timeout"))
    world.send(after, SMS, providers={SMS: silent})
    assert len(silent.calls) == 1
    [found] = world.open_breakers()
    assert (found.failures, found.probe_at >= after + PROBE) == (1, True)
    assert world.send(after + timedelta(minutes=1), SMS, providers={SMS: silent}) == {}
    assert len(silent.calls) == 1


def test_two_workers_race_for_the_probe_and_one_calls(world: World) -> None:
    world.people(8, **ENDS_TODAY)
    world.send(providers={SMS: refused()}, in_flight=1)
    world.change(messages, next_attempt_at=NOW, wake_at=NOW)
    ids = [row.id for row in world.rows(messages)]
    after = AFTER
    carriers = [always(Outcome(OutcomeKind.AMBIGUOUS, "timeout")) for _ in range(4)]
    threads = [
        threading.Thread(
            target=world.send,
            args=(after, SMS),
            kwargs={"ids": ids[n * 2 : n * 2 + 2], "providers": {SMS: carrier}},
        )
        for n, carrier in enumerate(carriers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(len(carrier.calls) for carrier in carriers) == 1
    states = sorted(row.state for row in world.rows(messages))
    assert states == [HELD] * 7 + [MessageState.UNKNOWN]


def test_a_probe_whose_process_died_does_not_hold_the_others_for_ever(world: World) -> None:
    world.people(3, **ENDS_TODAY)
    world.send(providers={SMS: refused()}, in_flight=1)
    world.change(messages, next_attempt_at=NOW, wake_at=NOW)
    after = AFTER
    senders = senders_of({SMS: always(accepted("id"))})
    app = world.app(lambda: after)
    preparation = replace(app.delivery.preparation, senders=senders, lease=LEASE)
    ids = [row.id for row in world.rows(messages)]
    [claimed] = preparation.run(SMS, ids, after).ready  # and then it dies
    assert claimed.probe
    working = always(accepted("id"))
    assert world.send(after + timedelta(seconds=1), SMS, providers={SMS: working}) == {}
    assert world.send(after + LEASE, SMS, providers={SMS: working}) == {SENT: 1}
    assert world.open_breakers() == []


def test_a_late_answer_of_a_lost_probe_changes_nothing(world: World) -> None:
    world.people(1, **ENDS_TODAY)
    world.send(providers={SMS: refused()})
    [found] = world.open_breakers()
    with writing(world.engine) as conn:
        assert breaker_store.take_probe(conn, found, 1, NOW + LEASE)
    with writing(world.engine) as conn:
        assert not breaker_store.take_probe(conn, found, 2, NOW + LEASE)
        [again] = breaker_store.open_ones(conn)
        assert breaker_store.take_probe(conn, again, 2, NOW + 2 * LEASE)
    with writing(world.engine) as conn:
        assert breaker_store.close(conn, [1]) == []
        at, news = breaker_store.trip(conn, found.key, SMS, "late", [1], NOW, BreakerPolicy())
        assert (at, news) == (NOW + 2 * LEASE, False)
        assert len(breaker_store.close(conn, [2])) == 1


def test_a_probe_that_may_not_go_after_all_leaves_its_place_to_another(world: World) -> None:
    world.people(2, **ENDS_TODAY)
    world.send(providers={SMS: refused()}, in_flight=1)
    world.change(messages, next_attempt_at=NOW, wake_at=NOW)
    world.limits = Limits(caps=replace(world.limits.caps, per_book=1))
    with writing(world.engine) as conn:
        usage_store.add(conn, [Use(1, NOW.date(), Destination.SMS, 5, Decimal(0), 5)])
    after = AFTER
    working = always(accepted("id"))
    assert world.send(after, SMS, providers={SMS: working}) == {}
    [found] = world.open_breakers()
    assert found.probe_at <= after
    world.limits = Limits()
    tomorrow = [row.id for row in world.rows(messages)]
    world.change(messages, next_attempt_at=after, wake_at=after)
    assert world.send(after, SMS, ids=tomorrow, providers={SMS: working}) == {SENT: 1}


def test_a_notice_that_cannot_wait_for_the_probe_goes_over_the_other_channel(
    world: World,
) -> None:
    world.card(**ENDS_TODAY)
    world.check()
    late = NOW + timedelta(hours=9, minutes=50)  # 19:50 in Lima: after 20:00 nobody is told
    set_faults(world.sandbox, {"channel": "sms", "rate": 1, "kind": "code", "code": 20003})
    assert world.send(late, SMS) == {HELD: 1}
    soon = world.message(SMS).next_attempt_at
    assert soon <= late + timedelta(seconds=10)
    assert world.send(soon, SMS) == {}
    assert world.told() == [
        ("sms", ReminderState.SUPPRESSED, "breaker:twilio:20003"),
        ("email", PENDING, None),
    ]
    assert world.send(soon + timedelta(seconds=1), MAIL) == {SENT: 1}


def test_a_notice_with_no_other_way_waits_to_the_end_and_is_missed_by_its_cause(
    world: World,
) -> None:
    world.people(1, **ENDS_TODAY)
    carrier = refused()
    now: datetime = NOW + timedelta(hours=9, minutes=50)
    with capture_logs() as logs:
        for _ in range(20):
            world.send(now, SMS, providers={SMS: carrier})
            message = world.message(SMS)
            if message.state != HELD:
                break
            now = message.next_attempt_at
    assert world.told() == [("sms", ReminderState.MISSED, "breaker:twilio:20003")]
    assert message.attempts == 0
    assert "reminder_missed" in causes(logs)
    assert len(carrier.calls) <= 3


def test_with_both_channels_refused_nothing_is_handed_from_one_to_the_other(
    world: World,
) -> None:
    world.card()
    world.check()
    late = world.message(MAIL).useful_until - timedelta(hours=14, minutes=10)
    providers = {SMS: refused(), MAIL: refused("sendgrid:http_401")}
    world.send(late, providers=providers)
    world.send(late + timedelta(seconds=5), providers=providers)
    assert {row.state for row in world.rows(messages)} == {HELD}
    assert {state for _, state, _ in world.told()} == {PENDING}


def test_a_renewal_ends_what_is_held(world: World) -> None:
    world.card(**ENDS_TODAY)
    world.check()
    world.send(channel=SMS, providers={SMS: refused()})
    world.change(cards, plan_end=TODAY + timedelta(days=35))
    world.send(AFTER, SMS, providers={SMS: refused()})
    assert world.told()[0] == ("sms", ReminderState.SUPERSEDED, "renewed")
    assert world.message(SMS).state == MessageState.CANCELLED


def test_a_bug_in_the_answer_of_a_probe_does_not_close_the_breaker(world: World) -> None:
    async def broken(out: Out) -> Outcome:
        raise KeyError("a bug")

    world.people(2, **ENDS_TODAY)
    world.send(providers={SMS: refused()}, in_flight=1)
    world.send(AFTER, SMS, providers={SMS: Carrier(broken)})
    assert len(world.open_breakers()) == 1


def test_nothing_personal_is_in_a_key(world: World) -> None:
    world.people(2, **ENDS_TODAY)
    world.send(providers={SMS: refused("twilio:21408"), MAIL: refused()})
    with reading(world.engine) as conn:
        keys = [row.key for row in conn.execute(breakers.select())]
    assert keys == ["sms/twilio/PE/*"]


def test_what_nobody_waits_for_is_no_warning(world: World) -> None:
    world.people(1, **ENDS_TODAY)
    world.send(providers={SMS: refused()})
    world.change(cards, plan_end=TODAY + timedelta(days=35))
    world.send(AFTER, SMS, providers={SMS: refused()})
    [found] = look_at(world.app(lambda: AFTER), "limits")
    assert (found.state, found.hint) == ("ok", "")
    assert "the next message tries it" in found.message
