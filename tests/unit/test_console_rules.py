"""What holds for the pages of the console as they are written, before anybody asks for one."""

import ast
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from worker.core.console_languages import Tongue, preferred, shown_in
from worker.web.console import catalogs, words
from worker.web.console.origin import Site, asker
from worker.web.console.templates import FOLDER, environment

_WEB = Path(catalogs.__file__).parents[1]
_STATIC = _WEB / "static"
_TEMPLATES = sorted(FOLDER.glob("*.j2"))
_PYTHON = sorted(_WEB.rglob("*.py"))
# The file that the registry of npm serves as htmx.org 2.0.11, dist/htmx.min.js.
_HTMX = "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
_KEYWORDS: dict[str, Any] = {
    **dict.fromkeys(("_", "gettext", "marked")),
    **dict.fromkeys(("ngettext", "many"), (1, 2)),
}


@pytest.mark.parametrize("path", _TEMPLATES, ids=lambda p: p.name)
def test_a_template_lets_nothing_through(path: Path) -> None:
    text = path.read_text("utf-8")
    for forbidden in ("|safe", "| safe", "autoescape", "hx-on", "js:", "<style", " style=", "on="):
        assert forbidden not in text.replace("action=", "").replace("button=", ""), forbidden
    assert not re.search(r"<script(?![^>]* src=)", text), "a script of its own"
    assert not re.search(r'(?:href|src|action|hx-get)="(?!\{\{ (?:base|more) |\?lang=|#)', text), (
        "every address begins with the prefix of the public one"
    )
    for tongue in Tongue:
        environment(tongue).get_template(path.name)


@pytest.mark.parametrize("path", _PYTHON, ids=lambda p: str(p.relative_to(_WEB)))
def test_the_web_writes_neither_sql_nor_marked_up_text(path: Path) -> None:
    found = {
        alias.name
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert not found & {"select", "insert", "update", "delete", "text", "Markup"}


def test_htmx_is_the_file_that_was_looked_at() -> None:
    content = (_STATIC / "htmx-2.0.11.min.js").read_bytes()
    assert hashlib.sha256(content).hexdigest() == _HTMX
    page = (FOLDER / "page.html.j2").read_text("utf-8")
    assert '"includeIndicatorStyles":false,"allowEval":false,"historyCacheSize":0' in page


def test_our_own_script_stays_short() -> None:
    assert len((_STATIC / "console.js").read_text("utf-8").splitlines()) <= 80


def _texts() -> Iterator[Any]:
    options: dict[str, dict[str, Any]] = {"**.j2": {"trimmed": "true", "newstyle_gettext": "true"}}
    methods = [("**.py", "python"), ("**.j2", "jinja2.ext:babel_extract")]
    for folder in (_WEB / "console", FOLDER):
        for _, _, message, _, _ in extract_from_dir(folder, methods, options, keywords=_KEYWORDS):
            yield message


@pytest.mark.parametrize("tongue", [Tongue.ES, Tongue.ZH])
def test_every_text_is_translated_whole(tongue: Tongue) -> None:
    """A text that is not there, or has too few plural forms, would be English without a word."""
    with (catalogs.FOLDER / f"{tongue}.po").open(encoding="utf-8") as file:
        found = read_po(file, locale=tongue.replace("-", "_"))
    wanted = set(_texts())
    assert {message.id for message in found if message.id} == wanted
    for message in found:
        if not message.id:
            continue
        several = not isinstance(message.id, str)
        sources = list(message.id) if several else [str(message.id)]
        told = [str(text) for text in message.string or ()] if several else [str(message.string)]
        assert len(told) == (found.num_plurals if several else 1), sources
        assert all(told), sources
        assert not message.fuzzy
        for text in told:
            assert _holes(text) == _holes(sources[-1]), sources
            assert "<" not in re.sub(r"</?code>", "", text), sources


def _holes(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)[sd]", text))


def test_windows_and_days_are_told_in_words() -> None:
    english = catalogs.catalog(Tongue.EN)
    assert words.window(english, "plan_end-7d") == "7 days before"
    assert words.window(english, "line_loss+1d") == "1 day after"
    assert words.window(english, "plan_end-0d") == "on the day"
    assert words.window(english, "event") == "at once"
    assert words.window(catalogs.catalog(Tongue.ZH), "line_loss-15d") == "提前 15 天"
    assert words.word(english, "30007", "reason") == "30007"


@pytest.mark.parametrize(
    ("accepted", "tongue"),
    [
        ("", Tongue.EN),
        ("de, fr;q=0.5", Tongue.EN),
        ("es-PE,es;q=0.9,en;q=0.8", Tongue.ES),
        ("en;q=0.1, zh-TW;q=0.9", Tongue.ZH),
        ("*;q=x,es;q=oops,zh", Tongue.ZH),
    ],
)
def test_a_browser_gets_the_first_language_that_is_spoken(accepted: str, tongue: Tongue) -> None:
    assert preferred(accepted) is tongue


def test_a_tag_that_nobody_knows_is_english() -> None:
    assert [shown_in(tag) for tag in ("zh-Hant", "es-PE", "xx", "")] == [
        *(Tongue.ZH, Tongue.ES, Tongue.EN, Tongue.EN)
    ]


_PUBLIC = Site("https://sims.example.com/v")


@pytest.mark.parametrize(
    ("host", "answers"),
    [
        ("sims.example.com", True),
        ("SIMS.example.com", True),
        ("sims.example.com:8443", False),
        ("sims.example.com.evil.example", False),
        ("127.0.0.1:8800", True),
        ("localhost", True),
        ("[::1]:8800", True),
        ("[::1]", True),
        ("127.0.0.1:x", False),
        ("127.0.0.2", False),
        ("", False),
    ],
)
def test_only_our_own_names_are_answered(host: str, answers: bool) -> None:
    assert _PUBLIC.answers_to(host) is answers


@pytest.mark.parametrize(
    ("headers", "forged"),
    [
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "same-origin", "origin": "https://evil.example"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "https://sims.example.com"}, True),
        ({"host": "sims.example.com", "origin": "https://sims.example.com"}, False),
        ({"host": "sims.example.com", "origin": "http://sims.example.com"}, True),
        ({"host": "127.0.0.1:8800", "origin": "http://127.0.0.1:8800"}, False),
        ({"host": "127.0.0.1:8800", "origin": "http://127.0.0.1:9"}, True),
        ({}, True),
    ],
)
def test_what_another_page_asks_for_is_forged(headers: dict[str, str], forged: bool) -> None:
    assert _PUBLIC.forged("POST", headers) is forged
    assert not _PUBLIC.forged("GET", headers)


def test_only_a_proxy_that_is_trusted_says_who_asks() -> None:
    trusted = ("10.0.0.0/8",)
    assert asker("203.0.113.5", "1.2.3.4", trusted) == "203.0.113.5"
    assert asker("10.0.0.1", "6.6.6.6, 203.0.113.7, 10.0.0.2", trusted) == "203.0.113.7"
    assert asker("10.0.0.1", "nonsense", trusted) == "10.0.0.1"
    assert asker("10.0.0.1", "", ()) == "10.0.0.1"
