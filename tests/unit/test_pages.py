"""The pages behind links: in every language and state, whole, small and without surprises."""

import base64
import hashlib
import re
import shutil
from datetime import date
from html.parser import HTMLParser
from itertools import product
from pathlib import Path

import pytest

from tests.unit.content_helpers import TEMPLATES
from worker.content.pages import POLICY, Pages
from worker.core.cards import Channel, Language
from worker.errors import ConfigError
from worker.pipeline.answers.view import CardName, State, View

PAGES = Pages.load(TEMPLATES)
CARDS = (CardName(1, "Claro", "5678"), CardName(2, "eSIM", "0001"))
NAMES = ("stop", "resume", "renewed", "works", "fails", "tomorrow")
EVERY = list(product(NAMES, State, Language))


def page(name: str, state: State, language: Language, **changes: object) -> str:
    values: dict[str, object] = {
        "cards": CARDS,
        "needs_end": True,
        "ends_on": date(2026, 7, 17),
        "on": date(2026, 6, 13),
        "plan_days": 30,
        "signature": "KeepSIM",
        "several": True,
        **changes,
    }
    view = View(state, language, **values)  # type: ignore[arg-type]
    links = {"back": "../b/token", "works": "../w/token", "fails": "../f/token"}
    return PAGES.render(name, language, view=view, **links)


