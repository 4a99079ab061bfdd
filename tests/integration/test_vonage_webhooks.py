"""What Vonage reports over HTTP: by GET, a form or JSON; what is believed, and what is refused."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from sqlalchemy import Engine

from tests.integration.helpers import NOW, PHONE, World
from tests.integration.sandbox_helpers import Reply, call
from tests.integration.vonage_helpers import FORMATS, MESSAGE, SETTINGS, bring, fields, signed
from tests.integration.web_helpers import ATTEMPT, serving
from worker.content.render import Content
from worker.core.rules import Rules
from worker.providers.vonage.webhook import INBOUND_PATH, RECEIPT_PATH
from worker.store.tables import receipts, suppressions

AT = int(NOW.timestamp())
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
METHODS = ("md5hash", "md5", "sha1", "sha256", "sha512")


@pytest.fixture
def place(engine: Engine, rules: Rules, content: Content) -> World:
    """A database and the use cases; the sandbox is not called."""
    return World(engine, "http://127.0.0.1:9", None, rules, content)


@pytest.fixture
def web(place: World) -> Iterator[str]:
    """The address of a web process on that database."""
    with serving(place.app(lambda: NOW, **SETTINGS)) as url:
        yield url


def stored(place: World) -> list[Any]:
    return list(place.rows(receipts))


def receipt(**changes: str | None) -> dict[str, str]:
    return signed(fields(AT, **changes))


@pytest.mark.parametrize("shape", FORMATS)
def test_a_receipt_is_stored_with_its_attempt(web: str, place: World, shape: str) -> None:
    given = receipt(status="failed", **{"err-code": "2", "to": "Línea & más = 中文 +"})
    assert bring(web, given, shape).status == 204
    [row] = stored(place)
    assert (row.provider, row.event_id, row.status) == ("vonage", f"{MESSAGE}:failed", "failed")
    assert (row.attempt_id, row.provider_id, row.code) == (UUID(ATTEMPT), MESSAGE, "2")
    assert row.occurred_at == datetime.fromtimestamp(AT, UTC)
    assert "51987654321" not in repr(row)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", FORMATS)
def test_a_signature_is_read_as_the_account_makes_it(place: World, method: str, shape: str) -> None:
    app = place.app(lambda: NOW, **SETTINGS, vonage_signature_method=method)
    with serving(app) as web:
        for other in METHODS:
            given = signed(fields(AT, messageId=f"A-{other}"), other)
            assert bring(web, given, shape).status == (204 if other == method else 403)
    assert [row.provider_id for row in stored(place)] == [f"A-{method}"]


def test_a_receipt_that_repeats_is_stored_once(web: str, place: World) -> None:
    for status in ("delivered", "accepted", "delivered", "ACCEPTED"):
        for shape in FORMATS:
            assert bring(web, receipt(status=status), shape).status == 204
    assert sorted(row.status for row in stored(place)) == ["accepted", "delivered"]


def test_each_part_of_a_text_is_a_report_of_its_own(web: str, place: World) -> None:
    for part in ("A0", "A1"):
        changes = {"messageId": part, "client-ref": f"{ATTEMPT}.2"}
        assert bring(web, receipt(**changes)).status == 204
    assert [(row.provider_id, row.code) for row in stored(place)] == [
        ("A0", "parts_2"),
        ("A1", "parts_2"),
    ]


@pytest.mark.parametrize(
    ("changes", "stays"),
    [
        ({"client-ref": None}, False),
        ({"client-ref": "campaign 7"}, False),
        ({"client-ref": f"{ATTEMPT}"}, False),
        ({"messageId": None}, False),
        ({"messageId": "A\0"}, False),
        ({"messageId": "A" * 101}, False),
        ({"status": None}, False),
        ({"status": "teleported"}, False),
        ({"status": "\u0130"}, False),
        ({"status": "failed", "err-code": "9" * 5_000}, True),
        ({"status": "failed", "err-code": "\0' OR 1=1"}, True),
        ({"status": "failed", "err-code": "\u0662"}, True),
        ({"status": "failed", "err-code": None}, True),
        ({"api-key": None}, True),
        ({"message-timestamp": "yesterday"}, True),
        ({"something-new": "\0"}, True),
    ],
)
@pytest.mark.parametrize("shape", FORMATS)
def test_what_is_genuine_and_odd_does_no_harm(
    web: str, place: World, changes: dict[str, str | None], stays: bool, shape: str
) -> None:
    assert bring(web, receipt(**changes), shape).status == 204
    assert len(stored(place)) == stays


def calls(web: str) -> dict[str, Reply]:
    """Calls that Vonage did not make, or that are not what it makes."""
    good, old = receipt(), int((NOW - timedelta(days=3, seconds=2)).timestamp())
    form, path = urlencode(good), RECEIPT_PATH

    def post(body: str | bytes, headers: dict[str, str], where: str = path) -> Reply:
        return call(web, "POST", where, body, headers)

    def get(query: str) -> Reply:
        return call(web, "GET", f"{path}?{query}")

    unsigned = {name: value for name, value in good.items() if name != "sig"}
    both = f"{path}?{urlencode({'x': '1'})}"
    found = {
        "JSON without an end": post("[" * 50_000, JSON),
        "half of JSON": post(json.dumps(good)[:-9], JSON),
        "a list": post(json.dumps([good]), JSON),
        "a number": post("7", JSON),
        "nothing": post("", JSON),
        "bytes that are no text": post(b'{"a": "\xff\xfe"}', JSON),
        "an object in a field": post(json.dumps({**good, "text": {"$ne": 1}}), JSON),
        "no object but true": post(json.dumps({**good, "concat": True}), JSON),
        "a field twice": post(form + f"&messageId={MESSAGE}", FORM),
        "more fields than Vonage has": post("&".join(f"f{n}=" for n in range(300)), FORM),
        "percent signs that are no text": post("messageId=%ff%fe", FORM),
        "bytes in a form": post("messageId=é".encode(), FORM),
        "another type": post(form, {"Content-Type": "text/plain"} | {"X": "1"}, both),
        "no type": post(json.dumps(good), {}),
        "parameters in two places": post(form, FORM, f"{path}?nonce=1"),
        "a signed query of a POST": post("", FORM, f"{path}?{form}"),
        "a query twice": get(form + "&status=failed"),
        "an empty query": get(""),
        "no query": call(web, "GET", path),
        "percent signs in a query": get("messageId=%ff%fe"),
        "a GET with a body": call(web, "GET", path, json.dumps(good), JSON),
    }
    for shape in FORMATS:
        found |= {
            f"{shape}: {name}": bring(web, given, shape)
            for name, given in {
                "no signature": unsigned,
                "an empty signature": {**good, "sig": ""},
                "a signature that is no text of ours": {**good, "sig": "é中"},
                "half a signature": {**good, "sig": good["sig"][:16]},
                "another secret": signed(fields(AT), secret="guessed"),
                "no secret": signed(fields(AT), secret=""),
                "another method": signed(fields(AT), "sha256"),
                "a changed field": {**good, "status": "failed"},
                "a field more": {**good, "concat": "true"},
                "a field less": {k: v for k, v in good.items() if k != "nonce"},
                "values that change places": {**good, "msisdn": good["to"], "to": good["msisdn"]},
                "another account": receipt(**{"api-key": "abcd1234"}),
                "replayed after days": signed(fields(old)),
                "no time": receipt(timestamp=None),
                "a time that is none": receipt(timestamp="soon"),
                "a time before all": receipt(timestamp="-1"),
                "a time without an end": receipt(timestamp="9" * 5_000),
            }.items()
        }
    return found


def test_what_vonage_did_not_sign_is_refused(web: str, place: World) -> None:
    answers = {name: reply.status for name, reply in calls(web).items()}
    assert answers == dict.fromkeys(answers, 403)
    assert stored(place) == []


def test_a_receipt_that_comes_late_is_taken(web: str, place: World) -> None:
    late = [NOW - timedelta(days=2), NOW + timedelta(days=400)]
    for number, at in enumerate(late):
        given = fields(int(at.timestamp()), messageId=f"A{number}")
        assert bring(web, signed(given)).status == 204
    assert len(stored(place)) == 2


@pytest.mark.parametrize("path", [RECEIPT_PATH, INBOUND_PATH])
@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_no_other_method_is_taken(web: str, place: World, path: str, method: str) -> None:
    assert call(web, method, f"{path}?{urlencode(receipt())}").status == 405
    assert stored(place) == []


def test_without_a_secret_nothing_is_believed(place: World) -> None:
    live = {**SETTINGS, "vonage_api_key": "abcd1234", "vonage_from": "+51987654321"}
    own = {"web": {"public_url": "https://reminders.example.com"}}
    with serving(place.app(lambda: NOW, **{**live, "vonage_signature_secret": None}, **own)) as web:
        for secret in ("", "None", "sandbox-signature-secret"):
            given = fields(AT, **{"api-key": "abcd1234"})
            assert bring(web, signed(given, secret=secret)).status == 403
    assert stored(place) == []


# What holders write


def inbound(text: str | None, name: str = "B0", **changes: str | None) -> dict[str, str]:
    own: dict[str, str | None] = {
        "msisdn": PHONE.removeprefix("+"),
        "messageId": name,
        "text": text,
        "type": "text",
        "keyword": (text or "").split(" ")[0].upper(),
        **dict.fromkeys(("status", "err-code", "client-ref", "scts", "price")),
        **changes,
    }
    return signed(fields(AT, **own))


@pytest.mark.parametrize("shape", FORMATS)
@pytest.mark.parametrize("text", ["STOP", "¡BAJA, por favor!", "退订", "&=stop&="])
def test_an_inbound_word_opts_the_sender_out(web: str, place: World, shape: str, text: str) -> None:
    assert bring(web, inbound(text), shape, INBOUND_PATH).status == 204
    assert [row.address for row in place.rows(suppressions)] == [PHONE]


@pytest.mark.parametrize(
    "changes",
    [
        {"text": "Gracias"},
        {"msisdn": "SHORT"},
        {"msisdn": "+51987654321"},
        {"msisdn": None},
        {"msisdn": "123"},
        {"text": ""},
        {"text": None, "type": "binary", "data": "5354 4f50"},
        {"text": "\0" * 100},
        {"text": "😀" * 1600},
    ],
)
def test_other_inbound_messages_change_nothing(
    web: str, place: World, changes: dict[str, str | None]
) -> None:
    others = {name: value for name, value in changes.items() if name != "text"}
    given = inbound(changes.get("text", "STOP"), "B0", **others)
    assert bring(web, given, "json", INBOUND_PATH).status == 204
    assert place.rows(suppressions) == []


@pytest.mark.parametrize("named", [True, False])
def test_a_signed_message_that_is_replayed_lifts_no_later_opt_out(
    web: str, place: World, named: bool
) -> None:
    for name, text in (("B1", "START"), ("B2", "BAJA."), ("B1", "START")):
        given = inbound(text, **{} if named else {"messageId": None}, name=name)
        assert bring(web, given, "json", INBOUND_PATH).status == 204
    [row] = place.rows(suppressions)
    assert row.lifted_at is None


def test_a_receipt_is_no_message_and_a_message_no_receipt(web: str, place: World) -> None:
    assert bring(web, inbound("STOP")).status == 204
    assert bring(web, receipt(), "json", INBOUND_PATH).status == 204
    assert stored(place) == []
    assert place.rows(suppressions) == []
