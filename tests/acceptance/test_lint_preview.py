"""`vigencia lint` and `vigencia preview`, run as a person does."""

import shutil
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.acceptance.program import ROOT, Program
from tests.calendars import events

_BOOK = ROOT / "examples" / "cardbook-en.tsv"


@pytest.mark.timeout(1200)
def test_lint_tells_every_finding_at_once_with_file_line_and_key(vigencia: Program) -> None:
    vigencia = replace(vigencia, patience=500)
    config, texts = vigencia.directory / "config", vigencia.directory / "texts"
    shutil.copytree(ROOT / "config", config)
    shutil.copytree(ROOT / "templates", texts)
    _keep(texts, "suspended")
    sms = texts / "suspended" / "es-PE" / "sms.txt.j2"
    sms.write_text(sms.read_text() + "según the rules")
    policies = config / "policies.toml"
    policies.write_text(policies.read_text().replace('"plan_end-30d"', '"plan_stop-30d"', 1))
    pack = config / "operators" / "entel.toml"
    pack.write_text(pack.read_text().replace("days = 60", "days = -60"))
    columns = config / "columns.toml"
    ran = vigencia.run("lint", "--json", VIGENCIA_TEMPLATES_DIR=str(texts))
    assert ran.code == 1, ran.told
    assert ran.json["ok"] is False
    told = {(Path(f["file"]).name, f["line"], f["rule"], f["key"]) for f in ran.json["findings"]}
    at = _line(policies, "plan_stop-30d")
    assert ("policies.toml", at, "config", "data.plan_stop-30d") in told
    assert ("entel.toml", _line(pack, "days = -60"), "config", "line_loss.days") in told
    assert ("sms.txt.j2", 3, "language", "suspended es-PE") in told
    assert ("sms.txt.j2", None, "gsm-7", "suspended es-PE") in told
    assert ("recycled", "template") in {(name, rule) for name, _, rule, _ in told}
    assert ran.json["errors"] == sum(f["severity"] == "error" for f in ran.json["findings"])

    policies.write_text("data = \n")
    columns.write_text("[headers\n")
    ran = vigencia.run("lint", VIGENCIA_TEMPLATES_DIR=str(texts))
    assert ran.code == 1
    for file, line in (("policies.toml", 1), ("columns.toml", 1)):
        assert f"{config.name}/{file}:{line}: error [toml]" in ran.out
    assert "Traceback" not in ran.told


@pytest.mark.timeout(600)
def test_lint_warns_of_a_signature_that_is_too_long_and_that_is_no_error(
    vigencia: Program,
) -> None:
    ran = replace(vigencia, patience=500).run(
        "lint", VIGENCIA_BOOK__SIGNATURE="Agencia Los Andes del Sur"
    )
    assert ran.code == 0, ran.told
    assert "warning [segments] suspended es-PE: the signature" in ran.out
    assert "\n0 errors, " in ran.out


def test_preview_shows_an_sms_with_its_cost(vigencia: Program) -> None:
    ran = vigencia.run("preview", "low_balance", "--language", "zh-Hans", "--json")
    assert ran.code == 0, ran.told
    assert ran.json["text"].startswith("【Vigencia】Claro卡(尾号5678)余额只剩S/ 2.00")
    assert (ran.json["encoding"], ran.json["segments"]) == ("UCS-2", 1)
    assert ran.json["units"] == len(ran.json["text"])


def test_preview_of_an_email_writes_its_html(vigencia: Program) -> None:
    html = vigencia.directory / "letter.html"
    ran = vigencia.run("preview", "guardian_alert", "--language", "en", "--html", html)
    assert ran.code == 0, ran.told
    assert ran.out.startswith("Subject: Please act")
    assert html.read_text("utf-8").startswith("<!doctype html>")


def test_preview_refuses_what_there_is_not_and_says_what_there_is(vigencia: Program) -> None:
    ran = vigencia.run("preview", "nonsense")
    assert ran.code == 2
    assert "low_balance" in ran.told
    assert "plan_end_far" in ran.told
    ran = vigencia.run("preview", "low_balance", "--language", "fr")
    assert ran.code == 2
    assert "zh-Hans" in ran.told
    ran = vigencia.run("preview", "guardian_alert", "--channel", "sms")
    assert ran.code == 2
    assert "email only" in ran.told


