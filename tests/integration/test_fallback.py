"""The other channel, and the guardian: at once where a way is dead, never on a guess."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Row, Table
from structlog.testing import capture_logs

from tests.integration.helpers import (
    HINT,
    MORNING,
    NOW,
    TODAY,
    Listing,
    World,
    always,
    causes,
)
from worker.core.cards import Audience, Channel, Destination, Kind, told_by
from worker.core.outcomes import Outcome, OutcomeKind
from worker.core.reminders import MessageState, ReminderState
from worker.core.reports import Report
from worker.core.retry import RetryPolicy
from worker.pipeline.check import Checks
from worker.pipeline.delivery.limits import Limits
from worker.pipeline.receipts import Receipts
from worker.store.tables import attempts, books, cards, messages, reminders

SMS, MAIL, GUARDIAN = Channel.SMS, Channel.EMAIL, Destination.GUARDIAN
PENDING, SENT, SUPPRESSED, MISSED = (
    ReminderState.PENDING,
    ReminderState.SENT,
    ReminderState.SUPPRESSED,
    ReminderState.MISSED,
)
KEEPER = "keeper@example.com"
ACCEPTED = always(Outcome(OutcomeKind.ACCEPTED, "accepted"))
ENDS_TODAY: dict[str, Any] = {"plan_end": TODAY}  # one SMS, and no other notice
DEAD = Outcome(OutcomeKind.RECIPIENT_DEAD, "twilio:21614")


def bounce(world: World, channel: Channel | Destination, now: Any = NOW) -> None:
    """The provider reports that the only message on ``channel`` went to a dead address."""
    wanted = world.message(channel).id
    [one] = [row for row in world.rows(attempts) if row.message_id == wanted]
    provider, status = ("twilio", "failed") if channel is SMS else ("sendgrid", "bounce")
    code = "21614" if channel is SMS else None
    told = Report(provider, f"{one.id}:{status}", status, one.id, one.provider_id, code, None)
    Receipts(world.engine, world.retry).take([told], now)


def states(world: World) -> dict[str, str]:
    return {told_by(row.channel, row.audience): row.state for row in world.rows(reminders)}


def theirs(world: World, table: Table) -> list[Row[Any]]:
    """The rows of a table that are for guardians."""
    return [row for row in world.rows(table) if row.audience == Audience.GUARDIAN]


def test_a_dead_number_gives_way_to_email_at_once(world: World) -> None:
    world.card(**ENDS_TODAY)
    world.check()
    world.send(providers={SMS: ACCEPTED, MAIL: ACCEPTED})
    bounce(world, SMS)
    mail = world.message(MAIL)
    assert (mail.state, mail.next_attempt_at, mail.wake_at) == (MessageState.PENDING, NOW, NOW)
    assert world.send(providers={SMS: ACCEPTED, MAIL: ACCEPTED}) == {MessageState.SENT: 1}
    assert states(world) == {"sms": SUPPRESSED, "email": SENT}


def test_only_when_both_ways_are_dead_the_guardian_is_told_and_once(world: World) -> None:
    world.guard()
    world.card()
    world.check()
    world.send(providers={SMS: ACCEPTED, MAIL: ACCEPTED})
    bounce(world, SMS)
    assert GUARDIAN not in states(world)
    bounce(world, MAIL)
    assert states(world) == {"sms": SUPPRESSED, "email": SUPPRESSED, "guardian": PENDING}
    assert world.send(channel=GUARDIAN) == {MessageState.SENT: 1}
    [taken] = world.accepted()
    assert taken["to"] == KEEPER


def test_a_guardian_who_is_unreachable_too_raises_the_alarm(world: World) -> None:
    world.guard()
    world.card(world.holder(email=None, contact_phone=None), msisdn=None)
    world.check()
    world.send(providers={MAIL: ACCEPTED})
    with capture_logs() as logs:
        bounce(world, GUARDIAN)
    assert causes(logs) == ["guardian_unreachable"]


def test_what_may_pass_goes_the_other_way_after_its_tries_and_is_not_missed(world: World) -> None:
    world.card(**ENDS_TODAY)
    world.check()
    off = Outcome(OutcomeKind.TRANSIENT, "twilio:30003", most=1)
    with capture_logs() as logs:
        world.send(providers={SMS: always(off), MAIL: ACCEPTED}, channel=SMS)
    assert states(world) == {"sms": SUPPRESSED, "email": PENDING}
    assert causes(logs) == []


def test_of_a_letter_that_must_wait_only_what_cannot_wait_goes_the_other_way(
    world: World,
) -> None:
    holder, evening = world.holder(), NOW + timedelta(hours=9)  # 19:00 in Lima
    world.card(holder, kind=Kind.FOUR_G, plan_end=TODAY + timedelta(days=2))  # until the morning
    world.card(holder, plan_end=TODAY + timedelta(days=25), plan_days=None)
    world.check()
    world.retry = RetryPolicy(longest=timedelta(hours=6))
    busy = Outcome(OutcomeKind.TRANSIENT, "sendgrid:429", retry_after=6 * 3600)
    carriers = {SMS: ACCEPTED, MAIL: always(busy)}
    sent = world.send(evening, MAIL, providers=carriers)
    assert sent == {MessageState.RETRYABLE: 1}
    told = sorted((row.window, row.channel, row.state) for row in world.rows(reminders))
    assert told == [
        ("plan_end-30d", "email", PENDING),
        ("plan_end-3d", "email", SUPPRESSED),
        ("plan_end-3d", "sms", PENDING),
    ]


def test_a_text_that_fails_for_good_is_missed_with_an_alarm_and_email_still_tells(
    world: World,
) -> None:
    outcome = Outcome(OutcomeKind.MESSAGE_DEAD, "twilio:21617", alarm=True)
    world.card(**ENDS_TODAY)
    world.check()
    with capture_logs() as logs:
        world.send(providers={SMS: always(outcome)}, channel=SMS)
    assert states(world) == {"sms": MISSED, "email": PENDING}
    assert causes(logs)[-1] == "reminder_missed"
    soon = NOW + timedelta(minutes=1)
    assert world.send(soon, MAIL, providers={MAIL: ACCEPTED}) == {MessageState.SENT: 1}


def test_nothing_falls_back_on_an_unknown(world: World) -> None:
    world.guard()
    world.card(**ENDS_TODAY)
    world.check()
    world.send(channel=SMS, providers={SMS: always(Outcome(OutcomeKind.AMBIGUOUS, "timeout"))})
    end = world.message(SMS).useful_until
    for now in (NOW + timedelta(minutes=3), end - timedelta(minutes=1), end):
        assert states(world) == {"sms": PENDING}
        world.reconcile(now, sms=Listing(None))
    assert states(world) == {"sms": MISSED}
    assert len(world.rows(messages)) == 1


def test_a_dead_number_is_not_tried_for_the_next_notice(world: World) -> None:
    world.card(**ENDS_TODAY)
    world.check()
    world.send(channel=SMS, providers={SMS: ACCEPTED})
    bounce(world, SMS)
    calls = len(ACCEPTED.calls)
    world.card(**ENDS_TODAY)
    world.check()
    world.send(channel=SMS, providers={SMS: ACCEPTED})
    assert len(ACCEPTED.calls) == calls


# A plan that ends in 5 days has its notice a week ahead, and the next the day before it ends.
DAY_BEFORE = NOW + timedelta(days=4)


def warned(world: World, *confirmed: Channel, provider: str | None = None) -> None:
    """The first notices were sent; ``confirmed`` channels reported them delivered."""
    world.guard()
    world.card()
    world.check()
    world.send(providers={SMS: ACCEPTED, MAIL: ACCEPTED})
    for channel in confirmed:
        wanted = world.message(channel).id
        [one] = [row for row in world.rows(attempts) if row.message_id == wanted]
        by = "twilio" if channel is SMS else "sendgrid"
        told = Report(by, f"{one.id}:d", "delivered", one.id, one.provider_id, None, None)
        Receipts(world.engine, world.retry).take([told], NOW)


def elsewhere(world: World) -> None:
    """Somebody else's email is confirmed: receipts do reach us."""
    holder = world.holder(email="other@example.com", contact_phone=None)
    ends: dict[str, Any] = {"plan_days": 90, "plan_end": TODAY + timedelta(days=25)}
    card = world.card(holder, msisdn=None, **ends)
    world.check(ids=[card])
    mails = [row for row in world.rows(messages) if row.holder_id == holder]
    world.send(channel=MAIL, ids=[row.id for row in mails], providers={MAIL: ACCEPTED})
    [one] = [row for row in world.rows(attempts) if row.message_id == mails[0].id]
    told = Report("sendgrid", f"{one.id}:d", "delivered", one.id, one.provider_id, None, None)
    Receipts(world.engine, world.retry).take([told], NOW)


