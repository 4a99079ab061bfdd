"""Importing in the console: a file is sent, looked at, and then written exactly as it was shown."""

import socket
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from tests.integration.console_helpers import Browser, Console, console_of, text, where
from tests.integration.helpers import TODAY, World, until
from tests.integration.sandbox_helpers import Reply
from worker.core.viewer import Role
from worker.paths import config_dir
from worker.processes.jobs.work import work
from worker.store.tables import audit, books, cards, jobs
from worker.web.console.asking import COOKIE

HEAD = "msisdn,expires,email,language,operator,kind,holder\n"
ROSA = "987654321,2026-12-13,rosa@example.com,es-PE,claro,data,Rosa\n"
WRONG = '987654323,soon,leo@example.com,en,claro,data,"<img src=x onerror=alert(1)>"\n'


@pytest.fixture
def console(world: World) -> Iterator[Console]:
    with console_of(world) as found:
        yield found


def keeper(console: Console, *books: str) -> Browser:
    name = console.user(f"keeper{uuid4().hex[:6]}", Role.OPERATOR, books)
    browser = console.browser(name)
    assert where(browser.post("/me/language", {"language": "en", "next": "/"})) == "/"
    return browser


def send(browser: Browser, path: str, content: bytes | str = b"", filename: str = "June.csv",
         **fields: str) -> Reply:  # fmt: skip
    """The form of a page with a file, as a browser sends it."""
    mark = uuid4().hex
    raw = content.encode() if isinstance(content, str) else content
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
    parts.append(head.encode() + b"Content-Type: text/csv\r\n\r\n" + raw + b"\r\n")
    body = b"".join(parts) + f"--{mark}--\r\n".encode()
    kind = f"multipart/form-data; boundary={mark}"
    return browser.send_raw(path, body, kind)


def worked(console: Console, world: World, reply: Reply) -> str:
    """The page that a form leads to, once a worker has worked its job."""
    page = where(reply)
    number = int(page.rpartition("/")[2])
    work(console.app, number)
    [row] = [one for one in world.rows(jobs) if one.id == number]
    assert row.ended_at is not None
    return page


def test_a_book_is_looked_at_and_then_written_as_it_was_shown(
    console: Console, world: World
) -> None:
    amy = keeper(console)
    assert 'enctype="multipart/form-data"' in text(amy.get("/imports"))
    looking = send(amy, "/imports", HEAD + ROSA + WRONG, name="travel")
    page = where(looking)
    waiting = text(amy.get(page))
    assert "<progress" in waiting
    assert amy.get(page, **{"HX-Request": "true"}).status == 200
    worked(console, world, looking)
    ended = amy.get(page, **{"HX-Request": "true"})
    assert (ended.status, ended.headers["hx-refresh"]) == (204, "true")
    shown = text(amy.get(page))
    assert "What June.csv would do" in shown
    assert 'class="wrong-cell">soon' in shown
    assert "&lt;img src=x" in shown
    assert "<img src=x" not in shown
    assert world.rows(cards) == []
    refused = amy.get(f"{page}/refused")
    assert refused.body[:2] == b"PK"
    assert "June.refused.xlsx" in refused.headers["content-disposition"]
    done = worked(console, world, amy.send(page, f"{page}/apply", rows="good"))
    assert "June.csv is imported" in text(amy.get(done))
    assert [card.msisdn for card in world.rows(cards)] == ["+51987654321"]
    assert [row.action for row in world.rows(audit)][-2:] == ["asked_preview", "asked_import"]
    assert "June.csv" in text(amy.get("/imports"))


def test_a_file_is_read_another_way_without_being_sent_again(
    console: Console, world: World
) -> None:
    amy = keeper(console)
    two_ways = HEAD + ROSA.replace("2026-12-13", "05/06/2026")
    first = worked(console, world, send(amy, "/imports", two_ways, name="travel"))
    assert "A date that can be read two ways" in text(amy.get(first))
    again = worked(console, world, amy.send(first, f"{first}/again", date_order="dmy"))
    assert "1" in text(amy.get(again))
    worked(console, world, amy.send(again, f"{again}/apply", rows="all"))
    assert str(world.rows(cards)[0].plan_end) == "2026-06-05"


def test_what_has_changed_since_it_was_shown_is_shown_again(console: Console, world: World) -> None:
    amy = keeper(console)
    shown = worked(console, world, send(amy, "/imports", HEAD + ROSA, name="travel"))
    other = worked(console, world, send(amy, "/imports", HEAD + ROSA, name="travel"))
    worked(console, world, amy.send(other, f"{other}/apply", rows="all"))
    stale = worked(console, world, amy.send(shown, f"{shown}/apply", rows="all"))
    page = text(amy.get(stale))
    assert "the book has changed meanwhile" in page
    assert len(world.rows(cards)) == 1


