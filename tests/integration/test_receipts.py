"""What providers report later: in any order, late, twice, too early, and by two doors at once."""

import asyncio
import threading
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import Row
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
    in_turn,
)
from tests.integration.sandbox_helpers import set_faults
from worker.core.cards import Channel
from worker.core.life import LifeEvent
from worker.core.outcomes import Outcome, OutcomeKind, Wait, accepted
from worker.core.reminders import MessageState, ReminderState
from worker.core.reports import News, Report
from worker.core.retry import RetryPolicy
from worker.pipeline.receipts import Fetching, Receipts
from worker.providers import registry
from worker.providers.base import Sighting
from worker.providers.sendgrid.outcomes import SENDGRID_EVENTS
from worker.providers.sendgrid.reports import OPT_INS, OPT_OUTS
from worker.providers.transport import Transport
from worker.providers.twilio.client import TwilioProvider
from worker.providers.twilio.outcomes import TWILIO_CODES
from worker.providers.twilio.settings import TwilioSettings
from worker.sandbox.credentials import ACCOUNT_SID, AUTH_TOKEN, SENDER
from worker.store import attempts as attempt_store
from worker.store.attempts import NewAttempt
from worker.store.engine import writing
from worker.store.tables import attempts, messages, receipts, reminders, suppressions

SMS, MAIL = Channel.SMS, Channel.EMAIL
PENDING, SENT, DELIVERED, MISSED, SUPPRESSED = (
    ReminderState.PENDING,
    ReminderState.SENT,
    ReminderState.DELIVERED,
    ReminderState.MISSED,
    ReminderState.SUPPRESSED,
)
LATER = NOW + timedelta(minutes=3)
TOMORROW = NOW + timedelta(days=1)
ENDS_TODAY: dict[str, Any] = {"plan_end": TODAY}  # one SMS, and no other notice
ACCEPTED = Outcome(OutcomeKind.ACCEPTED, "accepted")
TIMEOUT = Outcome(OutcomeKind.AMBIGUOUS, "timeout")


def report(
    of: Row[Any] | uuid.UUID, status: str, code: str | None = None, **changes: Any
) -> Report:
    """What Twilio says of an attempt, or SendGrid if its words are used."""
    one, name = (of.id, of.provider_id) if isinstance(of, Row) else (of, None)
    mail = status in {*SENDGRID_EVENTS, *OPT_INS, "processed", "deferred", "open", "click"}
    values = {
        "provider": "sendgrid" if mail else "twilio",
        "event_id": f"{one}:{status}:{code}",
        "status": status,
        "attempt": one,
        "provider_id": name or f"id-{one}",
        "code": code,
        "occurred_at": None,
        **changes,
    }
    return Report(**values)


def by_sendgrid(one: Report) -> Report:
    """The same word from SendGrid (both say `delivered`)."""
    values = {name: getattr(one, name) for name in Report.__slots__}
    return Report(**{**values, "provider": "sendgrid"})


def take(world: World, *reports: Report, now: datetime = LATER) -> Counter[str]:
    return Receipts(world.engine, world.retry).take(reports, now)


def sent(world: World, channel: Channel = SMS, outcome: Outcome = ACCEPTED) -> Row[Any]:
    """The attempt of one message that was sent (or ended in ``outcome``)."""
    world.card(**(ENDS_TODAY if channel is SMS else {}))
    world.check()
    world.send(channel=channel, providers={channel: always(outcome)})
    [attempt] = world.rows(attempts)
    return attempt


def told(world: World, channel: Channel) -> list[tuple[str, str | None]]:
    return [(row.state, row.reason) for row in world.rows(reminders) if row.channel == channel]


# Class by class, so that each class comes to both databases.
CODES = sorted(TWILIO_CODES, key=lambda code: (TWILIO_CODES[code].kind, code))


