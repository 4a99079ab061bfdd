"""What Prometheus is told: the counts, the gauges of ledger and queue, and to whom."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from dramatiq.brokers.redis import RedisBroker
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML
from sqlalchemy import insert, text
from starlette.applications import Starlette
from starlette.types import Message
from structlog import get_logger

from benchmarks.stage.ports import free_port
from tests.integration.helpers import NOW, World, always, until
from tests.patience import patient
from worker import metrics
from worker.core.cards import Channel
from worker.core.outcomes import Outcome, OutcomeKind, accepted
from worker.core.reminders import MessageState
from worker.monitoring.gauges import Ledger
from worker.monitoring.metrics_page import Page, serve
from worker.processes.count_files import counted
from worker.providers.registry import STATUSES
from worker.setup.app import App
from worker.setup.broker import QUEUES, open_broker
from worker.setup.log import configure
from worker.setup.sections import MetricsSettings
from worker.setup.settings import Settings
from worker.store import gauges as gauge_store
from worker.store.engine import open_engine, writing
from worker.store.migrate import head
from worker.store.tables import breakers, messages, receipts, usage
from worker.web import health

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "deployment.md"

Sample = tuple[str, frozenset[tuple[str, str]]]
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _counting() -> None:
    metrics.enable(STATUSES)


@pytest.fixture
def app(world: World) -> App:
    return world.app(lambda: NOW + timedelta(minutes=10))


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"vigencia_{name}", labels) or 0.0


def samples(page: str) -> dict[str, dict[tuple[str, ...], float]]:
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def ledger(app: App, queue_url: str | None = None) -> dict[str, dict[tuple[str, ...], float]]:
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in Ledger(app, queue_url).collect():
        assert family.name not in found, "a family comes once"
        found[family.name.removeprefix("vigencia_")] = {
            tuple(sample.labels.values()): sample.value for sample in family.samples
        }
    return found


# Counters of the hot path


def test_a_send_counts_its_attempt_its_reminder_and_its_delay(world: World) -> None:
    world.card(world.holder(email=None))
    world.check()
    before = [
        count("attempts_total", provider="twilio", outcome="accepted"),
        count("provider_seconds_count", provider="twilio"),
        count("messages_total", channel="sms", state="sent"),
        count("segments_total", provider="twilio"),
        count("reminders_total", state="sent", channel="sms", reason=""),
        count("reminder_delay_seconds_count", window="plan_end-7d"),
    ]
    world.send(providers=dict.fromkeys(Channel, always(accepted(""))))
    after = [
        count("attempts_total", provider="twilio", outcome="accepted"),
        count("provider_seconds_count", provider="twilio"),
        count("messages_total", channel="sms", state="sent"),
        count("segments_total", provider="twilio"),
        count("reminders_total", state="sent", channel="sms", reason=""),
        count("reminder_delay_seconds_count", window="plan_end-7d"),
    ]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1] * 6


def test_what_ends_at_its_check_is_counted_once(world: World) -> None:
    world.card(world.holder(email=None))

    def suppressed() -> float:
        labels = {"state": "suppressed", "channel": "email", "reason": "no_address"}
        return count("reminders_total", **labels)

    before = suppressed()
    world.check()
    world.check()
    assert suppressed() - before == 1


def test_retries_and_unknowns_are_counted_by_the_state_of_their_message(world: World) -> None:
    world.cards(2, world.holder(email=None))
    world.card(world.holder(email=None))
    world.check()
    retryable = count("messages_total", channel="sms", state="retryable")
    unknown = count("messages_total", channel="sms", state="unknown")
    first, *_ = (row.id for row in world.rows(messages) if row.channel == "sms")
    later = Outcome(OutcomeKind.TRANSIENT, "twilio:20429")
    lost = Outcome(OutcomeKind.AMBIGUOUS, "timeout")
    world.send(ids=[first], providers=dict.fromkeys(Channel, always(later)))
    assert count("messages_total", channel="sms", state="retryable") == retryable + 1
    rest = [row.id for row in world.rows(messages) if row.state == "pending"]
    world.send(ids=rest, providers=dict.fromkeys(Channel, always(lost)))
    assert count("messages_total", channel="sms", state="unknown") >= unknown + 1


def test_every_alarm_in_the_log_is_counted(tmp_path: Path) -> None:
    before = count("alarms_total", cause="card_check_failed")
    with (tmp_path / "log").open("w") as stream:
        configure("INFO", "json", stream)
        get_logger("worker.test").error("alarm", cause="card_check_failed", card=1)
        get_logger("worker.test").error("no_alarm", cause="card_check_failed")
    assert count("alarms_total", cause="card_check_failed") == before + 1


def test_a_label_takes_no_value_from_outside() -> None:
    metrics.receipt("twilio", "+51987654321")
    metrics.accepted("a window of somebody", NOW, NOW)
    metrics.reminder("missed", "sms", "rosa@example.com")
    page = generate_latest(REGISTRY).decode()
    for outside in ("987654321", "somebody", "rosa"):
        assert outside not in page
    assert count("receipts_total", provider="twilio", status="other") >= 1


def test_before_it_is_wanted_nothing_is_counted_or_imported() -> None:
    code = """
