"""An address is dead only after proof, not for ever, and not in silence."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from tests.integration.helpers import EMAIL, NOW, PHONE, TODAY, World, always, causes
from tests.integration.passing_time import next_look
from tests.integration.sandbox_helpers import mailbox
from worker.core.cards import Channel, Kind
from worker.core.life import LifeEvent
from worker.core.outcomes import Outcome, OutcomeKind
from worker.core.promise import Account
from worker.core.reminders import MessageState, ReminderState
from worker.core.reports import Report
from worker.monitoring.alarm_email import Digest
from worker.monitoring.alarms import Watch
from worker.monitoring.promise import Promise
from worker.pipeline.receipts import Receipts
from worker.processes.doctor.examination import look_at
from worker.store import alarm_counts
from worker.store import suppressions as suppression_store
from worker.store.engine import reading
from worker.store.tables import attempts, books, cards, reminders, suppressions

SMS, MAIL = Channel.SMS, Channel.EMAIL
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OPERATOR = "duty@example.com"
ACCEPTED = always(Outcome(OutcomeKind.ACCEPTED, "accepted"))
OFF = (30003, 30004, 30005, 30006)
# One notice by SMS alone, useful for days.
LOSS: dict[str, Any] = {
    "kind": Kind.RETENTION,
    "operator": "movistar",
    "plan": None,
    "plan_days": None,
    "plan_end": None,
    "last_topup": TODAY - timedelta(days=207),
}


def report(
    world: World, status: str, code: int | None, at: datetime, of: UUID | None = None
) -> None:
    """What Twilio says of the last attempt (or of ``of``)."""
    rows = world.rows(attempts)
    one = next(row for row in reversed(rows) if of in (None, row.id))
    told = Report(
        "twilio",
        f"{one.id}:{status}",
        status,
        one.id,
        one.provider_id,
        None if code is None else str(code),
        None,
    )
    Receipts(world.engine, world.retry).take([told], at)


def try_until(world: World, code: int, end: datetime) -> datetime:
    """Let a text be tried whenever its time comes; each time ``code`` is reported of it."""
    now = NOW
    world.send(now, SMS, providers={SMS: ACCEPTED})
    report(world, "undelivered", code, now)
    while (due := next_look(world)) is not None and due < end:
        now = max(now, due)
        if world.send(now, SMS, providers={SMS: ACCEPTED}):
            report(world, "undelivered", code, now)
    return now


@pytest.mark.parametrize("code", OFF)
def test_a_phone_that_is_off_is_not_dead_and_is_told_when_it_is_on_again(
    world: World, code: int
) -> None:
    world.card(world.holder(email=None), **LOSS)
    world.check()
    with capture_logs() as logs:
        try_until(world, code, NOW + 8 * HOUR)
    assert world.rows(suppressions) == []
    assert "holder_unreached" not in causes(logs)
    assert world.message(SMS).state in (MessageState.RETRYABLE, MessageState.PENDING)
    now = world.message(SMS).next_attempt_at
    world.send(now, SMS, providers={SMS: ACCEPTED})
    report(world, "delivered", None, now)
    assert world.told() == [("sms", ReminderState.DELIVERED, None)]


def off_for(world: World, days: list[int]) -> datetime:
    """Texts of several cards, one a day, of each of which the phone is said to be off."""
    holder = world.holder(email=None)
    now = NOW
    for day in days:
        now = NOW + day * DAY
        values = {**LOSS, "last_topup": LOSS["last_topup"] + timedelta(days=day)}
        card = world.card(holder, **values)
        world.check(now, [card])
        [mine] = [row.message_id for row in world.rows(reminders) if row.card_id == card]
        world.send(now, SMS, ids=[mine], providers={SMS: ACCEPTED})
        report(world, "undelivered", 30005, now)
    return now


@pytest.mark.parametrize(("days", "dead"), [([0, 1], 0), ([0, 1, 2], 0), ([0, 2, 3], 1)])
def test_only_refusals_over_days_prove_that_a_number_is_dead(
    world: World, days: list[int], dead: int
) -> None:
    now = off_for(world, days)
    rows = world.rows(suppressions)
    assert len(rows) == dead
    for row in rows:
        assert (row.reason, row.source) == ("twilio:30005", "provider")
        assert row.expires_at > now + 30 * DAY


def test_what_arrived_between_shows_that_the_number_lives(world: World) -> None:
    off_for(world, [0, 1])
    first = world.rows(attempts)[1]
    report(world, "delivered", None, NOW + DAY, first.id)
    now = NOW + 4 * DAY
    [holder] = {row.holder_id for row in world.rows(cards)}
    card = world.card(holder, **{**LOSS, "last_topup": TODAY - timedelta(days=203)})
    world.check(now, [card])
    [mine] = [row.message_id for row in world.rows(reminders) if row.card_id == card]
    world.send(now, SMS, ids=[mine], providers={SMS: ACCEPTED})
    report(world, "undelivered", 30005, now)
    assert world.rows(suppressions) == []


def test_a_dead_number_to_which_a_text_arrives_after_all_is_used_again(world: World) -> None:
    now = off_for(world, [0, 2, 3])
    report(world, "delivered", None, now + HOUR, world.rows(attempts)[0].id)
    [row] = world.rows(suppressions)
    assert (row.lifted_at, row.lifted_reason) == (now + HOUR, "delivered")


def test_a_number_that_is_a_strangers_stays_silent_whatever_arrives_there(world: World) -> None:
    """The text was on its way when the number was given to somebody else."""
    card = world.card(world.holder(contact_phone=None, email=None))
    world.check()
    world.send(NOW, SMS, providers={SMS: ACCEPTED})
    world.live(card, LifeEvent.RECYCLED)
    report(world, "delivered", None, NOW + HOUR)
    [row] = world.rows(suppressions)
    assert (row.address, row.reason, row.lifted_at) == ("+51900000000", "recycled", None)


def test_a_providers_word_ends_by_itself_and_a_holders_does_not(world: World) -> None:
    now = off_for(world, [0, 2, 3])
    world.suppress(MAIL, EMAIL, "opted_out")
    desk = Receipts(world.engine, world.retry)
    desk.apply_parked(now + 89 * DAY)
    assert [row.lifted_at for row in world.rows(suppressions)] == [None, None]
    later = now + 91 * DAY
    desk.apply_parked(later)
    lifted = {row.reason: row.lifted_reason for row in world.rows(suppressions)}
    assert lifted == {"twilio:30005": "expired", "opted_out": None}


def test_who_has_opted_out_with_the_provider_is_not_revived_by_a_delivery(world: World) -> None:
    world.card(world.holder(email=None), **LOSS)
    world.check()
    world.send(channel=SMS, providers={SMS: ACCEPTED})
    report(world, "undelivered", 21610, NOW)
    [row] = world.rows(suppressions)
    assert (row.reason, row.expires_at) == ("twilio:21610", None)
    report(world, "delivered", None, NOW + HOUR)
    assert world.rows(suppressions)[0].lifted_at is None


def refused(world: World, *, guardian: bool) -> list[str]:
    """A holder whose only number is no mobile number; the causes of the alarms."""
    if guardian:
        world.book()
        world.change(books, guardian_email="keeper@example.com")
    world.card(world.holder(email=None), **LOSS)
    world.check()
    with capture_logs() as logs:
        dead = Outcome(OutcomeKind.RECIPIENT_DEAD, "twilio:21614")
        world.send(channel=SMS, providers={SMS: always(dead)})
    return causes(logs)


@pytest.mark.parametrize("guardian", [True, False])
def test_a_holder_whose_last_way_is_gone_is_told_of(world: World, guardian: bool) -> None:
    assert refused(world, guardian=guardian) == ["holder_unreached"]
    told = [channel for channel, _, _ in world.told()]
    assert told == (["sms", "guardian"] if guardian else ["sms"])
    promise = Promise(world.engine, world.rules, HOUR)
    account = Account()
    lines = list(promise.lines(NOW - HOUR, NOW + HOUR, None, NOW + HOUR))
    for _, owed in lines:
        account.add(owed, NOW + HOUR)
    [line] = [line for line, _ in lines if line.channel == "sms"]
    assert (line.verdict, line.reason) == ("unreached", "twilio:21614")
    assert not account.kept


def test_who_was_told_another_way_or_wants_no_messages_counts_as_explained(world: World) -> None:
    world.card(plan_end=TODAY)
    world.check()
    dead = Outcome(OutcomeKind.RECIPIENT_DEAD, "twilio:21614")
    world.send(channel=SMS, providers={SMS: always(dead)})
    world.send(NOW + HOUR, MAIL, providers={MAIL: ACCEPTED})
    other = world.holder(contact_phone="+51911111111", email=None)
    world.card(other, **LOSS)
    world.check()
    out = Outcome(OutcomeKind.RECIPIENT_DEAD, "twilio:21610")
    world.send(NOW + HOUR, SMS, providers={SMS: always(out)})
    promise = Promise(world.engine, world.rules, HOUR)
    lines = promise.lines(NOW - HOUR, NOW + 2 * HOUR, None, NOW + 2 * HOUR)
    assert {line.verdict for line, _ in lines} == {"suppressed", "on_time"}


def test_the_next_notice_to_a_dead_number_is_unreached_as_well(world: World) -> None:
    world.suppress(SMS, PHONE, "twilio:30005")
    world.card(world.holder(email=None), **LOSS)
    world.check()
    with capture_logs() as logs:
        world.send(channel=SMS, providers={SMS: ACCEPTED})
    assert "holder_unreached" in causes(logs)
    promise = Promise(world.engine, world.rules, HOUR)
    [(line, _)] = promise.lines(NOW - HOUR, NOW + HOUR, None, NOW + HOUR)
    assert line.verdict == "unreached"


def test_doctor_and_the_alarm_email_tell_of_dead_addresses(world: World) -> None:
    refused(world, guardian=False)
    app = world.app(lambda: NOW, alarms={"email": OPERATOR})
    [found] = look_at(app, "addresses")
    assert (found.state, found.message.split()[0]) == ("warning", "1")
    with reading(world.engine) as conn:
        span = timedelta(hours=1)
        found_now = alarm_counts.standing(conn, NOW, {"event": span}, span, span, span, NOW - HOUR)
        new, all_ = suppression_store.newly_dead(conn, NOW + HOUR, NOW - HOUR, 10)
        assert (new, all_) == (0, 1), "none since then"
    assert found_now.dead == 1
    digest = Digest(app)
    digest.want(NOW)
    digest.send(NOW, Watch(app).standing)
    [letter] = mailbox(world.sandbox, OPERATOR)["email"][OPERATOR]
    [line] = [one for one in letter["text"].splitlines() if "dead" in one]
    assert line.split()[0] == "1"
    assert "suppressions list" in line
