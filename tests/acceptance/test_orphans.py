"""What is killed takes its children with it, whatever became of the pipe they write to."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from redis import Redis

from tests.acceptance.program import Program
from tests.integration.helpers import until
from tests.patience import patient
from worker.processes.embedded import EmbeddedServer
from worker.sandbox.process import SandboxProcess
from worker.setup.broker import NAMESPACE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's promise is Linux's")


def test_a_demo_that_is_killed_leaves_no_process_behind(tmp_path: Path) -> None:
    stage = tmp_path / "stage"
    command = [sys.executable, "-m", "worker.cli", "demo", "--json", "--dir", str(stage)]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        family = _family(demo.pid, stage)
        assert len(family) >= 5, "the sandbox, the queue, and three processes of the workers"
    finally:
        demo.kill()
        demo.wait()
        for pipe in (demo.stdout, demo.stderr):
            assert pipe is not None
            pipe.close()  # whoever still writes to it has nobody to read it
    give_up = time.monotonic() + patient(60)
    while (left := [pid for pid in family if _alive(pid)]) and time.monotonic() < give_up:
        time.sleep(0.2)
    assert not left


def test_workers_that_are_told_to_end_twice_end(
    vigencia: Program, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    assert vigencia.run("cards", "list").code == 0  # makes the database
    with EmbeddedServer(tmp_path / "queue") as server:
        env = {"REDIS_URL": server.url, "VIGENCIA_SANDBOX__URL": sandbox.url}
        command = vigencia.command("worker", "--processes", "2")
        worker = subprocess.Popen(command, cwd=vigencia.directory, env=vigencia.environment(**env))
        try:
            assert until(lambda: _at_work(server.url) == 2, 45)
            for _ in range(3):
                worker.send_signal(signal.SIGTERM)
                time.sleep(0.2)
            assert worker.wait(patient(45)) == 0
        finally:
            for pid in [*_descendants(worker.pid), worker.pid] if worker.poll() is None else []:
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("at_work", [True, False])
def test_workers_whose_first_process_is_killed_end(
    vigencia: Program, sandbox: SandboxProcess, tmp_path: Path, at_work: bool
) -> None:
    assert vigencia.run("cards", "list").code == 0  # makes the database
    with EmbeddedServer(tmp_path / "queue") as server:
        env = {"REDIS_URL": server.url, "VIGENCIA_SANDBOX__URL": sandbox.url}
        env["VIGENCIA_WORKER__SHUTDOWN_SECONDS"] = "2"
        command = vigencia.command("worker", "--processes", "2")
        worker = subprocess.Popen(command, cwd=vigencia.directory, env=vigencia.environment(**env))
        while len(family := _descendants(worker.pid)) < 2:
            time.sleep(0.005)
        assert not at_work or until(lambda: _at_work(server.url) == 2, 45)
        worker.kill()
        worker.wait()
        give_up = time.monotonic() + patient(45)
        while (left := [pid for pid in family if _alive(pid)]) and time.monotonic() < give_up:
            time.sleep(0.1)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert not left


def _at_work(queue: str) -> int:
    """How many processes of workers have asked the queue for work."""
    with Redis.from_url(queue) as client:
        return int(client.zcard(f"{NAMESPACE}:__heartbeats__"))


def _family(pid: int, stage: Path) -> list[int]:
    """All descendants, once the demo plays its second day."""
    clock = stage / "clock"
    give_up = time.monotonic() + patient(40)
    first = None
    while time.monotonic() < give_up:
        now = clock.read_text()[:10] if clock.exists() else None
        first = first or now
        if now is not None and now != first:
            return _descendants(pid)
        time.sleep(0.02)
    raise AssertionError("the demo did not begin")


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *_descendants(int(child))]
    return found


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
