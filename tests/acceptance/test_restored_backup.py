"""A backup is restored by the commands of the guide, after more was sent: nothing that a phone or a
mailbox has goes there again, who said stop is heard, and life goes on."""

import json
import os
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from benchmarks.stage.ports import free_port
from tests.acceptance.guide import blocks, follow, postgresql_programs
from tests.acceptance.program import Program
from tests.integration.sandbox_helpers import call, reset
from worker.sandbox.process import SandboxProcess

# Mornings in Lima; the plans of the book end with 13, 14 and 15 June.
FIRST, BACKUP = "2026-06-12T15:00:00+00:00", "2026-06-12T16:00:00Z"
SECOND, LOST = "2026-06-13T15:00:00+00:00", "2026-06-13T17:00:00+00:00"
THIRD = "2026-06-14T15:00:00+00:00"
HEAD = "msisdn,expires,email,language,operator,kind,holder\n"
BOOK = """987654321,2026-06-13,rosa@example.com,en,claro,data,Rosa
987654322,2026-06-14,luis@example.com,es-PE,entel,data,Luis
987654323,2026-06-14,,zh-Hans,claro,data,Li
987654324,2026-06-14,ana@example.com,es-PE,claro,data,Ana
"""
# As it was a day later: Ana has renewed, and there is one more.
LATER = BOOK.replace("987654324,2026-06-14", "987654324,2026-07-14") + (
    "987654325,2026-06-15,eva@example.com,es-PE,claro,data,Eva\n"
)
LI = "+51987654323"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The environment of the program, and of the commands around it."""
    if request.param == "sqlite":
        return {}
    url: URL = request.getfixturevalue("empty_postgresql")
    return {
        "DATABASE_URL": url.render_as_string(hide_password=False),
        "PATH": f"{postgresql_programs()}:{os.environ['PATH']}",
        "PGHOST": str(url.query.get("host") or url.host),
        "PGUSER": str(url.username),
        "PGDATABASE": "postgres",
    }


class Play:
    """The program at one time after the other, and what the sandbox has delivered."""

    def __init__(self, program: Program, sandbox: SandboxProcess, clock: Path) -> None:
        self.program, self.sandbox, self.clock = program, sandbox, clock

    def at(self, now: str) -> None:
        self.clock.write_text(now)

    def bring(self, rows: str, *arguments: str) -> None:
        (self.program.directory / "cards.csv").write_text(HEAD + rows, "utf-8")
        ran = self.program.run(
            "cards", "import", "cards.csv", "--book", "lima", "--apply", *arguments
        )
        assert ran.code == 0, ran.told

    def once(self, **env: str) -> int:
        ran = self.program.run("once", "--json", **env)
        assert ran.code == 0, ran.told
        return int(ran.json["sent"])

    def stop(self, number: str) -> None:
        """Written while nobody listens; it stays in the provider's list."""
        place = json.dumps({"inbound_url": f"http://127.0.0.1:{free_port()}/"})
        assert call(self.sandbox.url, "POST", "/sandbox/webhooks", place).status == 200
        told = json.dumps({"from": number, "body": "退订"})
        assert call(self.sandbox.url, "POST", "/sandbox/inbound", told).status == 200

    def delivered(self) -> Counter[tuple[str, str]]:
        """How often each text, or subject, has come to each address."""
        found: dict[str, Any] = call(self.sandbox.url, "GET", "/sandbox/mailbox").json
        return Counter(
            (to, one.get("subject") or one["body"])
            for channel in found.values()
            for to, letters in channel.items()
            for one in letters
        )


@pytest.fixture
def play(
    tmp_path: Path, sandbox_process: SandboxProcess, sandbox_clock: Path, database: dict[str, str]
) -> Play:
    reset(sandbox_process.url)
    env = {"VIGENCIA_SANDBOX__URL": sandbox_process.url, "VIGENCIA_CLOCK_FILE": str(sandbox_clock)}
    return Play(Program(tmp_path, {**database, **env}), sandbox_process, sandbox_clock)


@pytest.mark.timeout(240)
def test_after_a_restore_nothing_is_sent_again(
    play: Play, database: dict[str, str], tmp_path: Path
) -> None:
    url = database.get("DATABASE_URL")
    kind = 0 if url is None else 1
    words = {
        "/backup/": f"{tmp_path}/",
        "2026-06-12T03:00:00Z": BACKUP,
        "cards.xlsx": "cards.csv",
    }
    if url is not None:
        name = url.rpartition("/")[2].partition("?")[0]
        words |= {
            "dropdb vigencia": f"dropdb {name}",
            "createdb --owner=vigencia vigencia": f"createdb --owner={database['PGUSER']} {name}",
        }
    play.at(FIRST)
    assert play.program.run("db", "upgrade").code == 0
    play.bring(BOOK, "--new-book")
    assert play.once() > 0
    play.at(BACKUP.replace("Z", "+00:00"))
    follow(blocks("Backups")[kind], play.program, words, **database)
    if url is None:
        assert stat.S_IMODE((tmp_path / "vigencia.db").stat().st_mode) == 0o600

    play.at(SECOND)
    play.bring(LATER)
    assert play.once() > 0
    play.stop(LI)
    before = play.delivered()

    play.at(LOST)
    put_back, *steps = blocks("Restoring")[kind], *blocks("Restoring")[2:]
    assert len(steps) == 3
    follow(put_back, play.program, words, **database)
    follow(steps[0], play.program, words, **database)
    follow(steps[1], play.program, words, **database)
    assert play.once() == 0, "in quarantine nothing is sent"
    waiting = play.program.run("messages", "list", "--state", "pending", "--json").json
    assert len(waiting) > 3, "without the quarantine they would have gone out"

    hold = {"VIGENCIA_UNKNOWN__EMAIL": "hold"}
    [released] = follow(steps[2], play.program, words, **database, **hold)
    assert "opted_out" in released.out
    play.once(**hold)
    assert play.delivered() == before, "something went out twice"

    play.at(THIRD)
    assert play.once() > 0
    after = play.delivered()
    assert max(after.values()) == 1
    new = {to for to, _ in after - before}
    assert LI not in new, "who said stop since the backup is heard"
    assert {"+51987654322", "+51987654325"} <= new, "life goes on"
