"""What every answer of the console holds to, and what a page of somebody else's can do: nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.console_helpers import (
    PASSWORD,
    Console,
    console_of,
    text,
    where,
    world_of_its_own,
)
from tests.integration.helpers import NOW, World
from tests.integration.web_helpers import raw
from worker.content.render import Content
from worker.core.rules import Rules
from worker.web.console.shield import POLICY


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path, rules: Rules, content: Content
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("doors")
    with world_of_its_own(migrated_sqlite, folder, rules, content) as found:
        yield found


@pytest.fixture(scope="module")
def console(world: World) -> Iterator[Console]:
    with console_of(world) as served:
        served.user()
        served.app.people.set_password("rosa", PASSWORD, NOW)
        yield served


@pytest.mark.parametrize("onward", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_nobody_is_sent_elsewhere_after_signing_in(console: Console, onward: str) -> None:
    form = {"name": "rosa", "password": PASSWORD, "next": onward}
    assert where(console.browser().post("/sign-in", form)) == "/"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "OWN"},
        {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "", "Origin": "null"},
        {"Sec-Fetch-Site": ""},
    ],
    ids=str,
)
def test_a_forged_act_is_refused(console: Console, headers: dict[str, str]) -> None:
    browser = console.browser("rosa")
    given = {k: v.replace("OWN", console.url) for k, v in headers.items()}
    reply = browser.post("/me/language", {"language": "zh-Hans", "next": "/"}, **given)
    assert reply.status == 403
    assert reply.headers["content-security-policy"] == POLICY
    assert console.app.people.named("rosa").language != "zh-Hans"
    assert browser.post("/sign-out", {}, **given).status == 403
    assert browser.get("/").status == 200, "nobody was signed out"


def test_an_old_browser_is_known_by_its_origin(console: Console) -> None:
    browser = console.browser("rosa")
    own = {"Sec-Fetch-Site": "", "Origin": console.url}
    assert browser.post("/me/language", {"language": "en", "next": "/"}, **own).status == 303


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "[::1].x", ""]
)
def test_another_name_is_refused_with_our_headers(console: Console, host: str) -> None:
    answer = raw(
        console.url, f"GET /sign-in HTTP/1.1\nHost: {host}\nConnection: close\n\n"
    ).decode()
    assert answer.startswith("HTTP/1.1 421 ")
    assert POLICY in answer
    assert "evil" not in answer.partition("\r\n\r\n")[2]


def test_the_public_name_is_answered_below_its_path(world: World) -> None:
    with console_of(world, public_url="https://sims.example.com/vigencia") as console:
        reply = console.browser().get("/cards", Host="sims.example.com")
        assert where(reply) == "/vigencia/sign-in?next=/cards"
        assert reply.headers["strict-transport-security"] == "max-age=31536000"
        page = text(console.browser().get("/sign-in", Host="sims.example.com"))
        assert 'href="/vigencia/static/console.' in page
        assert console.browser().get("/cards", Host="sims.example.com:81").status == 421
        plain = {"Sec-Fetch-Site": "", "Origin": "http://sims.example.com"}
        forged = console.browser().post("/sign-out", {}, Host="sims.example.com", **plain)
        assert forged.status == 403


def test_every_answer_has_the_headers(console: Console) -> None:
    browser = console.browser("rosa")
    for path in ("/", "/sign-in", "/no-such-page", "/static/none.css"):
        headers = browser.get(path).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
    page = text(browser.get("/"))
    [css] = [p for p in page.split('"') if p.startswith("/static/console.") and p.endswith(".css")]
    kept = browser.get(css)
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "<script>" not in page
    assert "style=" not in page


def test_pages_speak_the_language_of_the_browser_until_somebody_is_known(console: Console) -> None:
    for accepted, word in (
        ("zh-CN,zh;q=0.9,en;q=0.8", "登录"),
        ("es-PE,es;q=0.9", "Iniciar sesión"),
        ("fr, en;q=0.5", "Sign in"),
    ):
        page = text(console.browser().get("/sign-in", **{"Accept-Language": accepted}))
        assert word in page
    console.user("lee")
    lee = console.browser("lee")
    assert "今天" in text(lee.get("/", **{"Accept-Language": "zh-CN"})), "nothing was chosen yet"
    assert where(lee.post("/me/language", {"language": "es", "next": "/"})) == "/"
    assert 'lang="es"' in text(lee.get("/", **{"Accept-Language": "zh-CN"}))
    missing = console.browser().get("/none", **{"Accept-Language": "zh"})
    assert (missing.status, "没有这个页面" in text(missing)) == (404, True)


def test_a_body_that_is_too_long_is_a_page_too(console: Console) -> None:
    browser = console.browser("rosa")
    reply = browser.post("/me/language", {"language": "x" * 2_000_000})
    assert reply.status == 413
    assert b"<h1>" in reply.body


def test_a_number_that_no_database_has_is_a_page_too(console: Console) -> None:
    assert console.browser("rosa").get("/cards/99999999999999999999").status == 404


def test_the_address_behind_a_proxy_counts_only_where_it_is_trusted(world: World) -> None:
    with console_of(world, trusted_proxies=("127.0.0.1",)) as console:
        for number in range(21):
            headers = {"X-Forwarded-For": f"6.6.6.6, 203.0.113.{number}"}
            form = {"name": f"n{number}", "password": "x", "next": "/"}
            assert console.browser().post("/sign-in", form, **headers).status == 200
