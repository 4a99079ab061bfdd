"""Doctor compares this machine's clock with those of the database and the providers."""

import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from tests.integration.helpers import NOW, TODAY, World, causes
from tests.integration.sandbox_helpers import call
from worker.clock import Clock, set_file_clock
from worker.core.cards import Channel
from worker.core.reminders import ReminderState
from worker.processes import clocks
from worker.processes.clock_guard import ClockGuard
from worker.processes.doctor.examination import look_at
from worker.processes.scheduler import run
from worker.setup.app import App
from worker.store.tables import reminders

SMS = Channel.SMS


def told(world: World, seconds: int) -> list[tuple[str, str]]:
    """What doctor says where Twilio's clock is so far ahead."""
    assert world.clock is not None
    set_file_clock(world.clock, datetime.now(UTC))
    body = json.dumps({"clock_offset_s": seconds})
    assert call(world.sandbox, "POST", "/sandbox/account", body).status == 200
    app = world.app(lambda: datetime.now(UTC))
    return [(one.state, one.message) for one in look_at(app, "clocks")]


def test_clocks_that_agree_are_fine(world: World) -> None:
    [(state, message)] = told(world, 0)
    assert state == "ok"
    assert "Twilio" in message
    assert ("the database" in message) == (world.engine.dialect.name == "postgresql")


@pytest.mark.parametrize(("seconds", "words"), [(-60, "s behind"), (3600, "s ahead of")])
def test_a_provider_with_another_time_is_told(world: World, seconds: int, words: str) -> None:
    [warned] = [message for state, message in told(world, seconds) if state == "warning"]
    assert "Twilio" in warned
    assert words in warned


def test_a_database_with_another_time_is_told(world: World) -> None:
    if world.engine.dialect.name == "sqlite":
        pytest.skip("it has no clock of its own")
    app = world.app(lambda: datetime.now(UTC) - timedelta(minutes=2))
    warned = [one.message for one in look_at(app, "clocks") if one.state == "warning"]
    assert any("the database" in message for message in warned)


def test_who_does_not_answer_is_left_out(world: World) -> None:
    world.sandbox = "http://127.0.0.1:9"
    app = world.app(lambda: datetime.now(UTC))
    assert "Twilio" not in dict(clocks.differences(app))


def test_a_clock_that_was_days_ahead_and_is_back_loses_no_notice(world: World) -> None:
    world.card(plan_end=TODAY + timedelta(days=8), plan_days=30)
    world.check()
    ahead = NOW + timedelta(days=9)
    times = [ahead, ahead, NOW, NOW]
    app = world.app(
        lambda: times.pop(0) if len(times) > 1 else times[0], scheduler={"tick_seconds": 0.01}
    )
    world.check(ahead)
    assert ReminderState.MISSED in {state for _, state, _ in world.told()}
    hints = Checking(world)
    with capture_logs() as logs:
        run(app, hints, threading.Event(), ticks=2)
    assert "clock_set_back" in causes(logs)
    assert hints.checked, "nobody looks at the card again"
    for day in range(1, 9):
        at = NOW + timedelta(days=day)
        world.check(at)
        world.send(at, SMS)
    windows = {row.window: row.state for row in world.rows(reminders) if row.channel == SMS}
    assert windows["plan_end-7d"] == ReminderState.SENT
    assert windows["plan_end-1d"] == ReminderState.SENT


class Jumping:
    """The clock of a machine that somebody sets."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def guard(app: App) -> ClockGuard:
    return ClockGuard(app.now, lambda: dict(clocks.differences(app)))


def test_a_scheduler_whose_clock_jumps_ahead_hands_out_nothing_until_it_is_right(
    world: World,
) -> None:
    if world.engine.dialect.name == "sqlite":
        pytest.skip("it has no clock of its own")
    world.sandbox = "http://127.0.0.1:9"  # its clock stands still
    clock = Jumping()
    app = world.app(clock, scheduler={"tick_seconds": 0.01})
    end = clock().date() + timedelta(days=9)
    world.card(plan_end=end, plan_days=30, watched_since=clock())
    world.check(clock())
    clocked, hints = guard(app), Checking(world, clock)
    run(app, hints, threading.Event(), ticks=1, guard=clocked)
    clock.ahead = timedelta(days=8)
    with capture_logs() as logs:
        run(app, hints, threading.Event(), ticks=3, guard=clocked)
    assert causes(logs) == ["clock_ahead"], "told once, not with each look"
    assert hints.checked == []
    assert world.told() == []
    clock.ahead = timedelta(days=2, hours=12)
    believed = ClockGuard(clock, lambda: {})  # as if time had really passed
    run(app, hints, threading.Event(), ticks=1, guard=believed)
    assert hints.checked, "its window is open now"
    assert {state for _, state, _ in world.told()} == {ReminderState.PENDING}


def test_a_clock_is_wrong_only_where_all_others_say_so() -> None:
    others = {"the database": timedelta(0), "Twilio": timedelta(0)}
    clock = Jumping()
    clocked = ClockGuard(clock, lambda: {who: at - clock.ahead for who, at in others.items()})
    assert clocked.ahead() is None
    clock.ahead = timedelta(hours=1)
    others["the database"] = timedelta(hours=1)  # both were put right
    assert clocked.ahead() is None
    clock.ahead = timedelta(hours=2)
    assert clocked.ahead() == timedelta(hours=1)
    others.clear()
    assert ClockGuard(clock, lambda: others).ahead() is None, "nobody says otherwise"


class Checking:
    """Checks what it is hinted, at the time at which it is hinted."""

    def __init__(self, world: World, now: Clock = lambda: NOW) -> None:
        self._world, self._now = world, now
        self.checked: list[int] = []

    def check_cards(self, ids: Sequence[int]) -> None:
        self.checked += ids
        self._world.check(self._now(), ids)

    def send(self, channel: Channel, ids: Sequence[int]) -> None: ...
    def reconcile(self, ids: Sequence[int]) -> None: ...
    def fetch(self, ids: Sequence[int]) -> None: ...
    def work_jobs(self, ids: Sequence[int]) -> None: ...

    def is_full(self, channel: Channel | None) -> bool:
        return False