@pytest.mark.parametrize(("engine", "code"), in_turn(CODES), indirect=["engine"])
def test_each_code_of_a_status_callback_has_the_effect_of_its_class(
    world: World, code: int
) -> None:
    attempt = sent(world)
    row, reason = TWILIO_CODES[code], f"twilio:{code}"
    with capture_logs() as logs:
        assert take(world, report(attempt, "undelivered", str(code))) == {"applied": 1}
    message = world.message(SMS)
    [after] = world.rows(attempts)[:1]
    assert (after.outcome, after.code, after.provider_id) == (
        row.kind, reason, attempt.provider_id)  # fmt: skip
    dead = {r.address: r.reason for r in world.rows(suppressions)}
    assert dead == ({PHONE: reason} if row.kind is OutcomeKind.RECIPIENT_DEAD else {})
    match row.kind:
        case OutcomeKind.RECIPIENT_DEAD:
            assert message.state == MessageState.UNDELIVERED
            assert world.told() == [("sms", SUPPRESSED, reason), ("email", PENDING, None)]
            assert causes(logs) == []
        case OutcomeKind.MESSAGE_DEAD:
            assert message.state == MessageState.UNDELIVERED
            assert world.told() == [("sms", MISSED, reason), ("email", PENDING, None)]
            assert causes(logs) == ["message_dead", "reminder_missed"]
        case OutcomeKind.CONFIG_FAULT:
            assert (message.state, message.attempts) == (MessageState.HELD, 0)
            assert world.told() == [("sms", PENDING, None)]
            assert causes(logs) == ["config_fault"]
        case _ if row.wait is Wait.UNTIL_PACIFIC_MIDNIGHT:  # the notice is over before
            assert message.state == MessageState.UNDELIVERED
            assert world.told() == [("sms", SUPPRESSED, reason), ("email", PENDING, None)]
        case _:
            assert message.state == MessageState.RETRYABLE
            assert world.told() == [("sms", PENDING, None)]
            late = timedelta(hours=4) if row.wait else timedelta(0)
            assert LATER + late <= message.next_attempt_at < message.useful_until
    ended = message.state == MessageState.UNDELIVERED
    assert (message.wake_at is None) == ended
    assert (message.provider_id is None) != ended


MAIL_ENDS = sorted({*SENDGRID_EVENTS} - OPT_OUTS)


@pytest.mark.parametrize("event", MAIL_ENDS)
def test_each_failure_that_sendgrid_reports_has_the_effect_of_its_class(
    world: World, event: str
) -> None:
    attempt = sent(world, MAIL)
    assert take(world, report(attempt, event)) == {"applied": 1}
    message, reason = world.message(MAIL), f"sendgrid:{event}"
    if event == "blocked":
        assert message.state == MessageState.RETRYABLE
        assert message.next_attempt_at >= LATER + timedelta(hours=4)
        assert told(world, MAIL) == [(PENDING, None)]
        assert world.rows(suppressions) == []
        return
    if event == "dropped":  # and nobody says why: that silences nobody
        assert (message.state, message.reason) == (MessageState.HELD, f"{reason}_unknown")
        assert told(world, MAIL) == [(PENDING, None)]
        assert world.rows(suppressions) == []
        return
    assert message.state == MessageState.UNDELIVERED
    assert told(world, MAIL) == [(SUPPRESSED, reason)]
    [dead] = world.rows(suppressions)
    assert (dead.channel, dead.reason, dead.source) == ("email", reason, "provider")
    assert told(world, SMS) == [(PENDING, None)], "it was owed there already, and once"


@pytest.mark.parametrize("event", sorted(OPT_OUTS))
def test_whoever_asks_for_silence_was_told_this_time(world: World, event: str) -> None:
    attempt = sent(world, MAIL)
    take(world, by_sendgrid(report(attempt, "delivered")), report(attempt, event))
    assert world.message(MAIL).state == MessageState.DELIVERED
    assert told(world, MAIL) == [(DELIVERED, None)]
    [row] = world.rows(suppressions)
    assert (row.channel, row.reason, row.source) == ("email", f"sendgrid:{event}", "optout")


def silent(world: World) -> list[str]:
    return [row.reason for row in world.rows(suppressions) if row.lifted_at is None]


@pytest.mark.parametrize("event", ["unsubscribe", "group_unsubscribe"])
def test_who_subscribes_again_with_sendgrid_is_written_to_again(world: World, event: str) -> None:
    attempt = sent(world, MAIL)
    take(world, report(attempt, event, occurred_at=NOW))
    assert silent(world) == [f"sendgrid:{event}"]
    take(world, report(attempt, "group_resubscribe", occurred_at=NOW + timedelta(seconds=5)))
    assert silent(world) == []
    [row] = world.rows(suppressions)
    assert row.lifted_reason == "sendgrid:group_resubscribe"


