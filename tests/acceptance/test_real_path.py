"""The whole way of a notice through real processes: from the command line over scheduler, queue,
worker, the sandbox's two APIs and its signed reports to the web process, and to the account."""

import json
import signal
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from benchmarks.stage.ports import free_port
from tests.acceptance.program import Program
from tests.integration.helpers import until
from tests.patience import patient
from worker.store.engine import open_engine, reading
from worker.store.tables import receipts, reminders

# 9:30 and 10:00 in Lima on the day before two plans end, and a little later.
EARLIER, NOW = "2026-06-12T14:30:00+00:00", "2026-06-12T15:00:00+00:00"
LATER = "2026-06-12T15:05:00+00:00"
BOOK = """msisdn,expires,email,language,operator,kind,holder
987654321,2026-06-13,rosa@example.com,en,claro,data,Rosa
987654322,2026-06-13,,es-PE,entel,data,Luis
987654323,2026-09-13,li@example.com,zh-Hans,claro,data,Li
"""
DELIVERED = [
    ("low_data", "email"),
    ("low_data", "sms"),
    ("plan_end", "email"),
    ("plan_end", "sms"),
    ("plan_end", "sms"),
]


# As the units of systemd have it, MemoryDenyWriteExecute=true, where the kernel can (PR_SET_MDWE,
# Linux 6.3); and with a umask that lets everybody read.
_CONFINED = """
import ctypes, os, sys
os.umask(0o022)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The program with a clock that stands still, and ports of its own."""
    (tmp_path / "now").write_text(EARLIER)
    (tmp_path / "cards.csv").write_text(BOOK, "utf-8")
    env = {
        "VIGENCIA_CLOCK_FILE": str(tmp_path / "now"),
        "VIGENCIA_SANDBOX__URL": f"http://127.0.0.1:{free_port()}",
        "VIGENCIA_SCHEDULER__TICK_SECONDS": "0.3",
        "VIGENCIA_WORKER__PROCESSES": "1",
    }
    return Program(tmp_path, env)


def rows(program: Program, *columns: Any) -> list[tuple[Any, ...]]:
    engine = open_engine(f"sqlite:///{program.directory}/var/vigencia.db")
    with reading(engine) as conn:
        found = [tuple(row) for row in conn.execute(select(*columns))]
    engine.dispose()
    return found


def delivered(program: Program) -> list[tuple[str, str]]:
    time.sleep(0.2)  # what is asked about needs the processor itself
    told = rows(program, reminders.c.deadline, reminders.c.channel, reminders.c.state)
    return sorted((deadline, channel) for deadline, channel, state in told if state == "delivered")


def test_what_is_owed_is_delivered_and_accounted_for(program: Program) -> None:
    imported = program.run(
        "cards", "import", "cards.csv", "--book", "lima", "--new-book", "--apply"
    )
    assert imported.code == 0, imported.told
    low = program.run("cards", "low", "987654323", "--data", "--now", NOW)
    assert low.code == 0, low.told
    (program.directory / "now").write_text(NOW)
    up = program.start("up", before=[sys.executable, "-c", _CONFINED])
    try:
        arrived = until(lambda: delivered(program) == DELIVERED, 60)
        var = program.directory / "var"
        modes = {str(p.relative_to(var)): p.stat().st_mode & 0o777 for p in var.rglob("*")}
        url = program.env["VIGENCIA_SANDBOX__URL"] + "/sandbox/mailbox"
        with urllib.request.urlopen(url) as answer:  # noqa: S310
            received = json.load(answer)
    finally:
        up.send_signal(signal.SIGTERM)
        _, log = up.communicate(timeout=patient(60))
    assert arrived, (delivered(program), log)
    assert up.returncode == 0, log
    assert "Traceback" not in log
    assert {"vigencia.db-wal", "vigencia.db-shm", "queue/appendonlydir", "queue/server.log"} <= {
        *modes
    }
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}

    (program.directory / "now").write_text(LATER)
    ran = program.run("promise", "--json", "--rows")
    assert ran.code == 0, ran.told
    told = ran.json
    assert told["by_state"]["delivered"] == len(DELIVERED)
    assert told["owed"] == len(DELIVERED) + 1
    assert told["suppressed"] == {"no_address": 1}, "Luis has no email"
    assert (told["on_time"], told["open"], told["missed"]) == (len(DELIVERED), 0, [])
    assert told["kept"]

    counts = {name: {to: len(m) for to, m in found.items()} for name, found in received.items()}
    assert counts == {
        "sms": {"+51987654321": 1, "+51987654322": 1, "+51987654323": 1},
        "email": {"rosa@example.com": 1, "li@example.com": 1},
    }
    [letter] = received["email"]["li@example.com"]
    assert 'lang="zh-Hans"' in letter["html"]
    said = rows(program, receipts.c.provider, receipts.c.status, receipts.c.applied_at)
    assert {(provider, status) for provider, status, _ in said} >= {
        ("twilio", "delivered"),
        ("sendgrid", "delivered"),
    }
    assert all(applied for _, _, applied in said)


def test_of_a_paused_card_nobody_is_told_and_the_command_says_so(program: Program) -> None:
    assert (
        program.run("cards", "import", "cards.csv", "--book", "lima", "--new-book", "--apply").code
        == 0
    )
    assert program.run("cards", "pause", "987654323").code == 0
    low = program.run("cards", "low", "987654323")
    assert "Nobody is told while the card is paused" in low.out
    assert "The holder is told" not in low.out
    assert program.run("cards", "low", "987654323", "--json").json["notice"] is None
    assert program.run("cards", "resume", "987654323").code == 0
    assert "The holder is told: low_balance" in program.run("cards", "low", "987654323").out
