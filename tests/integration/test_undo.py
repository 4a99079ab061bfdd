"""What a person recorded by mistake is taken back before anybody is told of it."""

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row

from tests.integration.helpers import EMAIL, NOW, TODAY, Carrier, World
from worker.cli import cli
from worker.core.actor import Actor, Source
from worker.core.cards import Channel, Destination
from worker.core.life import Happening, LifeEvent
from worker.core.outcomes import Outcome, OutcomeKind, accepted
from worker.core.reminders import UNDONE, MessageState, ReminderState
from worker.pipeline.answers.renewals import RenewalAnswers
from worker.pipeline.answers.view import State
from worker.pipeline.decisions import Decisions
from worker.pipeline.events import Life
from worker.pipeline.retention import Periods, Retention
from worker.pipeline.undoing import UndoError, Undoing, Undone
from worker.store.engine import writing
from worker.store.removal import close_card
from worker.store.tables import card_events, cards, messages, reminders

HELD = timedelta(seconds=60)
END = NOW + HELD
SOON = NOW + timedelta(seconds=20)
NEW_END = TODAY + timedelta(days=35)
ROSA = Actor(Source.KEEPER, "rosa")
PENDING, SENT, SUPERSEDED = ReminderState.PENDING, ReminderState.SENT, ReminderState.SUPERSEDED
UNDOABLE: list[tuple[LifeEvent, dict[str, Any]]] = [
    (LifeEvent.RENEWED, {"plan_end": NEW_END, "receipt_ref": "R-1"}),
    (LifeEvent.CORRECTED, {"plan_end": NEW_END}),
    (LifeEvent.RENEWAL_FAILED, {}),
    (LifeEvent.LOW_BALANCE, {"balance": "1.50"}),
    (LifeEvent.SUSPENDED, {}),
    (LifeEvent.REGISTRATION_NOTICE, {}),
    (LifeEvent.PAUSED, {}),
]
# What is not put back: when the card was changed and is looked at.
_KEPT_BY_TIME = ("updated_at", "next_check_at", "check_since", "check_asked_at")


def record(world: World, card: int, event: LifeEvent, **told: Any) -> None:
    life = Life(world.engine, world.rules)
    life.record(card, Happening(event, **told), NOW, by=ROSA, undo_for=HELD)


def undo(world: World, card: int, now: Any = SOON) -> Undone:
    return Undoing(world.engine, world.rules).undo(card, now, by=ROSA)


def as_it_was(row: Row[Any]) -> dict[str, Any]:
    return {name: value for name, value in row._mapping.items() if name not in _KEPT_BY_TIME}


def waiting(world: World) -> set[tuple[str, str, str]]:
    rows = world.rows(reminders)
    return {(r.deadline, r.window, r.channel) for r in rows if r.state == PENDING}


@pytest.mark.parametrize(("event", "told"), UNDOABLE, ids=[event for event, _ in UNDOABLE])
def test_what_is_undone_has_not_happened(
    world: World, event: LifeEvent, told: dict[str, Any]
) -> None:
    card = world.card(last_topup=TODAY - timedelta(days=25), balance="7.50")
    world.check()
    before, owed = as_it_was(world.rows(cards)[0]), waiting(world)
    record(world, card, event, **told)
    assert undo(world, card).event == event
    assert as_it_was(world.rows(cards)[0]) == before
    assert waiting(world) == owed != set()
    assert not [r for r in world.rows(reminders) if r.state == SUPERSEDED and r.reason != UNDONE]
    world.check(SOON)
    world.send(END)
    assert {
        (r.deadline, r.window, r.channel) for r in world.rows(reminders) if r.state == SENT
    } == (owed)
    assert len(world.accepted()) == len(owed)


def test_nobody_is_told_before_the_time_is_over_and_everybody_after_it(world: World) -> None:
    card = world.card()
    world.check()
    record(world, card, LifeEvent.RENEWED, plan_end=NEW_END)
    for now in (NOW, SOON, END - timedelta(seconds=1)):
        world.check(now)
        world.send(now)
    assert not world.accepted()
    world.send(END)
    assert len(world.accepted()) == 2
    with pytest.raises(UndoError, match="the time in which renewed could be undone is over"):
        undo(world, card, END)


