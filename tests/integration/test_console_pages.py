"""The pages of the console over HTTP: what they show, to whom, and what is done by their forms."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import update

from tests.integration.console_helpers import Browser, Console, console_of, hidden, text, where
from tests.integration.helpers import EMAIL, NOW, PHONE, TODAY, WANTED, World, always
from tests.integration.sandbox_helpers import Reply
from worker.cardbook.removal import remove_book
from worker.core.cards import Channel
from worker.core.jobs import JobKind
from worker.core.outcomes import accepted
from worker.core.viewer import Role
from worker.store import books as book_store
from worker.store import card_index
from worker.store import jobs as job_store
from worker.store.engine import writing
from worker.store.tables import (
    alarms,
    audit,
    books,
    card_events,
    cards,
    memberships,
    messages,
    reminders,
    saves,
    tallies,
    tally_days,
)
from worker.web.console.application import pages
from worker.web.console.cursor import written
from worker.web.console.shell import Shell

HOSTILE = (
    '"><img src=x onerror=alert(1)>',
    "<script>alert(1)</script>",
    "' onfocus=alert(1) autofocus='",
    "{{7*7}}{% for x in y %}",
    "${7*7}#{7*7}%(name)s%s",
    "javascript:alert(1)",
    "\u202eevil\u2066 \u200b",
    "</title></textarea></svg><h1>x</h1>",
)


# What our own pages are made of: anything else came out of a cell.
OURS = {
    *("html", "head", "meta", "title", "link", "script", "body", "header", "main", "footer", "nav"),
    *("a", "img", "ul", "ol", "li", "dl", "dt", "dd", "h1", "h2", "h3", "p", "br", "div", "span"),
    *("section", "figure", "figcaption", "blockquote", "strong", "b", "code", "details", "summary"),
    *("form", "label", "input", "select", "option", "button", "noscript", "iframe"),
    *("svg", "g", "rect", "line", "circle", "text", "desc"),
}
sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


class Seen(HTMLParser):
    """The elements of a page, and what in them could act."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.acts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            leads = name in ("href", "src", "action") and not (value or "").startswith(("/", "#"))
            if name.startswith("on") or name == "style" or leads:
                self.acts.append(f"{tag} {name}={value}")


@pytest.fixture
def console(world: World) -> Iterator[Console]:
    with console_of(world) as served:
        served.user()
        yield served


def entered(world: World, *ids: int) -> int:
    """Let pages find cards that were put in by hand; the first of them."""
    with writing(world.engine) as conn:
        card_index.renew(conn, world.rules, ids)
    return ids[0]


def other_book(world: World, name: str = "other") -> int:
    with writing(world.engine) as conn:
        return int(book_store.ensure(conn, name, WANTED, NOW).id)


def an_alarm(kind: str, book: int) -> dict[str, Any]:
    number = {"number": 3, "started_at": NOW, "last_at": NOW}
    return {"kind": kind, "subject": "", "book_id": book, **number}


def say(browser: Browser, card: int, event: str, **fields: str) -> str:
    """Record an event by the form that the card's page has; where that leads."""
    page = browser.get(f"/cards/{card}")
    form = {**hidden(page, f"/cards/{card}/events"), "event": event, **fields}
    return where(browser.post(f"/cards/{card}/events", form))