@pytest.mark.parametrize("back_last", [True, False])
def test_of_leaving_and_coming_back_the_later_counts_in_whatever_order_they_arrive(
    world: World, back_last: bool
) -> None:
    attempt = sent(world, MAIL)
    out = report(attempt, "group_unsubscribe", occurred_at=NOW + timedelta(seconds=1))
    moment = NOW + timedelta(seconds=2 if back_last else 0)
    back = report(attempt, "group_resubscribe", occurred_at=moment)
    for one in (back, out):
        take(world, one)
    assert silent(world) == ([] if back_last else ["sendgrid:group_unsubscribe"])


@pytest.mark.parametrize("reason", ["spamreport", "bounce"])
def test_coming_back_lifts_neither_a_complaint_nor_a_dead_address(
    world: World, reason: str
) -> None:
    attempt = sent(world, MAIL)
    take(world, report(attempt, reason, occurred_at=NOW))
    before = silent(world)
    take(world, report(attempt, "group_resubscribe", occurred_at=LATER))
    assert silent(world) == before == [f"sendgrid:{reason}"]


@pytest.mark.parametrize(
    ("why", "state", "suppressed"),
    [
        ("Bounced Address", MessageState.UNDELIVERED, 1),
        ("Invalid", MessageState.UNDELIVERED, 1),
        ("A reason of next year", MessageState.HELD, 0),
        ("Recipient List over Package Quota", MessageState.HELD, 0),
        ("Spam Content", MessageState.UNDELIVERED, 0),
        ("Invalid SMTPAPI header", MessageState.UNDELIVERED, 0),
    ],
)
def test_a_drop_for_a_reason_of_ours_silences_nobody(
    world: World, why: str, state: MessageState, suppressed: int
) -> None:
    take(world, report(sent(world, MAIL), "dropped", why))
    assert world.message(MAIL).state == state
    assert len(world.rows(suppressions)) == suppressed


@pytest.mark.parametrize("why", ["Unsubscribed Address", "Spam Reporting Address"])
def test_a_drop_since_the_reader_wants_no_mail_is_an_opt_out(world: World, why: str) -> None:
    attempt = sent(world, MAIL)
    take(world, report(attempt, "dropped", why))
    assert told(world, MAIL) == [(SUPPRESSED, "sendgrid:opted_out")]
    [row] = world.rows(suppressions)
    assert (row.reason, row.source, row.expires_at) == ("sendgrid:opted_out", "optout", None)
    take(world, report(attempt, "group_resubscribe"))
    assert world.rows(suppressions)[0].lifted_at == LATER


@pytest.mark.parametrize(
    ("why", "dead"),
    [("5.1.1", True), ("5.4.1", True), ("4.2.2", False), ("5.2.2", False), ("5.7.1", False)],
)
def test_only_a_bounce_that_says_so_shows_a_dead_address(
    world: World, why: str, dead: bool
) -> None:
    take(world, report(sent(world, MAIL), "bounce", why))
    assert len(world.rows(suppressions)) == dead
    state = MessageState.UNDELIVERED if dead else MessageState.RETRYABLE
    assert world.message(MAIL).state == state


@pytest.mark.parametrize("status", ["queued", "sent", "accepted", "sending", "scheduled"])
def test_progress_of_a_sent_text_changes_nothing(world: World, status: str) -> None:
    attempt = sent(world)
    before = world.message(SMS)
    assert take(world, report(attempt, status)) == {"applied": 1}
    assert world.message(SMS) == before
    assert world.told() == [("sms", SENT, None)]


@pytest.mark.parametrize("status", ["open", "click", "receiving", "nonsense"])
def test_what_is_nothing_to_us_is_not_even_kept(world: World, status: str) -> None:
    attempt = sent(world, MAIL)
    assert take(world, by_sendgrid(report(attempt, status))) == {"ignored": 1}
    assert world.rows(receipts) == []
    assert told(world, MAIL) == [(SENT, None)]