def test_nothing_follows_from_an_event_that_can_still_be_undone(world: World) -> None:
    """After a pause the card owes what it owed before: at once, but not while it may be undone."""
    card = world.card()
    world.live(card, LifeEvent.PAUSED)
    record(world, card, LifeEvent.RESUMED)
    world.check(SOON)
    assert not waiting(world)
    assert world.rows(cards)[0].next_check_at == END
    undo(world, card)
    world.check(END)
    assert (world.rows(cards)[0].paused, waiting(world)) == (True, set())


def test_it_is_checked_once_the_time_is_over(world: World) -> None:
    card = world.card()
    world.live(card, LifeEvent.PAUSED)
    record(world, card, LifeEvent.RESUMED)
    world.check(END)
    assert {deadline for deadline, *_ in waiting(world)} == {"plan_end"}
    assert card


def test_what_was_undone_can_be_entered_again_and_is_told_once(world: World) -> None:
    card = world.card()
    record(world, card, LifeEvent.RENEWED, plan_end=NEW_END)
    undo(world, card)
    world.live(card, LifeEvent.RENEWED, SOON + timedelta(seconds=5), plan_end=NEW_END)
    world.send(SOON + timedelta(seconds=6))
    assert len(world.accepted()) == 2
    made = {r.created_at for r in world.rows(reminders)}
    assert made == {SOON + timedelta(seconds=5)}, "what was undone does not overtake it"


@pytest.mark.parametrize("again", ["undo", "event"])
def test_only_the_last_event_can_be_undone_and_once(world: World, again: str) -> None:
    card = world.card()
    record(world, card, LifeEvent.RENEWED, plan_end=NEW_END)
    if again == "undo":
        undo(world, card)
        refused = "has been undone already"
    else:
        world.live(card, LifeEvent.CONFIRMED, SOON)
        refused = "confirmed, was not recorded so that it can be undone"
    before = world.rows(cards), world.rows(reminders)
    with pytest.raises(UndoError, match=refused):
        undo(world, card, SOON + timedelta(seconds=1))
    assert (world.rows(cards), world.rows(reminders)) == before


def test_what_was_not_meant_to_be_undone_cannot_be(world: World) -> None:
    card = world.card()
    with pytest.raises(UndoError, match="nothing was recorded"):
        undo(world, card)
    world.live(card, LifeEvent.SUSPENDED)
    with pytest.raises(UndoError, match="was not recorded so that it can be undone"):
        undo(world, card)
    record(world, card, LifeEvent.RECYCLED)
    with pytest.raises(UndoError, match="recycled, was not recorded"):
        undo(world, card)
    world.send(NOW, Channel.EMAIL)
    assert len(world.accepted()) == 1, "what cannot be undone is told at once"


def test_what_somebody_was_told_is_not_undone(world: World) -> None:
    card = world.card(world.holder(email=None))
    record(world, card, LifeEvent.SUSPENDED)
    Decisions(world.engine, world.retry).retry_now(world.message(Channel.SMS).id, NOW)
    world.send(NOW)
    assert len(world.accepted()) == 1
    before = world.rows(cards), world.rows(reminders), world.rows(messages)
    with pytest.raises(UndoError, match="somebody is being told of it already"):
        undo(world, card)
    assert (world.rows(cards), world.rows(reminders), world.rows(messages)) == before


def test_while_a_call_is_open_nothing_is_undone(world: World) -> None:
    card = world.card(world.holder(email=None))
    record(world, card, LifeEvent.SUSPENDED)
    Decisions(world.engine, world.retry).retry_now(world.message(Channel.SMS).id, NOW)
    refused: list[str] = []

    async def answer(out: object) -> Outcome:
        with pytest.raises(UndoError) as error:
            undo(world, card)
        refused.append(str(error.value))
        return accepted("SM1")

    world.send(NOW, Channel.SMS, providers={Channel.SMS: Carrier(answer)})
    assert len(refused) == 1
    assert world.rows(cards)[0].state == "suspended"


