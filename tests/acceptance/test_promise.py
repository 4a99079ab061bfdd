"""`vigencia promise` as people and programs use it."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.program import Program
from tests.integration.sandbox_helpers import set_faults
from worker.sandbox.process import SandboxProcess

# 10:00 in Lima on the day before the plan ends.
NOW = "2026-06-12T15:00:00+00:00"
LATER = "2026-06-12T15:05:00+00:00"
BOOK = """msisdn,expires,email,language,operator,kind,holder
987654321,2026-06-13,rosa@example.com,en,claro,data,Rosa
987654322,2026-06-13,,en,entel,data,Luis
987654323,2026-06-13,li@example.com,zh-Hans,claro,data,Li
"""


@pytest.fixture
def program(tmp_path: Path, sandbox: SandboxProcess) -> Program:
    """A card book that was imported at 9:30 in Lima and told at 10:00."""
    (tmp_path / "now").write_text("2026-06-12T14:30:00+00:00")
    (tmp_path / "cards.csv").write_text(BOOK, "utf-8")
    env = {"VIGENCIA_SANDBOX__URL": sandbox.url, "VIGENCIA_CLOCK_FILE": str(tmp_path / "now")}
    program = Program(tmp_path, env)
    imported = program.run(
        "cards", "import", "cards.csv", "--book", "=lima", "--new-book", "--apply"
    )
    assert imported.code == 0, imported.told
    return program


def at(program: Program, now: str) -> None:
    (program.directory / "now").write_text(now)


def told(program: Program, *more: str) -> Any:
    return program.run("promise", "--json", *more).json


def test_every_reminder_is_accounted_for_in_each_form(program: Program) -> None:
    at(program, NOW)
    assert program.run("once").code == 0
    at(program, LATER)
    ran = program.run("promise", "--json", "--rows")
    assert ran.code == 0, ran.told
    found = ran.json
    assert found["owed"] == len(found["rows"]) == sum(found["by_state"].values())
    assert found["on_time"] == found["by_state"]["sent"] > 0
    assert found["on_time_share"] == 1
    assert found["suppressed"] == {"no_address": 1}
    assert (found["missed"], found["unexplained"], found["open"]) == ([], [], 0)
    assert found["kept"]
    sent = [row for row in found["rows"] if row["state"] == "sent"]
    assert all(row["provider_id"] and row["accepted_at"] for row in sent)
    assert {row["verdict"] for row in sent} == {"on_time"}

    table = list(csv.DictReader(io.StringIO(program.run("promise", "--csv").out)))
    assert [int(row["reminder"]) for row in table] == [row["reminder"] for row in found["rows"]]
    assert {row["book"] for row in table} == {"'=lima"}, "no spreadsheet computes it"

    text = program.run("promise", "--book", "=lima")
    assert text.code == 0
    assert "on time: 100.00%" in text.out
    assert "no_address 1" in text.out
    for ran in (program.run("promise", "--csv"), text):
        for secret in ("98765432", "rosa", "example.com"):
            assert secret not in ran.told


def test_what_was_missed_is_listed_and_ends_with_1(program: Program) -> None:
    at(program, NOW)
    assert program.run("once").code == 0
    at(program, "2026-06-19T15:00:00+00:00")  # nobody looked for a week
    program.run("once")
    ran = program.run("promise", "--from", "2026-06-12", "--json")
    assert ran.code == 1
    found = ran.json
    assert found["missed_count"] == len(found["missed"]) > 0
    assert set(found["missed_causes"]) == {"not_checked_in_time"}
    assert {one["cause"] for one in found["missed"]} == {"not_checked_in_time"}
    assert not found["kept"]
    assert 0 < found["on_time_share"] < 1
    text = program.run("promise", "--from", "2026-06-12", "--limit", "1")
    assert text.code == 1
    assert "not_checked_in_time" in text.out
    assert f"and {found['missed_count'] - 1} more" in text.out
    assert "Next: tell these holders" in text.out


def test_cards_that_nobody_has_looked_at_are_an_absence_to_explain(program: Program) -> None:
    assert told(program)["checks_overdue"] == 0, "imported a moment ago"
    at(program, NOW)
    ran = program.run("promise")
    assert ran.code == 1
    assert "3 cards wait to be checked" in ran.out


def test_a_day_counts_whole_in_the_zone_of_the_settings(program: Program) -> None:
    found = told(program, "--from", "2026-06-12", "--to", "2026-06-12")
    assert (found["from"], found["to"]) == ("2026-06-12T05:00:00Z", "2026-06-13T05:00:00Z")
    found = told(program, "--from", "2026-06-12T01:00:00Z", "--to", "2026-06-12T02:00:00+00:00")
    assert (found["from"], found["to"]) == ("2026-06-12T01:00:00Z", "2026-06-12T02:00:00Z")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--from", "2026-06-13", "--to", "2026-06-12"], 2, "--from must be earlier"),
        (["--from", "yesterday"], 2, "'yesterday' is not an instant"),
        (["--from", "2026-06-13T10:00:00"], 2, "has no UTC offset"),
        (["--csv", "--json"], 2, "Choose --csv, or --json"),
        (["--rows"], 2, "--rows goes with --json"),
        (["--book", "nobody"], 1, "There is no card book 'nobody'"),
    ],
)
def test_what_cannot_be_meant_is_said(
    program: Program, arguments: list[str], code: int, said: str
) -> None:
    ran = program.run("promise", *arguments)
    assert ran.code == code
    assert said in ran.told


def test_an_empty_period_is_one_document_too(program: Program) -> None:
    ran = program.run("promise", "--from", "2020-01-01", "--to", "2020-01-02", "--json", "--rows")
    assert json.loads(ran.out)["rows"] == []
    assert (ran.code, ran.json["owed"], ran.json["on_time_share"]) == (0, 0, None)


def test_holders_whom_no_way_reaches_are_told_of_one_by_one(
    program: Program, sandbox: SandboxProcess
) -> None:
    """The provider says that Luis's number is none, and he has no other address; Li has one."""
    dead = [
        {"channel": "sms", "kind": "code", "code": 21211, "to": f"+5198765432{n}"} for n in (2, 3)
    ]
    set_faults(sandbox.url, *dead)
    at(program, NOW)
    program.run("once")
    at(program, LATER)
    ran = program.run("promise", "--json", "--rows")
    assert ran.code == 1, ran.told
    found = ran.json
    assert not found["kept"]
    [luis, *others] = [row for row in found["rows"] if row["verdict"] == "unreached"]
    assert others == []
    assert (luis["card"], luis["channel"], luis["reason"]) == ("***4322", "sms", "twilio:21211")
    assert found["unreached_count"] == 1
    assert found["unreached_causes"] == {"twilio:21211": 1}
    assert [one["holder"] for one in found["unreached"]] == [luis["holder"]]
    assert found["suppressed"] == {"no_address": 1, "twilio:21211": 1}, "Li has the email"
    text = program.run("promise")
    assert text.code == 1
    [line] = [line for line in text.out.splitlines() if "4322" in line]
    assert "twilio:21211" in line
    assert "4323" not in text.out
    assert "unreached" in text.out
    assert "Next: tell these holders" in text.out
    verdicts = {
        (row["card"], row["verdict"])
        for row in csv.DictReader(io.StringIO(program.run("promise", "--csv").out))
    }
    assert ("***4322", "unreached") in verdicts

    # The next notice to a number that is known to be dead is told of as well.
    at(program, "2026-06-13T15:00:00+00:00")
    program.run("once")
    at(program, "2026-06-13T15:05:00+00:00")
    ran = program.run("promise", "--from", "2026-06-13", "--json", "--rows")
    assert ran.code == 1
    later = [row for row in ran.json["rows"] if row["verdict"] == "unreached"]
    assert {row["card"] for row in later} == {"***4322"}
    assert {row["holder"] for row in later} == {luis["holder"]}
