"""Texts and rules in the console: each text as its reader sees it, and when it is told."""

import re
from collections.abc import Iterator

import pytest

from tests.integration.console_helpers import Console, console_of, text
from tests.integration.helpers import World
from worker.core.cards import Language
from worker.core.viewer import Role
from worker.core.wording import ALL_EVENTS, GUARDIAN_EVENT
from worker.web.console.message import FRAMED_POLICY

# They know no database.
pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@pytest.fixture
def console(world: World) -> Iterator[Console]:
    with console_of(world) as served:
        served.user("vera", Role.VIEWER)
        yield served


def test_every_text_is_there_with_its_cost_and_its_letter(console: Console, world: World) -> None:
    browser = console.browser("vera")
    browser.post("/me/language", {"language": "en", "next": "/"})
    page = text(browser.get("/texts"))
    links = re.findall(r'href="(/texts/one\?event=([a-z_]+)&amp;language=([\w-]+))"', page)
    assert {(event, language) for _, event, language in links} == {
        (event, language.value) for event in ALL_EVENTS for language in Language
    }
    assert "2 segments" not in page, "every SMS of ours is one segment"
    assert page.count("email only") == len(Language)
    for event in (ALL_EVENTS[0], GUARDIAN_EVENT):
        for language in Language:
            query = f"event={event}&language={language}"
            one = text(browser.get(f"/texts/one?{query}"))
            assert ('class="bubble"' in one) == (event != GUARDIAN_EVENT)
            assert (
                f'sandbox title="The email" src="/texts/email?{query.replace("&", "&amp;")}"' in one
            )
            framed = browser.get(f"/texts/email?{query}")
            assert framed.headers["content-security-policy"] == FRAMED_POLICY
            assert text(framed).lstrip().lower().startswith("<!doctype html")
    for query in ("event=x&language=en", f"event={GUARDIAN_EVENT}&language=fr", ""):
        assert browser.get(f"/texts/one?{query}").status == 404
        assert browser.get(f"/texts/email?{query}").status == 404


def test_rules_are_told_with_their_sources(console: Console, world: World) -> None:
    browser = console.browser("vera")
    browser.post("/me/language", {"language": "en", "next": "/"})
    page = text(browser.get("/texts"))
    for pack in world.rules.packs.values():
        assert f">{pack.name}</h3>" in page
        for fact in pack.facts():
            assert str(fact.checked_on.year) in page
    assert "<td>line is lost</td><td>15 days before</td><td>" in page
    assert "<td>270 days</td>" in page
    assert "the card is closed" in page
