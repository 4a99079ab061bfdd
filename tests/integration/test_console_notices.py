"""The account of a day in the console: every notice with its verdict, on the page and as a file."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.integration.console_helpers import Console, console_of, text
from tests.integration.helpers import NOW, PHONE, TODAY, World, always
from worker.core.cards import Channel
from worker.core.outcomes import Outcome, OutcomeKind, accepted
from worker.core.viewer import Role
from worker.monitoring.tallies import Tallies
from worker.store.tables import books, messages

DEAD = Outcome(OutcomeKind.MESSAGE_DEAD, "twilio:21617")
NAMES = re.compile(r'<a class="name" href="([^"]+)"')


@pytest.fixture
def console(world: World) -> Iterator[Console]:
    with console_of(world) as served:
        served.user("vera", Role.VIEWER)
        yield served


def a_day(world: World, console: Console) -> None:
    """One notice that arrives by email on time, one that no SMS can tell, and their sums."""
    world.card()
    world.check()
    world.send(providers={Channel.SMS: always(DEAD), Channel.EMAIL: always(accepted(""))})
    Tallies(console.app).make(NOW)


def test_a_day_is_accounted_for_and_filtered(console: Console, world: World) -> None:
    a_day(world, console)
    browser = console.browser("vera")
    browser.post("/me/language", {"language": "en", "next": "/"})
    page = text(browser.get("/notices"))
    links = {f"/messages/{row.id}" for row in world.rows(messages)}
    assert set(NAMES.findall(page)) == links
    assert "per cent of what was owed on 12 Jun was on time" in page
    assert "plan ends · 7 days before" in page
    assert PHONE not in page
    email = f"/messages/{world.message(Channel.EMAIL).id}"
    sms = f"/messages/{world.message(Channel.SMS).id}"
    for query, found in (
        ("verdict=on_time", [email]),
        ("verdict=missed", [sms]),
        ("verdict=waiting", []),
        ("channel=sms", [sms]),
        ("reason=twilio:21617", [sms]),
        ("window=plan_end-7d&channel=email", [email]),
        ("window=event", []),
        (f"day={TODAY - timedelta(days=1)}", []),
        (f"day={TODAY}&verdict=superseded", []),
    ):
        assert NAMES.findall(text(browser.get(f"/notices?{query}"))) == found, query
    for query in ("day=2026-6-1", "day=0001-01-01", "verdict=x", "channel=x", "after=WyJhIiwxXQ",
                  "book=99", "window=%00"):  # fmt: skip
        assert browser.get(f"/notices?{query}").status == 404, query


def test_the_tiles_of_today_lead_to_what_they_count(console: Console, world: World) -> None:
    a_day(world, console)
    browser = console.browser("vera")
    page = text(browser.get("/"))
    tiles = re.findall(r'<a class="tile[^"]*" href="([^"]+)">[^<]+<b>(\d+)</b>', page)
    assert len(tiles) == 6
    for path, number in tiles:
        shown = text(browser.get(path))
        assert len(NAMES.findall(shown)) == int(number), path


def test_a_day_goes_on_by_its_keys_and_fits_into_a_file(console: Console, world: World) -> None:
    world.people(52)
    world.change(books, name="=1+1")
    browser, path, found = console.browser("vera"), "/notices?channel=sms", []
    while path:
        page = text(browser.get(path))
        found += NAMES.findall(page)
        path = next(iter(re.findall(r'href="(/notices\?channel=sms&amp;after=[^"]+)"', page)), "")
        path = path.replace("&amp;", "&")
    assert len(found) == len(set(found)) == 52
    file = browser.get("/notices.csv?channel=sms")
    assert file.headers["content-disposition"] == f'attachment; filename="notices-{TODAY}.csv"'
    rows = list(csv.DictReader(io.StringIO(file.body.decode("utf-8-sig"))))
    assert len(rows) == 52
    assert {row["book"] for row in rows} == {"'=1+1"}
    assert {row["card"][:3] for row in rows} == {"***"}
    assert {row["verdict"] for row in rows} == {"waiting"}
    assert browser.get("/notices.csv?verdict=x").status == 404
