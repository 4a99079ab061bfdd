"""The unknown: what the provider took is found and kept, what it did not take is sent once."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.helpers import (
    NOW,
    PHONE,
    TODAY,
    Carrier,
    Listing,
    Out,
    World,
    always,
    causes,
    until,
)
from tests.integration.sandbox_helpers import call, set_faults
from tests.patience import patient
from worker.clock import set_file_clock
from worker.core.cards import Channel
from worker.core.outcomes import Outcome, OutcomeKind, accepted
from worker.core.reminders import MessageState, ReminderState
from worker.core.retry import RetryPolicy
from worker.pipeline.delivery.rendering import digest
from worker.providers.base import Sighting
from worker.store import attempts as attempt_store
from worker.store import unknowns as unknown_store
from worker.store.attempts import NewAttempt
from worker.store.engine import writing
from worker.store.tables import attempts, messages, suppressions

SMS, MAIL = Channel.SMS, Channel.EMAIL
PENDING, SENT, DELIVERED, MISSED = (
    ReminderState.PENDING,
    ReminderState.SENT,
    ReminderState.DELIVERED,
    ReminderState.MISSED,
)
UNKNOWN = {MessageState.UNKNOWN: 1}
LATER = NOW + timedelta(minutes=3)
ENDS_TODAY: dict[str, Any] = {"plan_end": TODAY}  # one SMS, and no other notice


def unknown(world: World, **fault: Any) -> None:
    """One SMS whose call met ``fault``."""
    set_faults(world.sandbox, {"channel": "sms", "times": 1, **fault})
    world.card(**ENDS_TODAY)
    world.check()
    assert world.send() == UNKNOWN


AFTER: list[dict[str, Any]] = [
    {"kind": "error_after"},
    {"kind": "timeout_after", "hold_s": 2},
    {"kind": "reset_after"},
    {"kind": "truncated_after"},
    {"kind": "html_after", "status": 200},
]
BEFORE: list[dict[str, Any]] = [
    {"kind": "error_before"},
    {"kind": "timeout_before", "hold_s": 2},
    {"kind": "reset_before"},
    {"kind": "html_before"},
]


@pytest.mark.parametrize("fault", AFTER, ids=lambda fault: str(fault["kind"]))
def test_what_the_provider_took_is_adopted_and_never_sent_again(
    world: World, fault: dict[str, Any]
) -> None:
    unknown(world, **fault)
    assert world.send(LATER) == {}, "an unknown was sent again"
    assert world.reconcile(LATER) == {MessageState.DELIVERED: 1}, "the list says even that"
    message = world.message(SMS)
    [attempt] = world.rows(attempts)
    [theirs] = world.accepted()
    assert (message.state, message.wake_at, message.attempts) == (MessageState.DELIVERED, None, 1)
    assert message.sent_at == attempt.started_at, "it was taken in the call, not when it was found"
    assert message.provider_id == attempt.provider_id == theirs["id"]
    assert (attempt.outcome, attempt.ended_at) == (OutcomeKind.ACCEPTED, LATER)
    assert world.told() == [("sms", DELIVERED, None)]
    assert world.reconcile(LATER + timedelta(hours=1)) == {}
    assert world.send(LATER + timedelta(hours=1)) == {}
    assert len(world.accepted()) == 1


@pytest.mark.parametrize("fault", BEFORE, ids=lambda fault: str(fault["kind"]))
def test_what_the_provider_never_took_is_sent_exactly_once(
    world: World, fault: dict[str, Any]
) -> None:
    unknown(world, **fault)
    assert world.reconcile(LATER) == {MessageState.RETRYABLE: 1}
    message = world.message(SMS)
    assert (message.next_attempt_at, message.reason) == (LATER, "reconciled:not_found")
    assert world.told() == [("sms", PENDING, None)]
    assert world.send(LATER) == {MessageState.SENT: 1}
    assert world.reconcile(LATER) == {}
    assert [m["to"] for m in world.accepted()] == [PHONE]
    first, second = world.rows(attempts)
    assert (first.outcome, second.outcome) == (OutcomeKind.NOT_SENT, OutcomeKind.ACCEPTED)
    assert world.message(SMS).attempts == 2


def test_an_unknown_rests_before_the_provider_is_asked(world: World) -> None:
    unknown(world, kind="error_after")
    parked = world.message(SMS).wake_at
    assert parked >= NOW + world.retry.park
    assert len(world.wake(parked - timedelta(seconds=1))) == 0
    woken = world.wake(parked)
    assert (woken.reconcile, woken.send, woken.expired) == ([world.message(SMS).id], {}, [])
    assert len(world.wake(parked)) == 0, "found again before its hint ran out"


def test_a_dead_workers_message_is_settled_after_its_lease(world: World) -> None:
    assert world.clock is not None
    set_file_clock(world.clock, NOW)
    set_faults(world.sandbox, {"channel": "sms", "kind": "timeout_after", "times": 1, "hold_s": 15})
    world.card(**ENDS_TODAY)
    world.check()
    url = world.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", _WORKER, url, world.sandbox, str(world.message(SMS).id)]
    child = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    try:
        assert until(world.accepted, 60), "the worker never called"
        child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
        child.wait()
    message = world.message(SMS)
    [attempt] = world.rows(attempts)
    assert (message.state, message.attempts) == (MessageState.SENDING, 1)
    assert (attempt.outcome, attempt.ended_at) == (None, None)

    lease_over = message.wake_at
    assert lease_over == NOW + timedelta(seconds=120)
    assert len(world.wake(lease_over - timedelta(seconds=1))) == 0
    assert world.wake(lease_over).expired == [message.id]
    message = world.message(SMS)
    assert (message.state, message.reason) == (MessageState.UNKNOWN, "lease_expired")
    assert world.send(lease_over) == {}
    assert world.wake(message.wake_at).reconcile == [message.id]
    assert world.reconcile(message.wake_at) == {MessageState.DELIVERED: 1}
    assert world.told() == [("sms", DELIVERED, None)]
    assert len(world.accepted()) == 1


_WORKER = """
import sys
from tests.integration.helpers import NOW, World
from worker.core.cards import Channel
from worker.paths import shipped
from worker.setup.load_rules import load_rules
from worker.setup.load_texts import texts
from worker.store.engine import open_engine
url, sandbox, message = sys.argv[1:]
world = World(open_engine(url), sandbox, None, load_rules(shipped("config")),
              texts(shipped("templates")), read_timeout=20)