def test_today_says_what_is_lost_and_who_is_in_danger(console: Console, world: World) -> None:
    soon = world.card(last_topup=TODAY - timedelta(days=209), plan_end=None, plan_days=None)
    entered(world, soon, world.card(plan_end=TODAY + timedelta(days=3)))
    theirs = other_book(world)
    with writing(world.engine) as conn:
        made = dict.fromkeys(("begins_at", "ends_at", "made_at"), NOW)
        conn.execute(tally_days.insert().values(day=TODAY, **made))
        row = {"day": TODAY, "book_id": 1, "channel": "sms", "window": "w", "slowest": 0}
        row |= {f"within_{n}": 0 for n in (5, 60, 300, 3600)}
        for verdict, state, reason, notices in (
            ("on_time", "sent", "", 38),
            ("waiting", "pending", "held", 3),
            ("superseded", "superseded", "renewed", 7),
        ):
            told = {"verdict": verdict, "state": state, "reason": reason, "notices": notices}
            conn.execute(tallies.insert().values(**row, **told))
        conn.execute(alarms.insert().values(**an_alarm("messages_held", 0)))
        told = {"deadline": "line_loss", "window": "line_loss-7d", "channel": "sms"}
        told |= {"language": "en", "days_before": 2}
        for days, book, failed in ((0, 1, False), (1, 1, True), (60, 1, False), (2, theirs, False)):
            own = {"book_id": book, "card_id": soon, "at": NOW - timedelta(days=days)}
            conn.execute(saves.insert().values(**told, **own, failed=failed))
    console.app.people.set_role("rosa", None, (), NOW)
    console.app.people.set_role("rosa", Role.OPERATOR, ["demo"], NOW)
    browser = console.browser("rosa")
    browser.post("/me/language", {"language": "en", "next": "/"})
    page = text(browser.get("/"))
    tiles = dict(re.findall(r'<a class="tile[^>]*>([a-z ]+)<b>(\d+)</b>', page))
    assert tiles == {
        **{"owed": "41", "on time": "38", "late": "0"},
        **{"held": "3", "unknown": "0", "missed": "0"},
    }
    assert "3 messages are held." in page
    assert f'href="/cards/{soon}"' in page
    assert "plan ends in 3 days" in page
    assert "Numbers kept after a notice: 1 this month" in page
    part = text(browser.get("/", **{"HX-Request": "true"}))
    assert part.startswith('<div id="standing"')
    assert where(browser.post("/alarms/1/seen")) == "/"
    assert "Seen by rosa" in text(browser.get("/"))
    assert world.rows(alarms)[0].seen_by == "rosa"


@sqlite
def test_an_empty_console_offers_the_sample_once(console: Console, world: World) -> None:
    browser = console.browser("rosa")
    reply = browser.send("/", "/sample")
    assert where(reply) == "/"
    assert len(world.rows(cards)) > 100
    assert [row.action for row in world.rows(audit)][-1] == "sample_imported"
    assert 'action="/sample"' not in text(browser.get("/"))
    found = text(browser.get("/cards"))
    assert found.count('<a class="name"') == 50
    [more] = re.findall(r'href="(/cards\?after=[^"]+)"', found)
    assert text(browser.get(more)).count('<a class="name"') == 50


def test_a_card_is_found_by_digits_and_by_name(console: Console, world: World) -> None:
    first = world.card(world.holder(name="王小明"), msisdn="+51987654241")
    entered(world, first, world.card(world.holder(name="José Quispe"), msisdn="+51912345949"))
    browser = console.browser("rosa")
    for sought, found in (("4241", 1), ("小明", 1), ("quispe", 1), ("jose", 1), ("7777", 0)):
        page = text(browser.get(f"/cards?q={quote(sought)}"))
        assert page.count('<a class="name"') == found, sought
    part = browser.get("/cards?q=4241", **{"HX-Request": "true"})
    assert text(part).lstrip().startswith('<div id="found"')


@sqlite
@pytest.mark.parametrize(
    "query",
    [
        *("after=x", "after=WzEsMl0", "operator=none", "book=9", "book=x"),
        *(f"q=rosa&after={written(key)}" for key in (("n\0", 1), ("n\ud800", 1), ("n", True))),
        f"after={'W1tb' * 500}",  # a list in a list, and so on
    ],
)
def test_an_address_that_is_none_of_ours_is_no_page(console: Console, query: str) -> None:
    assert console.browser("rosa").get(f"/cards?{query}").status == 404


