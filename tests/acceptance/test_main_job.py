"""The main job, end to end: a card book goes in, the right messages reach the right people."""

import json
import signal
import socket
import sqlite3
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import URL, Engine, func, select

from benchmarks.stage.ports import free_port
from tests.acceptance.program import ROOT, Program
from tests.integration.helpers import until
from tests.integration.sandbox_helpers import record
from tests.integration.test_database_faults import read_only
from tests.patience import patient
from worker.processes.embedded import EmbeddedServer
from worker.sandbox.process import SandboxProcess
from worker.store.engine import open_engine, reading
from worker.store.migrate import upgrade
from worker.store.tables import messages

_EXAMPLES, _DATA = ROOT / "examples", ROOT / "tests" / "data"
_NOW = "2026-06-05T15:00:00Z"  # 10:00 in Lima, 11:00 in New York, 23:00 in Shanghai


def _mailbox(sandbox: SandboxProcess) -> Any:
    with urllib.request.urlopen(f"{sandbox.url}/sandbox/mailbox") as answer:  # noqa: S310
        return json.load(answer)


def _import(vigencia: Program, name: str = "cardbook-zh.xlsx") -> Any:
    ran = vigencia.run(
        "cards", "import", _EXAMPLES / name, "--book", "demo", "--new-book", "--apply", "--json"
    )
    assert ran.code == 0, ran.told
    return ran.json


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("cardbook-zh.xlsx", "cardbook-zh.expected.json"),
        ("cardbook-en.tsv", "cardbook-en.expected.json"),
    ],
)
def test_a_card_book_is_listed_exactly_as_it_was_meant(
    vigencia: Program, file: str, expected: str
) -> None:
    wanted = json.loads((_DATA / expected).read_text(encoding="utf-8"))
    told = _import(vigencia, file)
    assert (told["created"], told["refused"]) == (len(wanted), 0)
    listed = vigencia.run("cards", "list", "--json").json
    assert [one.pop("id") for one in listed] == [*range(1, len(wanted) + 1)]
    assert listed == wanted
    again = _import(vigencia, file)
    assert (again["created"], again["changed"], again["unchanged"]) == (0, 0, len(wanted))


def test_once_sends_what_is_due_and_a_second_once_sends_nothing(
    vigencia: Program, sandbox: SandboxProcess
) -> None:
    _import(vigencia)
    env = {"VIGENCIA_SANDBOX__URL": sandbox.url}
    first = vigencia.run("once", "--now", _NOW, "--json", **env)
    received = _mailbox(sandbox)
    second = vigencia.run("once", "--now", _NOW, "--json", **env)
    assert list(first.json) == [
        *("checked", "reminders", "messages", "sent", "retryable", "unknown", "failed", "seconds")
    ]
    assert (first.json["checked"], first.json["failed"]) == (300, 0)
    got = sum(len(m) for channel in received.values() for m in channel.values())
    assert got == first.json["sent"] > 40
    assert (second.json["checked"], second.json["sent"]) == (0, 0)
    assert _mailbox(sandbox) == received


def test_once_tells_the_right_people_on_the_right_day(
    vigencia: Program, sandbox: SandboxProcess
) -> None:
    _import(vigencia)
    vigencia.run("once", "--now", _NOW, VIGENCIA_SANDBOX__URL=sandbox.url)
    received = _mailbox(sandbox)
    # Row 4 of the book: a Claro eSIM ...0759 that ends on 6 June, a holder in Lima who reads
    # traditional Chinese: the last notice before the end goes by email in Chinese, and by SMS in
    # Spanish, since Chinese may not arrive on the way to a Peruvian number.
    [sms] = received["sms"]["+51981603868"]
    assert "Claro ...0759 vence MAÑANA (06/06)" in sms["body"]
    [email] = received["email"]["holder39@example.com"]
    assert "0759" in email["subject"]
    assert 'lang="zh-Hant"' in email["html"]
    # 23:00 in Shanghai: nobody with a Chinese number is woken.
    assert not [number for number in received["sms"] if number.startswith("+86")]