world.send(NOW, Channel.SMS, ids=[int(message)])
"""


def test_two_equal_texts_to_one_number_each_adopt_their_own(world: World) -> None:
    set_faults(world.sandbox, {"channel": "sms", "kind": "error_after", "times": 2})
    for _ in range(2):  # two holders with one phone, and cards whose numbers end alike
        world.card(world.holder(), msisdn="+51900001234", **ENDS_TODAY)
    world.check()
    assert world.send() == {MessageState.UNKNOWN: 2}
    [first, second] = world.accepted()
    assert first["digest"] == second["digest"]
    assert world.reconcile(LATER) == {MessageState.DELIVERED: 2}
    adopted = {row.provider_id for row in world.rows(messages)}
    assert adopted == {first["id"], second["id"]}
    assert {row.provider_id for row in world.rows(attempts)} == adopted


def test_of_two_equal_texts_the_one_that_was_never_taken_is_sent_once(world: World) -> None:
    set_faults(
        world.sandbox,
        {"channel": "sms", "kind": "error_before", "times": 1},
        {"channel": "sms", "kind": "error_after", "times": 1},
    )
    for _ in range(2):
        world.card(world.holder(), msisdn="+51900001234", **ENDS_TODAY)
    world.check()
    assert world.send() == {MessageState.UNKNOWN: 2}
    assert world.reconcile(LATER) == {MessageState.DELIVERED: 1, MessageState.RETRYABLE: 1}
    assert world.send(LATER) == {MessageState.SENT: 1}
    assert len(world.accepted()) == 2
    assert len({row.provider_id for row in world.rows(messages)}) == 2


def test_what_the_list_shows_while_a_twin_is_in_its_call_is_left_to_the_twin(world: World) -> None:
    set_faults(world.sandbox, {"channel": "sms", "kind": "error_before", "times": 1})
    for _ in range(2):
        world.card(world.holder(), msisdn="+51900001234", **ENDS_TODAY)
    world.check()
    first, second = (row.id for row in world.rows(messages))
    assert world.send(ids=[first]) == UNKNOWN
    theirs = Listing([Sighting("SM1", str(world.rows(messages)[0].body), LATER, "sent", None)])
    meanwhile: list[Counter[str]] = []

    async def take(out: Out) -> Outcome:
        meanwhile.append(await asyncio.to_thread(world.reconcile, LATER, sms=theirs))
        return accepted("SM1")

    twin = {SMS: Carrier(take)}
    assert world.send(LATER, SMS, ids=[second], providers=twin) == {MessageState.SENT: 1}
    assert meanwhile == [UNKNOWN], "nobody can tell whose it is"
    assert world.reconcile(LATER, sms=theirs) == {MessageState.RETRYABLE: 1}


def test_another_text_or_an_older_one_to_the_same_number_is_not_ours(world: World) -> None:
    unknown(world, kind="error_before")
    message = world.message(SMS)
    others = [
        Sighting("SM1", "another text", NOW, "delivered", None),
        Sighting("SM2", str(message.body), NOW - timedelta(days=1), "delivered", None),
    ]
    assert world.reconcile(LATER, sms=Listing(others)) == {MessageState.RETRYABLE: 1}


def test_a_providers_clock_may_be_some_seconds_behind(world: World) -> None:
    unknown(world, kind="error_before")
    body = str(world.message(SMS).body)
    seen = Sighting("SM1", body, NOW - timedelta(seconds=3), "sent", None)
    assert world.reconcile(LATER, sms=Listing([seen])) == {MessageState.SENT: 1}


@pytest.mark.parametrize(
    ("taken_by", "state"), [("twilio", MessageState.SENT), ("other", MessageState.RETRYABLE)]
)
def test_a_text_is_looked_up_with_the_provider_that_was_called(
    world: World, taken_by: str, state: MessageState
) -> None:
    """The same text in the list of another provider is another message."""
    unknown(world, kind="error_before")
    body = str(world.message(SMS).body)
    lists = {"twilio": Listing([]), "other": Listing([])}
    lists[taken_by].sightings = [Sighting("SM1", body, NOW, "sent", None)]
    assert world.reconcile(LATER, lists=lists) == {state: 1}


def test_while_the_provider_that_was_called_is_not_set_nobody_else_is_asked(world: World) -> None:
    unknown(world, kind="error_before")
    seen = Sighting("SM1", str(world.message(SMS).body), NOW, "sent", None)
    assert world.reconcile(LATER, lists={"other": Listing([seen])}) == UNKNOWN
    assert world.told() == [("sms", PENDING, None)]


ACCOUNTS: list[dict[str, Any]] = [
    {"trial": True},
    {"smart_encoding": True},
    {"redact": True},
    {"trial": True, "smart_encoding": True, "redact": True},
    *({"clock_offset_s": seconds} for seconds in (-10, -20, 20, -3600, 86_400)),
    {"clock_offset_s": -90, "redact": True},
]


@pytest.mark.parametrize("holds", [False, True], ids=["resend_once", "hold"])
@pytest.mark.parametrize("account", ACCOUNTS, ids=str)
def test_what_the_provider_took_is_known_again_however_its_list_shows_it(
    world: World, account: dict[str, Any], holds: bool
) -> None:
    if holds:
        world.retry = RetryPolicy(resend=frozenset())
    body = json.dumps(account)
    assert call(world.sandbox, "POST", "/sandbox/account", body).status == 200
    unknown(world, kind="error_after")
    for minutes in (3, 10, 60):
        at = NOW + timedelta(minutes=minutes)
        world.reconcile(at)
        world.send(at, SMS)
    assert len(world.accepted(SMS)) == 1
    assert world.message(SMS).state == MessageState.DELIVERED


def test_a_worker_whose_clock_is_ahead_finds_its_text_all_the_same(world: World) -> None:
    """The attempt carries the time of the machine that made it, which may be any."""
    unknown(world, kind="error_before")
    body = str(world.message(SMS).body)
    seen = Sighting("SM1", body, NOW - timedelta(seconds=40), "sent", None)
    assert world.reconcile(LATER, sms=Listing([seen])) == {MessageState.SENT: 1}


def test_a_list_is_asked_from_before_the_attempt_on(world: World) -> None:
    unknown(world, kind="error_before")
    asked: list[datetime] = []

    class Noting(Listing):
        async def find(self, to: str, since: datetime) -> list[Sighting] | None:
            asked.append(since)
            return self.sightings

    world.reconcile(LATER, sms=Noting([]))
    assert asked == [NOW - timedelta(minutes=10)]


@pytest.mark.parametrize("ours", [True, False])
def test_a_list_that_names_the_attempt_is_believed_whatever_else_it_shows(
    world: World, ours: bool
) -> None:
    """Another text at another time is ours if it says so, and the very text is not if it does not:
    it went to the same number for another message."""
    unknown(world, kind="error_before")
    body, [attempt] = str(world.message(SMS).body), world.rows(attempts)
    seen = (
        Sighting("A1", "a part of it", NOW + timedelta(hours=2), "sent", None, attempt.id)
        if ours
        else Sighting("A1", body, NOW, "sent", None, uuid.uuid4())
    )
    state = MessageState.SENT if ours else MessageState.RETRYABLE
    assert world.reconcile(LATER, sms=Listing([seen])) == {state: 1}


@pytest.mark.parametrize("resend", [frozenset(), frozenset({SMS})])
def test_while_a_text_is_there_that_may_be_ours_nothing_is_sent_again(
    world: World, resend: frozenset[Channel]
) -> None:
    world.retry = RetryPolicy(resend=resend)
    unknown(world, kind="error_before")
    body = str(world.message(SMS).body)
    perhaps = Sighting("SM1", body.replace("Claro", "the carrier"), NOW, "sent", None)
    end = world.message(SMS).useful_until
    for at in (LATER, NOW + timedelta(hours=2), end - timedelta(seconds=1)):
        assert world.reconcile(at, sms=Listing([perhaps])) == UNKNOWN
        assert world.send(at, SMS) == {}
    with capture_logs() as logs:
        assert world.reconcile(end, sms=Listing([perhaps])) == {MessageState.FAILED: 1}
    assert causes(logs) == ["reminder_missed"]


def test_of_two_unknowns_and_one_text_that_is_not_shown_none_is_sent_again(world: World) -> None:
    set_faults(
        world.sandbox,
        {"channel": "sms", "kind": "error_before", "times": 1},
        {"channel": "sms", "kind": "error_after", "times": 1},
    )
    assert call(world.sandbox, "POST", "/sandbox/account", '{"redact": true}').status == 200
    for number in ("+51900001234", "+51900005678"):
        world.card(world.holder(), msisdn=number, **ENDS_TODAY)
    world.check()
    assert world.send() == {MessageState.UNKNOWN: 2}
    assert world.reconcile(LATER) == {MessageState.UNKNOWN: 2}, "which of them was it?"
    assert len(world.accepted()) == 1


def test_another_message_that_is_much_alike_holds_nothing_up_for_long(world: World) -> None:
    """Two notices to one phone: the one that was taken takes its own text out of the list."""
    set_faults(
        world.sandbox,
        {"channel": "sms", "kind": "error_before", "times": 1},
        {"channel": "sms", "kind": "error_after", "times": 1},
    )
    for number in ("+51900001234", "+51900005678"):
        world.card(world.holder(), msisdn=number, **ENDS_TODAY)
    world.check()
    assert world.send() == {MessageState.UNKNOWN: 2}
    at = LATER
    for _ in range(3):
        world.reconcile(at)
        world.send(at, SMS)
        at += timedelta(minutes=3)
    assert len(world.accepted()) == 2
    assert len({m["text"] for m in world.accepted()}) == 2


LIST_FAULTS: list[dict[str, Any]] = [
    {"kind": "error_before"},
    {"kind": "reset_before"},
    {"kind": "rate_limit"},
    {"kind": "html_before", "status": 200},
    {"kind": "code", "code": 20003, "status": 401},
]


@pytest.mark.parametrize("fault", LIST_FAULTS, ids=lambda fault: str(fault["kind"]))
def test_without_the_list_an_unknown_stays_unknown(world: World, fault: dict[str, Any]) -> None:
    unknown(world, kind="error_after")
    set_faults(world.sandbox, {"channel": "sms", "on": "list", "rate": 1, **fault})
    assert world.reconcile(LATER) == UNKNOWN
    set_faults(world.sandbox)
    message = world.message(SMS)
    assert message.state == MessageState.UNKNOWN
    assert LATER < message.wake_at <= message.useful_until
    assert world.told() == [("sms", PENDING, None)]
    assert world.send(message.wake_at) == {}
    assert world.reconcile(message.wake_at) == {MessageState.DELIVERED: 1}
    assert len(world.accepted()) == 1


def test_without_the_list_until_the_end_the_notice_is_missed_with_an_alarm(world: World) -> None:
    unknown(world, kind="error_after")
    end = world.message(SMS).useful_until
    with capture_logs() as logs:
        assert world.reconcile(end, sms=Listing(None)) == {MessageState.FAILED: 1}
    assert causes(logs) == ["reminder_missed"]
    assert world.told() == [("sms", MISSED, "unknown_outcome")]
    assert world.message(SMS).wake_at is None


def test_what_was_never_taken_is_missed_once_it_is_too_late(world: World) -> None:
    unknown(world, kind="error_before")
    end = world.message(SMS).useful_until
    with capture_logs() as logs:
        assert world.reconcile(end) == {MessageState.FAILED: 1}
    assert causes(logs) == ["reminder_missed"]
    assert world.told() == [("sms", MISSED, "not_sent_in_time")]


def unknown_email(world: World, times: int) -> datetime:
    """An email whose calls meet a timeout; returns when it is looked at."""
    set_faults(
        world.sandbox, {"channel": "email", "kind": "timeout_before", "times": times, "hold_s": 1}
    )
    world.card()
    world.check()
    assert world.send(channel=MAIL) == UNKNOWN
    at: datetime = world.message(MAIL).wake_at
    return at


def until_it_ends(world: World) -> int:
    """Look at an unknown email until it has ended; returns how often that was."""
    looks = 0
    while (at := world.message(MAIL).wake_at) is not None:
        assert world.message(MAIL).state == MessageState.UNKNOWN
        assert ("email", PENDING, None) in world.told()
        assert world.send(at, MAIL) == {}
        world.reconcile(at)
        looks += 1
        assert looks < 200
    return looks


def test_an_email_of_which_nobody_can_tell_is_sent_once_more(world: World) -> None:
    at = unknown_email(world, times=1)
    with capture_logs() as logs:
        assert world.reconcile(at) == {MessageState.RETRYABLE: 1}
    assert [(e["event"], e["channel"]) for e in logs] == [("unknown_resent", "email")]
    assert world.send(at, MAIL) == {MessageState.SENT: 1}
    first, second = world.rows(attempts)
    assert (first.outcome, first.code) == (OutcomeKind.AMBIGUOUS, "unknown_resent")
    assert second.outcome == OutcomeKind.ACCEPTED


def test_an_email_is_sent_at_most_twice_and_then_ends_missed_with_an_alarm(world: World) -> None:
    at = unknown_email(world, times=2)
    world.reconcile(at)
    assert world.send(at, MAIL) == UNKNOWN
    calls = world.calls()
    with capture_logs() as logs:
        assert until_it_ends(world) > 2
    assert world.calls() == calls
    message = world.message(MAIL)
    assert (message.state, message.reason) == (MessageState.FAILED, "unknown_outcome")
    assert ("email", MISSED, "unknown_outcome") in world.told()
    assert causes(logs) == ["reminder_missed"]


def test_where_an_unknown_email_is_to_be_held_it_is_never_sent_again(world: World) -> None:
    world.retry = RetryPolicy(resend=frozenset({SMS}))
    unknown_email(world, times=2)
    calls = world.calls()
    with capture_logs() as logs:
        until_it_ends(world)
    assert world.calls() == calls, "somebody was called for an email nobody can ask about"
    assert causes(logs) == ["reminder_missed"]


@pytest.mark.parametrize(("resend", "sendings"), [(True, 3), (False, 2)])
def test_a_text_that_is_missing_in_the_list_again_and_again_is_left_alone(
    world: World, resend: bool, sendings: int
) -> None:
    """The first time it was not sent; after that the list itself is in doubt."""
    world.retry = RetryPolicy(resend=frozenset(Channel) if resend else frozenset())
    carrier = always(Outcome(OutcomeKind.AMBIGUOUS, "timeout"))
    world.card(**ENDS_TODAY)
    world.check()
    now = NOW
    with capture_logs() as logs:
        while (message := world.message(SMS)).state not in (MessageState.FAILED,):
            now = max(now, message.next_attempt_at)
            world.send(now, SMS, providers={SMS: carrier})
            now = max(now, world.message(SMS).next_attempt_at)
            world.reconcile(now, sms=Listing([]))
    assert len(carrier.calls) == sendings
    assert now == message.useful_until
    assert world.told() == [("sms", MISSED, "not_sent_in_time")]
    assert causes(logs) == ["reminder_missed"]


def test_a_list_that_was_behind_is_believed_once_it_has_caught_up(world: World) -> None:
    world.retry = RetryPolicy(resend=frozenset())
    unknown(world, kind="error_before")
    assert world.reconcile(LATER, sms=Listing([])) == UNKNOWN, "it may be behind"
    later = NOW + timedelta(minutes=15)
    assert world.reconcile(later, sms=Listing([])) == {MessageState.RETRYABLE: 1}
    set_faults(world.sandbox, {"channel": "sms", "kind": "error_after", "times": 1})
    assert world.send(later) == UNKNOWN
    again = world.message(SMS).wake_at
    assert world.reconcile(again, sms=Listing([])) == UNKNOWN
    assert world.reconcile(world.message(SMS).wake_at) == {MessageState.DELIVERED: 1}


def test_a_number_that_proved_dead_afterwards_is_suppressed_and_email_takes_over(
    world: World,
) -> None:
    unknown(world, kind="error_after")
    failed = Sighting("SM1", str(world.message(SMS).body), NOW, "undelivered", 21614)
    assert world.reconcile(LATER, sms=Listing([failed])) == {MessageState.UNDELIVERED: 1}
    [row] = world.rows(suppressions)
    assert (row.address, row.reason) == (PHONE, "twilio:21614")
    [attempt] = world.rows(attempts)
    assert (attempt.outcome, attempt.provider_id) == (OutcomeKind.RECIPIENT_DEAD, "SM1")
    assert world.message(SMS).attempts == 1
    assert world.send(LATER) == {MessageState.SENT: 1}
    assert [m["channel"] for m in world.accepted()] == ["sms", "email"]
    assert world.told() == [
        ("sms", ReminderState.SUPPRESSED, "twilio:21614"),
        ("email", SENT, None),
    ]


def test_a_handset_that_was_off_is_tried_once_more_hours_later(world: World) -> None:
    unknown(world, kind="error_after")
    failed = Sighting("SM1", str(world.message(SMS).body), NOW, "failed", 30003)
    assert world.reconcile(LATER, sms=Listing([failed])) == {MessageState.RETRYABLE: 1}
    message = world.message(SMS)
    assert message.next_attempt_at >= LATER + timedelta(hours=4)
    assert message.attempts == 1
    assert world.told() == [("sms", PENDING, None)]


def test_an_account_that_was_suspended_meanwhile_holds_and_counts_nothing(world: World) -> None:
    unknown(world, kind="error_after")
    failed = Sighting("SM1", str(world.message(SMS).body), NOW, "failed", 30002)
    assert world.reconcile(LATER, sms=Listing([failed])) == {MessageState.HELD: 1}
    assert world.message(SMS).attempts == 0
    assert world.send(LATER + world.retry.hold) == {MessageState.SENT: 1}
    assert world.message(SMS).attempts == 1


def test_what_was_lost_behind_the_provider_is_tried_once_more_hours_later(world: World) -> None:
    unknown(world, kind="error_after")
    lost = Sighting("SM1", str(world.message(SMS).body), NOW, "undelivered", 30008)
    assert world.reconcile(LATER, sms=Listing([lost])) == {MessageState.RETRYABLE: 1}
    assert world.message(SMS).next_attempt_at >= LATER + timedelta(hours=4)


LATE = {
    "dead": Outcome(OutcomeKind.RECIPIENT_DEAD, "twilio:21610"),
    "refused": Outcome(OutcomeKind.MESSAGE_DEAD, "twilio:21617"),
    "ours": Outcome(OutcomeKind.CONFIG_FAULT, "twilio:20003"),
    "busy": Outcome(OutcomeKind.TRANSIENT, "twilio:20429"),
    "unknown": Outcome(OutcomeKind.AMBIGUOUS, "timeout"),
}


@pytest.mark.parametrize("late", LATE)
def test_a_process_that_lost_its_lease_cannot_undo_what_was_settled(
    world: World, late: str
) -> None:
    """While its call hangs, the lease runs out, the message is found unsent, and sent anew."""
    world.card(**ENDS_TODAY)
    world.check()
    second = always(Outcome(OutcomeKind.ACCEPTED, "accepted"))

    async def hang(out: Out) -> Outcome:
        await asyncio.to_thread(_take_over, world, second)
        return LATE[late]

    with capture_logs() as logs:
        world.send(providers={SMS: Carrier(hang)}, channel=SMS)
    assert len(second.calls) == 1
    message = world.message(SMS)
    assert (message.state, message.attempts) == (MessageState.SENT, 2)
    assert message.wake_at is None
    assert world.told() == [("sms", SENT, None)]
    assert "reminder_missed" not in causes(logs)
    assert world.rows(suppressions) == []
    assert len(world.rows(messages)) == 1


@pytest.mark.parametrize("late", LATE)
def test_a_late_outcome_leaves_a_message_alone_that_another_process_is_sending(
    world: World, late: str
) -> None:
    in_call, go_on = threading.Event(), threading.Event()

    async def second(out: Out) -> Outcome:
        in_call.set()
        await asyncio.to_thread(go_on.wait, patient(10))
        return accepted("SM2")

    other = threading.Thread(target=_take_over, args=(world, Carrier(second)))

    async def first(out: Out) -> Outcome:
        other.start()
        assert await asyncio.to_thread(in_call.wait, patient(10))
        return LATE[late]

    world.card(**ENDS_TODAY)
    world.check()
    world.send(providers={SMS: Carrier(first)}, channel=SMS)
    try:
        message = world.message(SMS)
        assert (message.state, message.attempts) == (MessageState.SENDING, 2)
        assert world.told() == [("sms", PENDING, None)]
        assert world.rows(suppressions) == []
    finally:
        go_on.set()
        other.join()
    assert world.message(SMS).state == MessageState.SENT
    assert world.told() == [("sms", SENT, None)]


def _take_over(world: World, carrier: Carrier) -> None:
    over = NOW + timedelta(seconds=120)
    assert len(world.wake(over).expired) == 1
    parked = world.message(SMS).wake_at
    assert world.reconcile(parked, sms=Listing([])) == {MessageState.RETRYABLE: 1}
    assert world.send(parked, SMS, providers={SMS: carrier}) == {MessageState.SENT: 1}


def test_that_it_was_sent_is_kept_even_when_it_comes_late(world: World) -> None:
    world.card(**ENDS_TODAY)
    world.check()

    async def hang(out: Out) -> Outcome:
        await asyncio.to_thread(world.wake, NOW + timedelta(seconds=120))
        return accepted("SM1")

    world.send(providers={SMS: Carrier(hang)}, channel=SMS)
    message = world.message(SMS)
    assert (message.state, message.provider_id, message.wake_at) == (MessageState.SENT, "SM1", None)
    assert world.told() == [("sms", SENT, None)]
    assert world.reconcile(LATER, sms=Listing([])) == {}


def test_one_message_settled_by_many_at_once_is_settled_once(world: World) -> None:
    """Every hint is repeated sooner or later, so two processes may ask about one message."""
    unknown(world, kind="error_after")
    one = world.message(SMS)
    seen = Sighting("SM1", str(one.body), NOW, "sent", None)
    barrier = threading.Barrier(4)

    class Slow(Listing):
        async def find(self, to: str, since: datetime) -> list[Sighting] | None:
            await asyncio.to_thread(barrier.wait, patient(10))
            return self.sightings

    found: list[Counter[str]] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(world.reconcile(LATER, ids=[one.id], sms=Slow([seen])))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [attempt] = world.rows(attempts)
    assert (attempt.outcome, attempt.provider_id) == (OutcomeKind.ACCEPTED, "SM1")
    assert world.message(SMS).provider_id == "SM1"
    assert world.told() == [("sms", SENT, None)]


def test_only_the_latest_attempt_of_a_message_is_asked_about(world: World) -> None:
    unknown(world, kind="error_before")
    world.reconcile(LATER)
    set_faults(world.sandbox, {"channel": "sms", "kind": "error_after", "times": 1})
    assert world.send(LATER) == UNKNOWN
    assert world.reconcile(LATER + timedelta(minutes=3)) == {MessageState.DELIVERED: 1}
    first, second = world.rows(attempts)
    assert (first.provider_id, first.outcome) == (None, OutcomeKind.NOT_SENT)
    assert second.provider_id == world.message(SMS).provider_id


def test_a_provider_id_belongs_to_one_attempt(world: World) -> None:
    unknown(world, kind="error_after")
    message = world.message(SMS)
    with writing(world.engine) as conn:
        attempt = uuid.uuid4()
        row: NewAttempt = {
            "id": attempt,
            "message_id": message.id,
            "address": PHONE,
            "digest": digest("x"),
            "started_at": NOW,
            "provider": None,
            "sender": None,
        }
        attempt_store.add(conn, [row])
        attempt_store.end(conn, [attempt_store.ended(attempt, accepted("SM1"), NOW)])
    with writing(world.engine) as conn:
        assert unknown_store.adopted(conn, ["SM1", "SM2"]) == {"SM1"}