def test_one_form_is_one_look(console: Console, world: World) -> None:
    amy = keeper(console)
    twice = {"name": "travel", "form_id": "0" * 32}
    where(send(amy, "/imports", HEAD + ROSA, **twice))
    assert where(send(amy, "/imports", HEAD + ROSA, **twice)) == "/imports"
    assert len(world.rows(jobs)) == 1


def test_a_file_of_another_book_is_none_of_ones_business(console: Console, world: World) -> None:
    world.card()
    [mine] = [row.id for row in world.rows(books)]
    leo = keeper(console, "demo")
    page = worked(console, world, send(leo, "/imports", HEAD + ROSA, book=str(mine)))
    eva = console.browser(console.user("eva", Role.VIEWER, ["demo"]))
    assert eva.get(page).status == 403
    amy = keeper(console)
    assert amy.get(page).status == 200, "her role holds in every book"
    assert send(leo, "/imports", HEAD + ROSA, name="a new one").status == 403
    assert send(leo, "/imports", HEAD + ROSA, book="77").status == 404
    assert leo.get("/imports/77").status == 404


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "Choose a file"), (b"\x00\x01\x02", "could not be read")]
)
def test_a_file_that_is_no_book_is_told(
    console: Console, world: World, content: bytes, said: str
) -> None:
    amy = keeper(console)
    reply = send(amy, "/imports", content, name="travel")
    shown = reply if reply.status == 200 else amy.get(worked(console, world, reply))
    assert said in text(shown)


def test_a_file_is_bounded_and_needs_somebody_who_is_signed_in(console: Console) -> None:
    amy = keeper(console)
    assert send(amy, "/imports", b"x" * (70 * 1024 * 1024), name="travel").status == 413
    nobody = console.browser()
    assert send(nobody, "/imports", b"x" * 2_000_000, name="travel").status in (303, 401)


def test_a_field_that_no_page_could_show_is_refused(console: Console, world: World) -> None:
    amy = keeper(console)
    parts = (b'name="name"\r\n\r\n\\ud800', b'name="file"; filename="a.csv"\r\n\r\nmsisdn')
    body = b"".join(b"--x\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts)
    kind = "multipart/form-data; boundary=x; charset=unicode_escape"
    assert amy.send_raw("/imports", body + b"--x--\r\n", kind).status == 400
    assert world.rows(jobs) == []
    assert amy.get("/imports").status == 200


def test_a_forecast_of_all_books_goes_with_the_right_to_all(console: Console, world: World) -> None:
    world.card()
    amy = keeper(console)
    days = {"from": TODAY.isoformat(), "to": (TODAY + timedelta(days=3)).isoformat()}
    page = worked(console, world, send(amy, "/forecast", **days))
    assert amy.get(page).status == 200
    [name] = [row.asked_by for row in world.rows(jobs)]
    console.app.people.set_role(name, Role.OPERATOR, ["demo"], console.moment)
    console.app.people.set_role(name, None, (), console.moment)
    assert amy.get(page).status == 404
    assert page not in text(amy.get("/forecast"))


def test_who_stops_sending_is_no_error_and_gives_his_place_back(
    console: Console, world: World
) -> None:
    amy = keeper(console)
    place = urlsplit(console.url)
    head = (
        "POST /imports HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-Fetch-Site: same-origin\r\n"
        f"Cookie: {COOKIE}={amy.cookie}\r\nContent-Length: 99\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
    )

    def status() -> int:
        return send(amy, "/imports", HEAD, name="travel", form_id="0" * 32).status

    with capture_logs() as logs:
        wires = [socket.create_connection((str(place.hostname), place.port or 0)) for _ in range(2)]
        for wire in wires:
            wire.sendall(head.encode())
        assert until(lambda: status() == 503), "two at once are enough"
        for wire in wires:
            wire.close()
        assert until(lambda: status() == 303)
    assert [one for one in logs if one["log_level"] == "error"] == []


def test_a_forecast_names_what_a_changed_policy_would_add(console: Console, world: World) -> None:
    world.card(plan_end=TODAY + timedelta(days=20))
    amy = keeper(console)
    days = {"from": TODAY.isoformat(), "to": (TODAY + timedelta(days=25)).isoformat()}
    assert "Choose two days" in text(send(amy, "/forecast", **{**days, "to": "2020-01-01"}))
    alone = worked(console, world, send(amy, "/forecast", **days))
    assert "<svg" in text(amy.get(alone))
    policy = (config_dir() / "policies.toml").read_text("utf-8")
    changed = policy.replace('"plan_end-7d" = "sms, email"', '"plan_end-6d" = "sms, email"')
    assert changed != policy
    both = worked(console, world, send(amy, "/forecast", changed, "policies.toml", **days))
    page = text(amy.get(both))
    assert "As changed" in page
    assert "Only with the change" in page
    assert "6 days before" in page
    leo = keeper(console, "demo")
    assert leo.get(alone).status == 404
    assert send(leo, "/forecast", **days).status == 403
