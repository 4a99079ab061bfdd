"""Each rule of the look at templates: what it finds, where, and what it leaves alone."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.content_helpers import ROOT, TEMPLATES, content
from tests.unit.core_helpers import RULES
from worker.content.environment import build
from worker.content.findings import Finding
from worker.content.gallery import gallery
from worker.content.lint import lint_templates
from worker.content.lint_cases import days_of
from worker.content.lint_letters import Letters
from worker.content.lint_names import check_names
from worker.content.lint_windows import twins
from worker.content.lint_words import check_words
from worker.content.render import Content
from worker.core.cards import Destination, Kind
from worker.core.wording import DEADLINE_EVENTS, EVENTS, PAST, kind_of, upcoming

SYNTAX = build({}, html=False)
PACKS = tuple(RULES.packs.values())


def words(name: str, source: str) -> list[tuple[int, str]]:
    return [(one.line, one.message) for one in check_words({name: source}, SYNTAX)]


def letters(event: str, part: str = "", source: str = "", signature: str = "Vigencia") -> list[str]:
    """``event`` with one English, Spanish or Chinese template changed, as ``rule key: message``."""
    shipped = content()
    templates = dict(shipped.templates)
    if part:
        name = f"{event}/{part}.j2"
        environment = build({**shipped.sources, name: source}, html=part.endswith("mjml"))
        templates[name] = environment.get_template(name)
    changed = replace(shipped, templates=templates)
    found = Letters(changed, signature, PACKS, (event,)).check()
    return [f"{one.severity} {one.rule} {one.key}: {one.message}" for one in found]


def test_the_shipped_templates_have_no_finding() -> None:
    assert lint_templates(TEMPLATES, "Vigencia", PACKS)[1] == []


def test_all_findings_come_at_once_each_with_file_and_line(tmp_path: Path) -> None:
    directory = Path(shutil.copytree(TEMPLATES, tmp_path / "templates"))
    for path in directory.iterdir():  # a few events are enough, and the rest is missing
        if path.is_dir() and path.name not in ("shared", "low_data", "recycled"):
            shutil.rmtree(path)
    (directory / "low_data/en/sms.txt.j2").unlink()
    (directory / "low_data/es-PE/sms.txt.j2").write_text("{{ first. }}")
    (directory / "recycled/en/sms.txt.j2").write_text("\n{{ signature }} {{ no_such }}")
    (directory / "recycled/es-PE/email.mjml.j2").write_text("<mjml><mj-body></mjml>")
    _, found = lint_templates(directory, "Vigencia", PACKS)
    told = {(Path(f.file).relative_to(directory).as_posix(), f.line, f.rule) for f in found}
    for wanted in (
        ("suspended", 0, "template"),
        ("low_data/en/sms.txt.j2", 0, "template"),
        ("low_data/es-PE/sms.txt.j2", 1, "template"),
        ("recycled/en/sms.txt.j2", 2, "render"),
        ("recycled/es-PE/email.mjml.j2", 0, "template"),
    ):
        assert wanted in told
    assert all(one.severity == "error" for one in found if one.rule != "unused")


@pytest.mark.parametrize(
    ("name", "source", "found"),
    [
        ("e/zh-Hans/sms.txt.j2", "您的{{ a }}\n門号", [(2, "門 is not a character of zh-Hans")]),
        ("e/zh-Hans/sms.txt.j2", "请储值", [(1, "储值 is not said in zh-Hans")]),
        ("e/zh-Hant/sms.txt.j2", "您的\n\n号", [(3, "号 is not a character of zh-Hant")]),
        ("e/zh-Hant/sms.txt.j2", "請充值", [(1, "充值 is not said in zh-Hant")]),
        ("e/zh-Hant/sms.txt.j2", "請 Top up now", [(1, "not translated: Top up now"),
                                                     (1, "not translated: Top")]),
        ("shared/zh-Hans/words.j2", '{% set a = "先 hoy" %}', [(1, "not translated: hoy")]),
        ("e/es-PE/sms.txt.j2", "Recargue the chip", [(1, "not translated: the")]),
        ("e/es-PE/sms.txt.j2", "Recargue hoy 卡", [(1, "not translated: 卡")]),
        ("e/en/sms.txt.j2", "Top up hoy", [(1, "not translated: hoy")]),
        ("e/en/sms.txt.j2", "Top up – now", [(1, "– is not used in en")]),
        ("e/en/sms.txt.j2", "{% if x == 'el' %}Top up{% endif %}{# hoy #}", []),
        ("shared/layout.txt.j2", "hoy 卡", []),
        ("e/en/sms.txt.j2", "{{ broken", []),
    ],
)  # fmt: skip
def test_what_is_not_translated_is_found_with_its_line(
    name: str, source: str, found: list[tuple[int, str]]
) -> None:
    told = words(name, source)
    assert [one for one in told if one in found] == found
    assert bool(told) is bool(found)


def test_what_nobody_uses_is_found() -> None:
    sources = {
        "shared/en/words.j2": '{% set used = "a" %}\n{% set stale = "b" %}\n'
        "{% macro old() %}{% endmacro %}",
        "e/en/sms.txt.j2": '{% import "shared/en/words.j2" as words %}{{ words.used }}',
        "e/en/subject.txt.j2": '\n{% import "shared/en/words.j2" as words %}x',
        "e/en/email.txt.j2": '{% extends layout %}{% import "shared/en/words.j2" as words %}',
    }
    told = [(one.file, one.line, one.message) for one in check_names(sources, SYNTAX)]
    assert sorted(told) == [
        ("e/en/subject.txt.j2", 2, "words is imported and never used"),
        ("shared/en/words.j2", 2, "stale is never used"),
        ("shared/en/words.j2", 3, "old is never used"),
    ]


FULL = (
    '{% import "shared/en/sms.j2" as sms %}{{ signature }} {{ first.operator }} '
    '{{ tails | join(" ") }} '
    "{{ first.deadline_on | short_date }} {{ sms.out(way_out, replies) }}"
)


def test_a_text_that_says_everything_passes() -> None:
    assert letters("suspended", "en/sms.txt", FULL) == []


@pytest.mark.parametrize(
    ("left_out", "rule"),
    [
        ('{{ tails | join(" ") }}', "tail"),
        ("{{ first.deadline_on | short_date }}", "date"),
        ("{{ sms.out(way_out, replies) }}", "way-out"),
        ("{{ signature }}", "signature"),
    ],
)
def test_what_an_sms_must_say_and_does_not_is_an_error(left_out: str, rule: str) -> None:
    told = letters("suspended", "en/sms.txt", FULL.replace(left_out, ""))
    assert any(one.startswith(f"error {rule} suspended en: ") for one in told), told


def test_a_value_that_is_not_known_is_not_shown_as_none() -> None:
    [told] = letters("low_balance", "en/sms.txt", FULL.replace("deadline_on", "ends_on") + "")[:1]
    assert "error render low_balance en" in told  # a date that may be missing
    told = letters("low_balance", "en/sms.txt", FULL + "{{ first.balance }}")[-1]
    assert "error leftover low_balance en" in told


@pytest.mark.parametrize(
    ("part", "source", "rules"),
    [
        ("en/subject.txt", "SIM", {"tail"}),
        ("en/email.txt", "{{ first.tail }} {{ unsubscribe or 1 }}", {"date"}),
        (
            "en/email.txt",
            "{{ first.tail }} {{ first.deadline_on | long_date }}",
            {"way-out"},
        ),
        (
            "en/email.mjml",
            "<p>{{ first.deadline_on | long_date }} {{ unsubscribe or 1 }}</p>",
            {"tail"},
        ),
    ],
)
def test_what_an_email_must_say_and_does_not_is_an_error(
    part: str, source: str, rules: set[str]
) -> None:
    assert {told.split()[1] for told in letters("suspended", part, source)} == rules


def test_a_text_of_two_segments_is_an_error() -> None:
    [told] = letters("suspended", "en/sms.txt", FULL + " and so on" * 12)
    assert told.startswith("error segments suspended en: ")
    assert "2 segments" in told


def test_an_accent_outside_gsm_7_is_an_error_that_names_it() -> None:
    source = FULL.replace("shared/en", "shared/es-PE") + " según"
    [told] = [one for one in letters("suspended", "es-PE/sms.txt", source) if "gsm-7" in one]
    assert told == (
        "error gsm-7 suspended es-PE: ú is not in GSM-7, so that 160 characters become 70"
    )


def test_a_long_signature_is_a_warning_for_each_language_it_is_too_long_in() -> None:
    told = letters("suspended", signature="Agencia Los Andes del Sur")
    assert told
    for one in told:
        assert one.startswith("warning segments suspended ")
        assert "the signature 'Agencia Los Andes del Sur' makes it 2 segments" in one


def test_an_accent_in_the_signature_is_a_warning() -> None:
    told = letters("suspended", "en/sms.txt", FULL, signature="Perú SIM ú")
    assert [one for one in told if " en: " in one and "gsm-7" in one] == [
        "warning gsm-7 suspended en: ú (of the signature or an operator) is not in GSM-7, "
        "so that 160 characters become 70"
    ]


def test_a_long_operator_is_a_warning_that_names_it() -> None:
    pack = replace(PACKS[0], name="Compañía del Extremo Sur del Perú")
    found = Letters(content(), "Vigencia", (pack,), ("suspended",)).check()
    assert found
    assert {one.severity for one in found} == {"warning"}
    assert all("Extremo Sur" in f.message or "GSM-7" in f.message for f in found)


def test_a_long_address_of_links_is_a_warning_that_names_it() -> None:
    url = "https://reminders-of-the-travel-agency.example.com"
    found = Letters(content(), "Vigencia", PACKS, ("suspended",), url).check()
    assert {(one.severity, one.rule) for one in found} == {("warning", "segments")}
    assert all(f"links below {url} make it 2 segments" in one.message for one in found)


def test_an_undefined_variable_in_a_rare_case_is_found_with_file_and_line() -> None:
    source = FULL + "\n{% if tails | length == 4 %}{{ rare }}{% endif %}"
    shipped = content()
    name = "suspended/en/sms.txt.j2"
    environment = build({**shipped.sources, name: source}, html=False)
    templates = {**shipped.templates, name: environment.get_template(name)}
    changed = Content(templates, {**shipped.sources, name: source}, shipped.compiled)
    found = Letters(changed, "Vigencia", PACKS, ("suspended",)).check()
    what = "'rare' is undefined"
    assert found == [Finding(name, 2, "error", "render", "suspended en", what)]


@pytest.mark.parametrize("event", DEADLINE_EVENTS)
def test_the_days_that_are_tried_are_those_at_which_a_text_begins_and_ends(event: str) -> None:
    kind, days = kind_of(event), days_of(event)
    if event == PAST[kind]:
        assert max(days) == -1
        return
    assert {upcoming(kind, each) for each in days} == {event}
    least = min(least for least, _ in EVENTS[kind])
    assert min(days) == least or upcoming(kind, min(days) - 1) != event
    assert max(days) == 365 or upcoming(kind, max(days) + 1) != event


SAYS_ALL = (
    '{% import "shared/en/sms.j2" as sms %}{{ signature }}: the plan on {{ first.operator }} '
    "{{ tails | join(', ') }} ends {{ first.clock or '' }} {{ first.days }} "
    "{{ first.deadline_on | short_date }} {{ sms.out(way_out, replies) }}"
)
MAY_BE_LOST = SAYS_ALL.replace("the plan on", "may be lost:")


@pytest.mark.parametrize(
    ("event", "part", "source", "rule"),
    [
        # A deadline that is over, told as one.
        ("plan_ended", "en/email.txt", "{{ first.tail }} {{ first.deadline_on | long_date }} "
         "Deadline: {{ first.deadline_at }} {{ unsubscribe or '' }}", "past-deadline"),
        # Two hours of one deadline.
        ("plan_end_near", "en/email.txt", "{{ first.tail }} {{ first.deadline_on | long_date }} at "
         "18:00, {{ first.deadline_at }} {{ unsubscribe or '' }}", "two-deadlines"),
        # "From the 13th" beside "until the 13th, 23:59".
        ("line_loss_near", "en/email.txt", "{{ first.tail }} may be lost from "
         "{{ first.deadline_on | long_date }}, 23:59; {{ first.deadline_at }} "
         "{{ unsubscribe or '' }}", "two-deadlines"),
        # An eSIM for travellers has no store.
        ("plan_end_near", "en/sms.txt", SAYS_ALL + " Go to a store.", "impossible"),
        ("plan_end_near", "es-PE/sms.txt", SAYS_ALL.replace("/en/", "/es-PE/") +
         " Vaya a una tienda.", "impossible"),
        # A short number from abroad.
        ("line_lost", "en/sms.txt", MAY_BE_LOST + " Call 1844.", "impossible"),
        # The SIM expires, where only its plan does.
        ("plan_end_near", "en/sms.txt", SAYS_ALL.replace("the plan on", "expires:"), "plan"),
        ("plan_end_near", "zh-Hans/subject.txt", "卡{{ first.tail }}到期", "plan"),
        # Nobody calls it so.
        ("plan_end_near", "zh-Hans/subject.txt", "套餐{{ first.tail }}上海时间到期", "time-name"),
        # A word that no route hears.
        ("line_loss_far", "en/sms.txt", MAY_BE_LOST.replace(
            "{{ sms.out(way_out, replies) }}",
            "{{ sms.out(way_out, replies) }} Reply STOP to opt out"), "unheard"),
        # A word that we do not hear.
        ("line_loss_far", "en/sms.txt", MAY_BE_LOST.replace(
            "{{ sms.out(way_out, replies) }}", "Reply ENOUGH to opt out"), "unheard"),
        # Chinese that is firmer than Spanish.
        ("line_loss_near", "zh-Hans/subject.txt", "号码{{ first.tail }}将被收回", "certain"),
        ("line_loss_near", "zh-Hant/subject.txt", "門號{{ first.tail }}可能預計被收回", "certain"),
        ("renewal_recorded", "zh-Hans/subject.txt", "{{ first.tail }}要等24小时", "certain"),
        # The last day without the reader's own hour.
        ("plan_end_today", "en/sms.txt", SAYS_ALL.replace("{{ first.clock or '' }}", ""), "clock"),
    ],
)  # fmt: skip
def test_what_readers_saw_is_an_error(event: str, part: str, source: str, rule: str) -> None:
    told = letters(event, part, source)
    assert any(one.startswith(f"error {rule} {event} ") for one in told), told


def test_a_text_that_is_true_has_none_of_these_findings() -> None:
    assert letters("plan_end_near", "en/sms.txt", SAYS_ALL) == []
    assert letters("line_loss_far", "en/sms.txt", MAY_BE_LOST) == []


def test_two_windows_that_say_the_same_are_found() -> None:
    """Seven days and three days before the end: a text without the days repeats itself."""
    shipped = content()
    name = "plan_end_near/en/sms.txt.j2"
    source = SAYS_ALL.replace("{{ first.days }}", "")
    environment = build({**shipped.sources, name: source}, html=False)
    changed = replace(
        shipped, templates={**shipped.templates, name: environment.get_template(name)}
    )
    policies = {**RULES.policies}
    data = policies[Kind.DATA]
    windows = tuple(
        replace(w, name="plan_end-5d", offset=-5) if w.name == "plan_end-30d" else w
        for w in data.windows
    )
    sms = tuple(replace(w, destinations=(Destination.SMS,)) for w in windows)
    policies[Kind.DATA] = replace(data, windows=tuple(sorted(sms, key=lambda w: w.offset)))
    assert list(twins(shipped, RULES.policies)) == []
    found = dict(twins(changed, policies))
    assert "says in en what plan_end-7d has said (sms.txt" in found["data.plan_end-5d"]


def test_the_gallery_is_up_to_date_with_the_templates() -> None:
    """If not: make gallery."""
    written = {path.name: path.read_text("utf-8") for path in (ROOT / "docs/texts").glob("*")}
    assert written == gallery(content())