import sys
from worker import metrics
import worker.setup.log, worker.pipeline.delivery, worker.cli
metrics.attempt("twilio", "accepted", 1.0, 2)
metrics.alarm("x")
assert not [name for name in sys.modules if name.startswith("prometheus_client")]
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=patient(60))


# Gauges of the ledger and the queue


def test_the_gauges_are_those_of_the_ledger(app: App, world: World) -> None:
    world.cards(3)
    world.check()
    ids = [row.id for row in world.rows(messages)]
    world.change(messages, ids[0], state=MessageState.HELD)
    book = world.book()
    with writing(world.engine) as conn:
        row = {"code": "twilio:20003", "opened_at": NOW, "probe_at": NOW, "failures": 1}
        conn.execute(insert(breakers).values(key="sms:+51:+51987654321", channel="sms", **row))
        day = {"book_id": book, "day": NOW.date(), "channel": "sms"}
        conn.execute(insert(usage).values(**day, messages=4, segments=5, spend="0.6"))
        event = {"provider": "twilio", "event_id": "e", "status": "sent", "received_at": NOW}
        conn.execute(insert(receipts).values(**event, attempt_id=uuid4()))
    found = ledger(app)
    open_ = found["messages_open"]
    assert sum(open_.values()) == len(ids)
    assert open_["sms", "held"] + open_["email", "held"] == 1
    assert len(open_) == 15
    assert found["reminders_due"][()] == 6
    assert found["oldest_due_seconds"][()] == 600
    assert found["checks_waiting"][()] == 0
    assert found["breaker_open"] == {("sms:+51:***4321",): 1}
    assert found["usage_segments_today"] == {("sms",): 5}
    assert found["usage_spend_today"][("sms",)] == pytest.approx(0.6)
    assert found["receipts_parked"][()] == 1
    assert found["up"] == {("database",): 1}


def test_an_empty_ledger_shows_nothing_waiting(app: App) -> None:
    found = ledger(app)
    assert set(found["messages_open"].values()) == {0}
    assert found["reminders_due"][()] == found["oldest_due_seconds"][()] == 0


def test_the_depth_of_each_queue_is_shown(app: App, queue: str) -> None:
    broker: RedisBroker = open_broker(queue)
    for name in QUEUES:
        broker.declare_queue(name)
    import dramatiq

    for name in ("sms", "sms", "email"):
        fields: dict[str, Any] = {"args": ([1],), "kwargs": {}, "options": {}}
        broker.enqueue(dramatiq.Message(queue_name=name, actor_name="send", **fields))
    found = ledger(app, queue)
    empty = {(name,): 0 for name in QUEUES}
    assert found["queue_depth"] == {**empty, ("sms",): 2, ("email",): 1}
    assert set(found["queue_dead"].values()) == {0}
    assert found["up"] == {("database",): 1, ("queue",): 1}


def test_the_autoscaler_goes_by_a_metric_that_is_shown(app: App, queue: str) -> None:
    yaml = YAML(typ="safe")
    [metric] = yaml.load(ROOT / "examples" / "kubernetes" / "autoscaler.yaml")["spec"]["metrics"]
    shown = samples(Page(app, queue)().decode())
    name = metric["external"]["metric"]["name"]
    assert len(shown[name]) == len(QUEUES), "each queue is a series, and they are added up"
    [adapter] = re.findall(r"```yaml\n *(externalRules:.*?)```", GUIDE.read_text("utf-8"), re.S)
    [rule] = yaml.load(adapter)["externalRules"]
    assert rule["seriesQuery"] == name


def test_a_queue_that_is_away_leaves_the_rest_on_the_page(app: App) -> None:
    found = ledger(app, f"redis://127.0.0.1:{free_port()}/0")
    assert found["up"] == {("database",): 1, ("queue",): 0}
    assert "reminders_due" in found