@pytest.mark.parametrize("status", ["delivered", "read"])
def test_a_receipt_says_when_the_holder_had_it(world: World, status: str) -> None:
    attempt = sent(world)
    at = NOW + timedelta(seconds=20)
    take(world, report(attempt, status, occurred_at=at))
    message = world.message(SMS)
    assert (message.state, message.delivered_at) == (MessageState.DELIVERED, at)
    assert (message.sent_at, message.wake_at) == (attempt.ended_at, None)
    assert world.told() == [("sms", DELIVERED, None)]
    [kept] = world.rows(receipts)
    assert (kept.status, kept.attempt_id, kept.applied_at) == (status, attempt.id, LATER)


def test_a_provider_that_lives_in_the_future_does_not_take_us_there(world: World) -> None:
    attempt = sent(world)
    take(world, report(attempt, "delivered", occurred_at=LATER + timedelta(days=400)))
    assert world.message(SMS).delivered_at == LATER


def test_a_report_counts_once(world: World) -> None:
    attempt = sent(world)
    failed = report(attempt, "undelivered", "30003")
    assert take(world, failed, failed) == {"applied": 1, "duplicate": 1}
    message = world.message(SMS)
    assert take(world, failed, now=TOMORROW) == {"duplicate": 1}
    assert world.message(SMS) == message
    assert len(world.rows(receipts)) == 1


# What may be said of one attempt, and the end of it whatever the order.
DISORDER: list[tuple[Channel, list[tuple[str, str | None]], Any]] = [
    (SMS, [("queued", None), ("sent", None), ("undelivered", "30003"), ("delivered", None)],
     (MessageState.DELIVERED, DELIVERED, ("accepted", "delivered"), 0)),
    (SMS, [("sent", None), ("failed", "21614"), ("delivered", None)],
     (MessageState.DELIVERED, DELIVERED, ("accepted", "delivered"), 1)),
    (SMS, [("queued", None), ("sent", None), ("undelivered", "30008")],
     (MessageState.RETRYABLE, PENDING, ("ambiguous", "twilio:30008"), 0)),
    (SMS, [("accepted", None), ("queued", None), ("sent", None), ("failed", "30007")],
     (MessageState.UNDELIVERED, MISSED, ("message_dead", "twilio:30007"), 0)),
    (MAIL, [("processed", None), ("deferred", None), ("delivered", None)],
     (MessageState.DELIVERED, DELIVERED, ("accepted", "delivered"), 0)),
    (MAIL, [("processed", None), ("deferred", None), ("delivered", None), ("bounce", None)],
     (MessageState.UNDELIVERED, SUPPRESSED, ("recipient_dead", "sendgrid:bounce"), 1)),
    (MAIL, [("processed", None), ("delivered", None), ("blocked", None)],
     (MessageState.RETRYABLE, PENDING, ("transient", "sendgrid:blocked"), 0)),
    (MAIL, [("processed", None), ("delivered", None), ("spamreport", None)],
     (MessageState.DELIVERED, DELIVERED, ("accepted", "delivered"), 1)),
]  # fmt: skip


OUTCOMES = (ACCEPTED, TIMEOUT)
# Each case comes to both databases, and so does each outcome.
DISORDERS = [
    (*case, outcome)
    for number, case in enumerate(DISORDER)
    for outcome in (OUTCOMES[::-1] if number % 2 else OUTCOMES)
]


@pytest.mark.parametrize(
    ("engine", "channel", "said", "end", "outcome"), in_turn(DISORDERS), indirect=["engine"]
)
def test_any_order_of_reports_leads_to_one_end(
    world: World, channel: Channel, said: list[tuple[str, str | None]], end: Any, outcome: Outcome
) -> None:
    orders = list(permutations(said))
    for n, _ in enumerate(orders):
        holder = world.holder(contact_phone=f"+519610000{n:02}", email=f"h{n}@example.com")
        world.card(holder, **(ENDS_TODAY if channel is SMS else {}))
    world.check()
    world.send(channel=channel, providers={channel: always(outcome)})
    tried = sorted(world.rows(attempts), key=lambda row: int(row.message_id))
    assert len(tried) == len(orders)
    for attempt, order in zip(tried, orders, strict=True):
        for status, code in order:
            one = report(attempt, status, code)
            take(world, by_sendgrid(one) if channel is MAIL else one)
    after = {row.id: row for row in world.rows(attempts)}
    states = {row.id: row.state for row in world.rows(messages)}
    noticed = {row.message_id: row.state for row in world.rows(reminders)}
    dead = Counter(row.address for row in world.rows(suppressions))
    ends = {
        (
            states[a.message_id],
            noticed[a.message_id],
            (after[a.id].outcome, after[a.id].code),
            dead[a.address],
        )
        for a in tried
    }
    assert ends == {end}