def test_a_card_shows_what_was_told_and_what_comes(console: Console, world: World) -> None:
    card = entered(world, world.card())
    world.check()
    world.send()
    browser = console.browser("rosa")
    browser.post("/me/language", {"language": "en", "next": "/"})
    page = text(browser.get(f"/cards/{card}"))
    assert "plan ends · 7 days before" in page
    assert world.message(Channel.SMS).body.split()[0] in page
    assert "What comes next" in page
    assert PHONE not in page
    assert EMAIL not in page
    assert not re.search(r"/[oubrtwf]/[0-9A-Za-z]{13,}", page), "a link acts for the holder"


def test_a_renewal_is_recorded_once_with_who_said_so(console: Console, world: World) -> None:
    card = entered(world, world.card())
    browser = console.browser("rosa")
    page = browser.get(f"/cards/{card}")
    end = TODAY + timedelta(days=35)
    form = {**hidden(page, f"/cards/{card}/events"), "event": "renewed", "plan_end": str(end)}
    for _ in range(2):
        assert where(browser.post(f"/cards/{card}/events", form)) == f"/cards/{card}?done=renewed"
    [row] = world.rows(cards)
    assert row.plan_end == end
    assert [event.event for event in world.rows(card_events)] == ["renewed"]
    assert [m.channel for m in world.rows(messages)] == ["sms", "email"]
    noted = world.rows(audit)[-1]
    assert (noted.name, noted.action, noted.book_id) == ("rosa", "renewed", row.book_id)
    assert (noted.subject, noted.subject_id, noted.fields) == ("card", card, ["plan_end"])
    assert noted.address == "127.0.0.1"
    later = say(browser, card, "confirmed")
    assert later == f"/cards/{card}?done=confirmed"
    assert where(browser.post(f"/cards/{card}/events", form)) == f"/cards/{card}?done=renewed"
    assert [event.event for event in world.rows(card_events)] == ["renewed", "confirmed"]


def test_of_two_keepers_the_slower_one_is_told(console: Console, world: World) -> None:
    card = entered(world, world.card())
    first, second = console.browser("rosa"), console.browser("rosa")
    stale = hidden(second.get(f"/cards/{card}"), f"/cards/{card}/events")
    say(first, card, "paused")
    reply = second.post(f"/cards/{card}/events", {**stale, "event": "suspended"})
    assert reply.status == 409
    assert f'href="/cards/{card}"' in text(reply)
    assert [event.event for event in world.rows(card_events)] == ["paused"]
    assert [row.action for row in world.rows(audit)].count("suspended") == 0
    assert say(second, card, "resumed") == f"/cards/{card}?done=resumed"


@pytest.mark.parametrize(
    "fields",
    [
        {"event": "renewed"},
        {"event": "renewed", "plan_end": str(TODAY - timedelta(days=1))},
        {"event": "renewed", "plan_end": "2126-01-01"},
        {"event": "renewed", "plan_end": "01/07/2026"},
        {"event": "renewed", "plan_end": "2026-07-01", "last_topup": "2026-06-30"},
        {"event": "low_balance", "balance": "a lot"},
        {"event": "closed"},
        {"event": "nothing"},
    ],
    ids=str,
)
@sqlite
def test_a_form_with_a_mistake_comes_back_with_it(
    console: Console, world: World, fields: dict[str, str]
) -> None:
    card = entered(world, world.card())
    browser = console.browser("rosa")
    form = {**hidden(browser.get(f"/cards/{card}"), f"/cards/{card}/events"), **fields}
    reply = browser.post(f"/cards/{card}/events", form)
    assert reply.status == 200
    assert 'role="alert"' in text(reply)
    assert world.rows(card_events) == []


@sqlite
def test_a_viewer_only_looks(console: Console, world: World) -> None:
    card = entered(world, world.card())
    console.user("vera", Role.VIEWER)
    browser = console.browser("vera")
    page = text(browser.get(f"/cards/{card}"))
    assert "/events" not in page
    assert "/reveal" not in page
    for path, form in (
        (f"/cards/{card}/events", {"event": "paused", "last_event": "0"}),
        (f"/cards/{card}/reveal", {"field": "phone"}),
        (f"/cards/{card}/recycle", {"digits": "0000"}),
        ("/sample", {}),
    ):
        assert browser.post(path, form).status == 403, path
    assert world.rows(card_events) == []


