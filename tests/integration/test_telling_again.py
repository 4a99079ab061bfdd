"""A keeper has a holder told once more: with the words of the day, and never of what is unknown."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.helpers import NIGHT, NOW, PHONE, TODAY, World
from tests.integration.sandbox_helpers import set_faults
from worker.cli import cli
from worker.core.actor import Actor, Source
from worker.core.cards import Channel
from worker.core.deadlines import DeadlineKind
from worker.core.life import LifeEvent
from worker.core.reminders import MessageState, ReminderState
from worker.pipeline.telling_again import AgainError, TellingAgain
from worker.store.cards import load
from worker.store.engine import reading
from worker.store.tables import card_events, cards, messages, reminders

SMS, EMAIL = Channel.SMS, Channel.EMAIL
PLAN = DeadlineKind.PLAN_END
DAY = timedelta(days=1)
NEW_END = TODAY + timedelta(days=35)
ROSA = Actor(Source.KEEPER, "rosa")


@pytest.fixture
def again(world: World) -> TellingAgain:
    return TellingAgain(world.engine, world.rules)


def told_card(world: World, **changes: Any) -> int:
    """A card whose holder was told by SMS and email that its plan ends in 5 days."""
    card = world.card(**changes)
    world.check()
    world.send()
    assert len(world.accepted()) == 2
    return card


def windows(world: World) -> list[tuple[str, str, str]]:
    return [(r.window, r.channel, r.state) for r in world.rows(reminders)][2:]


def test_it_is_told_once_more_with_the_words_that_are_true_then(
    world: World, again: TellingAgain
) -> None:
    card = told_card(world)
    later = NOW + 3 * DAY
    told = again.card(card, later, channel=SMS, by=ROSA)
    assert [(one.deadline, one.window, one.channels) for one in told.notices] == [
        (PLAN, "again-1", (SMS,))
    ]
    world.send(later)
    first, second = [m["text"] for m in world.accepted(SMS)]
    assert "5 days" in first
    assert "2 days" in second
    assert windows(world) == [("again-1", "sms", ReminderState.SENT)]
    event = world.rows(card_events)[-1]
    assert (event.event, event.detail) == (
        "told_again",
        {
            "deadline": "plan_end",
            "window": "again-1",
            "channels": ["sms"],
            "source": "keeper",
            "by": "rosa",
        },
    )


def test_without_a_channel_it_goes_wherever_the_policy_tells_of_it(
    world: World, again: TellingAgain
) -> None:
    card = told_card(world)
    assert len(again.card(card, NOW).messages) == 2
    world.send()
    assert len(world.accepted()) == 4


def test_a_message_is_told_again_over_its_own_channel(world: World, again: TellingAgain) -> None:
    told_card(world)
    told = again.message(world.message(EMAIL).id, NOW, by=ROSA)
    assert [one.channels for one in told.notices] == [(EMAIL,)]
    world.send()
    assert len(world.accepted(EMAIL)) == 2
    assert len(world.accepted(SMS)) == 1


def test_of_several_cards_one_message_is_told_again_as_one(
    world: World, again: TellingAgain
) -> None:
    world.cards(2, world.holder(contact_phone=None))
    world.check()
    world.send(NOW, EMAIL)
    told = again.message(world.message(EMAIL).id, NOW)
    assert ([one.card for one in told.notices], len(told.messages)) == ([1, 2], 1)


def test_at_night_it_waits_for_the_holders_day(world: World, again: TellingAgain) -> None:
    card = told_card(world)
    again.card(card, NIGHT, channel=SMS)
    world.send(NIGHT)
    assert len(world.accepted(SMS)) == 1
    [*_, message] = world.rows(messages)
    assert (message.state, message.next_attempt_at > NIGHT) == (MessageState.PENDING, True)


def test_who_has_opted_out_is_not_told(world: World, again: TellingAgain) -> None:
    card = told_card(world)
    world.suppress(SMS, PHONE, "opted_out")
    again.card(card, NOW, channel=SMS)
    world.send()
    assert len(world.accepted(SMS)) == 1
    found = {r.window: (r.state, r.reason) for r in world.rows(reminders) if r.channel == "sms"}
    assert found["again-1"] == (ReminderState.SUPPRESSED, "opted_out")


def test_what_is_unknown_is_settled_first(world: World, again: TellingAgain) -> None:
    card = world.card(plan_end=TODAY)
    world.check()
    set_faults(world.sandbox, {"channel": "sms", "times": 1, "kind": "timeout_after"})
    world.send()
    message = world.message(SMS)
    assert message.state == MessageState.UNKNOWN
    for channel in (None, *Channel):
        with pytest.raises(AgainError, match="is unknown: it may have been sent"):
            again.card(card, NOW, channel=channel)
    with pytest.raises(AgainError, match="is unknown"):
        again.message(message.id, NOW)
    assert len(world.rows(reminders)) == 1


def test_what_waits_is_not_told_beside_itself(world: World, again: TellingAgain) -> None:
    card = world.card()
    world.check()
    with pytest.raises(AgainError, match="message 1 has still to tell of it"):
        again.card(card, NOW)
    with pytest.raises(AgainError, match="Message 1 is pending: it has still to be sent"):
        again.message(world.message(SMS).id, NOW)


def test_three_times_a_day_are_the_most(world: World, again: TellingAgain) -> None:
    card = told_card(world)
    for number in range(1, 4):
        now = NOW + timedelta(minutes=number)
        [one] = again.card(card, now, channel=(SMS, EMAIL)[number % 2]).notices
        assert one.window == f"again-{number}"
        world.send(now)
    late = NOW + timedelta(minutes=5)
    with pytest.raises(AgainError, match="3 times today, and that is the most"):
        again.card(card, late)
    with pytest.raises(AgainError, match="the most"):
        again.message(world.rows(messages)[0].id, late)
    [one] = again.card(card, NOW + DAY, channel=SMS).notices
    assert one.window == "again-4"


@pytest.mark.parametrize("event", [LifeEvent.RENEWED, LifeEvent.PAUSED, LifeEvent.RECYCLED])
def test_what_holds_no_longer_is_not_told_again(
    world: World, again: TellingAgain, event: LifeEvent
) -> None:
    card = told_card(world)
    message = world.message(SMS).id
    world.live(card, event, plan_end=NEW_END if event is LifeEvent.RENEWED else None)
    before = len(world.rows(reminders))
    with pytest.raises(AgainError):
        again.card(card, NOW)
    with pytest.raises(AgainError):
        again.message(message, NOW)
    assert len(world.rows(reminders)) == before


def test_a_deadline_that_moved_is_not_told_as_it_was(world: World, again: TellingAgain) -> None:
    card = told_card(world, plan_days=None)
    message = world.message(SMS).id
    world.live(card, LifeEvent.CORRECTED, plan_end=NEW_END)
    with pytest.raises(AgainError, match="its plan_end has moved to 2026-07-17"):
        again.message(message, NOW)
    with pytest.raises(AgainError, match="nothing was told yet of the deadlines that it has"):
        again.card(card, NOW)
    with pytest.raises(AgainError, match="it has no line_loss"):
        again.card(card, NOW, deadline=DeadlineKind.LINE_LOSS)


def test_a_plan_that_ended_long_ago_is_over(world: World, again: TellingAgain) -> None:
    card = told_card(world)
    with pytest.raises(AgainError, match="by the time it may be told, plan_end is over"):
        again.card(card, NOW + 60 * DAY)


def test_before_a_loss_it_is_of_use_only_as_long_as_acting_helps(
    world: World, again: TellingAgain
) -> None:
    """Told at 10:00 on the last safe day, it has lost its use at midnight, and not a day later."""
    topup = TODAY - 300 * DAY
    card = world.card(plan_end=None, plan_days=None, last_topup=topup)
    line = DeadlineKind.LINE_LOSS

    def loss() -> Any:
        with reading(world.engine) as conn:
            return world.rules.ladder(load(conn, [card])[card].card)[line]

    world.change(cards, card, last_topup=topup + (TODAY + DAY - loss().on))
    assert loss().on == TODAY + DAY
    again.card(card, NOW, deadline=line)
    rows = [r for r in world.rows(reminders) if r.window == "again-1"]
    assert {r.useful_until for r in rows} == {loss().begins}
    assert loss().begins - NOW < DAY


def test_news_of_an_event_is_told_once(world: World, again: TellingAgain) -> None:
    card = world.card()
    world.live(card, LifeEvent.SUSPENDED)
    world.send()
    with pytest.raises(AgainError, match="tells no holder of a deadline"):
        again.message(world.message(EMAIL).id, NOW)
    with pytest.raises(AgainError, match="There is no message 99"):
        again.message(99, NOW)


def test_a_renewal_ends_what_was_to_be_told_again(world: World, again: TellingAgain) -> None:
    card = told_card(world)
    again.card(card, NOW)
    world.live(card, LifeEvent.RENEWED, plan_end=NEW_END)
    assert {state for _, _, state in windows(world)} == {
        ReminderState.SUPERSEDED,
        ReminderState.PENDING,  # that it was renewed
    }


def test_the_commands_say_what_is_told(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = tmp_path / "clock"
    clock.write_text(NOW.isoformat())
    monkeypatch.setenv("DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("VIGENCIA_CLOCK_FILE", str(clock))
    card = told_card(world)

    def told(*words: str) -> str:
        cli.main([*words], standalone_mode=False)
        return capsys.readouterr().out

    said = told("cards", "tell-again", str(card), "--channel", "sms", "--deadline", "plan_end")
    assert "Card 1: plan_end is told once more by sms (again-1)." in said
    said = told("messages", "again", str(world.message(EMAIL).id), "--json")
    assert '"window": "again-2"' in said