def day_before(world: World, *, silent: bool = True) -> bool:
    """Is the guardian told the day before the plan ends?"""
    ids = [row.id for row in world.rows(cards)][:1]
    Checks(world.engine, world.rules, HINT, silent).run(ids, DAY_BEFORE)
    Checks(world.engine, world.rules, HINT, silent).run(ids, DAY_BEFORE + timedelta(hours=1))
    told = theirs(world, reminders)
    assert len(told) <= 1
    return bool(told)


def test_where_nothing_shows_that_a_notice_arrived_the_guardian_is_told_in_time(
    world: World,
) -> None:
    warned(world)
    elsewhere(world)
    assert day_before(world)
    assert world.send(DAY_BEFORE, GUARDIAN) == {MessageState.SENT: 1}
    [taken] = [m for m in world.accepted() if m["to"] == KEEPER]
    message = world.message(GUARDIAN)
    assert "none was reported as delivered" in message.body or "entregado" in message.body
    assert taken["channel"] == MAIL


@pytest.mark.parametrize("channel", [SMS, MAIL])
def test_one_confirmed_notice_on_any_channel_is_enough(world: World, channel: Channel) -> None:
    warned(world, channel)
    elsewhere(world)
    assert not day_before(world)


def test_silence_means_nothing_where_no_receipts_reach_us(world: World) -> None:
    warned(world)
    assert not day_before(world)