@sqlite
def test_an_alarm_is_seen_by_who_may_act_in_its_book(console: Console, world: World) -> None:
    theirs = other_book(world)
    world.book()
    with writing(world.engine) as conn:
        conn.execute(alarms.insert().values(**an_alarm("x", theirs)))
    console.user("uma", Role.OPERATOR, ["demo"])
    console.app.people.set_role("uma", Role.VIEWER, ["other"], NOW)
    browser = console.browser("uma")
    standing = {"HX-Request": "true"}
    assert "/alarms/1/seen" not in text(browser.get("/", **standing)), "refused, so not offered"
    assert browser.post("/alarms/1/seen").status == 404
    assert world.rows(alarms)[0].seen_at is None
    console.app.people.set_role("uma", Role.OPERATOR, ["other"], NOW)
    assert "/alarms/1/seen" in text(browser.get("/", **standing))
    assert where(browser.post("/alarms/1/seen")) == "/"
    assert world.rows(alarms)[0].seen_by == "uma"


def test_a_book_that_people_worked_in_can_be_removed_and_what_they_did_stays(
    console: Console, world: World
) -> None:
    card = entered(world, world.card())
    console.user("uma", Role.OPERATOR, ["demo"])
    console.browser("uma").post(f"/cards/{card}/reveal", {"field": "phone"})
    remove_book(world.engine, "demo", NOW, apply=True)
    assert world.rows(books) == []
    assert world.rows(memberships) == []
    noted = world.rows(audit)[-1]
    assert (noted.action, noted.name, noted.book_id) == ("revealed", "uma", None)


@sqlite
def test_a_number_is_shown_to_an_operator_who_asks_and_that_is_noted(
    console: Console, world: World
) -> None:
    card = entered(world, world.card())
    browser = console.browser("rosa")
    reply = browser.post(f"/cards/{card}/reveal", {"field": "phone"})
    assert PHONE in text(reply)
    assert EMAIL not in text(reply)
    noted = world.rows(audit)[-1]
    assert (noted.action, noted.subject_id, noted.fields) == ("revealed", card, ["phone"])
    assert browser.post(f"/cards/{card}/reveal", {"field": "note"}).status == 404


@sqlite
def test_no_number_is_shown_unnoted_by_a_form_that_was_sent_before(
    console: Console, world: World
) -> None:
    card = entered(world, world.card())
    browser = console.browser("rosa")
    for name in ("phone", "email"):
        browser.post(f"/cards/{card}/reveal", {"field": name, "form_id": "f" * 32})
    noted = [row.fields for row in world.rows(audit) if row.action == "revealed"]
    assert noted == [["phone"], ["email"]]


def test_what_is_never_undone_asks_for_the_right_and_the_digits(
    console: Console, world: World
) -> None:
    card = entered(world, world.card(msisdn="+51987654241"))
    path = f"/cards/{card}/recycle"
    assert console.browser("rosa").get(path).status == 403
    console.user("ana", Role.ADMIN)
    browser = console.browser("ana")
    console.moment = NOW + timedelta(minutes=16)
    assert where(browser.get(path)) == f"/confirm?next={path}"
    console.app.people.set_password("ana", "four plain words here", console.moment)
    browser = console.browser("ana")
    console.moment += timedelta(minutes=16)
    assert browser.post("/confirm", {"password": "guess of twelve", "next": path}).status == 200
    asked = {"password": "four plain words here", "next": path}
    assert where(browser.post("/confirm", asked)) == path
    fields = dict(
        re.findall(r'name="(form_id|last_event)" value="([^"]*)"', text(browser.get(path)))
    )
    assert browser.post(path, {**fields, "digits": "0000"}).status == 200
    assert world.rows(cards)[0].state == "active"
    assert where(browser.post(path, {**fields, "digits": "4241"})) == f"/cards/{card}?done=recycled"
    assert world.rows(cards)[0].state == "recycled"


