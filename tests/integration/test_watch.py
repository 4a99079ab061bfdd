"""The scheduler's look at the ledger: alarms once, one email to the operator, a sign of life."""

import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import event, select
from structlog.testing import capture_logs

from tests.integration.helpers import NOW, TODAY, World, always, causes, until
from tests.integration.sandbox_helpers import mailbox, set_faults
from tests.patience import patient
from worker.core.cards import Channel
from worker.core.outcomes import Outcome, OutcomeKind, accepted
from worker.core.reminders import MessageState, ReminderState
from worker.core.viewer import Role, Viewer
from worker.monitoring.alarm_email import Digest
from worker.monitoring.alarms import Watch
from worker.monitoring.heartbeat import Heartbeat
from worker.processes.scheduler import run
from worker.setup.app import App
from worker.setup.settings import Settings
from worker.store.alarms import see
from worker.store.cards import claim_due
from worker.store.console import today
from worker.store.engine import reading, writing
from worker.store.tables import alarms as alarm_rows
from worker.store.tables import attempts, digests, messages, reminders

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
OPERATOR = "duty@example.com"


@pytest.fixture
def app(world: World) -> App:
    return world.app(lambda: NOW, alarms={"email": OPERATOR}, scheduler={"tick_seconds": 0.01})


def alarms(watch: Watch, now: Any) -> list[tuple[str, int]]:
    with capture_logs() as logs:
        watch.raise_alarms(now)
    return [(one["cause"], one["count"]) for one in logs if one["event"] == "alarm"]


def waiting(world: World, count: int = 1) -> None:
    """Reminders by SMS that are due at ``NOW``."""
    for _ in range(count):
        world.card(world.holder(email=None))
    world.check()


def test_a_quiet_ledger_raises_no_alarm(app: App, world: World) -> None:
    waiting(world)
    assert alarms(Watch(app), NOW + HOUR) == []


def test_what_is_late_is_told_once_and_again_when_it_grows(app: App, world: World) -> None:
    waiting(world, 2)
    watch = Watch(app)
    late = NOW + 25 * HOUR  # plan_end-7d may be a day late
    assert alarms(watch, late - 2 * HOUR) == []
    assert alarms(watch, late) == [("reminders_late", 2)]
    assert alarms(watch, late + MINUTE) == []
    waiting(world)
    assert alarms(watch, late + 2 * MINUTE) == [("reminders_late", 3)]
    assert alarms(Watch(app), late + 2 * MINUTE) == [("reminders_late", 3)], "once more, restarted"


def test_what_was_mended_and_comes_back_is_told_again(app: App, world: World) -> None:
    waiting(world)
    watch, late = Watch(app), NOW + 25 * HOUR
    assert alarms(watch, late) == [("reminders_late", 1)]
    world.change(reminders, state=ReminderState.SENT)
    assert alarms(watch, late + MINUTE) == []
    world.change(reminders, state=ReminderState.PENDING)
    assert alarms(watch, late + 2 * MINUTE) == [("reminders_late", 1)]


def test_each_window_has_its_own_tolerance(app: App, world: World) -> None:
    world.card(world.holder(email=None), plan_end=TODAY + timedelta(days=1))
    world.check()
    assert alarms(Watch(app), NOW + 6 * HOUR - MINUTE) == []
    assert alarms(Watch(app), NOW + 6 * HOUR + MINUTE) == [("reminders_late", 1)]


def test_what_is_held_is_told_at_the_next_look(app: App, world: World) -> None:
    waiting(world)
    world.change(messages, state=MessageState.HELD)
    assert alarms(Watch(app), NOW) == [("messages_held", 1)]


def test_an_unknown_is_told_when_it_should_long_have_been_settled(app: App, world: World) -> None:
    waiting(world)
    lost = Outcome(OutcomeKind.AMBIGUOUS, "timeout")
    world.send(providers=dict.fromkeys(Channel, always(lost)))
    parked = 3 * app.retry.park
    begun = world.rows(attempts)[0].started_at
    assert alarms(Watch(app), begun + parked - MINUTE) == []
    assert alarms(Watch(app), begun + parked + MINUTE) == [("messages_unknown", 1)]


