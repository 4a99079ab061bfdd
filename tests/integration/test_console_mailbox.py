"""The mailbox of the sandbox in the console: what phones and inboxes would have received."""

import re
from collections.abc import Iterator

import pytest

from tests.integration.console_helpers import Console, console_of, text
from tests.integration.helpers import EMAIL, PHONE, World
from tests.integration.sandbox_helpers import mailbox
from worker.core.cards import Channel
from worker.core.viewer import Role
from worker.web.console.mailbox import received

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@pytest.fixture
def console(world: World) -> Iterator[Console]:
    with console_of(world) as served:
        served.user("vera", Role.VIEWER)
        yield served


def test_what_was_sent_lies_in_its_box_without_what_acts_for_its_holder(
    console: Console, world: World
) -> None:
    world.card()
    world.check()
    world.send()
    browser = console.browser("vera")
    browser.post("/me/language", {"language": "en", "next": "/"})
    page = text(browser.get("/mailbox"))
    assert '<h2 id="box-sms">Phones</h2>' in page
    assert world.message(Channel.SMS).body[:30] in page
    assert world.message(Channel.EMAIL).subject in page
    assert "r***@example.com" in page
    assert PHONE not in page
    assert EMAIL not in page
    assert not re.search(r"/[oubrtwf]/[0-9A-Za-z]{13,}", page)
    part = text(browser.get("/mailbox", **{"HX-Request": "true"}))
    assert part.startswith('<div id="boxes" data-polled')
    assert 'href="/mailbox"' in text(browser.get("/notices"))


def test_the_last_messages_are_enough(world: World) -> None:
    world.people(32, email=True)
    world.send()
    found = received(world.sandbox)
    assert sum(len(box.messages) for boxes in found.values() for box in boxes) == 60
    all_of_them = mailbox(world.sandbox)
    assert len(all_of_them["sms"]) == len(all_of_them["email"]) == 32
    assert all("html" in one for box in all_of_them["email"].values() for one in box)


def test_only_who_sees_every_book_sees_it(console: Console, world: World) -> None:
    world.book()
    console.user("uma", Role.ADMIN, ["demo"])
    browser = console.browser("uma")
    assert browser.get("/mailbox").status == 403
    assert 'href="/mailbox"' not in text(browser.get("/notices"))


def test_a_sandbox_that_is_away_is_told_of(world: World) -> None:
    world.sandbox = "http://127.0.0.1:9"
    with console_of(world) as console:
        console.user("vera", Role.VIEWER)
        browser = console.browser("vera")
        browser.post("/me/language", {"language": "en", "next": "/"})
        reply = browser.get("/mailbox")
        assert reply.status == 200
        assert "The sandbox does not answer." in text(reply)