@pytest.mark.parametrize("state", [MessageState.UNKNOWN, MessageState.SENDING])
@pytest.mark.parametrize("channel", [SMS, MAIL])
def test_a_report_settles_what_nobody_knew(
    world: World, channel: Channel, state: MessageState
) -> None:
    attempt = sent(world, channel, TIMEOUT)
    if state is MessageState.SENDING:  # its worker died before it could say anything
        world.change(messages, attempt.message_id, state=state)
        world.change(attempts, None, outcome=None, code=None, ended_at=None)
    take(world, report(attempt, "sent" if channel is SMS else "processed"))
    message = world.message(channel)
    [after] = world.rows(attempts)
    assert message.state == MessageState.SENT
    assert message.provider_id == after.provider_id == f"id-{attempt.id}"
    assert message.sent_at == attempt.started_at, "it was taken in the call, not when we heard"
    assert told(world, channel) == [(SENT, None)]
    assert world.wake(TOMORROW).reconcile == []
    assert world.reconcile(LATER, ids=[message.id], sms=Listing([])) == {}


def test_a_report_prevents_a_second_sending(world: World) -> None:
    attempt = sent(world, outcome=TIMEOUT)
    assert world.reconcile(LATER, sms=Listing([])) == {MessageState.RETRYABLE: 1}
    take(world, report(attempt, "queued"))
    assert world.send(LATER, SMS) == {}
    assert world.message(SMS).state == MessageState.SENT


def test_proof_that_comes_after_a_notice_was_given_up_takes_that_back(world: World) -> None:
    attempt = sent(world, outcome=TIMEOUT)
    end = world.message(SMS).useful_until
    world.reconcile(end, sms=Listing(None))
    assert world.told() == [("sms", MISSED, "unknown_outcome")]
    take(world, report(attempt, "delivered"), now=end + timedelta(hours=1))
    assert world.told() == [("sms", DELIVERED, None)]
    assert world.message(SMS).state == MessageState.DELIVERED


