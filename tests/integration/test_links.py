"""What a holder answers through a link, over HTTP: a GET changes nothing, a POST once."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.helpers import EMAIL, NOW, PHONE, TODAY, World
from tests.integration.sandbox_helpers import Reply, call, mailbox
from tests.integration.web_helpers import serving
from worker.clock import set_file_clock
from worker.content.pages import POLICY
from worker.core.cards import Channel
from worker.core.life import LifeEvent
from worker.core.prices import Prices
from worker.core.segments import measure
from worker.core.tokens import LIFETIMES, Purpose
from worker.setup.app import App
from worker.simulation.conditions import Conditions
from worker.simulation.follow import follow
from worker.simulation.household import HolderRange, load
from worker.simulation.period import Period
from worker.store.engine import reading
from worker.store.tables import card_events, cards, messages, metadata, reminders, suppressions

SMS, MAIL = Channel.SMS, Channel.EMAIL
BASE = "http://127.0.0.1:8800"
LINK = re.compile(rf"{BASE}/([a-z])/([0-9A-Za-z]+)")
ONE_CLICK = "List-Unsubscribe=One-Click"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def app_at(world: World, now: datetime) -> App:
    app = world.app(lambda: now, web={"public_url": BASE})
    app.__dict__["content"] = world.content  # compiled once is enough
    return app


def send(world: World, now: datetime = NOW) -> None:
    """Send what is due, as a worker with an address for links does."""

    async def run() -> None:
        app = app_at(world, now)
        ids = [row.id for row in world.rows(messages)]
        for channel in Channel:
            await app.delivery.run(channel, ids, now)
        await app.transport.close()

    assert world.clock is not None
    set_file_clock(world.clock, now)
    asyncio.run(run())


def emails(world: World, to: str = EMAIL) -> list[dict[str, Any]]:
    """What arrived at an address, oldest first."""
    found: list[dict[str, Any]] = mailbox(world.sandbox)["email"].get(to, [])
    return found


def told(world: World, now: datetime = NOW, to: str = EMAIL) -> dict[str, str]:
    """Check, send, and return the links of the last email by purpose."""
    world.check(now)
    send(world, now)
    [*_, last] = emails(world, to)
    return {purpose: f"/{purpose}/{token}" for purpose, token in LINK.findall(last["text"])}


@contextmanager
def web(world: World, now: datetime = NOW) -> Iterator[Any]:
    """Calls to the web process at ``now``."""
    with serving(app_at(world, now)) as url:

        def ask(method: str, path: str, body: str = "", **headers: str) -> Reply:
            given = {**(FORM if method == "POST" else {}), **headers}
            return call(url, method, path, body, given)

        yield ask


def everything(world: World) -> dict[str, Any]:
    return {
        table.name: [tuple(row) for row in world.rows(table)]
        for table in metadata.sorted_tables
        if "id" in table.c
    }


def text(reply: Reply) -> str:
    return reply.body.decode()


def test_an_email_can_be_unsubscribed_from_by_button_and_by_link(world: World) -> None:
    world.card()
    links = told(world)
    assert set(links) == {"u", "r", "t"}
    [email] = emails(world)
    assert email["headers"]["List-Unsubscribe"] == f"<{BASE}{links['u']}>"
    assert email["headers"]["List-Unsubscribe-Post"] == ONE_CLICK
    for path in links.values():
        assert BASE + path in email["html"]


def test_an_sms_has_a_link_only_where_an_answer_does_not_arrive(world: World) -> None:
    for phone, language in (
        (PHONE, "es-PE"),
        ("+14155550100", "en"),
        ("+8613800138000", "zh-Hans"),
    ):
        world.card(world.holder(contact_phone=phone, language=language, email=None))
    world.check()
    send(world)
    bodies = {m["to"]: m["text"] for m in world.accepted(SMS)}
    assert LINK.search(bodies[PHONE])
    assert "SALIR" not in bodies[PHONE]
    assert bodies["+14155550100"].endswith("Reply STOP to opt out")
    assert bodies["+8613800138000"].endswith("退订找管卡人")
    assert all(measure(body).segments == 1 for body in bodies.values())


def test_without_an_address_of_ours_the_words_stay(world: World) -> None:
    world.card(world.holder(language="es-PE"))
    world.check()
    world.send()
    [sms] = world.accepted(SMS)
    assert sms["text"].endswith("Para salir, avise a quien administra su chip")
    [email] = emails(world)
    assert email["headers"] == {"Auto-Submitted": "auto-generated"}


def test_a_look_changes_nothing_however_often(world: World) -> None:
    first, _ = world.cards(2, world.holder(contact_phone=PHONE))
    links = told(world)
    [sms] = [f"/{p}/{t}" for p, t in LINK.findall(world.accepted(SMS)[0]["text"])]
    app = app_at(world, NOW)
    assert app.signer
    back = f"/b/{app.signer.sign(Purpose.RESUME, world.message(MAIL).id, NOW)}"
    before = everything(world)
    with web(world) as ask:
        for path in (*links.values(), sms, back):
            for method in ("GET", "HEAD", "GET"):
                reply = ask(method, path)
                assert reply.status == 200, path
                assert reply.headers["content-security-policy"] == POLICY
                assert reply.headers["referrer-policy"] == "no-referrer"
                assert "noindex" in reply.headers["x-robots-tag"]
                assert "set-cookie" not in reply.headers
                page = text(reply)
                assert "<script" not in page
                assert not re.search(rf"https?://|{EMAIL}|\d{{6,}}", page)
    assert everything(world) == before
    assert first


@pytest.mark.parametrize("multipart", [False, True])
def test_one_click_unsubscribes_and_a_second_one_is_harmless(world: World, multipart: bool) -> None:
    card = world.card()
    path = told(world)["u"]
    body, headers = ONE_CLICK, {}
    if multipart:
        name, value = ONE_CLICK.split("=")
        part = f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'
        body = f"--x\r\n{part}\r\n--x--\r\n"
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
    with web(world) as ask:
        assert [ask("POST", path, body, **headers).status for _ in range(3)] == [200] * 3
    [row] = world.rows(suppressions)
    assert (row.channel, row.address, row.card_id) == ("email", EMAIL, None)
    assert (row.source, row.lifted_at) == ("one_click", None)
    assert world.events() == [(card, "opted_out")]
    later = NOW + timedelta(days=4)
    world.check(later)
    send(world, later)
    assert len(emails(world)) == 1


def test_the_link_of_an_sms_stops_sms(world: World) -> None:
    world.card(world.holder(email=None))
    world.check()
    send(world)
    [(purpose, token)] = LINK.findall(world.accepted(SMS)[0]["text"])
    with web(world) as ask:
        assert "Stop these messages?" in text(ask("GET", f"/{purpose}/{token}"))
        assert "Stopped" in text(ask("POST", f"/{purpose}/{token}"))
        assert "<button" not in text(ask("GET", f"/{purpose}/{token}"))
    [row] = world.rows(suppressions)
    assert (row.channel, row.address, row.source) == ("sms", PHONE, "link")
    later = NOW + timedelta(days=4)
    world.check(later)
    send(world, later)
    assert len(world.accepted(SMS)) == 1


def test_a_holder_of_several_cards_chooses_one_or_all(world: World) -> None:
    first, second = world.cards(2, world.holder())
    path = told(world)["u"]
    with web(world) as ask:
        page = text(ask("GET", path))
        assert re.findall(r'value="(\w+)"', page) == [str(first), str(second), "all"]
        for wrong in ("", "card=", "card=99", "card=-1", "card=x", f"card={'9' * 30}"):
            assert ask("POST", path, wrong).status == 400
        assert not world.rows(suppressions)
        assert "ending 0001" in text(ask("POST", path, f"card={second}"))
    [row] = world.rows(suppressions)
    assert (row.card_id, row.address) == (second, EMAIL)
    later = NOW + timedelta(days=4)
    world.check(later)
    send(world, later)
    [_, email] = emails(world)
    assert "...0000" in email["text"]
    assert "...0001" not in email["text"]


def test_who_stopped_can_have_it_again_through_a_link_of_its_own(world: World) -> None:
    world.card()
    path = told(world)["u"]
    with web(world) as ask:
        page = text(ask("POST", path, ONE_CLICK))
        [back] = re.findall(r'href="\.\.(/b/\w+)"', page)
        assert "again?" in text(ask("GET", back))
        assert len([row for row in world.rows(suppressions) if row.lifted_at is None]) == 1
        for _ in range(2):
            assert "You will be reminded" in text(ask("POST", back))
    [row] = world.rows(suppressions)
    assert (row.lifted_at, row.lifted_reason) == (NOW, "holder: link")


def test_who_has_topped_up_says_so_and_the_reminders_rest(world: World) -> None:
    card = world.card()
    path = told(world)["r"]
    with web(world) as ask:
        page = text(ask("GET", path))
        assert "Claro SIM ending 0000" in page
        assert "If you bought 30 days again: 17 July 2026" in page  # a hint, entered by nobody
        assert 'value="' not in page
        for wrong in ("", "end=", "end=2026-06-11", "end=2036-01-01", "end=17/07/2026", "end=x"):
            reply = ask("POST", path, wrong)
            assert (reply.status, "cannot be right" in text(reply)) == (400, True)
        assert world.events() == []
        for _ in range(3):
            assert "Recorded" in text(ask("POST", path, "end=2026-07-17"))
        assert "Recorded" in text(ask("GET", path))
    [row] = world.rows(cards)
    assert (row.plan_end, row.last_topup, row.renewed_at) == (date(2026, 7, 17), TODAY, NOW)
    assert world.events() == [(card, "renewed"), (card, "holder_answered")]
    assert world.rows(card_events)[1].detail["source"] == "link"
    # Nobody says whether it works: the former deadline holds again, and so does the link.
    for hours in (24, 72):
        later = NOW + timedelta(hours=hours)
        world.check(later)
    assert world.rows(cards)[0].plan_end == TODAY + timedelta(days=5)
    with web(world, later) as ask:
        assert "Topped up?" in text(ask("GET", path))


def test_a_card_without_a_plan_asks_for_no_date(world: World) -> None:
    day = TODAY - timedelta(days=250)
    world.card(kind="retention", plan_end=None, plan_days=None, last_topup=day)
    path = told(world)["r"]
    with web(world) as ask:
        assert 'type="date"' not in text(ask("GET", path))
        assert "Recorded" in text(ask("POST", path))
        assert "Recorded" in text(ask("POST", path))
    [row] = world.rows(cards)
    assert (row.plan_end, row.last_topup) == (None, TODAY)
    assert [event for _, event in world.events()] == ["renewed", "holder_answered"]


def test_a_deadline_that_moved_has_nothing_to_answer(world: World) -> None:
    card = world.card()
    links = told(world)
    world.live(card, LifeEvent.RENEWED, plan_end=TODAY + timedelta(days=30))
    world.live(card, LifeEvent.CONFIRMED)
    before = everything(world)
    with web(world) as ask:
        for path in (links["r"], links["t"]):
            for method in ("GET", "POST"):
                assert "This has changed" in text(ask(method, path, "end=2026-07-17"))
    assert everything(world) == before


def test_a_card_that_went_to_somebody_else_cannot_be_answered_for(world: World) -> None:
    card = world.card()
    links = told(world)
    world.change(cards, card, holder_id=world.holder(name="Somebody else"))
    before = everything(world)
    with web(world) as ask:
        for path in (links["r"], links["t"]):
            assert ask("GET", path).status == ask("POST", path, "end=2026-07-17").status == 404
    assert everything(world) == before


def test_tomorrow_brings_one_more_reminder(world: World) -> None:
    world.card()
    path = told(world)["t"]
    with web(world) as ask:
        assert "Saturday 13 June 2026" in text(ask("GET", path))
        for _ in range(3):
            assert "We will remind you" in text(ask("POST", path))
    [row] = [row for row in world.rows(reminders) if row.window.startswith("again-")]
    assert (row.window, row.channel, row.state) == ("again-2026-06-13", "email", "pending")
    assert row.due_at == datetime.fromisoformat("2026-06-13T14:00:00+00:00")  # 09:00 in Lima
    early = row.due_at - timedelta(minutes=1)
    world.check(early)
    send(world, early)
    assert len(emails(world)) == 1
    world.check(row.due_at)
    for _ in range(2):
        send(world, row.due_at)
    [_, again] = emails(world)
    assert "in 4 days" in again["text"]
    # The next day has its own.
    with web(world, row.due_at) as ask:
        assert "We will remind you" in text(ask("POST", path))
    assert len([r for r in world.rows(reminders) if r.window.startswith("again-")]) == 2


def test_a_simulation_tells_of_the_reminder_of_tomorrow(world: World) -> None:
    world.card()
    path = told(world)["t"]
    with web(world) as ask:
        ask("POST", path)
    conditions = Conditions(world.rules, world.content, Prices({}), frozenset(Channel), {})
    with reading(world.engine) as conn:
        [household] = load(conn, HolderRange(1, 99, 1), None, NOW)
    period = Period.of(TODAY, TODAY + timedelta(days=2), NOW)
    found = follow(household, conditions, period).notices
    assert [(n.window, n.to, n.outcome.value) for n in found if n.window[:5] == "again"] == [
        ("again-2026-06-13", "email", "send")
    ]


def test_a_renewal_ends_the_reminder_of_tomorrow(world: World) -> None:
    card = world.card()
    path = told(world)["t"]
    with web(world) as ask:
        ask("POST", path)
    world.live(card, LifeEvent.RENEWED, plan_end=TODAY + timedelta(days=30))
    [row] = [row for row in world.rows(reminders) if row.window.startswith("again-")]
    assert (row.state, row.reason) == ("superseded", "renewed")


def test_an_opt_out_ends_the_reminder_of_tomorrow_too(world: World) -> None:
    world.card(world.holder(contact_phone=None), msisdn=None)
    links = told(world)
    with web(world) as ask:
        ask("POST", links["t"])
        ask("POST", links["u"], ONE_CLICK)
    tomorrow = NOW + timedelta(days=1)
    world.check(tomorrow)
    send(world, tomorrow)
    assert len(emails(world)) == 1


@pytest.mark.parametrize(
    ("ends_in", "said"), [(0, "Tomorrow is too late"), (2, "We will remind you")]
)
def test_tomorrow_may_be_too_late_or_be_a_day_with_a_notice_anyway(
    world: World, ends_in: int, said: str
) -> None:
    holder = world.holder(contact_phone=None)
    world.card(holder, msisdn=None, plan_end=TODAY + timedelta(days=ends_in), kind="esim")
    # The email has no link to a page that could only refuse; an older one may lead there.
    assert "t" not in told(world)
    signer = app_at(world, NOW).signer
    assert signer
    path = f"/t/{signer.sign(Purpose.TOMORROW, world.rows(reminders)[-1].id, NOW)}"
    before = everything(world)
    with web(world, NOW + timedelta(days=0 if ends_in else 20)) as ask:
        for method in ("GET", "POST"):
            assert said in text(ask(method, path))
    assert everything(world) == before


@pytest.mark.parametrize("purpose", Purpose)
def test_what_is_forged_foreign_or_unknown_gets_one_answer(world: World, purpose: Purpose) -> None:
    world.card()
    links = told(world)
    app = app_at(world, NOW)
    assert app.signer
    other = next(path for name, path in links.items() if name != purpose)
    tokens = {
        other.split("/")[2],
        app.signer.sign(purpose, 999_999, NOW),
        app.signer.sign(purpose, 2**47, NOW),
        app.signer.sign(purpose, 1, NOW)[:-1],
        "x",
        "%00",
        "%ff%fe",
        "A" * 5_000,
    }
    before = everything(world)
    with web(world) as ask:
        for method in ("GET", "POST"):
            replies = [ask(method, f"/{purpose}/{token}", ONE_CLICK) for token in sorted(tokens)]
            assert {reply.status for reply in replies} == {404}
            assert len({reply.body for reply in replies}) == 1
    page = text(replies[0])
    for language in ("en", "es-PE", "zh-Hans", "zh-Hant"):
        assert f'<section lang="{language}">' in page
    assert everything(world) == before


@pytest.mark.parametrize("purpose", [Purpose.STOP_EMAIL, Purpose.RENEWED, Purpose.TOMORROW])
def test_a_link_expires(world: World, purpose: Purpose) -> None:
    world.card()
    path = told(world)[purpose]
    before = everything(world)
    with web(world, NOW + LIFETIMES[purpose] + timedelta(days=1)) as ask:
        for method in ("GET", "POST"):
            assert ask(method, path, ONE_CLICK).status == 410
    assert everything(world) == before


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(token=st.text(alphabet="0123456789ABCXYZabcxyz-_.~%25é", max_size=40), body=st.binary())
def test_no_text_in_place_of_a_token_breaks_anything(asked: Any, token: str, body: bytes) -> None:
    path = "/u/" + "".join(
        c if c.isalnum() and c.isascii() else f"%{ord(c) % 256:02x}" for c in token
    )
    for method in ("GET", "POST"):
        assert asked(method, path, body.decode("latin-1")).status in (404, 405)


@pytest.fixture
def asked(world: World) -> Iterator[Any]:
    with web(world) as ask:
        yield ask


def test_bodies_that_are_no_forms_choose_nothing(world: World) -> None:
    world.cards(2, world.holder())
    path = told(world)["u"]
    kinds = [
        "text/plain",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "application/json",
    ]
    with web(world) as ask:
        for kind in kinds:
            for body in ("", "{", "--x", "&" * 200, "\x00\xff", "card=1&" * 60):
                assert ask("POST", path, body, **{"Content-Type": kind}).status == 400
    assert not world.rows(suppressions)


def test_a_page_speaks_the_holders_language(world: World) -> None:
    for language, says in (
        ("es-PE", "¿Dejar de recibir estos avisos?"),
        ("zh-Hant", "不再接收這類提醒？"),
    ):
        address = f"{language.lower()}@example.com"
        world.card(world.holder(language=language, email=address))
        path = told(world, to=address)["u"]
        with web(world) as ask:
            page = text(ask("GET", path))
        assert f'<html lang="{language}">' in page
        assert says in page