class Parsed(HTMLParser):
    """Tags and attributes of a page; labels must lead to what they name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: set[str] = set()
        self.refs: set[str] = set()
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.add(str(value))
            elif name in ("for", "aria-describedby"):
                self.refs |= set(str(value).split())
            elif name.startswith("on") or name in ("src", "style", "action"):
                self.handlers.append(name)


@pytest.mark.parametrize(("name", "state", "language"), EVERY)
def test_every_page_is_whole_in_every_language_and_state(
    name: str, state: State, language: Language
) -> None:
    for channel, several in product((Channel.SMS, Channel.EMAIL), (False, True)):
        text = page(name, state, language, channel=channel, several=several)
        parsed = Parsed(text)
        assert f'<html lang="{language}">' in text
        assert parsed.tags.count("h1") == parsed.tags.count("main") == 1
        assert parsed.refs <= parsed.ids
        assert not parsed.handlers
        assert not {"script", "img", "link", "iframe"} & set(parsed.tags)
        assert not re.search(r"None|\{\{|https?://|  \w", text)
        assert len(text) < 4_000
        title = re.search(r"<title>([^<]+) · KeepSIM</title>", text)
        assert title
        # Who asks stands above what is asked.
        assert f'<p class="from">KeepSIM</p>\n<h1>{title[1]}</h1>' in text


@pytest.mark.parametrize("language", Language)
def test_only_a_question_has_a_button(language: Language) -> None:
    for name, state in product(NAMES, State):
        asks = state is State.ASK or (state is State.WRONG and name in ("renewed", "stop"))
        reachable = state is not State.TOO_LATE or name == "tomorrow"
        if reachable and not (name == "stop" and state in (State.UNTRUE, State.OTHERWISE)):
            assert ("<button>" in page(name, state, language)) is asks, (name, state)


@pytest.mark.parametrize("reason", ["unknown", "expired", "later"])
def test_a_page_for_nobody_speaks_every_language(reason: str) -> None:
    text = PAGES.render("gone", Language.EN, reason=reason, languages=list(Language))
    for language in Language:
        assert f'<section lang="{language}">' in text
    assert "Vigencia" not in text
    assert re.search("<title>[^<\n ][^<\n]+</title>", text)


@pytest.mark.parametrize("language", Language)
def test_no_date_stands_in_the_form_before_the_holder_has_entered_it(language: Language) -> None:
    for state in (State.ASK, State.WRONG):
        text = page("renewed", state, language)
        [field] = re.findall(r"<input[^>]+>", text)
        assert "value" not in field
        assert "30" in text  # the guess is a hint: if you bought 30 days again
        assert re.search("17 July 2026|17 de julio de 2026|2026年7月17日", text)
        assert "2026" not in page("renewed", state, language, plan_days=None, ends_on=None)


@pytest.mark.parametrize("language", Language)
def test_what_stopped_is_what_is_said_and_no_more(language: Language) -> None:
    """Of one card, or one channel, nobody says that no message will come any more."""
    text = page("stop", State.DONE, language, cards=CARDS[:1], one_card=True, channel=Channel.SMS)
    assert "5678" in text
    title = {"es-PE": "Listo", "en": "Stopped", "zh-Hans": "已停止", "zh-Hant": "已停止"}
    assert f"<h1>{title[language]}</h1>" in text


def test_in_taiwan_a_text_is_passed_on_and_a_letter_is_sent() -> None:
    for name, state in (("stop", State.DONE), ("resume", State.DONE)):
        for one_card in (False, True):
            texts = page(name, state, Language.ZH_HANT, channel=Channel.SMS, one_card=one_card)
            letters = page(name, state, Language.ZH_HANT, one_card=one_card)
            assert "傳" in texts
            assert "寄" not in texts
            assert "寄" in letters
            assert "傳" not in letters


@pytest.mark.parametrize("language", Language)
def test_the_pages_of_a_renewal_lead_to_both_answers(language: Language) -> None:
    recorded = page("renewed", State.DONE, language)
    assert re.findall(r'href="([^"]+)"', recorded) == ["../w/token", "../f/token"]
    assert re.findall(r'href="([^"]+)"', page("works", State.ASK, language)) == ["../f/token"]
    assert re.findall(r'href="([^"]+)"', page("fails", State.ASK, language)) == ["../w/token"]
    for state in set(State) - {State.ASK}:
        assert "href" not in page("works", state, language) + page("fails", state, language)


def test_whatever_can_be_tapped_is_44_pixels_high() -> None:
    [style] = re.findall(r"<style>(.*?)</style>", page("stop", State.ASK, Language.EN))
    rules = dict(re.findall(r"([^{}]+)\{([^}]*)\}", style))
    for tapped in ("a,label", "input[type=date],button"):
        [height] = re.findall(r"min-height:(\d+)px", rules[tapped])
        assert int(height) >= 44
    assert "inline-block" in rules["a,label"]  # a height means nothing to what is inline


def test_a_heading_is_larger_than_what_stands_below_it() -> None:
    [style] = re.findall(r"<style>(.*?)</style>", page("stop", State.ASK, Language.EN))
    [first, second] = re.findall(r"h[12]\{font-size:([\d.]+)rem", style)
    assert float(first) > float(second) > 18 / 16


def test_names_are_harmless() -> None:
    evil = CardName(1, "<script>alert(1)</script>\"'", "<b>")
    for name, state in product(("stop", "renewed", "works", "fails", "tomorrow"), State):
        tags = Parsed(page(name, state, Language.EN, cards=(evil,), signature=evil.operator)).tags
        assert not {"script", "b"} & set(tags)


def test_the_policy_allows_the_style_of_the_page_and_nothing_else() -> None:
    [style] = re.findall(r"<style>(.*?)</style>", page("stop", State.ASK, Language.EN))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ) == POLICY


def test_a_missing_page_stops_the_start_and_says_where_it_is_to_be_found(tmp_path: Path) -> None:
    shutil.copytree(TEMPLATES / "web", tmp_path / "web")
    (tmp_path / "web/es-PE/words.j2").unlink()
    with pytest.raises(ConfigError, match=r"web/es-PE/words\.j2 cannot be read"):
        Pages.load(tmp_path)


def test_a_mistake_in_a_page_is_told_with_file_and_line(tmp_path: Path) -> None:
    shutil.copytree(TEMPLATES / "web", tmp_path / "web")
    (tmp_path / "web/stop.html.j2").write_text("\n{{ x. }}")
    with pytest.raises(ConfigError, match=r"web/stop\.html\.j2, line 2"):
        Pages.load(tmp_path)