def test_a_life_event_is_told_and_listed_by_plain_words(
    vigencia: Program, sandbox: SandboxProcess
) -> None:
    book = (
        "--book",
        "b",
        "--new-book",
        "--language",
        "zh-Hans",
        "--guardian-email",
        "keeper@example.com",
    )
    ran = vigencia.run("cards", "import", _EXAMPLES / "cardbook-en.tsv", *book, "--apply")
    assert ran.code == 0, ran.told
    renewed = vigencia.run("cards", "renew", "952316374", "--plan-end", "2026-10-03",
                           "--now", _NOW, "--json")  # fmt: skip
    assert renewed.json["notice"] == "renewal_recorded"
    vigencia.run("once", "--now", _NOW, VIGENCIA_SANDBOX__URL=sandbox.url)
    shown = vigencia.run("cards", "show", "952316374", "--json").json
    told = [(r["deadline"], r["channel"], r["state"]) for r in shown["reminders"]]
    assert ("renewal_recorded", "sms", "pending") in told, "it is 23:00 where this holder lives"
    assert [e["event"] for e in shown["events"]] == ["imported", "renewed"]
    sent = vigencia.run("messages", "list", "--state", "sent", "--json").json
    assert sent
    assert {m["state"] for m in sent} == {"sent"}
    again = vigencia.run("cards", "confirm", "952316374", "--json")
    assert again.json["event"] == "confirmed"
    refused = vigencia.run("cards", "confirm", "952316374")
    assert refused.code == 1
    assert "no renewal that waits" in refused.told


def test_nobody_in_shanghai_waits_longer_than_the_morning(
    vigencia: Program, sandbox: SandboxProcess
) -> None:
    _import(vigencia)
    env = {"VIGENCIA_SANDBOX__URL": sandbox.url}
    vigencia.run("once", "--now", _NOW, **env)
    vigencia.run("once", "--now", "2026-06-06T01:00:00Z", **env)
    numbers = Counter(number[:3] for number in _mailbox(sandbox)["sms"])
    assert numbers["+86"] > 5


def test_up_does_the_job_by_itself_and_ends_cleanly_on_sigterm(vigencia: Program) -> None:
    port = free_port()
    env = {
        "VIGENCIA_SANDBOX__URL": f"http://127.0.0.1:{port}",
        "VIGENCIA_SCHEDULER__TICK_SECONDS": "0.5",
    }
    _import(vigencia)
    clock = vigencia.directory / "clock"
    clock.write_text("2026-06-05T15:00:00+00:00")
    up = vigencia.start("up", **env, VIGENCIA_CLOCK_FILE=str(clock))
    try:
        assert until(lambda: _sent_so_far(vigencia) >= 44, 100)
    finally:
        up.send_signal(signal.SIGTERM)
        _, told = up.communicate(timeout=patient(40))
    assert up.returncode == 0, told
    assert "NO PROVIDER CREDENTIALS" in told
    assert "Traceback" not in told
    states = Counter(m["state"] for m in _all_messages(vigencia))
    assert set(states) <= {"sent", "delivered", "pending"}
    assert states["delivered"] > 0, "the sandbox reports to the web process"
    assert _nobody_listens(port)


@pytest.mark.timeout(1200)
def test_up_outlives_a_database_that_takes_no_changes_and_sends_each_text_once(
    vigencia: Program, empty_postgresql: URL
) -> None:
    clock = vigencia.directory / "clock"
    clock.write_text("2026-06-05T15:00:00+00:00")
    url = empty_postgresql.render_as_string(hide_password=False)
    engine = open_engine(url)
    upgrade(engine)
    here = f"http://127.0.0.1:{free_port()}"
    env = {
        "DATABASE_URL": url,
        "VIGENCIA_CLOCK_FILE": str(clock),
        "VIGENCIA_SANDBOX__URL": here,
        "VIGENCIA_SCHEDULER__TICK_SECONDS": "0.5",
        "VIGENCIA_LOG_FORMAT": "json",
    }
    _import(Program(vigencia.directory, {"DATABASE_URL": url}))
    program = Program(vigencia.directory, env)
    lines: list[str] = []
    up = program.start("up", "--quiet")
    reader = Thread(target=lambda: lines.extend(up.stderr or ()), daemon=True)
    reader.start()
    try:
        assert until(lambda: _count(engine, "sent", "delivered") >= 44, 30), lines
        before = _count(engine, "sent", "delivered")
        with read_only(engine):
            clock.write_text("2026-06-08T15:00:00+00:00")  # the next windows are open
            assert until(
                lambda: sum("database_unreachable" in line for line in lines) >= 2, patient(20)
            )
            assert up.poll() is None
        # Those who sleep are written to later.
        assert until(lambda: _count(engine, "sent", "delivered") > before, 30), lines
        under_way = ("sending", "retryable", "unknown")
        assert until(lambda: _count(engine, *under_way) == 0, 30), lines
        assert until(
            lambda: len(record(here)["messages"]) == _count(engine, "sent", "delivered"),
            patient(20),
        ), "each was taken once"
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(60)
        reader.join(20)
    assert up.returncode == 0
    assert not [line for line in lines if "Traceback" in line]
    engine.dispose()


