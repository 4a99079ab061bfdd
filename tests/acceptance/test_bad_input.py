"""Whatever is wrong, the answer is one clear message with the next step, and nothing is lost."""

import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.stage.ports import free_port
from tests.acceptance.program import ROOT, Program, Ran
from worker.sandbox import credentials
from worker.sandbox.process import SandboxProcess

_BOOK = ROOT / "examples" / "cardbook-en.tsv"
_NOW = "2026-06-05T15:00:00Z"


def _refused(ran: Ran, *words: str, code: int = 1) -> None:
    """The command said no, said why, and showed no traceback."""
    assert ran.code == code, ran.told
    assert "Traceback" not in ran.told
    for word in words:
        assert word in ran.told, ran.told


def _own_config(vigencia: Program) -> Path:
    """A copy of the configuration, in force for the program's directory."""
    shutil.copytree(ROOT / "config", vigencia.directory / "config")
    return vigencia.directory / "config"


def test_without_a_configuration_of_its_own_the_program_uses_the_one_it_comes_with(
    vigencia: Program,
) -> None:
    assert vigencia.run("cards", "list").code == 0


def test_a_missing_configuration_file_is_named(vigencia: Program) -> None:
    ran = vigencia.run("cards", "list", VIGENCIA_CONFIG_DIR=str(vigencia.directory))
    _refused(ran, "There is no configuration file", "vigencia.toml", "Next:")


def test_an_unreadable_configuration_file_is_named(vigencia: Program) -> None:
    (_own_config(vigencia) / "vigencia.toml").write_bytes(b"\xff\xfe\x00broken")
    _refused(vigencia.run("cards", "list"), "vigencia.toml", "cannot be read", "Next:")


def test_broken_toml_is_told_with_its_line(vigencia: Program) -> None:
    (_own_config(vigencia) / "vigencia.toml").write_text("log_level = \n")
    _refused(vigencia.run("cards", "list"), "not valid TOML", "line 1")


def test_all_wrong_settings_are_told_at_once(vigencia: Program) -> None:
    ran = vigencia.run(
        "cards",
        "list",
        VIGENCIA_DELIVERY__IN_FLIGHT="none",
        VIGENCIA_BOOK__TIME_ZONE="Lima",
        VIGENCIA_NO_SUCH="1",
    )
    _refused(ran, "in_flight", "'Lima' is not a time zone", "VIGENCIA_NO_SUCH")


def test_an_unknown_window_and_an_unknown_kind_are_told_with_file_and_key(
    vigencia: Program,
) -> None:
    policies = _own_config(vigencia) / "policies.toml"
    text = policies.read_text().replace('"plan_end-30d"', '"plan_stop-30d"', 1)
    policies.write_text(text + '\n[satellite]\n"plan_end-1d" = "pigeon"\n')
    ran = vigencia.run("cards", "list")
    line = next(n for n, x in enumerate(policies.read_text().splitlines(), 1) if "plan_stop" in x)
    _refused(ran, f"policies.toml, line {line}: data.plan_stop-30d: unknown deadline")
    _refused(ran, "satellite: not known")


def test_an_operator_without_a_pack_is_told_before_any_card_is_read(vigencia: Program) -> None:
    columns = _own_config(vigencia) / "columns.toml"
    columns.write_text(columns.read_text().replace("[operators]", '[operators]\ntuenti = ["T"]'))
    ran = vigencia.run("cards", "import", _BOOK, "--book", "b", "--new-book", "--apply")
    _refused(ran, "operators.tuenti has no operator pack", "Next:")


def test_a_broken_operator_pack_tells_everything_that_is_wrong(vigencia: Program) -> None:
    pack = _own_config(vigencia) / "operators" / "claro.toml"
    pack.write_text('name = "Claro"\n[[line_loss]]\ndays = -1\n')
    _refused(vigencia.run("cards", "list"), "claro.toml", "line_loss.days", "line_loss.source")


def test_an_unreachable_database_is_told_without_its_password(vigencia: Program) -> None:
    url = f"postgresql://someone:hush-hush@127.0.0.1:{free_port()}/none"
    ran = vigencia.run("cards", "list", DATABASE_URL=url)
    _refused(ran, "does not answer", "Check DATABASE_URL")
    assert "hush-hush" not in ran.told


def test_a_database_in_a_folder_that_cannot_be_made_is_told(vigencia: Program) -> None:
    (vigencia.directory / "file").write_text("no folder")
    ran = vigencia.run("cards", "list", DATABASE_URL="sqlite:///file/below/vigencia.db")
    _refused(ran, "cannot be made", "Next:")