@pytest.mark.parametrize("answer", ["accepted", "timeout", "lost"])
@pytest.mark.parametrize(
    ("status", "code", "state", "notice"),
    [
        ("sent", None, MessageState.SENT, SENT),
        ("delivered", None, MessageState.DELIVERED, DELIVERED),
        ("undelivered", "30003", MessageState.RETRYABLE, PENDING),
        ("undelivered", "21614", MessageState.UNDELIVERED, SUPPRESSED),
    ],
)
def test_a_report_may_overtake_the_answer(
    world: World,
    status: str,
    code: str | None,
    state: MessageState,
    notice: ReminderState,
    answer: str,
) -> None:
    async def overtaken(out: Out) -> Outcome:
        await asyncio.to_thread(take, world, report(out.attempt, status, code), now=NOW)
        if answer == "accepted":
            return accepted(f"id-{out.attempt}")
        return TIMEOUT if answer == "timeout" else Outcome(OutcomeKind.NOT_SENT, "reset")

    world.card(**ENDS_TODAY)
    world.check()
    with capture_logs() as logs:
        world.send(channel=SMS, providers={SMS: Carrier(overtaken)})
    message = world.message(SMS)
    assert message.state == state
    assert told(world, SMS)[0][0] == notice
    [attempt] = world.rows(attempts)
    assert attempt.provider_id == f"id-{attempt.id}"
    assert "sent_twice" not in causes(logs)


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Twilio report each of three parts of a text."""

    whole = registry.news_of

    def news_of(one: Report) -> News | None:
        found = whole(one)
        return found and replace(found, parts=3)

    monkeypatch.setattr(registry, "news_of", news_of)


def part(attempt: Row[Any], number: int, status: str = "delivered", code: Any = None) -> Report:
    name = f"{attempt.provider_id}-{number}" if number else str(attempt.provider_id)
    changes = {"provider_id": name, "event_id": f"{name}:{status}", "attempt": attempt.id}
    return report(attempt, status, code, **changes)


@pytest.mark.usefixtures("in_parts")
@pytest.mark.parametrize("order", [*permutations(range(3))], ids=str)
@pytest.mark.parametrize("together", [True, False], ids=["together", "one by one"])
def test_a_text_is_delivered_when_all_its_parts_are(
    world: World, order: tuple[int, ...], together: bool
) -> None:
    attempt = sent(world)
    *some, last = [part(attempt, number) for number in order]
    take(world, *some, *some)
    assert told(world, SMS) == [(SENT, None)]
    assert world.message(SMS).state == MessageState.SENT
    take(world, *([*some, last] if together else [last]))
    assert told(world, SMS) == [(DELIVERED, None)]


@pytest.mark.usefixtures("in_parts")
@pytest.mark.parametrize("order", [*permutations(range(3))], ids=str)
def test_a_text_of_which_one_part_is_lost_has_not_arrived(
    world: World, order: tuple[int, ...]
) -> None:
    attempt = sent(world)
    reports = [part(attempt, 0), part(attempt, 1, "undelivered", "30008"), part(attempt, 2)]
    take(world, *[reports[number] for number in order])
    assert world.message(SMS).state == MessageState.RETRYABLE
    assert told(world, SMS) == [(PENDING, None)]


def test_a_report_of_an_unknown_attempt_waits_for_it(world: World) -> None:
    stranger = uuid.uuid4()
    assert take(world, report(stranger, "delivered")) == {"parked": 1}
    desk = Receipts(world.engine, world.retry)
    assert desk.apply_parked(LATER) == 0
    attempt = sent(world)
    with writing(world.engine) as conn:
        row: NewAttempt = {
            "id": stranger,
            "message_id": attempt.message_id,
            "address": PHONE,
            "digest": "x",
            "started_at": NOW,
            "provider": None,
            "sender": None,
        }
        attempt_store.add(conn, [row])
    assert desk.apply_parked(LATER) == 1
    assert world.message(SMS).state == MessageState.DELIVERED
    assert [row.applied_at for row in world.rows(receipts)] == [LATER]
    assert desk.apply_parked(LATER) == 0


def test_a_report_by_the_providers_own_id_finds_its_message(world: World) -> None:
    attempt = sent(world)
    early = report(attempt, "delivered", attempt=None)
    assert take(world, early) == {"applied": 1}
    assert world.told() == [("sms", DELIVERED, None)]


def test_an_event_of_a_mail_that_is_not_ours_is_not_kept(world: World) -> None:
    foreign = report(uuid.uuid4(), "bounce", attempt=None)
    assert take(world, foreign) == {"ignored": 1}
    assert world.rows(receipts) == []


def test_a_report_that_nobody_claims_is_given_up_with_an_alarm(world: World) -> None:
    take(world, report(uuid.uuid4(), "delivered"))
    desk = Receipts(world.engine, world.retry)
    with capture_logs() as logs:
        desk.apply_parked(LATER + timedelta(days=2, hours=23))
        assert causes(logs) == []
        desk.apply_parked(LATER + timedelta(days=3))
        desk.apply_parked(LATER + timedelta(days=4))
    assert causes(logs) == ["receipt_unclaimed"]


def test_reports_through_several_doors_at_once_are_applied_once(world: World) -> None:
    for n in range(12):
        world.card(world.holder(contact_phone=f"+519610000{n:02}", email=f"h{n}@example.com"))
    world.check()
    world.send(providers={SMS: always(ACCEPTED), MAIL: always(ACCEPTED)})
    channels = {row.id: row.channel for row in world.rows(messages)}
    reports = [
        report(a, "bounce") if channels[a.message_id] == MAIL else report(a, "failed", "21614")
        for a in world.rows(attempts)
    ]
    orders = [reports, reports[::-1], reports[1::2] + reports[::2], reports]
    counts: list[Counter[str]] = []
    barrier = threading.Barrier(len(orders))

    def door(order: Sequence[Report]) -> None:
        barrier.wait()
        for start in range(0, len(order), 5):
            counts.append(take(world, *order[start : start + 5]))

    threads = [threading.Thread(target=door, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts, Counter()) == {"applied": 24, "duplicate": 72}
    assert {row.state for row in world.rows(messages)} == {MessageState.UNDELIVERED}
    assert Counter(row.channel for row in world.rows(reminders)) == {"sms": 12, "email": 12}
    assert len(world.rows(suppressions)) == 24


def test_answers_and_reports_that_race_each_other_agree(world: World) -> None:
    threads: list[threading.Thread] = []

    async def raced(out: Out) -> Outcome:
        words = (report(out.attempt, word) for word in ("sent", "delivered"))
        threads.append(threading.Thread(target=take, args=(world, *words), kwargs={"now": NOW}))
        threads[-1].start()
        return accepted(f"id-{out.attempt}")

    for n in range(20):
        world.card(world.holder(contact_phone=f"+519610000{n:02}"), **ENDS_TODAY)
    world.check()
    with capture_logs() as logs:
        world.send(channel=SMS, providers={SMS: Carrier(raced)})
        for thread in threads:
            thread.join()
    assert {row.state for row in world.rows(messages)} == {MessageState.DELIVERED}
    assert Counter(world.told()) == {("sms", DELIVERED, None): 20}
    assert causes(logs) == []


def test_two_acceptances_of_one_message_keep_the_first_and_raise_the_alarm(world: World) -> None:
    attempt = sent(world, outcome=TIMEOUT)
    world.reconcile(LATER, sms=Listing([]))
    world.send(LATER, SMS, providers={SMS: always(ACCEPTED)})
    second = world.message(SMS).provider_id
    with capture_logs() as logs:
        take(world, report(attempt, "sent"))
    assert causes(logs) == ["sent_twice"]
    assert world.message(SMS).provider_id == second
    assert {row.provider_id for row in world.rows(attempts)} == {second, f"id-{attempt.id}"}
    take(world, report(attempt, "undelivered", "21614"))
    assert world.told() == [("sms", SENT, None)], "the other one is still on its way"


def test_a_handset_that_stays_off_gets_one_late_retry_and_then_email_takes_over(
    world: World,
) -> None:
    take(world, report(sent(world), "undelivered", "30003"))
    again = world.message(SMS).next_attempt_at
    assert world.send(again, SMS, providers={SMS: always(ACCEPTED)}) == {MessageState.SENT: 1}
    [first, second] = world.rows(attempts)
    with capture_logs() as logs:
        take(world, report(second, "undelivered", "30003"), now=again)
    assert world.message(SMS).state == MessageState.UNDELIVERED
    assert world.told() == [("sms", SUPPRESSED, "twilio:30003"), ("email", PENDING, None)]
    assert causes(logs) == []
    take(world, report(first, "delivered"), now=again)
    assert told(world, SMS) == [(DELIVERED, None)], "the first one got through after all"


def test_an_end_that_may_hide_a_delivery_is_not_repeated_where_that_is_forbidden(
    world: World,
) -> None:
    world.retry = RetryPolicy(resend=frozenset({MAIL}))
    take(world, report(sent(world), "undelivered", "30008"))
    assert world.told() == [("sms", SUPPRESSED, "twilio:30008"), ("email", PENDING, None)]


def test_where_nobody_else_can_be_told_an_unreachable_handset_is_a_missed_notice(
    world: World,
) -> None:
    world.card(world.holder(email=None), **ENDS_TODAY)
    world.check()
    world.send(channel=SMS, providers={SMS: always(ACCEPTED)})
    [attempt] = world.rows(attempts)
    world.retry = RetryPolicy(resend=frozenset())
    with capture_logs() as logs:
        take(world, report(attempt, "undelivered", "30008"))
    assert world.told() == [("sms", MISSED, "twilio:30008")]
    assert causes(logs) == ["reminder_missed"]


def test_a_failure_that_comes_when_it_is_too_late_owes_nothing_elsewhere(world: World) -> None:
    attempt = sent(world)
    with capture_logs() as logs:
        take(world, report(attempt, "undelivered", "21614"), now=TOMORROW + timedelta(days=1))
    assert world.told() == [("sms", SUPPRESSED, "twilio:21614")]
    assert causes(logs) == ["holder_unreached"]


def test_after_a_renewal_a_failed_warning_is_not_repeated(world: World) -> None:
    attempt = sent(world)
    [card] = {row.card_id for row in world.rows(reminders)}
    world.live(card, LifeEvent.RENEWED, LATER, plan_end=TODAY + timedelta(days=40))
    take(world, report(attempt, "undelivered", "30001"), now=LATER)
    [again] = [r.next_attempt_at for r in world.rows(messages) if r.id == attempt.message_id]
    carrier = always(ACCEPTED)
    world.send(again, SMS, ids=[attempt.message_id], providers={SMS: carrier})
    assert carrier.calls == []
    assert world.told()[0] == ("sms", ReminderState.SUPERSEDED, "renewed")


def test_news_that_a_later_event_overtook_is_not_repeated(world: World) -> None:
    card = world.card(plan_end=TODAY + timedelta(days=200))
    world.live(card, LifeEvent.LOW_BALANCE)
    world.send(channel=SMS, providers={SMS: always(ACCEPTED)})
    [attempt] = world.rows(attempts)
    world.live(card, LifeEvent.SUSPENDED, NOW + timedelta(minutes=1))
    take(world, report(attempt, "undelivered", "30001"))
    assert told(world, SMS)[0] == (ReminderState.SUPERSEDED, "suspended")
    assert world.send(TOMORROW, SMS, ids=[attempt.message_id]) == {}


def fetch(world: World, now: datetime, seen: Sequence[Sighting]) -> Counter[str]:
    desk = Receipts(world.engine, world.retry)
    ids = [row.id for row in world.rows(messages)]
    lists = {"twilio": Listing(list(seen))}
    return asyncio.run(Fetching(world.engine, lists, desk).run(ids, now))


HOUR = timedelta(hours=1)


def seen(attempt: Row[Any], status: str, code: int | None = None) -> Sighting:
    return Sighting(attempt.provider_id, "text", NOW, status, code)


def test_a_text_without_a_receipt_is_asked_about_with_growing_pauses_for_three_days(
    world: World,
) -> None:
    world.retry = RetryPolicy(fetch_after=HOUR)
    attempt = sent(world)
    start = world.message(SMS).sent_at
    looks = []
    while (at := world.message(SMS).wake_at) is not None:
        assert world.wake(at - timedelta(seconds=1)).fetch == []
        assert world.wake(at).fetch == [attempt.message_id]
        assert fetch(world, at, [seen(attempt, "sent")])["fetched"] == 1
        looks.append((at - start) / HOUR)
    assert looks == [1, 2, 4, 8, 16, 32, 64, 72]
    assert world.message(SMS).state == MessageState.SENT
    assert world.told() == [("sms", SENT, None)], "a receipt that never comes proves nothing"


def test_what_is_fetched_is_applied_like_a_receipt(world: World) -> None:
    world.retry = RetryPolicy(fetch_after=HOUR)
    attempt = sent(world)
    at = world.message(SMS).wake_at
    assert fetch(world, at, []) == {"fetched": 1}, "nobody answered"
    assert fetch(world, at, [seen(attempt, "delivered")]) == {"fetched": 1, "applied": 1}
    message = world.message(SMS)
    assert (message.state, message.wake_at) == (MessageState.DELIVERED, None)
    sid = attempt.provider_id
    late = report(attempt, "delivered", event_id=f"{sid}:delivered")
    assert take(world, late) == {"duplicate": 1}
    assert fetch(world, at, []) == {}


def test_twilio_is_asked_about_the_message_itself(world: World) -> None:
    world.card(**ENDS_TODAY)
    world.check()
    world.send(channel=SMS)
    [theirs] = world.accepted()

    async def ask(sid: str) -> Sighting | None:
        transport = Transport()
        settings = TwilioSettings(ACCOUNT_SID, AUTH_TOKEN, SENDER, world.sandbox)
        try:
            return await TwilioProvider(settings, transport).fetch(sid)
        finally:
            await transport.close()

    found = asyncio.run(ask(theirs["id"]))
    assert found is not None
    assert (found.provider_id, found.text) == (theirs["id"], world.message(SMS).body)
    assert asyncio.run(ask("SM" + 32 * "0")) is None
    set_faults(world.sandbox, {"channel": "sms", "on": "fetch", "kind": "reset_before", "rate": 1})
    assert asyncio.run(ask(theirs["id"])) is None


def test_a_fetched_failure_falls_back(world: World) -> None:
    world.retry = RetryPolicy(fetch_after=HOUR)
    attempt = sent(world)
    at = world.message(SMS).wake_at
    fetch(world, at, [seen(attempt, "undelivered", 21614)])
    assert world.told() == [("sms", SUPPRESSED, "twilio:21614"), ("email", PENDING, None)]