def test_an_attempt_that_was_certainly_not_sent_still_stands_against_it(world: World) -> None:
    card = world.card(world.holder(email=None))
    record(world, card, LifeEvent.SUSPENDED)
    Decisions(world.engine, world.retry).retry_now(world.message(Channel.SMS).id, NOW)

    async def answer(out: object) -> Outcome:
        return Outcome(OutcomeKind.NOT_SENT, "connect")

    world.send(NOW, Channel.SMS, providers={Channel.SMS: Carrier(answer)})
    assert world.message(Channel.SMS).state == MessageState.RETRYABLE
    with pytest.raises(UndoError, match="already"):
        undo(world, card)


def test_what_ended_and_was_taken_up_meanwhile_goes_in_a_message_of_its_own(world: World) -> None:
    """The worker found the message empty and ended it: the notice is owed all the same."""
    card = world.card()
    world.check()
    record(world, card, LifeEvent.RENEWED, plan_end=NEW_END)
    world.send(NOW)
    assert {
        m.state for m in world.rows(messages) if m.next_attempt_at is None or not m.wake_at
    } == {MessageState.CANCELLED}
    assert undo(world, card).waiting == 2
    world.check(SOON)
    world.send(SOON)
    assert {r.window for r in world.rows(reminders) if r.state == SENT} == {"plan_end-7d"}
    assert len(world.accepted()) == 2


def test_a_neighbour_that_went_without_it_does_not_count_for_it(world: World) -> None:
    """A message told of two cards; by the time it went it named one. The other is owed still."""
    holder = world.holder(contact_phone=None)
    first, other = world.cards(2, holder)
    world.check()
    record(world, first, LifeEvent.RENEWED, plan_end=NEW_END)
    world.send(SOON - timedelta(seconds=5), Channel.EMAIL)
    assert undo(world, first).waiting == 2
    told = [r.card_id for r in world.rows(reminders) if r.state == SENT]
    assert told == [other]
    world.send(SOON, Channel.EMAIL)
    told = [r.card_id for r in world.rows(reminders) if r.state == SENT]
    assert sorted(told) == [first, other]


def test_a_message_that_is_being_sent_without_it_does_not_count_for_it(world: World) -> None:
    holder = world.holder(contact_phone=None)
    first, other = world.cards(2, holder)
    world.check()
    record(world, first, LifeEvent.RENEWED, plan_end=NEW_END)

    async def answer(out: Any) -> Outcome:
        assert undo(world, first).waiting == 2
        return accepted(f"id-{out.attempt}")

    now = SOON - timedelta(seconds=5)
    world.send(now, Channel.EMAIL, providers={Channel.EMAIL: Carrier(answer)})
    assert [r.card_id for r in world.rows(reminders) if r.state == SENT] == [other]
    world.send(SOON, Channel.EMAIL)
    told = [r.card_id for r in world.rows(reminders) if r.state == SENT]
    assert sorted(told) == [first, other]
    assert len(world.accepted()) == 1, "the other one went to the stand-in"


def test_what_was_taken_though_an_event_had_ended_it_is_not_told_twice(world: World) -> None:
    card = world.card(world.holder(email=None), plan_end=None, last_topup=TODAY)
    world.live(card, LifeEvent.LOW_BALANCE)
    life, at = Life(world.engine, world.rules), NOW + timedelta(seconds=1)

    async def answer(out: object) -> Outcome:
        life.record(card, Happening(LifeEvent.SUSPENDED), at, undo_for=HELD)
        return accepted("SM1")

    world.send(NOW, Channel.SMS, providers={Channel.SMS: Carrier(answer)})
    assert undo(world, card).waiting == 0
    world.check(SOON)
    world.send(END)
    assert not world.accepted()


