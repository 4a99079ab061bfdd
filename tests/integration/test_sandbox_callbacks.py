"""The sandbox reports as the providers do: signed, in order unless told otherwise, and bounded."""

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import pytest
from sendgrid.helpers.eventwebhook import EventWebhook
from sqlalchemy import Engine
from twilio.request_validator import RequestValidator

from tests.integration.helpers import NOW, PHONE, World, until
from tests.integration.sandbox_helpers import (
    SMS,
    call,
    mail,
    post_form,
    post_mail,
    record,
    reset,
    set_faults,
    twilio,
)
from tests.integration.web_helpers import serving
from worker.content.render import Content
from worker.core.rules import Rules
from worker.processes.once import run_once
from worker.providers.sendgrid.webhook import EVENTS_PATH
from worker.providers.twilio.webhook import INBOUND_PATH
from worker.sandbox.credentials import AUTH_TOKEN, EVENTS_PUBLIC_KEY, SENDER
from worker.sandbox.fault_rules import LATER
from worker.sandbox.process import SandboxProcess
from worker.store.tables import messages, receipts, suppressions

FAST = {"status_delay_ms": 15, "retry_ms": 5}


@dataclass
class Receiver:
    """Our end: keeps what it is told, and answers with ``answers``, then with 204."""

    url: str
    answers: list[int] = field(default_factory=list)
    calls: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def statuses(self) -> list[str]:
        """The statuses that Twilio told, as they came."""
        return [dict(parse_qsl(body.decode()))["MessageStatus"] for _, _, body in self.calls]

    def events(self) -> list[dict[str, Any]]:
        """The events that SendGrid told, as they came."""
        return [one for _, _, body in self.calls for one in json.loads(body)]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        told: ClassVar[Receiver]

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.told.calls.append((self.path, dict(self.headers), body))
            self.send_response(self.told.answers.pop(0) if self.told.answers else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Handler.told = Receiver(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield Handler.told
        server.shutdown()
        thread.join()


@pytest.fixture
def url(sandbox_in_real_time: SandboxProcess, receiver: Receiver) -> str:
    url = sandbox_in_real_time.url
    reset(url)
    webhooks(url, events_url=f"{receiver.url}/events", **FAST)
    return url


def webhooks(url: str, **settings: object) -> Any:
    reply = call(url, "POST", "/sandbox/webhooks", json.dumps(settings))
    assert reply.status == 200, reply.body
    return reply.json


def counts(url: str) -> Any:
    return record(url)["callbacks"]


def told(url: str, made: int) -> Any:
    """The counts, once ``made`` reports are made and none waits any more."""
    assert until(lambda: counts(url)["made"] == made and counts(url)["waiting"] == 0), counts(url)
    return counts(url)


def send_sms(url: str, receiver: Receiver, fragment: str = "#rc=5&rp=all", **changes: str) -> str:
    callback = f"{receiver.url}/status?a=at-1{fragment}"
    reply = post_form(url, {**SMS, "StatusCallback": callback, **changes})
    assert reply.status == 201
    return str(reply.json["sid"])


def test_each_status_of_an_sms_is_told_and_signed(url: str, receiver: Receiver) -> None:
    sid = send_sms(url, receiver)
    told(url, 3)
    assert receiver.statuses() == ["queued", "sent", "delivered"]
    for path, headers, body in receiver.calls:
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        signature = headers["X-Twilio-Signature"]
        # Without the fragment, which is Twilio's own business.
        assert path == "/status?a=at-1"
        assert RequestValidator(AUTH_TOKEN).validate(receiver.url + path, form, signature)
        assert (form["MessageSid"], form["To"], form["From"]) == (sid, SMS["To"], SENDER)
    assert twilio(url).messages(sid).fetch().status == "delivered"


def test_what_is_told_and_what_is_shown_agree(url: str, receiver: Receiver) -> None:
    webhooks(url, status_delay_ms=60_000)
    sid = send_sms(url, receiver)
    assert until(lambda: receiver.statuses() == ["queued"])
    assert twilio(url).messages(sid).fetch().status == "queued"
    assert counts(url)["waiting"] == 2
    reset(url)
    assert counts(url) == dict.fromkeys(counts(url), 0)


@pytest.mark.parametrize(
    ("rule", "statuses", "code"),
    [
        ({"kind": "undelivered"}, ["queued", "sent", "undelivered"], 30003),
        ({"kind": "undelivered", "code": 30005}, ["queued", "sent", "undelivered"], 30005),
        ({"kind": "failed"}, ["queued", "failed"], 30008),
        ({"kind": "failed", "code": 30007}, ["queued", "failed"], 30007),
    ],
)
def test_an_sms_that_fails_later_says_why(
    url: str, receiver: Receiver, rule: dict[str, object], statuses: list[str], code: int
) -> None:
    set_faults(url, {"channel": "sms", "times": 1, **rule})
    sid = send_sms(url, receiver)
    told(url, len(statuses))
    posts = [dict(parse_qsl(body.decode())) for _, _, body in receiver.calls]
    # In whatever order: each is a request of its own.
    expected = dict.fromkeys(statuses) | {statuses[-1]: str(code)}
    assert {post["MessageStatus"]: post.get("ErrorCode") for post in posts} == expected
    shown = twilio(url).messages(sid).fetch()
    assert (shown.status, shown.error_code) == (statuses[-1], code)
    assert (shown.date_sent is None) == (rule["kind"] == "failed")
    assert twilio(url).messages.list(to=SMS["To"])[0].status == statuses[-1]
    seen = record(url)
    assert seen["messages"][0]["ending"] == statuses[-1]
    assert seen["counters"]["faults"] == {rule["kind"]: 1}
    # The rule has struck: the next one arrives.
    send_sms(url, receiver)
    told(url, len(statuses) + 3)
    assert "delivered" in receiver.statuses()


def test_without_a_callback_time_alone_moves_a_message(url: str) -> None:
    post_form(url, SMS)
    assert counts(url)["made"] == 0


def test_the_events_of_an_email_are_told_and_signed(url: str, receiver: Receiver) -> None:
    reply = post_mail(url, mail())
    told(url, 2)
    assert [one["event"] for one in receiver.events()] == ["processed", "delivered"]
    for one in receiver.events():
        assert (one["a"], one["email"]) == ("at-1", "lucia@example.com")
        assert one["sg_message_id"].split(".")[0] == reply.headers["X-Message-Id"]
        assert isinstance(one["timestamp"], int)
    assert len({one["sg_event_id"] for one in receiver.events()}) == 2
    for path, headers, body in receiver.calls:
        assert path == "/events"
        assert body.endswith(b"]\r\n")
        named = {name.lower(): value for name, value in headers.items()}
        assert EventWebhook(EVENTS_PUBLIC_KEY).verify_signature(
            body.decode(),
            named["x-twilio-email-event-webhook-signature"],
            named["x-twilio-email-event-webhook-timestamp"],
        )


@pytest.mark.parametrize(
    ("kind", "events"),
    [
        ("bounce", ["processed", "bounce"]),
        ("blocked", ["processed", "bounce"]),
        ("dropped", ["dropped"]),
        ("deferred", ["processed", "deferred", "delivered"]),
        ("spamreport", ["processed", "delivered", "spamreport"]),
        ("unsubscribe", ["processed", "delivered", "unsubscribe"]),
        ("group_unsubscribe", ["processed", "delivered", "group_unsubscribe"]),
    ],
)
def test_an_email_that_fails_later_says_why(
    url: str, receiver: Receiver, kind: str, events: list[str]
) -> None:
    set_faults(url, {"channel": "email", "kind": kind, "to": "lucia@example.com"})
    assert post_mail(url, mail()).status == 202
    told(url, len(events))
    # Posts may overtake one another on a busy machine; when each happened is in the event.
    came = receiver.events()
    assert sorted(one["event"] for one in came) == sorted(events)
    types = [one["type"] for one in receiver.events() if one["event"] == "bounce"]
    assert types == ([kind] if events[-1] == "bounce" else [])
    assert record(url)["messages"][0]["ending"] == kind


def test_every_later_fault_is_known_to_the_tests() -> None:
    assert len(LATER) == 11


def test_many_events_come_in_few_calls(url: str, receiver: Receiver) -> None:
    webhooks(url, status_delay_ms=0)
    people = [{"to": [{"email": f"p{n}@example.com"}]} for n in range(150)]
    assert post_mail(url, mail(personalizations=people)).status == 202
    assert told(url, 300)["acknowledged"] == 300
    assert len(receiver.events()) == 300
    assert max(len(json.loads(body)) for _, _, body in receiver.calls) == 100
    assert len(receiver.calls) < 20


def test_duplicates_are_the_same_again(url: str, receiver: Receiver) -> None:
    webhooks(url, duplicate_rate=1)
    send_sms(url, receiver)
    assert told(url, 3)["duplicated"] == 3
    assert sorted(receiver.statuses()) == sorted(["queued", "sent", "delivered"] * 2)
    receiver.calls.clear()
    post_mail(url, mail())
    assert told(url, 5)["acknowledged"] == 10
    ids = [one["sg_event_id"] for one in receiver.events()]
    assert (len(ids), len(set(ids))) == (4, 2)


def test_what_is_dropped_is_never_told(url: str, receiver: Receiver) -> None:
    webhooks(url, drop_rate=1)
    sid = send_sms(url, receiver)
    post_mail(url, mail())
    assert told(url, 5)["dropped"] == 5
    assert receiver.calls == []
    assert until(lambda: twilio(url).messages(sid).fetch().status == "delivered")


def test_shuffled_reports_are_in_another_order_and_complete(url: str, receiver: Receiver) -> None:
    def orders() -> list[tuple[str, ...]]:
        found = []
        for number in range(6):
            receiver.calls.clear()
            made = counts(url)["made"]
            send_sms(url, receiver, To=f"+5190000000{number}")
            told(url, made + 3)
            found.append(tuple(receiver.statuses()))
        return found

    webhooks(url, shuffle=True, status_delay_ms=30)
    first = orders()
    assert {tuple(sorted(order)) for order in first} == {("delivered", "queued", "sent")}
    assert len(set(first)) > 2


@pytest.mark.parametrize("answers", [[503, 500, 403], [302, 404, 408]])
def test_what_is_not_taken_is_told_again(url: str, receiver: Receiver, answers: list[int]) -> None:
    receiver.answers = list(answers)
    post_mail(url, mail())
    ended = told(url, 2)
    assert (ended["acknowledged"], ended["given_up"], ended["retried"]) == (2, 0, 3)
    assert sorted({one["event"] for one in receiver.events()}) == ["delivered", "processed"]
    receiver.calls.clear()
    webhooks(url, status_delay_ms=0)
    receiver.answers = list(answers)
    send_sms(url, receiver)
    assert told(url, 5)["acknowledged"] == 5
    assert len(receiver.statuses()) == 6


def test_what_is_never_taken_is_given_up(url: str, receiver: Receiver) -> None:
    receiver.answers = [503] * 100
    send_sms(url, receiver)
    ended = told(url, 3)
    assert (ended["given_up"], ended["posts"]) == (3, 18)


def test_an_end_that_is_away_is_given_up(url: str, receiver: Receiver) -> None:
    webhooks(url, events_url="http://127.0.0.1:9/events", retry_ms=0)
    post_mail(url, mail())
    assert told(url, 2)["given_up"] == 2
    assert receiver.calls == []


def test_without_overrides_an_answer_is_final(url: str, receiver: Receiver) -> None:
    receiver.answers = [503] * 3
    send_sms(url, receiver, fragment="")
    ended = told(url, 3)
    assert (ended["given_up"], ended["posts"]) == (3, 3)


def test_no_other_machine_is_called(url: str, receiver: Receiver) -> None:
    for callback in ("https://avisos.example.com/cb?a=1", "http://10.0.0.1/", "https://127.0.0.1/"):
        send_sms(url, receiver, StatusCallback=callback)
    ended = told(url, 9)
    assert (ended["not_here"], ended["posts"]) == (9, 0)


@pytest.mark.parametrize(
    "given",
    [
        [],
        {"delay": 1},
        {"status_delay_ms": -1},
        {"status_delay_ms": "1"},
        {"duplicate_rate": 1.1},
        {"duplicate_rate": True},
        {"shuffle": 1},
        {"events_url": "https://avisos.example.com/"},
        {"events_url": "http://["},
        {"inbound_url": 5},
    ],
)
def test_settings_that_make_no_sense_change_nothing(url: str, given: object) -> None:
    before = call(url, "GET", "/sandbox/webhooks").json
    assert call(url, "POST", "/sandbox/webhooks", json.dumps(given)).status == 400
    assert call(url, "GET", "/sandbox/webhooks").json == before


@pytest.mark.parametrize(
    "rule",
    [
        {"channel": "email", "kind": "undelivered"},
        {"channel": "sms", "kind": "bounce"},
        {"channel": "sms", "kind": "failed", "on": "fetch"},
        {"channel": "email", "kind": "dropped", "code": 30003},
        {"channel": "sms", "kind": "failed", "code": 3},
    ],
)
def test_later_faults_that_make_no_sense_are_refused(url: str, rule: dict[str, object]) -> None:
    body = json.dumps([{"rate": 1, **rule}])
    assert call(url, "PUT", "/sandbox/faults", body).status == 400


def test_a_holders_message_is_signed(url: str, receiver: Receiver) -> None:
    asked = json.dumps({"from": PHONE, "body": "退订", "OptOutType": "STOP"})
    assert call(url, "POST", "/sandbox/inbound", asked).status == 409
    webhooks(url, inbound_url=f"{receiver.url}/in?x=1")
    assert call(url, "POST", "/sandbox/inbound", asked).json == {"status": 204, "answer": ""}
    [(path, headers, body)] = receiver.calls
    form = dict(parse_qsl(body.decode()))
    signature = headers["X-Twilio-Signature"]
    assert RequestValidator(AUTH_TOKEN).validate(receiver.url + path, form, signature)
    assert (form["From"], form["Body"], form["OptOutType"]) == (PHONE, "退订", "STOP")
    for wrong in ({"from": PHONE}, {"from": PHONE, "body": 1}, {"from": "", "body": "", "x": ""}):
        assert call(url, "POST", "/sandbox/inbound", json.dumps(wrong)).status == 400


def test_the_sandbox_ends_at_once_whatever_waits(receiver: Receiver) -> None:
    with SandboxProcess(events_url=receiver.url) as sandbox:
        webhooks(sandbox.url, status_delay_ms=60_000)
        send_sms(sandbox.url, receiver)
        post_mail(sandbox.url, mail())
        assert counts(sandbox.url)["waiting"] > 0
    assert sandbox.pid is None


# With the web process at the other end


@pytest.fixture
def place(engine: Engine, rules: Rules, content: Content, url: str) -> World:
    return World(engine, url, None, rules, content)


def test_what_is_sent_is_known_to_be_delivered(place: World, url: str) -> None:
    place.holder()
    place.card(place.holder(email="luis@example.com", contact_phone="+51987654322"))
    with serving(place.app(lambda: NOW)) as web:
        # Twice, in disorder, and not at all for some.
        webhooks(url, events_url=web + EVENTS_PATH, duplicate_rate=0.5, shuffle=True)
        app = place.app(lambda: NOW, web={"public_url": web})
        report = asyncio.run(run_once(app, NOW))
        assert report.sent == 2
        ended = told(url, 5)
        assert (ended["acknowledged"], ended["given_up"]) == (5 + ended["duplicated"], 0)
        assert until(lambda: {row.state for row in place.rows(messages)} == {"delivered"})
    kept = [(row.provider, row.status) for row in place.rows(receipts)]
    assert sorted(kept) == [
        ("sendgrid", "delivered"),
        ("sendgrid", "processed"),
        ("twilio", "delivered"),
        ("twilio", "queued"),
        ("twilio", "sent"),
    ]


def test_a_holder_who_writes_stop_is_known(place: World, url: str) -> None:
    with serving(place.app(lambda: NOW)) as web:
        webhooks(url, inbound_url=web + INBOUND_PATH)
        said = call(url, "POST", "/sandbox/inbound", json.dumps({"from": PHONE, "body": " baja "}))
        assert said.json["status"] == 200
    assert [row.address for row in place.rows(suppressions)] == [PHONE]