def test_every_look_tells_what_was_missed_since_the_last(app: App, world: World) -> None:
    waiting(world, 2)
    watch = Watch(app)
    first, second = (row.id for row in world.rows(reminders) if row.state == "pending")
    missed = {"state": ReminderState.MISSED, "reason": "too_late"}
    world.change(reminders, first, **missed, ended_at=NOW)
    assert alarms(watch, NOW + MINUTE) == [("reminders_missed", 1)]
    assert alarms(watch, NOW + 2 * MINUTE) == []
    world.change(reminders, second, **missed, ended_at=NOW + 3 * MINUTE)
    assert alarms(watch, NOW + 4 * MINUTE) == [("reminders_missed", 1)]


def test_checks_that_nobody_does_are_told(app: App, world: World) -> None:
    world.card(next_check_at=NOW)
    lease = timedelta(seconds=app.settings.scheduler.check_lease_seconds)
    with writing(world.engine) as conn:
        claim_due(conn, NOW, 10, lease)
    assert alarms(Watch(app), NOW + app.unchecked - MINUTE) == []
    assert alarms(Watch(app), NOW + app.unchecked + MINUTE) == [("checks_overdue", 1)]


def test_a_look_asks_a_few_questions_however_much_is_stored(app: App, world: World) -> None:
    asked: list[str] = []
    event.listen(world.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    counts = []
    for _ in range(2):
        waiting(world, 5)
        asked.clear()
        Watch(app).raise_alarms(NOW)
        counts.append(len([one for one in asked if one.startswith("SELECT")]))
    # One for each kind of thing that is counted, and one for what was said before.
    assert counts[0] == counts[1] <= 8


# The email to the operator


def written(world: World) -> list[Any]:
    return list(mailbox(world.sandbox, OPERATOR)["email"].get(OPERATOR, []))


def tell(app: App, now: Any = NOW) -> None:
    digest = Digest(app)
    digest.want(now)
    digest.send(now, Watch(app).standing)


def test_the_operator_is_written_once_an_hour_by_one_of_several(app: App, world: World) -> None:
    waiting(world)
    world.change(reminders, state=ReminderState.MISSED, reason="too_late", ended_at=NOW)
    for _ in range(3):
        tell(app)
    [message] = written(world)
    assert "2 missed since 14:00 UTC" in message["text"]
    assert "demo: too_late: 2" in message["text"]
    assert "vigencia promise --from 2026-06-12T14:00Z" in message["text"]
    world.change(messages, state=MessageState.HELD)
    tell(app, NOW + HOUR)
    assert len(written(world)) == 2


def test_nothing_of_a_holder_is_in_the_email(app: App, world: World) -> None:
    waiting(world)
    world.change(messages, state=MessageState.HELD)
    tell(app)
    [message] = written(world)
    for secret in ("Rosa", "87654321", "rosa@"):
        assert secret not in str(message)


def test_what_has_mended_itself_is_not_written(app: App, world: World) -> None:
    tell(app)
    assert written(world) == []
    with reading(world.engine) as conn:
        assert conn.execute(select(digests)).all() == []


def test_an_email_that_did_not_leave_is_tried_again_and_complained_of_once(
    app: App, world: World
) -> None:
    waiting(world)
    world.change(messages, state=MessageState.HELD)
    digest, watch = Digest(app), Watch(app)
    digest.want(NOW)
    set_faults(world.sandbox, {"channel": "email", "kind": "rate_limit", "rate": 1.0})
    with capture_logs() as logs:
        for minute in range(3):
            digest.send(NOW + minute * MINUTE, watch.standing)
    assert causes(logs) == ["alarm_not_sent"]
    assert digest.wanted
    set_faults(world.sandbox)
    digest.send(NOW + 4 * MINUTE, watch.standing)
    assert len(written(world)) == 1
    assert not digest.wanted


def test_without_an_address_nobody_is_written(world: World) -> None:
    digest = Digest(world.app(lambda: NOW))
    digest.want(NOW)
    assert not digest.wanted


def test_the_scheduler_looks_and_has_the_operator_written(app: App, world: World) -> None:
    waiting(world)
    world.change(messages, state=MessageState.HELD, wake_at=NOW + HOUR)
    with capture_logs() as logs:
        run(app, Nobody(), threading.Event(), ticks=1)
        assert until(lambda: written(world))
    assert causes(logs) == ["messages_held"]


def test_a_bug_in_the_look_does_not_stop_the_clock(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bool:
        raise RuntimeError

    monkeypatch.setattr(Watch, "raise_alarms", broken)
    with capture_logs() as logs:
        run(app, Nobody(), threading.Event(), ticks=2)
    assert causes(logs) == ["watch_failed"]


class Nobody:
    """Takes every hint and does nothing."""

    def check_cards(self, ids: Sequence[int]) -> None: ...

    def send(self, channel: Channel, ids: Sequence[int]) -> None: ...

    def reconcile(self, ids: Sequence[int]) -> None: ...

    def fetch(self, ids: Sequence[int]) -> None: ...

    def work_jobs(self, ids: Sequence[int]) -> None: ...

    def is_full(self, channel: Channel | None) -> bool:
        return False


# The heartbeat


class Switch(HTTPServer):
    """A dead man's switch: answers as it is told, after it was let."""

    def __init__(self, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), _Switch)
        self.status, self.beats = status, 0
        self.let = threading.Event()
        self.let.set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> SecretStr:
        return SecretStr(f"http://127.0.0.1:{self.server_port}/ping/a-token")


class _Switch(BaseHTTPRequestHandler):
    server: Switch

    def do_GET(self) -> None:
        self.server.beats += 1
        self.server.let.wait(patient(5))
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def switch() -> Iterator[Switch]:
    found = Switch()
    yield found
    found.let.set()
    found.shutdown()
    found.server_close()


def no_beat_is_under_way() -> bool:
    return all(thread.name != "heartbeat" for thread in threading.enumerate())


def test_the_scheduler_gives_a_sign_of_life_once_a_minute(world: World, switch: Switch) -> None:
    app = world.app(
        lambda: NOW,
        heartbeat_url=switch.url.get_secret_value(),
        scheduler={"tick_seconds": 0.01},
    )
    run(app, Nobody(), threading.Event(), ticks=5)
    assert until(lambda: switch.beats)
    assert switch.beats == 1


def test_a_switch_that_hangs_keeps_nobody_waiting(switch: Switch) -> None:
    switch.let.clear()
    heart = Heartbeat(switch.url, every=0)
    heart.beat()
    assert until(lambda: switch.beats)
    for _ in range(5):
        heart.beat()
    assert switch.beats == 1, "one is under way"
    switch.let.set()
    assert until(no_beat_is_under_way)
    heart.beat()
    assert until(lambda: switch.beats == 2)


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_switch_that_refuses_is_warned_of_without_its_address(
    switch: Switch, status: int
) -> None:
    switch.status = status
    heart = Heartbeat(switch.url)
    with capture_logs() as logs:
        heart.beat()
        assert until(no_beat_is_under_way)
    assert [(one["event"], one["log_level"]) for one in logs] == [("heartbeat_failed", "warning")]
    assert "token" not in str(logs)
    assert switch.beats == 1, "a redirect is not followed"


def test_without_an_address_there_is_no_sign_of_life() -> None:
    Heartbeat(None).beat()
    assert no_beat_is_under_way()


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("https://hc.example.com/ping/x", True),
        ("http://127.0.0.1:8000/x", True),
        ("http://hc.example.com/ping/x", False),
        ("ftp://127.0.0.1/x", False),
        ("https://", False),
        ("file:///etc/passwd", False),
        ("https://[::1", False),
    ],
)
def test_a_sign_of_life_travels_by_https_only(url: str, right: bool) -> None:
    values: dict[str, Any] = {"heartbeat_url": url}
    if right:
        assert Settings(**values).heartbeat_url == SecretStr(url)
        return
    with pytest.raises(ValueError, match="https address"):
        Settings(**values)


