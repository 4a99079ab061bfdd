"""A person sees what waits, for what and until when, and what was sent."""

import json
import signal

import pytest

from benchmarks.stage.ports import free_port
from tests.acceptance.program import Program
from tests.integration.helpers import until
from tests.patience import patient
from worker.sandbox.process import SandboxProcess

BOOK = """msisdn,titular,celular de contacto,correo,operador,tipo,vencimiento
987654321,Rosa Quispe,+51911111111,rosa@example.com,claro,data,2026-06-20
987654322,Wang Wei,+8613912345678,,claro,data,2026-06-20
"""
# 10:00 in Lima, 23:00 in Shanghai.
NOW = "2026-06-14T15:00:00Z"


@pytest.fixture
def shop(vigencia: Program) -> Program:
    clock, file = vigencia.directory / "clock", vigencia.directory / "book.csv"
    there = Program(vigencia.directory, {"VIGENCIA_CLOCK_FILE": str(clock)})
    # Known for two days: what fell due before a card was known is not owed.
    clock.write_text("2026-06-12T15:00:00Z")
    file.write_text(BOOK, encoding="utf-8")
    ran = there.run("cards", "import", file, "--book", "shop", "--new-book", "--apply")
    assert ran.code == 0, ran.told
    clock.write_text(NOW)
    return there


def test_what_waits_says_why_and_until_when_here_and_there(
    shop: Program, sandbox: SandboxProcess
) -> None:
    shop.run("once", VIGENCIA_SANDBOX__URL=sandbox.url)
    [waiting] = shop.run("messages", "list", "--state", "pending", "--json").json
    assert waiting["holder"] == "Wang Wei"
    assert waiting["waits_for"] == "quiet hours"
    assert waiting["waits_until"] == waiting["next_attempt_at"] == "2026-06-15T01:00:00Z"
    wanted = "at 2026-06-14 20:00 Lima, 09:00 Shanghai: quiet hours"
    assert wanted in shop.run("messages", "list").out
    assert wanted in shop.run("messages", "show", str(waiting["id"])).out
    told = shop.run("promise")
    assert wanted in told.out
    assert "Wang Wei" in told.out
    [same] = shop.run("promise", "--json").json["waiting"]
    assert same["waits_until"] == "2026-06-15T01:00:00Z"
    sent = shop.run("messages", "list", "--state", "sent", "--json").json
    assert {one["waits_for"] for one in sent} == {None}

    # Its keeper decides: the answer is one document, whatever is logged beside it.
    number = str(waiting["id"])
    tried = shop.run("messages", "retry", number, "--json")
    assert tried.json == {"message": waiting["id"], "state": "pending"}
    assert "message_retried" in tried.err
    shop.run("once", VIGENCIA_SANDBOX__URL=sandbox.url)
    again = shop.run("messages", "show", number, "--json").json
    assert (again["state"], again["waits_for"]) == ("pending", "quiet hours")
    said = shop.run("messages", "cancel", number)
    assert (said.code, said.out) == (0, f"Message {number} is cancelled: 1 notice ends with it.\n")
    refused = shop.run("messages", "cancel", number)
    assert (refused.code, "is cancelled: only one that is" in refused.err) == (1, True)
    assert shop.run("messages", "settle", number).code == 2
    assert shop.run("promise", "--json").json["waiting"] == []


def _sends(shop: Program, *arguments: str) -> tuple[str, str]:
    port = free_port()
    env = {
        "VIGENCIA_SANDBOX__URL": f"http://127.0.0.1:{port}",
        "VIGENCIA_SCHEDULER__TICK_SECONDS": "0.5",
    }
    up = shop.start("up", *arguments, **env)
    try:
        assert until(lambda: len(_sent(shop)) >= 2, 60)
    finally:
        up.send_signal(signal.SIGTERM)
        out, err = up.communicate(timeout=patient(60))
    return out, err


def _sent(shop: Program) -> list[object]:
    listed = json.loads(shop.run("messages", "list", "--json").out)
    return [one for one in listed if one["sent_at"]]


def test_up_prints_a_line_for_each_message_that_is_sent(shop: Program) -> None:
    out, err = _sends(shop)
    *lines, ahead = [line for line in out.splitlines() if line]
    assert len(lines) == 2, out + err
    assert any("10:00 Lima  sms to +51***111: plan end" in line for line in lines), out
    assert any("email to r***@example.com" in line for line in lines), out
    assert all("…4321" in line and line.endswith("(sandbox)") for line in lines), out
    assert ahead.startswith("1 message waits until 2026-06-14 20:00 Lima"), out
    assert "911111111" not in out + err


def test_up_prints_none_where_it_is_told_to_be_quiet(shop: Program) -> None:
    assert _sends(shop, "--quiet")[0] == ""


def test_the_week_is_simulated_with_names_and_what_each_day_costs(shop: Program) -> None:
    told = shop.run("simulate", "--this-week")
    assert told.code == 0, told.told
    [rosa, *_] = [line for line in told.out.splitlines() if "Rosa Quispe" in line]
    assert rosa.split()[:2] == ["2026-06-14", "10:00"]
    assert "plan end 2026-06-20" in rosa
    assert "Wang Wei" in told.out
    assert "cost" in told.out
    few = shop.run("simulate", "--this-week", "--limit", "1").out
    assert "more: --limit" in few
    as_json = shop.run("simulate", "--this-week", "--json").json
    assert (as_json["from"], as_json["to"]) == ("2026-06-14", "2026-06-20")
    assert all("cost" in day for day in as_json["totals"]["by_day"])
    for wrong in ((), ("--this-week", "--from", "2026-06-13"), ("--from", "2026-06-13")):
        assert shop.run("simulate", *wrong).code == 2