def test_a_demo_on_a_queue_that_is_gone_says_so(vigencia: Program) -> None:
    ran = vigencia.run("demo", "--redis-url", f"redis://127.0.0.1:{free_port()}/0")
    _refused(ran, "does not answer", "Next:")


def test_an_address_that_is_no_database_is_refused(vigencia: Program) -> None:
    _refused(vigencia.run("cards", "list", DATABASE_URL="mysql://x/y"), "not supported")


def test_a_database_of_another_version_asks_for_the_migration(vigencia: Program) -> None:
    import sqlite3

    assert vigencia.run("cards", "list").code == 0
    with sqlite3.connect(vigencia.directory / "var" / "vigencia.db") as db:
        db.execute("UPDATE alembic_version SET version_num = '0000'")
    for command in ("cards list", "once", "up", "scheduler", "worker"):
        _refused(vigencia.run(*command.split()), "vigencia db upgrade")


@pytest.mark.parametrize("command", ["scheduler", "worker", "up"])
def test_a_queue_that_is_gone_at_the_start_is_told(vigencia: Program, command: str) -> None:
    ran = vigencia.run(command, REDIS_URL=f"redis://:pass-word@127.0.0.1:{free_port()}/0")
    _refused(ran, "REDIS_URL does not answer", "Next:")
    assert "pass-word" not in ran.told


@pytest.mark.parametrize("command", ["scheduler", "worker"])
def test_a_queue_that_is_not_named_is_told(vigencia: Program, command: str) -> None:
    _refused(vigencia.run(command), "REDIS_URL is not set", "vigencia up")


def test_a_spreadsheet_that_is_none_is_refused(vigencia: Program) -> None:
    fake = vigencia.directory / "book.xlsx"
    fake.write_bytes(b"PK\x03\x04 this is no workbook")
    ran = vigencia.run("cards", "import", fake, "--book", "b", "--new-book", "--apply", "--json")
    assert ran.code == 1
    assert ran.json["error"]["code"] == "cardbook"
    assert ran.json["error"]["hint"]
    assert vigencia.run("cards", "list", "--json").json == []


def test_a_row_that_is_wrong_keeps_every_row_out_and_is_told_masked(vigencia: Program) -> None:
    broken = vigencia.directory / "book.tsv"
    lines = _BOOK.read_text(encoding="utf-8-sig").splitlines()
    broken.write_text("\n".join([*lines[:5], lines[5].replace("2026-", "05/06/26", 1)]))
    ran = vigencia.run("cards", "import", broken, "--book", "b", "--new-book", "--apply", "--json")
    assert ran.code == 1
    assert (ran.json["created"], ran.json["refused"], ran.json["applied"]) == (4, 1, False)
    [error] = ran.json["errors"]
    assert error["row"] == 6
    told = vigencia.run("cards", "import", broken, "--book", "b", "--new-book", "--apply").err
    [line] = [line for line in told.splitlines() if error["message"] in line]
    assert line.startswith("6 ")
    assert line.endswith(error["hint"])
    assert vigencia.run("cards", "list", "--json").json == []


def test_a_dry_run_changes_nothing_and_says_so(vigencia: Program) -> None:
    ran = vigencia.run("cards", "import", _BOOK, "--book", "b", "--new-book")
    assert ran.code == 0
    assert "dry run" in ran.out
    assert vigencia.run("cards", "list", "--json").json == []


def test_a_missing_template_variable_is_told_with_file_and_line(vigencia: Program) -> None:
    templates = vigencia.directory / "texts"
    shutil.copytree(ROOT / "templates", templates)
    broken = templates / "plan_end_near" / "es-PE" / "sms.txt.j2"
    broken.write_text("{{ signature }} {{ no_such_thing }}")
    env = {"VIGENCIA_TEMPLATES_DIR": str(templates)}
    _refused(vigencia.run("doctor", **env), "plan_end_near/es-PE/sms.txt.j2", "no_such_thing")


