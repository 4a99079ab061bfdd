"""The sandbox as Vonage: as strict as its API, with its words; signed receipts; its records."""

import base64
import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.integration.sandbox_helpers import (
    MESSAGES,
    TWILIO_AUTH,
    Reply,
    call,
    mailbox,
    record,
    reset,
    set_faults,
)
from worker.sandbox.credentials import VONAGE_KEY, VONAGE_SECRET

BASIC = base64.b64encode(f"{VONAGE_KEY}:{VONAGE_SECRET}".encode()).decode()
AUTH = {"Authorization": f"Basic {BASIC}"}
SMS = {"from": "Vigencia", "to": "51987654321", "text": "Hola"}
DAY = {"date_start": "2020-06-12T00:00:00Z", "date_end": "2020-06-13T00:00:00Z"}
WHAT = {"account_id": VONAGE_KEY, "product": "SMS", "direction": "outbound"}


@pytest.fixture
def url(sandbox: str) -> str:
    return sandbox


def submit(url: str, **changes: str) -> Reply:
    form = {**SMS, **{name.replace("_", "-"): value for name, value in changes.items()}}
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return call(url, "POST", "/sms/json", urlencode(form), {**AUTH, **kind})


def statuses(reply: Reply) -> list[str]:
    assert reply.status == 200
    assert reply.json["message-count"] == str(len(reply.json["messages"]))
    return [one["status"] for one in reply.json["messages"]]


def records(url: str, **query: str) -> Reply:
    return call(url, "GET", f"/v2/reports/records?{urlencode({**WHAT, **query})}", headers=AUTH)


def test_a_message_is_taken_and_stands_in_the_mailbox(url: str) -> None:
    reply = submit(url, client_ref="at-1.1", ttl="20000")
    [one] = reply.json["messages"]
    assert (one["status"], one["to"], one["client-ref"]) == ("0", "51987654321", "at-1.1")
    [shown] = mailbox(url, "+51987654321")["sms"]["+51987654321"]
    assert (shown["id"], shown["from"], shown["body"]) == (one["message-id"], "Vigencia", "Hola")
    assert shown["validity_s"] == 20
    assert [entry["attempt"] for entry in record(url)["messages"]] == ["at-1"]
    page = call(url, "GET", "/sandbox/mailbox", headers={"Accept": "text/html"})
    assert b"SMS to +51987654321" in page.body


def test_json_is_taken_as_well(url: str) -> None:
    headers = {**AUTH, "Content-Type": "application/json"}
    assert statuses(call(url, "POST", "/sms/json", json.dumps(SMS), headers)) == ["0"]


@pytest.mark.parametrize(
    ("changes", "parts", "body"),
    [
        ({"text": "a" * 160}, 1, "a" * 160),
        ({"text": "a" * 161}, 2, "a" * 161),
        ({"text": "中" * 70, "type": "unicode"}, 1, "中" * 70),
        ({"text": "中" * 71, "type": "unicode"}, 2, "中" * 71),
        ({"text": "a" * 71, "type": "unicode"}, 2, "a" * 71),
        ({"text": "mañana á 中"}, 1, "mañana ? ?"),
    ],
)
def test_a_text_falls_into_parts_by_its_type(
    url: str, changes: dict[str, str], parts: int, body: str
) -> None:
    reply = submit(url, **changes)
    assert statuses(reply) == ["0"] * parts
    assert len({one["message-id"] for one in reply.json["messages"]}) == parts
    assert [entry["text"] for entry in record(url)["messages"]] == [body]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"from": ""}, "2"),
        ({"to": ""}, "2"),
        ({"text": ""}, "2"),
        ({"to": "+51987654321"}, "3"),
        ({"to": "987"}, "3"),
        ({"from": "+15005550006"}, "3"),
        ({"from": "Mi SIM"}, "3"),
        ({"from": "TwelveLetter"}, "3"),
        ({"type": "binary"}, "3"),
        ({"ttl": "19999"}, "3"),
        ({"ttl": "604800001"}, "3"),
        ({"ttl": "1e5"}, "3"),
        ({"client_ref": "x" * 101}, "3"),
        ({"status_report_req": "perhaps"}, "3"),
        ({"surprise": "1"}, "3"),
        ({"text": "a" * 3201}, "12"),
        ({"callback": "ftp://example.com"}, "23"),
        ({"callback": "https://" + "r" * 100}, "23"),
    ],
)
def test_what_vonage_refuses_is_refused_with_its_status(
    url: str, changes: dict[str, str], status: str
) -> None:
    assert statuses(submit(url, **changes)) == [status]
    assert record(url)["counters"]["refused"] == 1
    assert record(url)["messages"] == []


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic x"}, TWILIO_AUTH])
def test_other_credentials_open_nothing(url: str, headers: dict[str, str]) -> None:
    assert statuses(call(url, "POST", "/sms/json", urlencode(SMS), headers)) == ["4"]
    for path in ("/account/get-balance", f"/v2/reports/records?{urlencode({**WHAT, **DAY})}"):
        assert call(url, "GET", path, headers=headers).status == 401
    assert call(url, "GET", MESSAGES, headers=AUTH).status == 401, "nor do Vonage's at Twilio's"