def test_a_notice_that_was_on_its_way_when_the_event_came_is_not_told_twice(world: World) -> None:
    card = world.card(world.holder(email=None))
    world.check()

    async def answer(out: object) -> Outcome:
        life = Life(world.engine, world.rules)
        at = NOW + timedelta(seconds=1)
        life.record(card, Happening(LifeEvent.RENEWED, plan_end=NEW_END), at, undo_for=HELD)
        undo(world, card)
        return accepted("SM1")

    world.send(NOW, Channel.SMS, providers={Channel.SMS: Carrier(answer)})
    world.check(SOON)
    world.send(END, Channel.SMS)
    about = [r for r in world.rows(reminders) if r.deadline == "plan_end" and r.channel == "sms"]
    assert [r.state for r in about] == [SENT]
    assert not world.accepted(Channel.SMS)


def test_a_question_that_was_answered_by_mistake_waits_again(world: World) -> None:
    card = world.card(world.holder(email=None))
    world.live(card, LifeEvent.RENEWED, plan_end=NEW_END)
    world.send(NOW)
    asked = NOW + timedelta(days=1)
    world.check(asked)
    Life(world.engine, world.rules).record(
        card, Happening(LifeEvent.CONFIRMED), asked, undo_for=HELD
    )
    assert not waiting(world)
    undo(world, card, asked + timedelta(seconds=3))
    assert waiting(world) == {("renewal_not_effective", "event", "sms")}
    assert world.rows(cards)[0].renewed_at == NOW
    world.send(asked + timedelta(seconds=4))
    [question] = [
        r
        for r in world.rows(reminders)
        if (r.deadline, r.channel) == ("renewal_not_effective", "sms")
    ]
    assert question.state == SENT
    answers = RenewalAnswers(world.engine, world.rules)
    found = answers.look(question.id, LifeEvent.CONFIRMED, asked + timedelta(minutes=5))
    assert found is not None
    assert found.state is State.ASK, "what was undone has answered nothing"


def test_a_notice_that_nobody_could_be_given_ends_with_its_event(world: World) -> None:
    card = world.card(world.holder(contact_phone=None))
    record(world, card, LifeEvent.SUSPENDED)
    assert ("sms", ReminderState.SUPPRESSED, "no_address") in world.told()
    undo(world, card)
    assert set(world.told()) == {("sms", SUPERSEDED, UNDONE), ("email", SUPERSEDED, UNDONE)}
    assert world.message(Channel.EMAIL).state == MessageState.CANCELLED
    world.send(END)
    assert not world.accepted()


def test_a_digest_does_not_take_along_what_can_still_be_undone(world: World) -> None:
    world.guard()
    nobody = world.holder(contact_phone=None, email=None)
    quiet = world.card(nobody, msisdn=None, plan_end=None, last_topup=TODAY)
    world.card(world.holder(contact_phone=None, email=None), msisdn=None, plan_end=TODAY)
    world.check(ids=[2])
    record(world, quiet, LifeEvent.SUSPENDED)
    world.limits = replace(world.limits, gather=timedelta())
    world.send(NOW, Destination.GUARDIAN)
    told = {r.card_id: r.state for r in world.rows(reminders) if r.audience == "guardian"}
    assert told == {2: SENT, quiet: PENDING}
    assert undo(world, quiet).event == "suspended"


def test_the_trail_names_who_did_it_and_keeps_no_values_after_it(world: World) -> None:
    card = world.card()
    record(world, card, LifeEvent.RENEWED, plan_end=NEW_END)
    undo(world, card)
    done, undone = world.rows(card_events)
    assert (done.detail["source"], done.detail["by"]) == ("keeper", "rosa")
    assert (done.undone_at, done.before, done.undo_until) == (SOON, None, None)
    assert (undone.event, undone.detail) == (
        "undone",
        {"event": "renewed", "source": "keeper", "by": "rosa"},
    )


