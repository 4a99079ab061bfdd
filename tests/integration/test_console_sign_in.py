"""Who gets into the console, for how long, and what a page of somebody else's can do: nothing."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.integration.console_helpers import (
    PASSWORD,
    Browser,
    Console,
    console_of,
    text,
    where,
)
from tests.integration.helpers import NOW, World
from worker.core.viewer import Role
from worker.pipeline.accounts.accounts import IDLE, LONGEST
from worker.store.tables import audit, rate_buckets, sessions, sign_in_links, users


@pytest.fixture
def console(world: World) -> Iterator[Console]:
    with console_of(world) as served:
        served.user()
        yield served


def by_password(browser: Browser, name: str = "rosa", password: str = PASSWORD, **more: str) -> int:
    form = {"name": name, "password": password, "next": "/", **more}
    return browser.post("/sign-in", form).status


def signed_in(browser: Browser) -> bool:
    return browser.get("/").status == 200


def test_a_password_signs_in_and_out(console: Console, world: World) -> None:
    console.app.people.set_password("rosa", PASSWORD, NOW)
    browser = console.browser()
    assert where(browser.get("/")) == "/sign-in"
    assert where(browser.get("/cards")) == "/sign-in?next=/cards"
    form = {"name": " Rosa", "password": PASSWORD, "next": "/cards"}
    reply = browser.post("/sign-in", form)
    assert where(reply) == "/cards"
    kept = reply.headers["set-cookie"]
    assert kept.startswith("__Host-vigencia=")
    assert kept.endswith("Path=/; Secure; HttpOnly; SameSite=Lax")
    assert browser.cookie not in {row.token_hash for row in world.rows(sessions)}
    assert signed_in(browser)
    token = browser.cookie
    left = browser.post("/sign-out")
    assert where(left) == "/sign-in"
    assert left.headers["clear-site-data"] == '"cache", "cookies", "storage"'
    browser.cookie = token
    assert not signed_in(browser), "the token itself is worth nothing any more"
    actions = [row.action for row in world.rows(audit)]
    assert actions == ["user_added", "password_changed", "signed_in"]


def test_a_name_that_no_database_takes_is_no_name(console: Console) -> None:
    assert console.browser().post("/sign-in", {"name": "ro\0sa", "password": "x"}).status == 400


def test_what_is_wrong_is_not_told(console: Console) -> None:
    console.app.people.set_password("rosa", PASSWORD, NOW)
    console.user("off")
    console.app.people.set_password("off", PASSWORD, NOW)
    console.app.people.disable("off", NOW, off=True)
    console.user("linked")
    said = set()
    for name, password in (
        ("rosa", "another password"),
        ("nobody", PASSWORD),
        ("off", PASSWORD),
        ("linked", ""),
        ("linked", "None"),
    ):
        browser = console.browser()
        reply = browser.post("/sign-in", {"name": name, "password": password, "next": "/"})
        assert (reply.status, browser.cookie) == (200, None)
        said.add(text(reply).replace(name, "NAME"))
    assert len(said) == 1


def test_a_link_signs_in_once_and_a_look_does_not_use_it(console: Console, world: World) -> None:
    token = console.app.accounts.link(console.app.people.named("rosa"), NOW)
    browser = console.browser()
    assert token not in {row.token_hash for row in world.rows(sign_in_links)}
    for _ in range(2):
        assert "Sign in as rosa" in text(browser.get(f"/sign-in/{token}"))
    assert where(browser.post(f"/sign-in/{token}")) == "/"
    assert signed_in(browser)
    other = console.browser()
    assert other.post(f"/sign-in/{token}").status == 200
    assert "does not work any more" in text(other.get(f"/sign-in/{token}"))
    late = console.app.accounts.link(console.app.people.named("rosa"), NOW)
    console.moment = NOW + timedelta(minutes=15)
    assert "does not work any more" in text(other.post(f"/sign-in/{late}"))
    assert not signed_in(other)


def test_a_session_ends_when_idle_and_in_any_case_after_a_week(console: Console) -> None:
    idle, busy = console.browser("rosa"), console.browser("rosa")
    console.moment += IDLE - timedelta(minutes=1)
    assert signed_in(busy)
    console.moment += timedelta(minutes=1)
    assert not signed_in(idle)
    while console.moment < NOW + LONGEST - IDLE / 2:
        assert signed_in(busy)
        console.moment += IDLE / 2
    console.moment = NOW + LONGEST
    assert not signed_in(busy)


def test_a_clock_that_is_put_right_does_not_stretch_what_was_confirmed(console: Console) -> None:
    console.moment = NOW + timedelta(hours=2)
    browser = console.browser("rosa")
    own, token = console.app.accounts, browser.cookie or ""
    assert getattr(own.signed_in(token, console.moment), "confirmed", None) is True
    assert getattr(own.signed_in(token, NOW), "confirmed", None) is False


def test_a_new_password_and_a_disabled_account_end_every_session(console: Console) -> None:
    first, second = console.browser("rosa"), console.browser("rosa")
    console.app.people.set_password("rosa", PASSWORD, NOW)
    assert not signed_in(first)
    assert not signed_in(second)
    third = console.browser("rosa")
    console.app.people.disable("rosa", NOW, off=True)
    assert not signed_in(third)
    token = console.app.accounts.link(console.app.people.named("rosa"), NOW)
    assert third.post(f"/sign-in/{token}").status == 200, "nobody is signed in"
    assert not signed_in(third)


def test_signing_in_gives_another_token_and_ends_the_former_session(console: Console) -> None:
    victim = console.browser()
    victim.cookie = "chosen-by-somebody-else"
    console.app.people.set_password("rosa", PASSWORD, NOW)
    assert by_password(victim) == 303
    assert victim.cookie not in (None, "chosen-by-somebody-else")
    first = victim.cookie
    assert by_password(victim) == 303
    again = Browser(console.url, first)
    assert not signed_in(again)
    assert signed_in(victim)


def test_who_guesses_is_slowed_down_and_never_locked_out(console: Console, world: World) -> None:
    console.app.people.set_password("rosa", PASSWORD, NOW)
    browser = console.browser()
    for _ in range(10):
        assert by_password(browser, password="a guess of twelve") == 200
    assert by_password(browser) == 429, "even the right one"
    assert all("rosa" not in row.key for row in world.rows(rate_buckets))
    console.moment += timedelta(minutes=6)
    assert by_password(browser) == 303


def test_many_names_from_one_address_are_slowed_down_too(console: Console) -> None:
    browser = console.browser()
    answers = [by_password(browser, f"name{n}", "x") for n in range(21)]
    assert answers == [200] * 20 + [429]


def test_rights_hold_from_the_next_request_on(console: Console, world: World) -> None:
    world.book()
    console.user("vera", Role.VIEWER, ["demo"])
    browser = console.browser("vera")
    own = console.app.accounts.signed_in(browser.cookie or "", NOW)
    assert own is not None
    assert own.viewer.roles == {1: Role.VIEWER}
    console.app.people.set_role("vera", None, ["demo"], NOW)
    own = console.app.accounts.signed_in(browser.cookie or "", NOW)
    assert own is not None
    assert own.viewer.roles == {}
    assert [row.role for row in world.rows(users)] == ["operator", None]
