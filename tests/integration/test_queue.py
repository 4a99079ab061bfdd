"""The queue: a hint carries ids, a worker does the work, and losing a hint loses nothing."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.brokers.redis import RedisBroker
from pydantic import SecretStr
from structlog.testing import capture_logs

from tests.integration.helpers import EMAIL, NOW, PHONE, TODAY, World, causes, until
from tests.integration.sandbox_helpers import set_faults
from worker.clock import file_clock, set_file_clock
from worker.core.cards import Channel
from worker.core.reminders import MessageState, ReminderState
from worker.errors import UnreachableError
from worker.monitoring.gauges import Ledger
from worker.pipeline.check import Checked, Checks
from worker.processes.actors import Hints
from worker.processes.clock_guard import ClockGuard
from worker.processes.embedded import EmbeddedServer
from worker.processes.queue_faults import Outage
from worker.processes.scheduler import tick
from worker.setup.app import App
from worker.setup.broker import hints_left, open_broker, require_queue, trouble
from worker.setup.pace import SharedPace
from worker.store.tables import cards, messages, reminders

GUIDE = Path(__file__).parents[2] / "docs" / "deployment.md"
QUEUES = ("checks", "sms", "email", "reconcile", "jobs")
SMS = Channel.SMS


@pytest.fixture
def app(world: World) -> App:
    """The real app on the world's database and sandbox, at the world's time."""
    assert world.clock is not None
    set_file_clock(world.clock, NOW)
    return world.app(file_clock(world.clock))


@pytest.fixture
def broker(queue: str) -> Iterator[RedisBroker]:
    found = open_broker(queue)
    yield found
    found.close()


@contextmanager
def working(broker: RedisBroker, app: App) -> Iterator[None]:
    """A real worker in this process."""
    worker = dramatiq.Worker(broker, worker_timeout=50, worker_threads=4)
    worker.start()
    try:
        yield
    finally:
        if loop := get_event_loop_thread():
            loop.run_coroutine(app.transport.close())
        worker.stop(timeout=10_000)


def waiting(broker: RedisBroker) -> list[dict[str, Any]]:
    """The messages in all queues, as they stand in Redis."""
    found: list[dict[str, Any]] = []
    for name in QUEUES:
        raw = broker.client.hgetall(f"vigencia:{name}.msgs")
        found += [json.loads(value) for value in raw.values()]
    return found


def states(world: World) -> list[str]:
    return [row.state for row in world.rows(messages)]


def test_a_tick_leads_to_sent_messages_through_a_real_queue(
    world: World, app: App, broker: RedisBroker
) -> None:
    for number in range(4):
        world.cards(5, world.holder(contact_phone=f"+5198765432{number}"))
    hints = Hints(broker, app)
    with working(broker, app):
        tick(app, NOW, hints)
        # Five cards are one email and two SMS, for an SMS names four.
        assert until(lambda: states(world) == [MessageState.SENT] * 12)
        tick(app, NOW, hints)
    assert len(world.accepted()) == 12
    assert {row.state for row in world.rows(reminders)} == {ReminderState.SENT}


def test_a_hint_that_comes_many_times_sends_once(
    world: World, app: App, broker: RedisBroker
) -> None:
    world.cards(20, world.holder(contact_phone=None, email=None))
    ids = [row.id for row in world.rows(cards)]
    hints = Hints(broker, app)
    for _ in range(5):
        hints.check_cards(ids)
    with working(broker, app):
        assert until(lambda: states(world) == [MessageState.SENT] * 20)
        for _ in range(5):
            hints.send(SMS, [row.id for row in world.rows(messages)])
        assert until(lambda: waiting(broker) == [])
    assert len(world.accepted()) == 20


def test_a_worker_whose_clock_is_ahead_leaves_its_work_to_others(
    world: World, app: App, broker: RedisBroker
) -> None:
    """Else it would call notices missed that are still to come."""
    days = [timedelta(0)]
    world.card(plan_end=TODAY + timedelta(days=3))
    now = app.now
    app.now = lambda: now() + days[0]
    guard = ClockGuard(app.now, lambda: {"the database": -days[0]}, again=0)
    hints = Hints(broker, app, guard)
    days[0] = timedelta(days=8)
    ids = [row.id for row in world.rows(cards)]
    with working(broker, app):
        with capture_logs() as logs:
            hints.check_cards(ids)
            assert until(lambda: waiting(broker) == [])
        assert causes(logs) == ["clock_ahead"]
        assert world.told() == []
        days[0] = timedelta(0)
        hints.check_cards(ids)
        assert until(lambda: states(world) == [MessageState.SENT] * 2)


def test_an_unknown_is_settled_through_the_queue(
    world: World, app: App, broker: RedisBroker
) -> None:
    set_faults(world.sandbox, {"channel": "sms", "kind": "error_after", "times": 1})
    world.card(plan_end=TODAY)
    world.check()
    world.send()
    parked = world.message(SMS).wake_at
    assert world.clock is not None
    set_file_clock(world.clock, parked)
    with working(broker, app):
        tick(app, parked, Hints(broker, app))
        # The list tells more than that it was taken: by now it has arrived.
        assert until(lambda: world.message(SMS).state == MessageState.DELIVERED)
    assert len(world.accepted()) == 1


def test_a_queue_message_carries_nothing_but_ids(
    world: World, app: App, broker: RedisBroker
) -> None:
    world.card()
    world.check()
    hints = Hints(broker, app)
    hints.check_cards([1, 2])
    hints.send(SMS, [3])
    hints.send(Channel.EMAIL, [4, 5])
    hints.reconcile([6])
    found = {message["queue_name"]: message for message in waiting(broker)}
    assert {name: message["args"] for name, message in found.items()} == {
        "checks": [[1, 2]],
        "sms": [[3]],
        "email": [[4, 5]],
        "reconcile": [[6]],
    }
    assert [message["kwargs"] for message in found.values()] == [{}] * 4
    told = json.dumps(list(found.values()))
    for secret in (PHONE, EMAIL, "Rosa", world.engine.url.render_as_string(hide_password=False)):
        assert secret not in told


def test_a_flushed_queue_loses_nothing(world: World, app: App, broker: RedisBroker) -> None:
    world.cards(3)
    hints = Hints(broker, app)
    tick(app, NOW, hints)
    assert len(waiting(broker)) == 1
    broker.client.flushdb()
    lease = timedelta(seconds=app.settings.scheduler.check_lease_seconds)
    assert world.clock is not None
    set_file_clock(world.clock, NOW + lease)
    with working(broker, app):
        tick(app, NOW + lease, hints)
        assert until(lambda: states(world) == [MessageState.SENT] * 2)


def test_work_that_fails_unexpectedly_is_tried_again(
    world: World, app: App, broker: RedisBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.card()
    real, broken = Checks.run, iter([True])

    def fragile(self: Checks, ids: Sequence[int], now: datetime) -> Checked:
        if next(broken, False):
            raise RuntimeError("unexpected")
        return real(self, ids, now)

    monkeypatch.setattr(Checks, "run", fragile)
    hints = Hints(broker, app)
    with working(broker, app):
        hints.check_cards([row.id for row in world.rows(cards)])
        assert until(lambda: states(world) == [MessageState.SENT] * 2)


def test_a_queue_that_is_gone_is_alarmed_and_the_work_stays_due(
    world: World, app: App, tmp_path: Path
) -> None:
    with EmbeddedServer(tmp_path / "queue") as server:
        broker = open_broker(server.url)
        hints = Hints(broker, app, outage=Outage())
        hints.check_cards([])
    world.card()
    with capture_logs() as logs:
        found = tick(app, NOW, hints)
        hints.send(SMS, [1])
        hints.reconcile([1])
    assert not found  # nothing is claimed that nobody could be told of
    assert causes(logs) == ["queue_unreachable"], "one alarm for all that met it"
    assert len(_told(app, NOW)) == 1


def test_a_queue_that_is_full_is_alarmed_and_not_raised(
    world: World, app: App, tmp_path: Path
) -> None:
    with EmbeddedServer(tmp_path / "queue") as server:
        broker = open_broker(server.url)
        hints = Hints(broker, app, outage=Outage())
        broker.client.config_set("maxmemory", "1")
        with capture_logs() as logs:
            for _ in range(3):  # it still answers questions
                assert not hints.is_full(None)
                hints.check_cards([1])
        assert causes(logs) == ["queue_unreachable"]
        broker.client.config_set("maxmemory", "0")
        with capture_logs() as logs:
            hints.check_cards([1])
        assert [one["event"] for one in logs] == ["queue_reachable"]


def test_a_queue_that_died_between_check_and_send_loses_no_message(
    world: World, app: App, tmp_path: Path
) -> None:
    with EmbeddedServer(tmp_path / "queue") as server:
        broker = open_broker(server.url)
        Hints(broker, app, outage=Outage())
    world.card()
    with capture_logs() as logs:
        broker.get_actor("check_cards")([row.id for row in world.rows(cards)])
    assert causes(logs) == ["queue_unreachable"]
    hint = timedelta(seconds=app.settings.scheduler.hint_seconds)
    assert states(world) == [MessageState.PENDING] * 2
    assert sum(map(len, world.wake(NOW + hint).send.values())) == 2


def _told(app: App, now: datetime) -> list[int]:
    told: list[int] = []

    class Hearing:
        def check_cards(self, ids: Any) -> None:
            told.extend(ids)

        def send(self, channel: Channel, ids: Any) -> None:
            raise AssertionError

        def reconcile(self, ids: Any) -> None:
            raise AssertionError

        def fetch(self, ids: Any) -> None:
            raise AssertionError

        def work_jobs(self, ids: Sequence[int]) -> None: ...

        def is_full(self, channel: Channel | None) -> bool:
            return False

    tick(app, now, Hearing())
    return told


WRONG = {
    "redis://127.0.0.1:1/0": "does not answer",
    "unix:///nowhere/queue.sock": "does not answer",
    "http://127.0.0.1": "is not a Redis address",
}


@pytest.mark.parametrize("url", WRONG)
def test_a_queue_that_cannot_be_used_is_named_before_work_begins(url: str) -> None:
    with pytest.raises(UnreachableError, match=WRONG[url]) as refused:
        require_queue(SecretStr(url))
    assert refused.value.hint


def test_without_an_address_the_next_step_is_told() -> None:
    with pytest.raises(UnreachableError, match="REDIS_URL is not set") as refused:
        require_queue(None)
    assert "vigencia up" in refused.value.hint


def test_an_idle_worker_asks_rarely_for_what_waits_to_be_tried_again(broker: RedisBroker) -> None:
    plain, delayed = (broker.consume(name, timeout=100) for name in ("sms", "sms.DQ"))
    assert (plain.timeout, delayed.timeout) == (100, 1000)  # type: ignore[attr-defined]


def test_hints_are_in_the_queue_until_a_worker_has_done_them(
    world: World, app: App, broker: RedisBroker
) -> None:
    world.card()
    hints = Hints(broker, app)
    assert hints_left(broker) == 0
    tick(app, NOW, hints)
    assert hints_left(broker) == 1
    with working(broker, app):
        assert until(lambda: states(world) == [MessageState.SENT] * 2)
        assert until(lambda: hints_left(broker) == 0)


def test_a_queue_that_answers_is_taken(queue: str) -> None:
    assert require_queue(SecretStr(queue)) == queue
    assert redis.Redis.from_url(queue).dbsize() == 0


def test_the_settings_of_the_queue_reach_dramatiq_before_it_reads_them() -> None:
    told = "from dramatiq.worker import QUEUE_PREFETCH as p, WORKER_TIMEOUT as t; print(p, t)"
    ours = "from worker.processes.workers import serve, tune; "
    env = {name: value for name, value in os.environ.items() if not name.startswith("dramatiq_")}

    def run(code: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False
        )

    assert run(f"{ours}tune(); {told}").stdout == "2 100\n"
    late = run(f"import dramatiq; {ours}tune(); serve(1, 1, 1)")
    assert "imported before tune()" in late.stderr


def test_the_rights_of_the_guide_are_enough_for_the_queue(
    world: World, app: App, tmp_path: Path
) -> None:
    [line] = re.findall(r"^ACL SETUSER vigencia (.+)$", GUIDE.read_text("utf-8"), re.M)
    with EmbeddedServer(tmp_path / "queue") as server:
        admin: Any = redis.Redis.from_url(server.url)
        admin.execute_command("ACL", "SETUSER", "vigencia", *line.replace("PASSWORD", "pw").split())
        url = server.url.replace("://", "://vigencia:pw@")
        assert require_queue(SecretStr(url)) == url
        assert trouble(SecretStr(url)) is None
        broker = open_broker(url)
        hints = Hints(broker, app, outage=Outage())
        world.card()
        with capture_logs() as logs, working(broker, app):
            tick(app, NOW, hints)
            assert until(lambda: states(world) == [MessageState.SENT] * 2)
            assert until(lambda: waiting(broker) == [])
            assert SharedPace(url, "vigencia").take("x", 5, 4).tokens == 4
            shown = {one.name for one in Ledger(app, url).collect()}
        assert "vigencia_queue_depth" in shown
        assert [one for one in logs if one["log_level"] in ("warning", "error")] == []
        assert admin.execute_command("ACL", "LOG") == []
        client: Any = redis.Redis.from_url(url)
        for words in (("get", "another's"), ("flushall",)):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*words)
        # What dramatiq does for a worker that died, which none has here.
        assert admin.execute_command("ACL", "DRYRUN", "vigencia", "KEYS", "vigencia*") == b"OK"
        broker.close()


def test_a_user_without_the_rights_of_the_guide_is_told(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "queue") as server:
        admin: Any = redis.Redis.from_url(server.url)
        url = SecretStr(server.url.replace("://", "://poor:pw@"))
        for rights in ("~vigencia:* +@all", "~vigencia* +@all -@write", "~vigencia* +ping +@write"):
            admin.execute_command("ACL", "SETUSER", "poor", "reset", "on", ">pw", *rights.split())
            found = trouble(url)
            assert found is not None
            assert "may not do what a queue needs" in found[0], rights