def _count(engine: Engine, *states: str) -> int:
    time.sleep(0.1)
    with reading(engine) as conn:
        found = select(func.count()).where(messages.c.state.in_(states))
        return int(conn.execute(found).scalar_one())


def test_a_queue_that_dies_while_the_scheduler_runs_is_alarmed_and_nothing_is_lost(
    vigencia: Program, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    clock = vigencia.directory / "clock"
    clock.write_text("2026-06-05T15:00:00+00:00")
    env = {
        "VIGENCIA_SANDBOX__URL": sandbox.url,
        "VIGENCIA_CLOCK_FILE": str(clock),
        "VIGENCIA_SCHEDULER__TICK_SECONDS": "0.2",
    }
    expected = _sent_by_once(vigencia, tmp_path, sandbox)
    assert expected > 5
    with EmbeddedServer(tmp_path / "queue") as server:
        ticking = vigencia.start("scheduler", **env, REDIS_URL=server.url)
        assert ticking.stderr is not None
        assert "A new, empty database was made" in ticking.stderr.readline()
        assert "scheduler_started" in ticking.stderr.readline()
    try:
        _import(vigencia, "cardbook-en.tsv")  # every hint from here on finds no server
        first = list(_up_to("queue_unreachable", ticking.stderr))
        assert ticking.poll() is None, "a scheduler must outlive its queue"
    finally:
        ticking.send_signal(signal.SIGTERM)
        _, rest = ticking.communicate(timeout=patient(20))
    told = "".join(first) + rest
    assert ticking.returncode == 0, told
    assert "queue_unreachable" in told
    assert "Traceback" not in told
    assert _sent(vigencia) == 0
    clock.write_text("2026-06-05T15:05:00+00:00")  # past every lease and hint
    ran = vigencia.run("once", "--json", **env)
    assert ran.json["sent"] == expected


def _sent_by_once(vigencia: Program, tmp_path: Path, sandbox: SandboxProcess) -> int:
    """How many messages the same book yields where nothing goes wrong."""
    url = f"sqlite:///{tmp_path / 'undisturbed.db'}"
    calm = Program(vigencia.directory, {"DATABASE_URL": url})
    _import(calm, "cardbook-en.tsv")
    ran = calm.run("once", "--now", _NOW, "--json", VIGENCIA_SANDBOX__URL=sandbox.url)
    return int(ran.json["sent"])


def test_the_demo_loses_and_doubles_nothing_and_shows_every_language(vigencia: Program) -> None:
    ran = vigencia.run("demo", "--json", "--days", "12", "--seed", "3")
    assert ran.code == 0, ran.told
    told = ran.json
    assert list(told) == [
        *("cards", "days", "reminders", "messages", "attempts", "retries", "lost"),
        *("duplicates", "samples", "seconds"),
    ]
    assert (told["cards"], told["days"], told["lost"], told["duplicates"]) == (300, 12, 0, 0)
    assert told["retries"] > 10, "a tenth of the calls fails, so some must have been repeated"
    assert told["reminders"]["missed"] == 0
    shown = {(s["language"], s["channel"]) for s in told["samples"]}
    assert shown == {(x, c) for x in ("zh-Hans", "zh-Hant", "es-PE") for c in ("sms", "email")}


def test_the_demo_sees_nothing_of_real_credentials(vigencia: Program) -> None:
    real = {
        "TWILIO_ACCOUNT_SID": "AC" + "1" * 32,
        "TWILIO_AUTH_TOKEN": "a-real-secret",
        "TWILIO_FROM": "+15005550006",
        "DATABASE_URL": "postgresql://127.0.0.1:1/real",
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }
    ran = vigencia.run("demo", "--json", "--days", "1", **real)
    assert ran.code == 0, ran.told
    assert ran.json["messages"] > 0


def _up_to(words: str, lines: Iterable[str]) -> Iterator[str]:
    """The lines, as they come, up to the one with ``words``."""
    for line in lines:
        yield line
        if words in line:
            return


def _all_messages(vigencia: Program) -> Any:
    return vigencia.run("messages", "list", "--limit", "1000", "--json").json


def _sent_so_far(vigencia: Program) -> int:
    """The same without a process, to be asked often."""
    time.sleep(0.1)
    with sqlite3.connect(vigencia.directory / "var" / "vigencia.db", timeout=30) as db:
        [(count,)] = db.execute(
            "SELECT count(*) FROM messages WHERE state IN ('sent', 'delivered')"
        )
    return int(count)


def _sent(vigencia: Program) -> int:
    return sum(1 for m in _all_messages(vigencia) if m["state"] in ("sent", "delivered"))


def _nobody_listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
