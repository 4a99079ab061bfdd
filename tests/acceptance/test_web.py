"""The web process as it is run: how it starts, what it bears, how it ends."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import aiohttp
import pytest
from sqlalchemy import func, select

from benchmarks.stage.ports import free_port
from tests.acceptance.program import Program
from tests.integration.helpers import until
from tests.integration.sandbox_helpers import call
from tests.integration.web_helpers import ATTEMPT, event, post_status, status_form
from tests.patience import patient
from worker.providers.sendgrid.webhook import EVENTS_PATH
from worker.providers.twilio.webhook import STATUS_PATH
from worker.sandbox.credentials import EVENTS_PUBLIC_KEY
from worker.sandbox.signing import event_headers, twilio_headers
from worker.store.engine import open_engine, reading
from worker.store.tables import receipts

REQUESTS, AT_ONCE = 2_000, 200
MOST_MEMORY_MB = 400


@contextmanager
def web(vigencia: Program, *arguments: str, **env: str) -> Iterator[tuple[str, Any]]:
    """A web process on a new database: its address, and the process."""
    process = vigencia.start("web", "--json", *arguments, **env)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate(timeout=patient(20))
        yield json.loads(line)["url"], process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ended(process: Any) -> tuple[int, str]:
    """The exit code and the log after a SIGTERM."""
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=patient(30))
    return process.returncode, told


def stored(vigencia: Program) -> int:
    engine = open_engine(f"sqlite:///{vigencia.directory}/var/vigencia.db")
    with reading(engine) as conn:
        count = conn.execute(select(func.count()).select_from(receipts)).scalar()
    engine.dispose()
    return int(count or 0)


def test_it_answers_where_it_says_and_ends_cleanly(vigencia: Program) -> None:
    with web(vigencia, "--port", "0") as (url, process):
        assert url.startswith("http://127.0.0.1:")
        assert call(url, "GET", "/healthz").status == 200
        assert post_status(url).status == 204
        assert post_status(url, token="guessed").status == 403
        code, told = ended(process)
    assert code == 0, told
    assert "Traceback" not in told
    assert ATTEMPT not in told
    assert "87654321" not in told
    assert stored(vigencia) == 1


def test_the_port_of_a_platform_comes_before_the_settings(vigencia: Program) -> None:
    port = free_port()
    with web(vigencia, PORT=str(port), VIGENCIA_WEB__PORT="1") as (url, _):
        assert urlsplit(url).port == port


def test_a_port_that_is_taken_is_told(vigencia: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = vigencia.run("web", VIGENCIA_WEB__PORT=str(port))
        assert ran.code == 1, ran.told
        assert f"cannot listen on 127.0.0.1:{port}" in ran.told
        assert "VIGENCIA_WEB__PORT" in ran.told
        up = vigencia.run("up", VIGENCIA_WEB__PORT=str(port))
        assert (up.code, "cannot listen" in up.told) == (1, True), up.told


def test_wrong_settings_are_told_at_the_start(vigencia: Program) -> None:
    ran = vigencia.run("web", PORT="many", VIGENCIA_WEB__PUBLIC_URL="http://avisos.example.com")
    assert ran.code == 1
    assert "port: " in ran.told
    assert "web.public_url: it must be https" in ran.told
    assert "Traceback" not in ran.told


_MAIL = {"SENDGRID_API_KEY": "SG.real", "SENDGRID_FROM": "avisos@example.com"}


def test_doctor_says_what_is_missing_to_hear_from_providers(vigencia: Program) -> None:
    missing = vigencia.run("doctor", "--json", **_MAIL).json["checks"]
    found = [(f["state"], f["message"]) for f in missing if f["name"] == "webhooks"]
    assert [state for state, _ in found] == ["warning", "warning"]
    assert "web.public_url" in found[0][1]
    assert "SENDGRID_WEBHOOK_KEY" in found[1][1]
    public = "https://avisos.example.com"
    env = {"SENDGRID_WEBHOOK_KEY": EVENTS_PUBLIC_KEY, "VIGENCIA_WEB__PUBLIC_URL": public}
    complete = vigencia.run("doctor", "--json", **_MAIL, **env).json["checks"]
    assert [f["state"] for f in complete if f["name"] == "webhooks"] == ["ok"]


def test_a_wrong_verification_key_is_told_at_the_start(vigencia: Program) -> None:
    env = {**_MAIL, "SENDGRID_WEBHOOK_KEY": "bm8ga2V5"}
    ran = vigencia.run("web", **env)
    assert ran.code == 1
    assert "SENDGRID_WEBHOOK_KEY is not a verification key" in ran.told


def test_what_is_in_hand_is_answered_before_the_end(vigencia: Program) -> None:
    with web(vigencia, "--port", "0") as (url, process):
        body = urlencode(form := status_form()).encode()
        path = f"{STATUS_PATH}?a={ATTEMPT}"
        head = f"POST {path} HTTP/1.1\nHost: x\nContent-Length: {len(body)}\n"
        for name, value in twilio_headers(url + path, form).items():
            head += f"{name}: {value}\n"
        place = urlsplit(url)
        with socket.create_connection(
            (str(place.hostname), place.port or 0), timeout=patient(20)
        ) as wire:
            wire.sendall((head + "\n").replace("\n", "\r\n").encode() + body[:10])
            # Its headers were read once another request has been answered.
            assert call(url, "GET", "/healthz").status == 200
            process.send_signal(signal.SIGTERM)
            assert until(lambda: _refuses(url))
            wire.sendall(body[10:])
            assert wire.recv(65_536).startswith(b"HTTP/1.1 204 ")
        assert process.wait(patient(20)) == 0
    assert stored(vigencia) == 1


def _refuses(url: str) -> bool:
    place = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((place.hostname, place.port)) != 0


@pytest.mark.parametrize("concurrency", ["512", "64"])
def test_a_flood_is_answered_or_refused_and_survived(vigencia: Program, concurrency: str) -> None:
    env = {"VIGENCIA_WEB__CONCURRENCY": concurrency, "VIGENCIA_WEB__MOST_BYTES": "65536"}
    with web(vigencia, "--port", "0", **env) as (url, process):
        answers = asyncio.run(flood(url))
        assert call(url, "GET", "/healthz").status == 200
        if sys.platform == "linux":
            status = Path(f"/proc/{process.pid}/status").read_text()
            [peak] = re.findall(r"VmHWM:\s+(\d+) kB", status)
            assert int(peak) / 1024 < MOST_MEMORY_MB
        code, told = ended(process)
    assert code == 0, told
    assert "Traceback" not in told
    assert sum(answers.values()) == REQUESTS
    assert {status for _, status in answers} <= {204, 403, 413, 503}
    assert {status for kind, status in answers if kind == "forged"} <= {403, 503}
    assert {status for kind, status in answers if kind == "long"} <= {413, 503}
    assert stored(vigencia) >= answers["sms", 204] + answers["email", 204] > 0
    assert len(told.splitlines()) < 100, "a flood must not fill the log"


async def flood(url: str) -> Counter[tuple[str, int]]:
    """Requests of every kind, many at once: how each kind was answered."""
    answers: Counter[tuple[str, int]] = Counter()
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def ask(number: int) -> None:
            kind = ("sms", "sms", "forged", "email", "long")[number % 5]
            path, body, headers = _request(url, kind)
            # A client that asks first, so that the refusal of a long body is read in any case.
            asks = kind == "long"
            async with session.post(
                url + path, data=body, headers=headers, expect100=asks
            ) as answer:
                answers[kind, answer.status] += 1

        await asyncio.gather(*map(ask, range(REQUESTS)))
    return answers


def _request(url: str, kind: str) -> tuple[str, bytes, dict[str, str]]:
    if kind == "email":
        body = json.dumps([event(uuid4().hex)]).encode()
        return EVENTS_PATH, body, event_headers(body, 4_000_000_000)
    path = f"{STATUS_PATH}?a={uuid4()}"
    form = status_form(MessageSid=f"SM{uuid4().hex}")
    token = {"token": "guessed"} if kind == "forged" else {}
    headers = twilio_headers(url + path, form, **token)
    body = urlencode(form).encode()
    return path, body + b"&x=" + b"x" * 70_000 if kind == "long" else body, headers


def test_connections_that_say_nothing_do_not_keep_others_out_for_long(vigencia: Program) -> None:
    env = {"VIGENCIA_WEB__CONCURRENCY": "16", "VIGENCIA_WEB__REQUEST_SECONDS": "1"}
    with web(vigencia, "--port", "0", **env) as (url, _):
        place = urlsplit(url)
        silent = [
            socket.create_connection((str(place.hostname), place.port or 0)) for _ in range(40)
        ]
        for number, wire in enumerate(silent):
            if number % 2:
                wire.sendall(b"POST /webhooks/twilio/status HTTP/1.1\r\nHost: x\r\nContent-Le")
        assert until(lambda: call(url, "GET", "/healthz").status == 503)
        assert until(lambda: call(url, "GET", "/healthz").status == 200)
        for wire in silent:
            wire.close()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_up_keeps_a_web_process_and_takes_it_along(vigencia: Program) -> None:
    port, sandbox_port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    env = {
        "VIGENCIA_WEB__PORT": str(port),
        "VIGENCIA_SANDBOX__URL": f"http://127.0.0.1:{sandbox_port}",
    }
    up = vigencia.start("up", "--json", **env)
    try:
        assert until(lambda: _healthy(url), 40)
        told = call(f"http://127.0.0.1:{sandbox_port}", "GET", "/sandbox/webhooks").json
        assert told["events_url"] == url + EVENTS_PATH
        [pid] = _web_processes(up.pid)
        os.kill(pid, signal.SIGKILL)
        assert until(lambda: _web_processes(up.pid) not in ([], [pid]) and _healthy(url), 40)
    finally:
        up.send_signal(signal.SIGTERM)
        out, log = up.communicate(timeout=patient(60))
    assert up.returncode == 0, log
    assert "web_ended" in log
    assert json.loads(out)["exit_code"] == 0, "one document on stdout"
    assert _refuses(url)
    assert "Traceback" not in log


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=patient(5)) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def _web_processes(parent: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{parent}/task").iterdir():
        for child in (task / "children").read_text().split():
            words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
            found += [int(child)] if b"web" in words else []
    return found
