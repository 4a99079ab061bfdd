"""The clock: each due thing is handed out once, until its hint or lease has run out."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.helpers import MORNING, NIGHT, NOW, TODAY, World, causes, flat
from tests.integration.sandbox_helpers import set_faults
from tests.patience import patient
from worker.clock import set_file_clock
from worker.core.cards import Channel
from worker.core.reminders import MessageState, ReminderState
from worker.errors import UnreachableError
from worker.processes.once import RunReport, run_once
from worker.processes.scheduler import Tick, run, tick
from worker.setup.app import App
from worker.store.tables import cards, messages

SMS, MAIL = Channel.SMS, Channel.EMAIL


@dataclass
class Told:
    """Keeps the hints it was given."""

    checks: list[list[int]] = field(default_factory=list)
    sends: list[tuple[Channel, list[int]]] = field(default_factory=list)
    unknowns: list[list[int]] = field(default_factory=list)
    fetched: list[list[int]] = field(default_factory=list)

    def check_cards(self, ids: Sequence[int]) -> None:
        self.checks.append(list(ids))

    def send(self, channel: Channel, ids: Sequence[int]) -> None:
        self.sends.append((channel, list(ids)))

    def reconcile(self, ids: Sequence[int]) -> None:
        self.unknowns.append(list(ids))

    def fetch(self, ids: Sequence[int]) -> None:
        self.fetched.append(list(ids))

    def work_jobs(self, ids: Sequence[int]) -> None: ...

    def is_full(self, channel: Channel | None) -> bool:
        return False


@pytest.fixture
def app(world: World) -> App:
    """The real app on the world's database and sandbox."""
    batches = {"check_batch": 4, "send_batch": 3, "tick_seconds": 0.01}
    return world.app(lambda: NOW, scheduler=batches)


def look(app: App, now: datetime = NOW) -> tuple[Tick, Told]:
    told = Told()
    return tick(app, now, told), told


def once(app: App, world: World, now: datetime) -> RunReport:
    assert world.clock is not None
    set_file_clock(world.clock, now)
    return asyncio.run(run_once(app, now))


def test_nothing_due_is_nothing_told(app: App, world: World) -> None:
    world.card(next_check_at=NOW + timedelta(seconds=1))
    found, told = look(app)
    assert not found
    assert told == Told()


def test_each_due_card_is_told_once_until_its_lease_is_over(app: App, world: World) -> None:
    ids = [world.card(world.holder()) for _ in range(10)]
    found, told = look(app)
    assert (found.cards, sorted(flat(told.checks))) == (10, sorted(ids))
    assert [len(batch) for batch in told.checks] == [4, 4, 2]
    lease = timedelta(seconds=app.settings.scheduler.check_lease_seconds)
    assert look(app)[1] == Told()
    assert look(app, NOW + lease - timedelta(seconds=1))[1] == Told()
    assert sorted(flat(look(app, NOW + lease)[1].checks)) == sorted(ids)


def test_cards_of_one_holder_travel_together_however_many(app: App, world: World) -> None:
    one, two, three, four = (world.holder() for _ in range(4))
    order = [one, two, one, two, three, one, two, four, one, one, four]
    mixed = [world.card(holder) for holder in order]
    _, told = look(app)
    holder_of = {row.id: row.holder_id for row in world.rows(cards)}
    assert [[holder_of[card] for card in batch] for batch in told.checks] == [
        [one] * 5,
        [two] * 3 + [three],
        [four] * 2,
    ]
    assert sorted(flat(told.checks)) == sorted(mixed)


def test_a_holder_of_more_cards_than_a_batch_gets_one_email_and_few_texts(
    app: App, world: World
) -> None:
    world.cards(9, world.holder())
    for batch in look(app)[1].checks:
        world.check(ids=batch)
    # An SMS names four cards, an email lists them all.
    assert sorted(row.channel for row in world.rows(messages)) == [MAIL, SMS, SMS, SMS]


def test_a_waiting_message_is_told_when_its_hint_has_run_out(app: App, world: World) -> None:
    world.cards(4, world.holder(contact_phone=None, email=None))
    world.check()
    ids = [row.id for row in world.rows(messages)]
    assert look(app)[1].sends == [], "the checks told of it already"
    hint = timedelta(seconds=app.settings.scheduler.hint_seconds)
    told = look(app, NOW + hint)[1]
    assert told.sends == [(SMS, ids[:3]), (SMS, ids[3:])]
    assert look(app, NOW + hint)[1].sends == []
    assert look(app, NOW + 2 * hint)[1].sends == told.sends


def test_a_message_for_later_is_told_when_it_is_due(app: App, world: World) -> None:
    world.card()
    world.check(NIGHT)
    assert look(app, MORNING - timedelta(seconds=1))[1].sends == []
    assert sorted(channel for channel, _ in look(app, MORNING)[1].sends) == [MAIL, SMS]


def test_a_lost_worker_is_alarmed_and_its_message_asked_about(app: App, world: World) -> None:
    world.card(plan_end=TODAY)
    world.check()
    message = world.message(SMS).id
    lease_over = NOW + timedelta(seconds=app.settings.delivery.lease_seconds)
    world.change(messages, state=MessageState.SENDING, wake_at=lease_over)
    with capture_logs() as logs:
        found, told = look(app, lease_over)
    assert (found.messages, told.sends, told.unknowns) == (1, [], [])
    assert causes(logs) == ["worker_lost"]
    parked = lease_over + app.retry.park
    assert look(app, parked)[1].unknowns == [[message]]