def test_a_fault_may_be_vonages_alone_and_in_its_codes(url: str) -> None:
    set_faults(url, {"channel": "sms", "kind": "code", "code": 9, "times": 1, "provider": "vonage"})
    assert statuses(submit(url)) == ["9"]
    assert statuses(submit(url)) == ["0"]
    set_faults(url, {"channel": "sms", "kind": "rate_limit", "times": 1, "provider": "vonage"})
    assert statuses(submit(url)) == ["1"]
    set_faults(url, {"channel": "sms", "kind": "error_after", "times": 1, "provider": "vonage"})
    assert statuses(submit(url, to="1")) == ["3"], "what is refused meets no fault after it"
    assert submit(url).status == 503
    set_faults(url, {"channel": "sms", "kind": "error_before", "times": 1, "provider": "twilio"})
    assert statuses(submit(url)) == ["0"]


def test_the_balance_is_told(url: str) -> None:
    found = call(url, "GET", "/account/get-balance", headers=AUTH)
    assert (found.status, found.json) == (200, {"value": 10.28, "autoReload": False})


# The records


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({}, "date_start"),
        ({"date_start": DAY["date_start"]}, "date_end"),
        ({**DAY, "product": "MESSAGES"}, "product"),
        ({**DAY, "direction": "inbound"}, "direction"),
        ({**DAY, "account_id": "abcd1234"}, "account_id"),
        ({**DAY, "date_end": "2020-06-13T00:00:01Z"}, "date_end"),
        ({**DAY, "date_end": DAY["date_start"]}, "date_end"),
        ({**DAY, "date_start": "today"}, "date_start"),
        ({**DAY, "date_start": "2020-06-12T00:00:00"}, "date_start"),
        ({**DAY, "client_ref": "at-1.1"}, "client_ref"),
        ({**DAY, "id": "A0"}, "date_end"),
    ],
)
def test_a_query_that_the_api_does_not_take_is_refused(
    url: str, query: dict[str, str], name: str
) -> None:
    reply = records(url, **query)
    assert reply.status == 422
    assert [one["name"] for one in reply.json["invalid_parameters"]] == [name]


def found(url: str, **query: str) -> list[Any]:
    reply = records(url, **query)
    assert reply.status == 200, reply.body
    rows: list[Any] = reply.json["records"]
    assert reply.json["items_count"] == len(rows)
    return rows


def now_to(url: str) -> dict[str, str]:
    now = datetime.fromisoformat(call(url, "GET", "/sandbox/health").json["now"])
    ends = (now - timedelta(hours=1), now + timedelta(hours=1))
    return dict(zip(DAY, (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in ends), strict=True))


def test_each_part_is_a_record_by_its_number_its_time_and_its_id(url: str) -> None:
    parts = submit(url, text="a" * 300, client_ref="at-1.2").json["messages"]
    submit(url, to="51911111111")
    span = now_to(url)
    own = found(url, **span, to="51987654321", include_message="true")
    assert [row["message_id"] for row in own] == [one["message-id"] for one in parts]
    assert "".join(row["message_body"] for row in own) == "a" * 300
    assert {row["client_ref"] for row in own} == {"at-1.2"}
    assert len(found(url, **span)) == 3
    assert found(url, **DAY) == []
    [one] = found(url, id=parts[1]["message-id"])
    assert "message_body" not in one
    assert one["message_id"] == parts[1]["message-id"]
    nothing = records(url, id="A0").json
    assert (nothing["records"], nothing["ids_not_found"]) == ([], "A0")


def test_many_records_come_by_pages(url: str) -> None:
    for _ in range(12):
        submit(url)
    span = now_to(url)
    first = records(url, **span).json
    assert (len(first["records"]), "next" in first["_links"]) == (10, True)
    rest = records(url, **span, cursor=first["cursor"], iv=first["iv"]).json
    assert (len(rest["records"]), "next" in rest["_links"]) == (2, False)


def test_nothing_of_it_stands_in_twilios_list(url: str) -> None:
    submit(url)
    assert call(url, "GET", MESSAGES, headers=TWILIO_AUTH).json["messages"] == []


@pytest.mark.parametrize("body", ["", "[]", '{"format": 7}', '{"format": "xml"}', '{"x": "y"}'])
def test_an_account_is_set_to_what_there_is(url: str, body: str) -> None:
    assert call(url, "POST", "/sandbox/vonage", body).status == 400
    good = call(url, "POST", "/sandbox/vonage", '{"format": "get", "method": "sha512"}')
    assert good.json == {"format": "get", "method": "sha512"}
    reset(url)
    assert call(url, "POST", "/sandbox/vonage", "{}").json["format"] == "json"