def test_a_provider_that_took_it_is_nobodys_concern(app: App, world: World) -> None:
    waiting(world)
    world.send(providers=dict.fromkeys(Channel, always(accepted(""))))
    assert alarms(Watch(app), NOW + 48 * HOUR) == []


# The rows that stay of an alarm


def kept(world: World) -> list[tuple[str, int, int, bool]]:
    """Kind, book, number, and whether it has ended."""
    found = world.rows(alarm_rows)
    return [(row.kind, row.book_id, row.number, row.ended_at is not None) for row in found]


def test_an_alarm_has_a_row_while_its_cause_holds_and_keeps_it(app: App, world: World) -> None:
    waiting(world, 2)
    watch, late, book = Watch(app), NOW + 25 * HOUR, world.book()
    watch.raise_alarms(late - 2 * HOUR)
    assert kept(world) == []
    for minutes in range(3):
        watch.raise_alarms(late + minutes * MINUTE)
    Watch(app).raise_alarms(late + 3 * MINUTE)
    assert kept(world) == [("reminders_late", book, 2, False)]
    waiting(world)
    watch.raise_alarms(late + 4 * MINUTE)
    [row] = world.rows(alarm_rows)
    assert (row.number, row.started_at, row.last_at) == (3, late, late + 4 * MINUTE)
    world.change(reminders, state=ReminderState.SENT)
    watch.raise_alarms(late + 5 * MINUTE)
    assert kept(world) == [("reminders_late", book, 3, True)]
    world.change(reminders, state=ReminderState.PENDING)
    watch.raise_alarms(late + 6 * MINUTE)
    assert kept(world) == [("reminders_late", book, 3, True), ("reminders_late", book, 3, False)]


