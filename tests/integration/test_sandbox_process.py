"""The sandbox as a process: how it starts, answers, and ends."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.integration.sandbox_helpers import (
    SMS,
    TWILIO_AUTH,
    call,
    mail,
    mailbox,
    post_form,
    post_mail,
    record,
    reset,
    set_faults,
)
from tests.patience import patient
from worker.errors import UnreachableError
from worker.sandbox.credentials import ACCOUNT_SID, MESSAGING_SERVICE_SID
from worker.sandbox.fault_rules import Rule
from worker.sandbox.process import SandboxProcess


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    with SandboxProcess() as sandbox:
        yield sandbox


@pytest.fixture
def url(process: SandboxProcess) -> str:
    reset(process.url)
    return process.url


def listens(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname, parts.port)) == 0


def until_closed(url: str) -> bool:
    deadline = time.monotonic() + patient(5)
    while listens(url) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not listens(url)


def test_the_sandbox_listens_on_this_machine_alone(url: str) -> None:
    assert url.startswith("http://127.0.0.1:")
    assert call(url, "GET", "/sandbox/health").json["status"] == "ok"


def test_the_credentials_have_the_providers_shape() -> None:
    for sid, prefix in ((ACCOUNT_SID, "AC"), (MESSAGING_SERVICE_SID, "MG")):
        assert len(sid) == 34
        assert sid.startswith(prefix)
        assert int(sid[2:], 16)


def test_the_record_is_flat_in_order_and_counted(url: str) -> None:
    callback = "https://avisos.example.com/cb?book=1&a=at-2#rc=5"
    post_form(url, {**SMS, "StatusCallback": callback})
    post_mail(url, mail())
    post_form(url, SMS)
    post_form(url, {**SMS, "Body": ""})
    set_faults(url, {"channel": "sms", "kind": "rate_limit", "times": 1})
    post_form(url, SMS)
    seen = record(url)
    assert seen["counters"] == {
        "calls": 5,
        "accepted": 3,
        "refused": 1,
        "faults": {"rate_limit": 1},
    }
    first, second, third = seen["messages"]
    assert [m["channel"] for m in seen["messages"]] == ["sms", "email", "sms"]
    assert [m["attempt"] for m in seen["messages"]] == ["at-2", "at-1", None]
    assert (first["to"], first["text"]) == (SMS["To"], "Hola")
    assert (second["to"], second["text"]) == ("lucia@example.com", "Su plan vence")
    assert first["digest"] == third["digest"] != second["digest"]
    assert len({m["id"] for m in seen["messages"]}) == 3
    created = datetime.fromisoformat(first["created"])
    assert timedelta(0) <= datetime.now(UTC) - created < timedelta(seconds=10)


def test_the_mailbox_sorts_by_address_and_can_be_narrowed(url: str) -> None:
    for to in ("+51900000001", "+51900000002", "+51900000001"):
        post_form(url, {**SMS, "To": to})
    post_mail(url, mail())
    everything = mailbox(url)
    assert {to: len(found) for to, found in everything["sms"].items()} == {
        "+51900000001": 2,
        "+51900000002": 1,
    }
    narrowed = mailbox(url, "+51900000002")
    assert narrowed == {"sms": {"+51900000002": everything["sms"]["+51900000002"]}, "email": {}}
    assert list(mailbox(url, "LUCIA@example.com")["email"]) == ["lucia@example.com"]


def test_reset_brings_back_the_start() -> None:
    rule = Rule(channel="sms", kind="rate_limit", times=1, retry_after=3)
    with SandboxProcess(latency_ms=1, seed=5, faults=[rule]) as sandbox:
        started = call(sandbox.url, "GET", "/sandbox/faults").json
        assert (started["seed"], started["latency_ms"]) == (5, 1)
        assert post_form(sandbox.url, SMS).headers["Retry-After"] == "3"
        assert post_form(sandbox.url, SMS).status == 201
        set_faults(sandbox.url)
        call(sandbox.url, "PUT", "/sandbox/latency", '{"ms": 0}')
        reset(sandbox.url)
        assert call(sandbox.url, "GET", "/sandbox/faults").json == started
        assert record(sandbox.url)["counters"]["calls"] == 0
        assert record(sandbox.url)["messages"] == []
        assert post_form(sandbox.url, SMS).status == 429


def test_the_clock_file_tells_the_time_at_every_call(tmp_path: Path) -> None:
    file = tmp_path / "now"
    file.write_text("2026-12-31T20:00:00-05:00\n")
    with SandboxProcess(clock_file=file) as sandbox:

        def now() -> str:
            return str(call(sandbox.url, "GET", "/sandbox/health").json["now"])

        assert now() == "2027-01-01T01:00:00+00:00"
        file.write_text("2027-02-01T00:00:00Z")
        assert now() == "2027-02-01T00:00:00+00:00"
        # Half-written, or gone for a moment: time stands still.
        for text in ("", "2027-0", "2027-03-01T00:00:00"):
            file.write_text(text)
            assert now() == "2027-02-01T00:00:00+00:00"
        file.unlink()
        assert now() == "2027-02-01T00:00:00+00:00"
        seconds = int(datetime(2027, 2, 1, tzinfo=UTC).timestamp()) + 72 * 3600
        assert post_mail(sandbox.url, mail(send_at=seconds)).status == 202
        assert post_mail(sandbox.url, mail(send_at=seconds + 1)).status == 400


def test_a_clock_file_without_an_instant_is_told_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "now"
    file.write_text("noon")
    with pytest.raises(UnreachableError, match="clock file now does not hold an instant"):
        SandboxProcess(clock_file=file).start()


def test_a_port_in_use_is_told_at_the_start(url: str) -> None:
    port = urlsplit(url).port
    assert port is not None
    with pytest.raises(UnreachableError, match=f"cannot listen on 127.0.0.1:{port}"):
        SandboxProcess(port=port).start()


def test_bad_faults_on_the_command_line_are_wrong_usage() -> None:
    for faults in ("{", "[1]"):
        command = [sys.executable, "-m", "worker.sandbox", "--port=0", f"--faults={faults}"]
        done = subprocess.run(command, capture_output=True, timeout=patient(20), check=False)
        assert (done.returncode, done.stdout) == (2, b"")
        assert b"--faults: " in done.stderr


def test_stop_ends_the_process_even_while_a_connection_is_held() -> None:
    sandbox = SandboxProcess().start()
    pid, url = sandbox.pid, sandbox.url
    assert pid is not None
    set_faults(url, {"channel": "sms", "kind": "timeout_before", "rate": 1, "hold_s": 60})
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port)) as held:
        form = b"To=%2B51987654321"
        held.sendall(
            b"POST /2010-04-01/Accounts/%b/Messages.json HTTP/1.1\r\nHost: x\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n"
            b"Authorization: %b\r\n\r\n%b"
            % (ACCOUNT_SID.encode(), len(form), TWILIO_AUTH["Authorization"].encode(), form)
        )
        while not record(url)["counters"]["faults"]:
            time.sleep(0.02)
        started = time.monotonic()
        sandbox.stop()
        assert time.monotonic() - started < 4
    assert until_closed(url)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    sandbox.stop()


PARENT = """
import sys, time
from worker.sandbox.process import SandboxProcess
sandbox = SandboxProcess().start()
print(sandbox.url, sandbox.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_the_child_dies_with_a_parent_that_is_killed() -> None:
    command = [sys.executable, "-c", PARENT]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    url, child = parent.stdout.readline().split()
    try:
        assert listens(url)
        parent.send_signal(signal.SIGKILL)
        assert until_closed(url)
    finally:
        parent.kill()
        parent.communicate()
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(child), signal.SIGKILL)