def test_the_database_is_asked_once_however_many_read(
    app: App, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    read = gauge_store.gauges

    def counted(*args: Any) -> Any:
        asked.append(args)
        return read(*args)

    monkeypatch.setattr(gauge_store, "gauges", counted)
    one = Ledger(app, None)
    assert one.collect() == one.collect()
    assert len(asked) == 1


# The page, and who may read it


def get(url: str, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - this machine
    try:
        with urllib.request.urlopen(request, timeout=patient(10)) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def own(token: str | None = None, **changes: Any) -> Settings:
    values: dict[str, Any] = {"metrics": MetricsSettings(**changes), "metrics_token": token}
    return Settings(**values)


def test_a_page_can_be_parsed_and_holds_counts_and_gauges(app: App, world: World) -> None:
    world.card()
    world.check()
    metrics.tick(0.01, time.time())
    server = serve(Page(app, None), own(), free_port())
    assert server is not None
    try:
        status, page = get(f"http://127.0.0.1:{server.server_port}/metrics")
        assert status == 200
        found = samples(page)
        assert found["vigencia_up"] == {("database",): 1}
        assert found["vigencia_reminders_due"][()] == 2
        assert found["vigencia_last_tick_timestamp_seconds"][()] > time.time() - 60
        names = re.findall(r"^# TYPE (\S+) ", page, re.M)
        assert len(names) == len(set(names))
        assert get(f"http://127.0.0.1:{server.server_port}/other")[0] == 404
    finally:
        server.shutdown()
        server.server_close()


def test_a_page_with_a_token_is_for_who_has_it(app: App) -> None:
    server = serve(Page(app, None), own("a-secret-token"), free_port())
    assert server is not None
    url = f"http://127.0.0.1:{server.server_port}/metrics"
    try:
        assert get(url)[0] == 403
        assert get(url, Authorization="Bearer another")[0] == 403
        assert get(url, Authorization="Bearer a-secret-token")[0] == 200
    finally:
        server.shutdown()
        server.server_close()


def test_a_port_that_is_taken_is_warned_of_and_nothing_more(
    app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve(Page(app, None), own(), free_port())
    assert server is not None
    try:
        assert serve(Page(app, None), own(), server.server_port) is None
        assert serve(Page(app, None), own(), 0) is None
    finally:
        server.shutdown()
        server.server_close()


# The web process


@dataclass
class Answer:
    """What the web process said."""

    status: int = 0
    text: str = ""


def ask(app: App, path: str, host: str = "127.0.0.1", **headers: str) -> Answer:
    """Ask the routes of ``app`` as somebody at ``host``."""
    answer = Answer()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        answer.status = message.get("status", answer.status)
        answer.text += message.get("body", b"").decode()

    names = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in names.items()],
        "client": (host, 50_000),
    }
    asyncio.run(Starlette(routes=health.routes(app))(scope, receive, send))
    return answer


def test_the_web_process_is_there_and_ready(app: App) -> None:
    assert ask(app, "/healthz") == Answer(200, "ok")
    answer = ask(app, "/readyz")
    assert (answer.status, json.loads(answer.text)) == (200, {"ready": True, "missing": {}})


def test_a_web_process_is_not_ready_without_its_queue_and_tables(world: World) -> None:
    app = world.app(lambda: NOW, redis_url=f"redis://user:secret@127.0.0.1:{free_port()}/0")
    answer = ask(app, "/readyz")
    assert answer.status == 503
    assert json.loads(answer.text) == {"ready": False, "missing": {"queue": "it does not answer"}}
    with writing(world.engine) as conn:
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    try:
        answer = ask(app, "/readyz")
        assert set(json.loads(answer.text)["missing"]) == {"database", "queue"}
        assert "secret" not in answer.text
    finally:
        with writing(world.engine) as conn:
            conn.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": head()})


def test_a_web_process_without_its_database_is_alive_and_not_ready(
    app: App, world: World, tmp_path: Path
) -> None:
    gone = open_engine(f"sqlite:///{tmp_path}/empty.db")
    away = App(app.settings, app.rules, app.gateways, gone, app.now)
    assert ask(away, "/healthz").status == 200
    assert ask(away, "/readyz").status == 503
    assert ask(away, "/metrics").status == 200
    gone.dispose()


@pytest.mark.parametrize(
    ("host", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("127.0.0.1", {"X_Forwarded_For": "10.0.0.1"}, 403),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}, 403),
        ("10.0.0.1", {}, 403),
        ("no address", {}, 403),
    ],
)
def test_without_a_token_only_this_machine_reads_the_metrics_of_the_web(
    app: App, host: str, headers: dict[str, str], status: int
) -> None:
    assert ask(app, "/metrics", host, **headers).status == status


def test_with_a_token_whoever_has_it_reads_them(world: World) -> None:
    app = world.app(lambda: NOW, metrics_token="a-secret-token")
    assert ask(app, "/metrics").status == 403
    found = ask(app, "/metrics", "10.0.0.1", Authorization="Bearer a-secret-token")
    assert found.status == 200
    assert "vigencia_reminders_due" in samples(found.text)


# Several worker processes


