"""What a keeper decides about a message that has not ended: try it now, never, or it was sent."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import pytest

from tests.integration.helpers import NIGHT, NOW, TODAY, World
from tests.integration.sandbox_helpers import set_faults
from worker.cli import cli
from worker.core.actor import Actor, Source
from worker.core.cards import Channel
from worker.core.promise import Account, Class
from worker.core.reminders import MessageState, ReminderState
from worker.monitoring.promise import Promise
from worker.pipeline.decisions import CANCELLED, DecisionError, Decisions
from worker.store.tables import attempts, card_events, messages, reminders

SMS = Channel.SMS
PENDING, SUPPRESSED, SENT = (
    ReminderState.PENDING,
    ReminderState.SUPPRESSED,
    ReminderState.SENT,
)
ENDS_TODAY: dict[str, Any] = {"plan_end": TODAY}  # one SMS, and no other notice
SOON = NOW + timedelta(seconds=1)


@pytest.fixture
def decisions(world: World) -> Decisions:
    return Decisions(world.engine, world.retry)


def waiting(world: World, **fault: Any) -> int:
    """One SMS that is to be tried again, since its call met ``fault``."""
    set_faults(world.sandbox, {"channel": "sms", "times": 1, **fault})
    world.card(**ENDS_TODAY)
    world.check()
    world.send()
    set_faults(world.sandbox)
    return int(world.message(SMS).id)


def unknown(world: World, kind: str) -> int:
    message = waiting(world, kind=kind)
    assert world.message(SMS).state == MessageState.UNKNOWN
    return message


def test_what_waits_is_tried_at_the_next_tick(world: World, decisions: Decisions) -> None:
    message = waiting(world, kind="code", code=20429, status=429)
    before = world.message(SMS)
    assert (before.state, before.next_attempt_at > SOON) == (MessageState.RETRYABLE, True)
    assert world.wake(SOON).send == {}
    assert decisions.retry_now(message, SOON) is MessageState.RETRYABLE
    assert world.wake(SOON).send == {SMS: [message]}
    assert world.send(SOON) == {MessageState.SENT: 1}
    assert len(world.accepted()) == 1


def test_what_is_held_is_tried_and_held_again_while_the_fault_lasts(
    world: World, decisions: Decisions
) -> None:
    message = waiting(world, kind="code", code=20003, status=401)
    assert world.message(SMS).state == MessageState.HELD
    calls = world.calls()
    assert decisions.retry_now(message, SOON) is MessageState.HELD
    world.send(SOON)
    assert world.message(SMS).state == MessageState.HELD, "the breaker holds as ever"
    assert world.message(SMS).next_attempt_at > SOON
    assert world.calls() == calls


def test_a_retry_at_night_waits_for_the_holders_day(world: World, decisions: Decisions) -> None:
    message = waiting(world, kind="code", code=20429, status=429)
    decisions.retry_now(message, NIGHT)
    world.send(NIGHT)
    found = world.message(SMS)
    assert found.state != MessageState.SENT
    assert not world.accepted()


def test_what_is_cancelled_is_never_sent_and_not_owed_again(
    world: World, decisions: Decisions
) -> None:
    card = world.card(**ENDS_TODAY)
    world.check()
    message = int(world.message(SMS).id)
    assert decisions.cancel(message, SOON) == 1
    found = world.message(SMS)
    assert (found.state, found.reason, found.wake_at) == (MessageState.CANCELLED, CANCELLED, None)
    assert world.told() == [("sms", SUPPRESSED, CANCELLED)]
    world.check(SOON, ids=[card])
    assert world.send(SOON) == {}
    assert len(world.rows(messages)) == len(world.rows(reminders)) == 1
    assert not world.accepted()


def test_the_account_explains_what_was_cancelled(world: World, decisions: Decisions) -> None:
    world.card(**ENDS_TODAY)
    world.check()
    decisions.cancel(int(world.message(SMS).id), SOON)
    promise, day = Promise(world.engine, world.rules, timedelta(minutes=6)), timedelta(days=1)
    [(line, owed)] = promise.lines(NOW - day, NOW + day, None, NOW + day)
    assert (line.verdict, line.reason) == (Class.SUPPRESSED, CANCELLED)
    account = Account()
    account.add(owed, NOW + day)
    assert account.kept


def test_what_is_said_to_be_sent_is_told_and_not_sent_again(
    world: World, decisions: Decisions
) -> None:
    message = unknown(world, "timeout_after")
    assert decisions.settle(message, SOON, was_sent=True) is MessageState.SENT
    [attempt] = world.rows(attempts)
    found = world.message(SMS)
    assert (found.sent_at, found.provider_id) == (attempt.started_at, attempt.provider_id)
    assert world.told() == [("sms", SENT, None)]
    assert world.reconcile(SOON) == world.send(SOON) == {}
    assert len(world.accepted()) == 1


def test_what_is_said_not_to_be_sent_is_sent_once(world: World, decisions: Decisions) -> None:
    message = unknown(world, "timeout_before")
    assert decisions.settle(message, SOON, was_sent=False) is MessageState.RETRYABLE
    assert world.told() == [("sms", PENDING, None)]
    assert world.send(SOON) == {MessageState.SENT: 1}
    assert len(world.accepted()) == 1


def test_the_trail_of_each_card_names_who_decided(world: World, decisions: Decisions) -> None:
    first, other = world.cards(2, world.holder(contact_phone=None))
    world.check()
    message = int(world.message(Channel.EMAIL).id)
    rosa = Actor(Source.API, "rosa")
    decisions.retry_now(message, SOON, by=rosa)
    decisions.cancel(message, SOON, by=rosa)
    named = {"message": message, "source": "api", "by": "rosa"}
    told = [(row.card_id, row.event, row.detail) for row in world.rows(card_events)]
    assert told == [
        (card, event, named)
        for event in ("message_retried", "message_cancelled")
        for card in (first, other)
    ]


def test_what_is_settled_stands_in_the_trail(world: World, decisions: Decisions) -> None:
    message = unknown(world, "timeout_before")
    decisions.settle(message, SOON, was_sent=False)
    [event] = world.rows(card_events)
    assert (event.event, event.detail) == (
        "message_settled",
        {"message": message, "was_sent": False},
    )


def test_what_is_said_too_late_not_to_be_sent_is_missed(world: World, decisions: Decisions) -> None:
    message = unknown(world, "timeout_before")
    over = world.message(SMS).useful_until
    assert decisions.settle(message, over, was_sent=False) is MessageState.FAILED
    assert world.told() == [("sms", ReminderState.MISSED, "not_sent_in_time")]
    assert world.send(over) == {}


@pytest.mark.parametrize("decide", ["retry", "cancel", "settle"])
def test_what_has_ended_stays_as_it_is(world: World, decisions: Decisions, decide: str) -> None:
    world.card(**ENDS_TODAY)
    world.check()
    world.send()
    before = world.message(SMS)
    with pytest.raises(DecisionError, match=f"Message {before.id} is (sent|delivered): only one"):
        _decide(decisions, decide, before.id)
    assert world.message(SMS) == before
    with pytest.raises(DecisionError, match="There is no message 999"):
        _decide(decisions, decide, 999)


@pytest.mark.parametrize("decide", ["retry", "cancel"])
def test_of_what_is_unknown_it_must_be_said_first_whether_it_was_sent(
    world: World, decisions: Decisions, decide: str
) -> None:
    message = unknown(world, "timeout_after")
    with pytest.raises(DecisionError, match="is unknown: only one that is pending"):
        _decide(decisions, decide, message)
    assert world.message(SMS).state == MessageState.UNKNOWN


def _decide(decisions: Decisions, word: str, message: int) -> None:
    if word == "retry":
        decisions.retry_now(message, SOON)
    elif word == "cancel":
        decisions.cancel(message, SOON)
    else:
        decisions.settle(message, SOON, was_sent=True)


@pytest.fixture
def command(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands act on the database of ``world``, a second after what happened there."""
    clock = tmp_path / "clock"
    clock.write_text(SOON.isoformat())
    url = world.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("VIGENCIA_CLOCK_FILE", str(clock))


@pytest.mark.usefixtures("command")
def test_the_commands_decide_and_say_what_follows(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    message = unknown(world, "timeout_before")

    def told(*words: str) -> str:
        cli.main(["messages", *words], standalone_mode=False)
        return capsys.readouterr().out

    with pytest.raises(DecisionError, match="only one that is pending or retryable or held"):
        told("retry", str(message))
    with pytest.raises(click.UsageError, match="--sent"):
        told("settle", str(message))
    said = told("settle", str(message), "--not-sent")
    assert said.endswith(f"Message {message} is retryable. It is sent again at the next tick.\n")
    assert '"state": "retryable"' in told("retry", str(message), "--json")
    said = told("cancel", str(message))
    assert said.endswith(f"Message {message} is cancelled: 1 notice ends with it.\n")
    assert json.loads(told("show", str(message), "--json"))["reason"] == CANCELLED