def test_a_row_of_another_book_is_as_if_there_were_none(console: Console, world: World) -> None:
    """Generated from the table of pages: each address with numbers, asked for by somebody who has
    another book, is answered as one with a number that nobody has."""
    theirs = other_book(world)
    card = entered(world, world.card(world.holder(book_id=theirs), book_id=theirs))
    with writing(world.engine) as conn:
        conn.execute(alarms.insert().values(**an_alarm("x", theirs)))
        job = job_store.ask(
            conn, JobKind.PREVIEW, book_id=theirs, by="ana", options={"file": "f"}, now=NOW
        )
    world.check()
    world.send(providers=dict.fromkeys(Channel, always(accepted(""))))
    numbers = {"card": card, "alarm": 1, "job": job, "message": world.message(Channel.EMAIL).id}
    world.book()
    console.user("uma", Role.ADMIN, ["demo"])
    console.user("ana", Role.ADMIN, ["other"])
    stranger, owner = console.browser("uma"), console.browser("ana")
    numbered = [page for page in pages(Shell(console.app)) if "{" in page.path and not page.open]
    assert len(numbered) >= 6

    def ask(browser: Browser, method: str, path: str) -> Reply:
        form = {"event": "paused", "field": "phone", "digits": "0", "last_event": "0"}
        form |= {"attempts": "1", "arrived": "yes"}
        return browser.get(path) if method == "GET" else browser.post(path, form)

    for page in numbered:
        there = re.sub(r"\{(\w+)_id:int\}", lambda found: str(numbers[found[1]]), page.path)
        nowhere = re.sub(r"\{\w+:int\}", "999999", page.path)
        found, missing = (ask(stranger, page.method, path) for path in (there, nowhere))
        assert (found.status, missing.status) == (404, 404), page.path
        assert found.body.replace(there.encode(), b"") == missing.body.replace(
            nowhere.encode(), b""
        ), page.path
    for path in (
        "/cards/{card}",
        "/imports/{job}",
        "/messages/{message}",
        "/messages/{message}/email",
    ):
        assert owner.get(path.format(**numbers)).status == 200, path
    assert text(stranger.get("/messages?state=ended")).count('<a class="name"') == 0
    assert text(stranger.get("/cards")).count('<a class="name"') == 0
    assert stranger.get(f"/cards?book={theirs}").status == 404


@sqlite
def test_a_book_that_attacks_is_shown_as_text(console: Console, world: World) -> None:
    for number, evil in enumerate(HOSTILE):
        book = other_book(world, f"{evil}{number}"[:100])
        holder = world.holder(
            book_id=book, name=evil, contact_phone=None, email=f"{number}@example.com"
        )
        entered(world, world.card(holder, book_id=book, plan=evil, note=evil, operator=evil[:50]))
    card = entered(world, world.card())
    with writing(world.engine) as conn:
        conn.execute(reminders.delete())
        conn.execute(update(cards).where(cards.c.id == card).values(note=" ".join(HOSTILE)))
    browser = console.browser("rosa")
    world.check()
    world.send()
    paths = ["/", "/cards", *(f"/cards/{row.id}" for row in world.rows(cards))]
    told = [row.id for row in world.rows(messages)]
    assert len(told) >= len(HOSTILE)
    paths += ["/messages?state=waiting", "/messages?state=ended", "/notices", "/mailbox"]
    paths += [f"/messages/{message}" for message in told]
    paths += [f"/cards?q={quote(evil)}" for evil in HOSTILE]
    for path in paths:
        reply = browser.get(path)
        assert reply.status == 200, path
        page = text(reply)
        seen = Seen()
        seen.feed(page)
        assert seen.tags <= OURS, path
        assert not seen.acts, path
        assert "49" not in re.findall(r"<dd>(.*?)</dd>", page), "nothing is worked out"