def test_counts_of_several_processes_are_added_up(tmp_path: Path) -> None:
    code = """
from worker import metrics
metrics.enable({}, several_processes=True)
metrics.attempt("twilio", "accepted", 0.2, 1)
metrics.reminder("sent", "sms", None)
"""
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for _ in range(3):
        subprocess.run([sys.executable, "-c", code], check=True, timeout=patient(60), env=env)
    read = """
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
registry = CollectorRegistry()
MultiProcessCollector(registry)
print(generate_latest(registry).decode())
"""
    done = subprocess.run(
        [sys.executable, "-c", read],
        check=True,
        timeout=patient(60),
        env=env,
        capture_output=True,
        text=True,
    )
    found = samples(done.stdout)
    assert list(found["vigencia_attempts_total"].values()) == [3]
    assert found["vigencia_provider_seconds_count"] == {("twilio",): 3}


_FULL = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))"


@pytest.mark.parametrize("full", ["before it counts", "while it counts"])
def test_a_full_disk_undoes_nothing_of_what_is_counted(tmp_path: Path, full: str) -> None:
    enable = "metrics.enable({}, several_processes=True)"
    before, then = (_FULL, enable) if full == "before it counts" else (enable, _FULL)
    code = f"""
from worker import metrics
{before}
{then}
for number in range(3000):
    metrics.attempt(f"provider-{{number}}", "accepted", 0.2, 1)
metrics.settled("sms", "sent")
metrics.alarm("disk_full")
print("went on")
"""
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], timeout=patient(120), env=env, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1:] == ["went on"], done.stderr


def test_a_worker_starts_without_its_counts_where_the_disk_is_full(tmp_path: Path) -> None:
    code = f"""
import os
from worker.processes.count_files import counted
{_FULL}
with counted():
    print("works", os.environ.get("PROMETHEUS_MULTIPROC_DIR"))
"""
    env = {name: value for name, value in os.environ.items() if "PROMETHEUS" not in name}
    done = subprocess.run(
        [sys.executable, "-c", code], timeout=patient(120), env=env, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1:] == ["works None"], done.stderr


def test_counts_of_commands_that_were_killed_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    for pid in (gone.pid, os.getpid()):
        (tmp_path / f"vigencia-metrics-{pid}-x").mkdir()
        (tmp_path / f"vigencia-metrics-{pid}-x" / "counter_1.db").touch()
    with counted():
        inside = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
        assert list(inside.iterdir()) == []
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {f"vigencia-metrics-{os.getpid()}-x"}
    assert not inside.exists()
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR")


def test_a_folder_of_ones_own_is_emptied_of_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "counts"))
    (tmp_path / "counts").mkdir()
    (tmp_path / "counts" / "counter_1.db").touch()
    with counted():
        assert list((tmp_path / "counts").iterdir()) == []


def test_a_worker_command_serves_the_counts_of_its_processes(
    world: World, queue: str, tmp_path: Path
) -> None:
    """The real command: two processes work, one more shows their counts, and all end together."""
    if world.engine.dialect.name == "postgresql":
        pytest.skip("one database is enough for this")
    world.cards(3)
    port = free_port()
    env = {
        **os.environ,
        "DATABASE_URL": world.engine.url.render_as_string(hide_password=False),
        "REDIS_URL": queue,
        "VIGENCIA_SANDBOX__URL": world.sandbox,
        "VIGENCIA_METRICS__WORKER_PORT": str(port),
        "VIGENCIA_CLOCK_FILE": str(tmp_path / "now"),
        "TMPDIR": str(tmp_path),
    }
    (tmp_path / "now").write_text(NOW.isoformat())
    command = [sys.executable, "-m", "worker.cli", "worker", "-p", "2", "-t", "2"]
    worker = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
    scheduler = [sys.executable, "-m", "worker.cli", "scheduler", "--ticks", "1", "--json"]
    try:
        ran = subprocess.run(
            scheduler,
            env={**env, "VIGENCIA_METRICS__SCHEDULER_PORT": "0"},
            check=True,
            timeout=patient(60),
            capture_output=True,
            text=True,
        )
        assert json.loads(ran.stdout)["cards"] == 3

        def sent() -> float:
            try:
                _, page = get(f"http://127.0.0.1:{port}/metrics")
            except OSError:
                return 0
            return sum(samples(page).get("vigencia_messages_total", {}).values())

        assert until(lambda: sent() == 2, 45)
    finally:
        worker.terminate()
        _, told = worker.communicate(timeout=patient(60))
    assert worker.returncode == 0, told
    assert not list(tmp_path.glob("vigencia-metrics-*"))
    with pytest.raises(urllib.error.URLError, match="refused"):
        get(f"http://127.0.0.1:{port}/metrics")