_ENDLESS = {
    "a loop in a loop": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}"
    "{% endfor %}",
    "a number": "{{ 9 ** (9 ** 9) }}",
}
_WEEK = ("simulate", "--from", "2026-06-12", "--to", "2026-06-13")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("command", "endless"),
    [
        (("worker",), "a loop in a loop"),
        (("once",), "a number"),
        (("up",), "a loop in a loop"),
        (("doctor",), "a number"),
        (_WEEK, "a loop in a loop"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_no_command_starts_with_a_template_that_does_not_end(
    vigencia: Program,
    sandbox: SandboxProcess,
    queue_server: str,
    command: tuple[str, ...],
    endless: str,
) -> None:
    templates = vigencia.directory / "texts"
    shutil.copytree(ROOT / "templates", templates)
    broken = templates / "plan_end_near" / "es-PE" / "sms.txt.j2"
    broken.write_text(broken.read_text() + _ENDLESS[endless])
    env = {
        "VIGENCIA_TEMPLATES_DIR": str(templates),
        "VIGENCIA_SANDBOX__URL": sandbox.url,
        "REDIS_URL": queue_server,
    }
    ran = replace(vigencia, patience=300).run(*command, **env)
    _refused(ran, "plan_end_near/es-PE/sms.txt.j2", "does not come to an end")


@pytest.mark.timeout(600)
def test_web_does_not_start_with_a_page_that_does_not_end(vigencia: Program) -> None:
    templates = vigencia.directory / "texts"
    shutil.copytree(ROOT / "templates", templates)
    (templates / "web" / "stop.html.j2").write_text(_ENDLESS["a number"])
    patient = replace(vigencia, patience=300)
    ran = patient.run("web", VIGENCIA_TEMPLATES_DIR=str(templates))
    _refused(ran, "web/stop.html.j2", "does not come to an end")


def test_without_a_sandbox_once_says_how_to_start_one_and_claims_nothing(
    vigencia: Program,
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    vigencia.run("cards", "import", _BOOK, "--book", "b", "--new-book", "--apply")
    ran = vigencia.run("once", "--now", _NOW, VIGENCIA_SANDBOX__URL=url)
    _refused(ran, "no sandbox answers", "vigencia sandbox")
    assert vigencia.run("messages", "list", "--json").json == []


def test_a_real_token_and_the_sandbox_never_mix(vigencia: Program, sandbox: SandboxProcess) -> None:
    real = {
        "TWILIO_ACCOUNT_SID": "AC" + "1" * 32,
        "TWILIO_AUTH_TOKEN": "a-real-secret",
        "TWILIO_FROM": "+15005550006",
    }
    ran = vigencia.run("once", **real, TWILIO_BASE_URL=sandbox.url)
    _refused(ran, "TWILIO_BASE_URL points to this machine, but the credentials are real")
    assert "a-real-secret" not in ran.told
    ran = vigencia.run("once", SENDGRID_API_KEY=credentials.API_KEY, SENDGRID_FROM="a@example.com",
                       **real)  # fmt: skip
    _refused(ran, "One provider is real and the other is the sandbox")


def test_half_a_configuration_names_what_is_missing(vigencia: Program) -> None:
    ran = vigencia.run("once", TWILIO_ACCOUNT_SID="AC" + "1" * 32)
    _refused(ran, "Twilio is half configured", "TWILIO_AUTH_TOKEN", "TWILIO_FROM")


@contextmanager
def _html_provider() -> Iterator[str]:
    """A "provider" that answers every call with a web page, as a captive proxy does."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._page()

        def do_GET(self) -> None:
            self._page()

        def _page(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html><body>Welcome to the hotel</body></html>")

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def test_a_provider_that_answers_html_leaves_unknowns_and_no_message_is_sent_twice(
    vigencia: Program, sandbox: SandboxProcess
) -> None:
    vigencia.run("cards", "import", _BOOK, "--book", "b", "--new-book", "--apply")
    with _html_provider() as url:
        ran = vigencia.run("once", "--now", _NOW, "--json", VIGENCIA_SANDBOX__URL=url)
        again = vigencia.run("once", "--now", _NOW, "--json", VIGENCIA_SANDBOX__URL=url)
    assert "Traceback" not in ran.told
    assert (ran.code, ran.json["sent"]) == (0, 0)
    assert ran.json["unknown"] > 5
    assert (again.json["sent"], again.json["unknown"]) == (0, 0)
    # Of email nobody can be asked; this guardian would rather miss one than send it twice.
    later = vigencia.run(
        "once", "--now", "2026-06-05T15:05:00Z", "--json",
        VIGENCIA_SANDBOX__URL=sandbox.url, VIGENCIA_UNKNOWN__EMAIL="hold",
    )  # fmt: skip
    states = [(m["channel"], m["state"]) for m in _messages(vigencia) if m["attempts"]]
    assert later.json["sent"] > 0, "an SMS that the provider's list does not know is sent"
    assert {state for channel, state in states if channel == "sms"} == {"sent"}
    assert {state for channel, state in states if channel == "email"} == {"unknown"}


def _messages(vigencia: Program) -> list[dict[str, object]]:
    listed = vigencia.run("messages", "list", "--limit", "1000", "--json")
    messages: list[dict[str, object]] = json.loads(listed.out)
    return messages


def test_wrong_usage_ends_with_exit_code_2(vigencia: Program) -> None:
    assert vigencia.run("once", "--now", "yesterday").code == 2
    assert vigencia.run("cards", "import").code == 2
    assert vigencia.run("nonsense").code == 2