def test_more_than_one_claim_is_told_in_one_tick(
    app: App, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.processes.scheduler._CLAIM", 5)
    ids = world.cards(12)
    found, told = look(app)
    assert (found.cards, sorted(flat(told.checks))) == (12, sorted(ids))
    world.check()
    hint = timedelta(seconds=app.settings.scheduler.hint_seconds)
    waiting = [row.id for row in world.rows(messages)]
    told = look(app, NOW + hint)[1]
    assert sorted(flat(ids for _, ids in told.sends)) == sorted(waiting)


def test_a_claim_is_committed_before_its_hint(app: App, world: World) -> None:
    world.cards(1)
    seen: list[Any] = []

    class Looking(Told):
        def check_cards(self, ids: Sequence[int]) -> None:
            seen.extend(row.next_check_at for row in world.rows(cards))

    tick(app, NOW, Looking())
    lease = timedelta(seconds=app.settings.scheduler.check_lease_seconds)
    assert seen == [NOW + lease]


def test_two_schedulers_at_once_tell_each_card_once(app: App, world: World) -> None:
    ids = world.cards(300)
    told = [Told(), Told()]
    start = threading.Barrier(2)

    def work(mine: Told) -> None:
        start.wait(patient(10))
        tick(app, NOW, mine)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in told]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(flat(flat(mine.checks) for mine in told)) == sorted(ids)


def test_a_database_that_is_away_is_waited_for(
    app: App, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.cards(2)
    real, away = tick, iter([True])

    def sometimes(*args: Any) -> Tick:
        if next(away, False):
            raise UnreachableError("the database is away")
        return real(*args)

    monkeypatch.setattr("worker.processes.scheduler.tick", sometimes)
    told = Told()
    with capture_logs() as logs:
        found = run(app, told, threading.Event(), ticks=2)
    assert found.cards == 2
    assert causes(logs) == ["database_unreachable"]


def test_a_stopped_clock_ticks_no_more(app: App) -> None:
    stopping = threading.Event()
    stopping.set()
    assert run(app, Told(), stopping, ticks=None) == Tick()


def test_once_does_all_that_is_due_and_nothing_twice(app: App, world: World) -> None:
    for number in range(5):
        world.cards(4, world.holder(name=f"Holder {number}", contact_phone=f"+5198765432{number}"))
    report = once(app, world, NOW)
    assert (report.checked, report.reminders, report.messages) == (20, 40, 10)
    assert (report.sent, report.failed, report.unknown, report.retryable) == (10, 0, 0, 0)
    assert len(world.accepted()) == 10
    again = once(app, world, NOW)
    assert (again.checked, again.sent) == (0, 0)
    assert len(world.accepted()) == 10


def test_once_does_the_work_of_many_batches(app: App, world: World) -> None:
    world.cards(40, world.holder(contact_phone=None, email=None))
    assert once(app, world, NOW).sent == 40
    numbers = [m["to"] for m in world.accepted(SMS)]
    assert sorted(numbers) == sorted(row.msisdn for row in world.rows(cards))


def test_once_replays_a_day_before_the_import(app: App, world: World) -> None:
    imported = NOW + timedelta(days=30)
    world.card(watched_since=imported, created_at=imported, updated_at=imported)
    report = once(app, world, NOW)
    assert (report.checked, report.sent) == (1, 2)


def test_once_tells_what_is_left_for_a_later_run(app: App, world: World) -> None:
    set_faults(
        world.sandbox,
        {"channel": "sms", "kind": "rate_limit", "times": 1},
        {"channel": "email", "kind": "error_before", "times": 1},
    )
    world.card()
    report = once(app, world, NOW)
    assert (report.sent, report.retryable, report.unknown, report.failed) == (0, 1, 1, 0)
    later = world.message(SMS).next_attempt_at
    assert once(app, world, later).sent == 1


def test_once_settles_the_unknown_of_an_earlier_run(app: App, world: World) -> None:
    set_faults(world.sandbox, {"channel": "sms", "kind": "error_after", "times": 1})
    world.card(plan_end=TODAY)
    assert once(app, world, NOW).unknown == 1
    report = once(app, world, NOW + timedelta(minutes=5))
    assert (report.sent, report.unknown) == (1, 0)
    assert len(world.accepted()) == 1
    assert world.told() == [("sms", ReminderState.DELIVERED, None)]


def test_day_by_day_a_card_is_told_on_its_days_and_never_again(app: App, world: World) -> None:
    world.card(world.holder(email=None), plan_end=TODAY + timedelta(days=9))
    for day in range(16):
        once(app, world, NOW + timedelta(days=day))
    days = [datetime.fromisoformat(m["created"]).date() for m in world.accepted(SMS)]
    assert [(day - TODAY).days for day in days] == [2, 8, 9, 12]
    windows = {told[1] for told in world.told() if told[0] == SMS}
    # Nobody reports here, but each text is asked about, and the sandbox says it has arrived.
    assert windows == {ReminderState.DELIVERED}
