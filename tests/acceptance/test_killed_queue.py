"""The queue server may die at any moment, with everything in it: nothing is lost or doubled."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.patience import patient

_KILLS_AT_DAY = (3, 9, 16)


@pytest.mark.timeout(180)
def test_a_demo_whose_valkey_is_killed_and_restarted_empty_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    stage = tmp_path / "stage"
    command = [sys.executable, "-m", "worker.cli", "demo", "--json", "--days", "25"]
    with (tmp_path / "out.json").open("w") as out:
        demo = subprocess.Popen([*command, "--dir", str(stage)], stdout=out)
    try:
        killed = [_kill_queue_at_day(stage, day, demo) for day in _KILLS_AT_DAY]
        code = demo.wait(patient(120))
    finally:
        demo.kill()
    told = json.loads((tmp_path / "out.json").read_text())
    assert len(set(killed)) == len(_KILLS_AT_DAY), "each kill must meet a server of its own"
    assert (code, told["lost"], told["duplicates"]) == (0, 0, 0)
    assert told["reminders"]["sent"] > 500
    assert told["reminders"]["missed"] == 0


def _kill_queue_at_day(stage: Path, day: int, demo: subprocess.Popen[bytes]) -> int:
    """SIGKILL the queue server once the demo has reached ``day``, and delete what it had saved;
    returns its process id."""
    start: datetime | None = None
    give_up = time.monotonic() + patient(90)
    while time.monotonic() < give_up and demo.poll() is None:
        try:
            now = datetime.fromisoformat((stage / "clock").read_text())
            pid = int((stage / "queue" / "server.pid").read_text())
        except (FileNotFoundError, ValueError):
            time.sleep(0.01)
            continue
        start = start or _first_day(stage, now)
        if now >= start + timedelta(days=day):
            shutil.rmtree(stage / "queue" / "appendonlydir", ignore_errors=True)
            os.kill(pid, signal.SIGKILL)
            return pid
        time.sleep(0.01)
    raise AssertionError(f"the demo did not reach day {day}")


def _first_day(stage: Path, now: datetime) -> datetime:
    """The demo's first day, kept beside the stage since the clock moves on."""
    kept = stage.parent / "first-day"
    if not kept.exists():
        kept.write_text(now.isoformat())
    return datetime.fromisoformat(kept.read_text())