@pytest.mark.parametrize("way", ["time", "removal"])
def test_what_was_before_is_not_kept_for_long(world: World, way: str) -> None:
    card = world.card()
    record(world, card, LifeEvent.RENEWED, plan_end=NEW_END, receipt_ref="R-1")
    if way == "removal":
        with writing(world.engine) as conn:
            close_card(conn, card, SOON)
    else:
        keep = timedelta(days=400)
        retention = Retention(world.engine, Periods(keep, keep, keep))
        done = sum(
            rows for name, rows in retention.batches(NOW + timedelta(days=8)) if name == "undoable"
        )
        assert done == 1
    kept = world.rows(card_events)[0]
    assert (kept.event, kept.before, kept.undo_until) == ("renewed", None, None)


def test_of_two_who_undo_at_once_one_does_it(world: World) -> None:
    card = world.card()
    world.check()
    record(world, card, LifeEvent.RENEWED, plan_end=NEW_END)
    start, found = threading.Barrier(3), []

    def run() -> None:
        start.wait(10)
        try:
            found.append(undo(world, card).event)
        except UndoError:
            found.append("refused")

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(found) == ["refused", "refused", "renewed"]
    assert world.events() == [(card, "renewed"), (card, "undone")]


def test_an_undo_races_checks_and_deliveries(world: World) -> None:
    """Whoever comes first, the holder is told what is true or nothing, and never both."""
    holder = world.holder(contact_phone=None)
    ids = world.cards(6, holder)
    world.check()
    for card in ids:
        record(world, card, LifeEvent.RENEWED, plan_end=NEW_END)
    start, refused = threading.Barrier(3), []

    async def take(out: Any) -> Outcome:
        return accepted(f"id-{out.attempt}")

    def undo_all() -> None:
        start.wait(10)
        for card in ids:
            try:
                undo(world, card, END - timedelta(seconds=1))
            except UndoError:
                refused.append(card)

    def check() -> None:
        start.wait(10)
        for _ in range(5):
            world.check(END - timedelta(seconds=1))

    def send() -> None:
        start.wait(10)
        both = {Channel.SMS: Carrier(take), Channel.EMAIL: Carrier(take)}
        world.send(END, providers=both)

    threads = [threading.Thread(target=one) for one in (undo_all, check, send)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    rows = world.rows(reminders)
    for card in ids:
        mine = [r for r in rows if r.card_id == card]
        told = {r.deadline for r in mine if r.state == SENT}
        if card in refused:
            assert told == {"renewal_recorded"}
            assert not [r for r in mine if r.deadline == "plan_end" and r.state == PENDING]
        else:
            assert "renewal_recorded" not in told
            plan = {r.state for r in mine if r.deadline == "plan_end"}
            assert plan <= {PENDING, SENT}, "owed, or told meanwhile"


@pytest.fixture
def command(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Commands act on the database of ``world``, at the time in the file."""
    clock = tmp_path / "clock"
    clock.write_text(NOW.isoformat())
    monkeypatch.setenv("DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("VIGENCIA_CLOCK_FILE", str(clock))
    return clock


def test_the_command_undoes_and_says_so(
    world: World, command: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = world.card()
    world.check()

    def told(*words: str) -> str:
        cli.main(["cards", *words], standalone_mode=False)
        return capsys.readouterr().out

    said = told("renew", str(card), "--plan-end", NEW_END.isoformat(), "--undo-for", "1m")
    assert "Until 15:01:00 UTC nobody is, and it can be undone: vigencia cards undo." in said
    assert world.rows(cards)[0].plan_end == NEW_END
    command.write_text(SOON.isoformat())
    said = told("undo", str(card))
    assert "Undone: renewed. 2 reminders wait again." in said
    told("pause", str(card), "--undo-for", "60s")
    assert '"undone": "paused",\n "waiting": 2' in told("undo", str(card), "--json")
    told("pause", str(card))
    with pytest.raises(UndoError, match="Card 1: the last event, paused, was not recorded"):
        told("undo", str(card))
    with pytest.raises(Exception, match="is no duration"):
        told("resume", str(card), "--undo-for", "soon")
    assert EMAIL not in said
    assert world.rows(cards)[0].check_asked_at is not None