def test_preview_of_a_card_tells_of_that_card_on_a_day_on_which_it_is_true(
    vigencia: Program,
) -> None:
    assert vigencia.run("cards", "import", _BOOK, "--book", "b", "--new-book", "--apply").code == 0
    cards = vigencia.run("cards", "list", "--json").json
    number, card = next((n, c) for n, c in enumerate(cards, 1) if c["plan_end"])
    told = vigencia.run("preview", "plan_end_tomorrow", "--card", str(number)).out
    assert f"ending {card['msisdn'][-4:]} ends TOMORROW " in told
    assert f"{int(card['plan_end'][-2:])} " in told
    endless = next(n for n, c in enumerate(cards, 1) if not c["plan_end"])
    ran = vigencia.run("preview", "plan_ended", "--card", str(endless))
    assert ran.code == 1
    assert "Nobody knows the plan_end" in ran.told
    assert vigencia.run("preview", "plan_ended", "--card", "999").code == 1


def test_preview_of_a_card_writes_the_calendar_file_that_goes_with_its_email(
    vigencia: Program,
) -> None:
    assert vigencia.run("cards", "import", _BOOK, "--book", "b", "--new-book", "--apply").code == 0
    cards = vigencia.run("cards", "list", "--json").json
    number, card = next((n, c) for n, c in enumerate(cards, 1) if c["plan_end"])
    file = vigencia.directory / "card.ics"
    about = ("--card", str(number), "--language", "en")
    ran = vigencia.run("preview", "plan_end_tomorrow", *about, "--calendar", file)
    assert ran.code == 0, ran.told
    assert f"(attached: vigencia.ics, also in {file})" in ran.out
    [event] = events(file.read_bytes())
    assert f"…{card['msisdn'][-4:]}: plan ends" in event.summary
    last = event.at.astimezone(ZoneInfo("America/Lima"))
    assert f"{last:%Y-%m-%d %H:%M}" == f"{card['plan_end']} 23:59"
    shown = vigencia.run("preview", "plan_end_tomorrow", *about, "--channel", "email", "--json")
    assert events(shown.json["calendar"].encode())[0].uid == event.uid
    ran = vigencia.run("preview", "plan_ended", *about, "--calendar", file)
    assert ran.code == 1
    assert "No calendar file goes with this email" in ran.told
    assert vigencia.run("preview", "plan_ended", "--calendar", file).code == 2
    sms = vigencia.run("preview", "plan_ended", *about, "--channel", "sms", "--calendar", file)
    assert sms.code == 2


def _keep(texts: Path, event: str) -> None:
    """Take all other events out of a copy of the texts: to render them all takes long."""
    for path in texts.iterdir():
        if path.is_dir() and path.name not in ("shared", event):
            shutil.rmtree(path)


def _line(file: Path, words: str) -> int:
    lines = file.read_text("utf-8").splitlines()
    return next(n for n, line in enumerate(lines, 1) if words in line)


@pytest.mark.timeout(1200)
def test_lint_and_preview_end_with_a_template_that_does_not_and_name_it(vigencia: Program) -> None:
    texts = vigencia.directory / "texts"
    shutil.copytree(ROOT / "templates", texts)
    sms = texts / "suspended" / "en" / "sms.txt.j2"
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    sms.write_text(sms.read_text() + loop)
    patient = replace(vigencia, patience=500)
    shown = ("preview", "suspended", "--language", "en", "--channel", "sms")
    ran = patient.run(*shown, VIGENCIA_TEMPLATES_DIR=str(texts))
    assert ran.code == 1, ran.told
    assert "suspended/en/sms.txt.j2: does not come to an end" in ran.told
    assert "Traceback" not in ran.told
    _keep(texts, "suspended")
    ran = patient.run("lint", VIGENCIA_TEMPLATES_DIR=str(texts))
    assert ran.code == 1, ran.told
    assert f"{sms}: error [endless] suspended en: does not come to an end" in ran.out
    assert "Traceback" not in ran.told