def test_silence_means_nothing_where_a_mail_server_took_the_notice(world: World) -> None:
    warned(world)
    mail = world.message(MAIL)
    elsewhere(world)
    [one] = [row for row in world.rows(attempts) if row.provider_id == mail.provider_id]
    world.change(attempts, one.id, provider="smtp")
    assert not day_before(world)


def test_silence_can_be_left_to_itself(world: World) -> None:
    warned(world)
    elsewhere(world)
    assert not day_before(world, silent=False)


def test_a_handset_that_never_confirmed_anything_is_not_silent(world: World) -> None:
    world.guard()
    world.card(world.holder(email=None))
    world.check()
    world.send(channel=SMS, providers={SMS: ACCEPTED})
    elsewhere(world)
    assert not day_before(world)


def test_a_first_notice_is_given_the_time_to_arrive(world: World) -> None:
    world.guard()
    elsewhere(world)
    card = world.card(plan_end=TODAY + timedelta(days=1))
    silent = Checks(world.engine, world.rules, HINT, silent=True)
    silent.run([card], NOW)
    world.send(providers={SMS: ACCEPTED, MAIL: ACCEPTED})
    silent.run([card], NOW + timedelta(hours=2))
    assert GUARDIAN not in states(world)


def test_a_guardian_gets_one_digest_a_day_and_another_only_for_what_cannot_wait(
    world: World,
) -> None:
    world.book()
    world.change(books, guardian_email=KEEPER)
    world.limits = Limits(gather=timedelta(minutes=10))

    def out_of_reach(name: str, **card: Any) -> int:
        """What the guardian is told of in the holder's place, from a check of its own."""
        holder = world.holder(name=name, contact_phone=None, email=None)
        found = world.card(holder, msisdn=None, **card)
        world.check(ids=[found])
        return found

    def digests() -> list[str]:
        sent = [
            row for row in world.rows(messages) if row.sent_at and row.audience == Audience.GUARDIAN
        ]
        assert len(sent) == sum(m["to"] == KEEPER for m in world.accepted(MAIL))
        return [str(row.body) for row in sorted(sent, key=lambda row: row.sent_at)]

    out_of_reach("Rosa Quispe")
    assert world.send(NOW, GUARDIAN) == {}, "more may come"
    out_of_reach("Luis Soto")
    later = NOW + timedelta(minutes=10)
    assert world.send(later, GUARDIAN) == {MessageState.SENT: 1}
    assert world.send(later, GUARDIAN) == {}
    [first] = digests()
    assert "Rosa Quispe" in first
    assert "Luis Soto" in first

    out_of_reach("Li Wei")
    assert world.send(later + timedelta(minutes=10), GUARDIAN) == {}
    [waits] = [row for row in world.rows(messages) if row.reason == "one_digest_a_day"]
    assert waits.wake_at == MORNING
    assert len(digests()) == 1

    out_of_reach("Ana Paz", plan_end=TODAY)
    assert world.send(later + timedelta(minutes=20), GUARDIAN) == {MessageState.SENT: 1}
    assert "Ana Paz" in digests()[1]
    assert "Li Wei" in digests()[1], "what goes anyway takes the others along"
    assert world.send(MORNING, GUARDIAN) == {}
    assert {row.state for row in world.rows(reminders) if row.audience == Audience.GUARDIAN} == {
        "sent"
    }
