"""What providers report over HTTP: what is believed, what is refused, and what is stored."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
import structlog
from sqlalchemy import URL, Engine

from tests.integration.helpers import EMAIL, NOW, PHONE, World
from tests.integration.sandbox_helpers import Reply, call
from tests.integration.web_helpers import (
    ATTEMPT,
    OTHER_KEY,
    SID,
    event,
    post_events,
    post_status,
    raw,
    serving,
    status_form,
    write_and_leave,
)
from worker.content.render import Content
from worker.core.rules import Rules
from worker.providers.sendgrid.webhook import EVENTS_PATH
from worker.providers.twilio.webhook import INBOUND_PATH, STATUS_PATH
from worker.sandbox.credentials import ACCOUNT_SID
from worker.sandbox.signing import twilio_headers
from worker.setup.app import App
from worker.store.engine import open_engine
from worker.store.migrate import upgrade
from worker.store.tables import receipts, suppressions

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def place(engine: Engine, rules: Rules, content: Content) -> World:
    """A database and the use cases; the sandbox is not called."""
    return World(engine, "http://127.0.0.1:9", None, rules, content)


@pytest.fixture
def web(place: World) -> Iterator[str]:
    """The address of a web process on that database."""
    with serving(place.app(lambda: NOW, web={"most_bytes": 65_536})) as url:
        yield url


@pytest.fixture
def impatient_web(place: World) -> Iterator[str]:
    """The same, of a process that gives up soon what does not come."""
    settings = {"request_seconds": 0.5, "most_bytes": 65_536}
    with serving(place.app(lambda: NOW, web=settings)) as url:
        yield url


def stored(place: World) -> list[Any]:
    return list(place.rows(receipts))


# Twilio's status callbacks


def test_a_status_is_stored_with_its_attempt(web: str, place: World) -> None:
    form = status_form(MessageStatus="undelivered", ErrorCode="30003")
    assert post_status(web, form).status == 204
    [row] = stored(place)
    assert (row.provider, row.event_id, row.status) == (
        "twilio",
        f"{SID}:undelivered",
        "undelivered",
    )
    assert (row.attempt_id, row.provider_id) == (UUID(ATTEMPT), SID)
    assert "30003" in row.code


def test_a_status_that_repeats_is_stored_once(web: str, place: World) -> None:
    for status in ("delivered", "sent", "delivered", "sent"):
        assert post_status(web, status_form(MessageStatus=status)).status == 204
    assert sorted(row.status for row in stored(place)) == ["delivered", "sent"]


@pytest.mark.parametrize(
    ("form", "query", "stays"),
    [
        (status_form(), "?a=not-a-uuid", True),
        (status_form(), "", True),
        (status_form(MessageSid="SM\0"), f"?a={ATTEMPT}", False),
        (status_form(MessageSid=""), f"?a={ATTEMPT}", False),
        (status_form(MessageStatus="teleported"), f"?a={ATTEMPT}", False),
        ({"AccountSid": ACCOUNT_SID}, f"?a={ATTEMPT}", False),
        (status_form(ErrorCode="\0' OR 1=1"), f"?a={ATTEMPT}", True),
    ],
)
def test_what_is_genuine_and_odd_does_no_harm(
    web: str, place: World, form: dict[str, str], query: str, stays: bool
) -> None:
    assert post_status(web, form, query).status == 204
    assert len(stored(place)) == stays


def status_calls(web: str) -> dict[str, Reply]:
    """Calls that Twilio did not make."""
    form, path = status_form(), f"{STATUS_PATH}?a={ATTEMPT}"
    good = twilio_headers(web + path, form)
    changed = urlencode({**form, "MessageStatus": "failed"})
    other = status_form(AccountSid="AC" + "f" * 32)
    bodies = urlencode(form)
    utf8 = b"MessageSid=" + "é".encode() + b"\xff"

    def post(body: str | bytes, headers: dict[str, str], where: str = path) -> Reply:
        return call(web, "POST", where, body, headers)

    unsigned = {k: v for k, v in good.items() if k != "X-Twilio-Signature"}
    return {
        "no signature": post(bodies, unsigned),
        "an empty signature": post(bodies, {**good, "X-Twilio-Signature": ""}),
        "a signature of no base64": post(bodies, {**good, "X-Twilio-Signature": "é?"}),
        "another token": post_status(web, form, token="guessed"),
        "a changed body": post(changed, good),
        "a truncated body": post(bodies[:-5], good),
        "an empty body": post("", good),
        "a field more": post(bodies + "&MessageStatus=failed", good),
        "a field twice": post(bodies + f"&MessageSid={SID}", good),
        "bytes that are no text": post(utf8, good),
        "percent signs that are no text": post("MessageSid=%ff%fe", good),
        "a changed query": post(bodies, good, path + "0"),
        "no query": post(bodies, good, STATUS_PATH),
        "another path": post(bodies, good, f"{INBOUND_PATH}?a={ATTEMPT}"),
        "signed for another host": post_status(web, form, public="http://127.0.0.1:1"),
        "another account": post_status(web, other),
        "more fields than Twilio has": post("&".join(f"f{n}=" for n in range(300)), good),
    }


def test_what_twilio_did_not_sign_is_refused(web: str, place: World) -> None:
    answers = {name: reply.status for name, reply in status_calls(web).items()}
    assert answers == dict.fromkeys(answers, 403)
    assert stored(place) == []


def test_the_signature_counts_for_the_public_address_and_not_for_headers(place: World) -> None:
    public = "http://localhost:9/behind/a/proxy"
    with serving(place.app(lambda: NOW, web={"public_url": public})) as url:
        assert post_status(url, public=public).status == 204
        assert post_status(url).status == 403
        form, path = status_form(), f"{STATUS_PATH}?a={ATTEMPT}"
        for_another = twilio_headers(f"https://evil.example.com{path}", form)
        claims = {
            "Host": "evil.example.com",
            "X-Forwarded-Host": "evil.example.com",
            "X-Forwarded-Proto": "https",
            "Forwarded": "host=evil.example.com;proto=https",
        }
        assert call(url, "POST", path, urlencode(form), {**for_another, **claims}).status == 403


@pytest.mark.parametrize("kind", ["application/json", "text/plain", None])
def test_a_body_of_another_type_is_refused(web: str, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    assert call(web, "POST", STATUS_PATH, "{}", headers).status == 415


@pytest.mark.parametrize("path", [STATUS_PATH, INBOUND_PATH, EVENTS_PATH])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_webhooks_are_posted_to(web: str, path: str, method: str) -> None:
    assert call(web, method, path).status == 405


def test_an_unknown_path_is_not_found(web: str) -> None:
    for path in ("/webhooks", "/webhooks/twilio/status/", "/.env", "/%00", "/webhooks/../etc"):
        assert call(web, "POST", path, "").status == 404


# Twilio's inbound messages


def post_inbound(url: str, **changes: str) -> Reply:
    form = {"MessageSid": SID, "AccountSid": ACCOUNT_SID, "From": PHONE, "Body": "BAJA", **changes}
    return post_status(url, form, "", path=INBOUND_PATH)


def test_an_inbound_word_opts_the_sender_out(web: str, place: World) -> None:
    reply = post_inbound(web)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    assert reply.body == b'<?xml version="1.0" encoding="UTF-8"?><Response/>'
    assert [row.address for row in place.rows(suppressions)] == [PHONE]


@pytest.mark.parametrize(
    "changes",
    [
        {"Body": "Gracias"},
        {"From": "SHORT"},
        {"From": "whatsapp:+51987654321"},
        {"From": "\0"},
        {"Body": ""},
        {"Body": "\0" * 100},
        {"Body": "😀" * 1600},
        {"Body": "hi", "OptOutType": "WAT"},
    ],
)
def test_other_inbound_messages_change_nothing(
    web: str, place: World, changes: dict[str, str]
) -> None:
    assert post_inbound(web, **changes).status == 200
    assert place.rows(suppressions) == []


def test_a_signed_message_that_is_replayed_lifts_no_later_opt_out(web: str, place: World) -> None:
    start, stop = f"SM{1:032x}", f"SM{2:032x}"
    for sid, body in ((start, "START"), (stop, "BAJA."), (start, "START")):
        assert post_inbound(web, MessageSid=sid, Body=body).status == 200
    [row] = place.rows(suppressions)
    assert row.lifted_at is None


def test_a_message_without_its_id_is_known_again_by_what_was_signed(web: str, place: World) -> None:
    for body in ("START", "STOP", "START"):
        assert post_inbound(web, MessageSid="", Body=body).status == 200
    [row] = place.rows(suppressions)
    assert row.lifted_at is None


# SendGrid's events


def test_events_are_stored_with_their_attempt(web: str, place: World) -> None:
    events = [
        event("ev-1", "processed"),
        event("ev-2", "bounce", type="blocked", status="4.7.1", reason=f"{EMAIL} is full"),
        event("ev-3", "bounce", type="bounce", status="5.1.1"),
        event("ev-4", "dropped", reason=f"Bounced Address {EMAIL}"),
    ]
    assert post_events(web, events, NOW).status == 204
    rows = stored(place)
    assert {row.provider for row in rows} == {"sendgrid"}
    assert [(row.event_id, row.status) for row in rows] == [
        ("ev-1", "processed"),
        ("ev-2", "blocked"),
        ("ev-3", "bounce"),
        ("ev-4", "dropped"),
    ]
    assert {row.attempt_id for row in rows} == {UUID(ATTEMPT)}
    assert {row.provider_id for row in rows} == {"abc123"}
    assert rows[0].occurred_at == datetime.fromtimestamp(1_781_276_400, UTC)
    assert "example.com" not in repr(rows)


def test_events_that_repeat_are_stored_once(web: str, place: World) -> None:
    for _ in range(2):
        assert post_events(web, [event("ev-1"), event("ev-2"), event("ev-1")], NOW).status == 204
    assert sorted(row.event_id for row in stored(place)) == ["ev-1", "ev-2"]


def test_a_long_list_is_stored_whole(web: str, place: World) -> None:
    events = [
        {"sg_event_id": f"ev-{n}", "event": "delivered", "vigencia_attempt": ATTEMPT}
        for n in range(550)
    ]
    assert post_events(web, events, NOW).status == 204
    assert len(stored(place)) == 550


def test_events_that_are_not_ours_do_no_harm(web: str, place: World) -> None:
    odd: list[object] = [
        event("a", "open"),
        event("b", "invented"),
        event("c", vigencia_attempt="1"),
        event("d", vigencia_attempt=None),
        event("e", vigencia_attempt=17),
        event("f", vigencia_attempt={"$ne": 1}),
        event("g\0"),
        event("h" * 300),
        event("i", event=["delivered"]),
        event("j", event=None),
        event("", sg_event_id=None),
        event("", sg_event_id=5),
        None,
        7,
        "delivered",
        [],
        [[event("k")]],
        {},
    ]
    assert post_events(web, odd, NOW).status == 204
    assert post_events(web, [], NOW).status == 204
    assert stored(place) == []


@pytest.mark.parametrize("timestamp", [None, "soon", 1e400, -1e18, 10**400, True, [], float("nan")])
def test_an_event_without_a_sensible_time_counts(web: str, place: World, timestamp: object) -> None:
    assert post_events(web, [event("ev-1", timestamp=timestamp)], NOW).status == 204
    [row] = stored(place)
    assert row.event_id == "ev-1"


def event_calls(web: str) -> dict[str, Reply]:
    """Calls that SendGrid did not make, or that are not what it makes."""
    good, name = [event()], "X-Twilio-Email-Event-Webhook-"
    body = b'[{"event": "delivered"}]\r\n'

    def spoilt(**headers: str | None) -> Reply:
        return post_events(web, good, NOW, changes={name + k: v for k, v in headers.items()})

    return {
        "another key": post_events(web, good, NOW, scalar=OTHER_KEY),
        "no signature": spoilt(Signature=None),
        "no timestamp": spoilt(Timestamp=None),
        "an empty signature": spoilt(Signature=""),
        "a signature of no base64": spoilt(Signature="é"),
        "a signature of other bytes": spoilt(Signature="AAAA"),
        "another timestamp": spoilt(Timestamp=str(int(NOW.timestamp()) + 1)),
        "no time at all": spoilt(Timestamp="now"),
        "without its last line end": post_events(web, body, NOW, sent=body.rstrip()),
        "a changed body": post_events(web, body, NOW, sent=body.replace(b"event", b"Event")),
        "truncated": post_events(web, body, NOW, sent=body[:-4]),
        "nothing": post_events(web, good, NOW, sent=b""),
        "replayed after days": post_events(web, good, NOW - timedelta(days=3, seconds=2)),
        "no JSON": post_events(web, b"event=delivered", NOW),
        "half of JSON": post_events(web, b'[{"event": "deliv', NOW),
        "an object": post_events(web, b'{"event": "delivered"}', NOW),
        "a number": post_events(web, b"7", NOW),
        "bytes that are no text": post_events(web, b'["\xff\xfe"]', NOW),
        "JSON without an end": post_events(web, b"[" * 50_000, NOW),
        "a number without an end": post_events(web, b"[" + b"9" * 50_000 + b"]", NOW),
    }


def test_what_sendgrid_did_not_sign_is_refused(web: str, place: World) -> None:
    answers = {name: reply.status for name, reply in event_calls(web).items()}
    assert answers == dict.fromkeys(answers, 403)
    assert stored(place) == []


def test_an_event_call_that_comes_late_is_taken(web: str, place: World) -> None:
    assert post_events(web, [event("ev-1")], NOW - timedelta(days=2)).status == 204
    # A clock of ours that is behind must not cost a day of events.
    assert post_events(web, [event("ev-2")], NOW + timedelta(days=400)).status == 204
    assert len(stored(place)) == 2


# Size, pace, and a database that is away


@pytest.mark.parametrize("path", [STATUS_PATH, EVENTS_PATH])
def test_a_body_that_is_too_long_is_refused_unread(web: str, path: str) -> None:
    head = f"POST {path} HTTP/1.1\nHost: x\nContent-Type: {FORM}\nContent-Length: 99999999\n\n"
    assert raw(web, head).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("path", [STATUS_PATH, EVENTS_PATH])
def test_a_body_that_does_not_say_how_long_it_is_is_bounded(web: str, path: str) -> None:
    head = f"POST {path} HTTP/1.1\nHost: x\nContent-Type: {FORM}\nTransfer-Encoding: chunked\n\n"
    chunk = b"8000\r\n" + b"a" * 0x8000 + b"\r\n"
    assert raw(web, head, *[chunk] * 3).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("path", [STATUS_PATH, EVENTS_PATH])
@pytest.mark.parametrize("length", ["Content-Length: 500", "Transfer-Encoding: chunked"])
def test_a_body_that_does_not_end_is_given_up(impatient_web: str, path: str, length: str) -> None:
    head = f"POST {path} HTTP/1.1\nHost: x\nContent-Type: {FORM}\n{length}\n\n"
    assert raw(impatient_web, head, b"4\r\nabcd\r\n").startswith(b"HTTP/1.1 408 ")


def test_bodies_that_wait_have_bounded_room_together(
    place: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.web.bodies._MOST_HELD", 100_000)
    head = f"POST {EVENTS_PATH} HTTP/1.1\nHost: x\nContent-Length: 50000\n\n"
    begun = b"a" * 45_000
    # All five must have come before the first is given up.
    settings = {"request_seconds": 3, "most_bytes": 65_536}
    with serving(place.app(lambda: NOW, web=settings)) as url, ThreadPoolExecutor() as pool:
        waiting = [pool.submit(raw, url, head, begun) for _ in range(5)]
        answers = Counter(one.result()[9:12] for one in waiting)
        # There is room for two, which do not end; the others are refused at once.
        assert answers == {b"408": 2, b"503": 3}
        assert post_events(url, [event()], NOW).status == 204


@pytest.mark.parametrize("head", ["", "POST /webhooks/twi", "POST / HTTP/1.1\nHost: x\nX-A: "])
def test_a_request_that_does_not_come_is_given_up(impatient_web: str, head: str) -> None:
    assert raw(impatient_web, head) == b""


def test_a_client_that_goes_away_is_no_news(web: str, place: World) -> None:
    head = f"POST {STATUS_PATH} HTTP/1.1\nHost: x\nContent-Type: {FORM}\nContent-Length: 9\n\n"
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            write_and_leave(web, head)
        assert post_status(web).status == 204
    assert "web_failed" not in {entry["event"] for entry in logs}


@pytest.mark.parametrize(
    "head",
    [
        "GARBAGE\n\n",
        f"POST {STATUS_PATH} HTTP/1.1\nHost: x\nContent-Length: -1\n\n",
        f"POST {STATUS_PATH} HTTP/1.1\nHost: x\nContent-Length: many\n\n",
        f"POST {STATUS_PATH} HTTP/1.1\nHost: x\nX: {'a' * 100_000}\n\n",
        f"POST {STATUS_PATH}?{'a' * 100_000} HTTP/1.1\nHost: x\n\n",
        "\0\1\2\3\n\n",
    ],
)
def test_what_is_no_http_does_no_harm(web: str, head: str) -> None:
    assert raw(web, head).startswith(b"HTTP/1.1 4")
    assert post_status(web).status == 204


def test_nothing_in_the_log_tells_who_it_was(web: str) -> None:
    with structlog.testing.capture_logs() as logs:
        post_status(web)
        post_inbound(web)
        post_events(web, [event(), event("ev-2", "open")], NOW)
        status_calls(web)
        event_calls(web)
    told = repr(logs)
    assert "webhook_refused" in told
    for secret in (PHONE, PHONE[-6:], EMAIL, ATTEMPT, SID):
        assert secret not in told


def test_a_database_that_is_away_is_a_503_and_comes_back(
    postgresql_server: URL, empty_postgresql: URL, rules: Rules, content: Content
) -> None:
    engine = open_engine(empty_postgresql.render_as_string(hide_password=False))
    upgrade(engine)
    place = World(engine, "http://127.0.0.1:9", None, rules, content)
    admin = open_engine(postgresql_server.render_as_string(hide_password=False))
    name = engine.url.database

    def rename(old: str, new: str) -> None:
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (old,)
            )
            conn.exec_driver_sql(f"ALTER DATABASE {old} RENAME TO {new}")

    with serving(place.app(lambda: NOW)) as url:
        assert post_status(url).status == 204
        rename(str(name), f"{name}_away")
        for reply in (post_status(url), post_events(url, [event()], NOW), post_inbound(url)):
            assert (reply.status, reply.headers["retry-after"]) == (503, "5")
            assert b"Traceback" not in reply.body
        rename(f"{name}_away", str(name))
        assert post_events(url, [event()], NOW).status == 204
        assert len(stored(place)) == 2
    admin.dispose()
    engine.dispose()


def test_without_an_address_of_its_own_a_live_account_believes_nobody(place: World) -> None:
    app = place.app(
        lambda: NOW,
        sandbox={},
        twilio_account_sid="AC" + "1" * 32,
        twilio_auth_token="t0ken",
        twilio_from="+15017122661",
    )
    with serving(app) as url:
        form = status_form(AccountSid="AC" + "1" * 32)
        assert post_status(url, form, token="t0ken").status == 403
        # Its SendGrid key is not known either, and the sandbox's is not taken instead.
        assert post_events(url, [event()], NOW).status == 403


def test_a_live_account_believes_its_own_token_at_its_own_address(place: World) -> None:
    public = "https://avisos.example.com"
    app: App = place.app(
        lambda: NOW,
        sandbox={},
        twilio_account_sid="AC" + "1" * 32,
        twilio_auth_token="t0ken",
        twilio_from="+15017122661",
        web={"public_url": public},
    )
    with serving(app) as url:
        form = status_form(AccountSid="AC" + "1" * 32)
        assert post_status(url, form, token="t0ken", public=public).status == 204
        assert post_status(url, form, token="t0ken").status == 403
        assert post_status(url, public=public).status == 403
    assert len(stored(place)) == 1