def test_what_was_missed_asks_for_somebody_for_a_day(app: App, world: World) -> None:
    waiting(world)
    missed = {"state": ReminderState.MISSED, "reason": "too_late", "ended_at": NOW}
    world.change(reminders, world.rows(reminders)[0].id, **missed)
    watch = Watch(app)
    for hours in (0, 1, 23):
        watch.raise_alarms(NOW + MINUTE + hours * HOUR)
        assert ("reminders_missed", world.book(), 1, False) in kept(world)
    watch.raise_alarms(NOW + 24 * HOUR + MINUTE)
    assert ("reminders_missed", world.book(), 1, True) in kept(world)


def test_each_sees_the_alarms_of_his_books_and_who_has_seen_them(app: App, world: World) -> None:
    waiting(world)
    world.change(messages, state=MessageState.HELD)
    Watch(app).raise_alarms(NOW)
    mine, other = (Viewer(name, {book: Role.OPERATOR}) for name, book in (("ana", 1), ("bo", 2)))
    with writing(world.engine) as conn:
        [alarm] = today.open_alarms(conn, mine)
        assert (alarm.kind, alarm.book, alarm.number, alarm.seen_by) == (
            "messages_held",
            "demo",
            1,
            None,
        )
        assert today.open_alarms(conn, other) == []
        assert not see(conn, other, alarm.id, NOW)
        assert see(conn, mine, alarm.id, NOW + MINUTE)
        assert see(conn, Viewer("cy", mine.roles), alarm.id, NOW + HOUR)
        [alarm] = today.open_alarms(conn, mine)
        assert (alarm.seen_by, alarm.seen_at) == ("ana", NOW + MINUTE)
    world.change(messages, state=MessageState.PENDING)
    Watch(app).raise_alarms(NOW + HOUR)
    with reading(world.engine) as conn:
        assert today.open_alarms(conn, mine) == []
        [past] = today.past_alarms(conn, mine, NOW)
        assert past.ended_at == NOW + HOUR


def test_of_many_who_look_at_once_each_cause_has_one_row(app: App, world: World) -> None:
    waiting(world)
    world.change(messages, state=MessageState.HELD)
    looks = [threading.Thread(target=Watch(app).raise_alarms, args=(NOW,)) for _ in range(6)]
    for look in looks:
        look.start()
    for look in looks:
        look.join()
    assert kept(world) == [("messages_held", world.book(), 1, False)]
