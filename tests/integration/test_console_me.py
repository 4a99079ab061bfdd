"""Somebody's own settings, and for administrators what everybody did."""

import re
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
from tests.integration.test_console_pages import other_book
from worker.core.viewer import Role
from worker.store.engine import writing
from worker.store.tables import audit, sessions, users

sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
NEW = "quite another row of words"


@pytest.fixture
def console(world: World) -> Iterator[Console]:
    with console_of(world) as served:
        served.user()
        yield served


def signed_in(browser: Browser) -> bool:
    return browser.get("/me").status == 200


@sqlite
def test_language_and_zone_are_ones_own(console: Console, world: World) -> None:
    rosa = console.browser("rosa")
    page = text(rosa.get("/me", **{"Accept-Language": "es"}))
    assert "Sus ajustes, rosa" in page
    assert where(rosa.post("/me/language", {"language": "zh-Hans", "next": "/me"})) == "/me"
    assert where(rosa.post("/me/zone", {"time_zone": "Asia/Shanghai"})) == "/me"
    page = text(rosa.get("/me", **{"Accept-Language": "es"}))
    assert "我的设置" in page
    assert "<option selected>Asia/Shanghai" in page
    assert rosa.post("/me/zone", {"time_zone": "../../etc/passwd"}).status == 400
    [row] = world.rows(users)
    assert (row.language, row.time_zone) == ("zh-Hans", "Asia/Shanghai")


@sqlite
def test_a_new_password_asks_for_the_old_one_and_signs_out_elsewhere(
    console: Console, world: World
) -> None:
    console.app.people.set_password("rosa", PASSWORD, NOW)
    rosa, elsewhere = console.browser("rosa"), console.browser("rosa")
    console.moment = NOW + timedelta(minutes=16)
    assert where(rosa.get("/me/password")) == "/confirm?next=/me/password"
    assert where(rosa.post("/me/password", {"password": NEW, "again": NEW})) == "/confirm"
    asked = {"password": PASSWORD, "next": "/me/password"}
    assert where(rosa.post("/confirm", asked)) == "/me/password"
    for first, second in ((NEW, "something else here"), ("short", "short"), ("rosa" * 4,) * 2):
        refused = rosa.post("/me/password", {"password": first, "again": second})
        assert refused.status == 200
        assert 'role="alert"' in text(refused)
    assert signed_in(elsewhere)
    old = rosa.cookie
    done = rosa.post("/me/password", {"password": NEW, "again": NEW})
    assert where(done) == "/me?done=password"
    assert rosa.cookie not in (None, old)
    assert signed_in(rosa)
    assert not signed_in(elsewhere)
    assert not signed_in(Browser(console.url, old))
    [noted] = [row for row in world.rows(audit) if row.action == "password_changed"][1:]
    assert (noted.name, noted.fields, noted.address) == ("rosa", ["password"], "127.0.0.1")
    assert where(console.browser().post("/sign-in", {"name": "rosa", "password": NEW})) == "/"


def test_sessions_are_ended_one_by_one_and_all_at_once(console: Console, world: World) -> None:
    console.user("lee")
    lee, rosa, second, third = map(console.browser, ("lee", "rosa", "rosa", "rosa"))
    theirs = {row.user_id: row.token_hash for row in world.rows(sessions)}
    keys = re.findall(r'name="session" value="(\w+)"', text(rosa.get("/me")))
    assert len(keys) == 2
    lees = next(key for user, key in theirs.items() if user != 1)
    assert rosa.post("/me/sessions/end", {"session": lees}).status == 404
    assert where(rosa.post("/me/sessions/end", {"session": keys[0]})) == "/me"
    assert [signed_in(one) for one in (rosa, second, third)].count(True) == 2
    assert where(rosa.post("/me/sessions/end-all")) == "/sign-in"
    assert [signed_in(one) for one in (rosa, second, third, lee)] == [False, False, False, True]
    assert [row.action for row in world.rows(audit)][-2:] == ["session_ended", "sessions_ended"]


def test_the_audit_is_for_administrators_of_what_they_administer(
    console: Console, world: World
) -> None:
    mine, theirs = world.book(), other_book(world)
    row = {"at": NOW, "name": "somebody", "subject": "card", "fields": [], "action": "paused"}
    with writing(world.engine) as conn:
        for book in (mine, theirs, None):
            rows = [{**row, "book_id": book, "subject_id": n} for n in range(1, 41)]
            conn.execute(audit.insert(), rows)
    console.user("ana", Role.ADMIN)
    console.user("uma", Role.ADMIN, ["demo"])
    rosa, ana, uma = map(console.browser, ("rosa", "ana", "uma"))
    assert rosa.get("/settings/audit").status == 403
    assert "/settings/audit" not in text(rosa.get("/me"))
    assert "/settings/audit" in text(ana.get("/me"))
    seen = [listed(browser) for browser in (ana, uma)]
    assert seen == [len(world.rows(audit)), 40]
    assert ana.get("/settings/audit?after=x").status == 404


def listed(browser: Browser) -> int:
    """How many rows all pages show."""
    path, number = "/settings/audit", 0
    while path:
        page = text(browser.get(path))
        number += len(re.findall(r"<li><span><strong>", page))
        found = re.search(r'href="(/settings/audit\?after=[^"]+)"', page)
        path = found[1] if found else ""
    return number
