"""The sandbox as Twilio: what it takes, what it refuses, and what the real SDK reads back."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from twilio.base.exceptions import (  # type: ignore[import-untyped, unused-ignore]
    TwilioRestException,
)

from tests.integration.sandbox_helpers import (
    MESSAGES,
    SMS,
    TWILIO_AUTH,
    call,
    mailbox,
    post_form,
    record,
    reset,
    twilio,
)
from worker.sandbox.credentials import ACCOUNT_SID, MESSAGING_SERVICE_SID, SENDER
from worker.sandbox.process import SandboxProcess

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def clock_file(sandbox_clock: Path) -> Path:
    sandbox_clock.write_text(START.isoformat())
    return sandbox_clock


@pytest.fixture
def url(sandbox_process: SandboxProcess, clock_file: Path) -> str:
    reset(sandbox_process.url)
    return sandbox_process.url


def advance(clock_file: Path, seconds: float) -> None:
    clock_file.write_text((START + timedelta(seconds=seconds)).isoformat())


def send(url: str, **changes: str) -> Any:
    given = {"to": SMS["To"], "from_": SENDER, "body": "Hola", **changes}
    return twilio(url).messages.create(**given)


def test_the_sdk_creates_a_message_and_reads_every_field(url: str) -> None:
    callback = "https://avisos.example.com/cb?a=at-7"
    message = send(url, body="Su plan vence hoy", status_callback=callback, validity_period="600")
    assert re.fullmatch(r"SM[0-9a-f]{32}", message.sid)
    assert message.account_sid == ACCOUNT_SID
    assert (message.to, message.from_, message.body) == (SMS["To"], SENDER, "Su plan vence hoy")
    assert (message.status, message.direction) == ("queued", "outbound-api")
    assert (message.num_segments, message.num_media) == ("1", "0")
    assert (message.price, message.error_code, message.error_message) == (None, None, None)
    assert (message.date_created, message.date_sent) == (START, None)
    assert message.api_version == "2010-04-01"
    assert message.uri == f"{MESSAGES.removesuffix('.json')}/{message.sid}.json"
    assert message.subresource_uris["media"].endswith(f"/{message.sid}/Media.json")
    [entry] = record(url)["messages"]
    assert (entry["id"], entry["attempt"]) == (message.sid, "at-7")
    [received] = mailbox(url)["sms"][SMS["To"]]
    assert (received["status_callback"], received["validity_s"]) == (callback, 600)


def test_a_create_is_answered_with_201_and_rfc_2822_dates(url: str) -> None:
    reply = post_form(url, SMS)
    assert reply.status == 201
    assert reply.json["date_created"] == "Sun, 01 Mar 2026 12:00:00 +0000"
    assert parsedate_to_datetime(reply.json["date_updated"]) == START


def test_a_message_of_a_service_is_accepted_and_gets_its_sender_when_sent(
    url: str, clock_file: Path
) -> None:
    client = twilio(url)
    service = {"messaging_service_sid": MESSAGING_SERVICE_SID}
    message = client.messages.create(to=SMS["To"], body="Hola", **service)
    assert (message.status, message.from_, message.num_segments) == ("accepted", None, "0")
    assert message.messaging_service_sid == MESSAGING_SERVICE_SID
    advance(clock_file, 2)
    later = client.messages(message.sid).fetch()
    assert (later.status, later.from_, later.num_segments) == ("sent", SENDER, "1")


def test_status_moves_on_with_the_sandboxs_clock(url: str, clock_file: Path) -> None:
    message = send(url)
    seen = []
    for seconds in (0, 1.9, 2, 4.9, 5, 86_400):
        advance(clock_file, seconds)
        now = twilio(url).messages(message.sid).fetch()
        seen.append((now.status, now.date_sent))
    sent = START + timedelta(seconds=2)
    assert seen[:2] == [("queued", None)] * 2
    assert seen[2:4] == [("sent", sent)] * 2
    assert seen[4:] == [("delivered", sent)] * 2


def test_chinese_text_arrives_intact_and_is_counted_in_ucs_2(url: str) -> None:
    text = "您的套餐将于明天到期，请及时充值。😀" * 4
    message = send(url, body=text)
    assert message.body == text
    [received] = mailbox(url, SMS["To"])["sms"][SMS["To"]]
    # 18 characters and one surrogate pair's second half, four times: 76 units, more than 70.
    assert (received["body"], received["segments"], message.num_segments) == (text, 2, "2")


REFUSALS = [
    ({"To": ""}, 21604),
    ({"To": "987654321"}, 21211),
    ({"To": "+51 987 654 321"}, 21211),
    ({"To": "+0123456789"}, 21211),
    ({"To": "whatsapp:+51987654321"}, 21211),
    ({"From": ""}, 21603),
    ({"From": "+12"}, 21212),
    ({"From": "una firma larga"}, 21212),
    ({"From": "1234567890123"}, 21212),
    ({"From": SMS["To"]}, 21266),
    ({"MessagingServiceSid": "MG123"}, 21705),
    ({"MessagingServiceSid": "AC" + 32 * "0"}, 21705),
    ({"Body": ""}, 21602),
    ({"Body": 1601 * "a"}, 21617),
    ({"ContentSid": "HX1"}, 21655),
    ({"ValidityPeriod": "0"}, 90014),
    ({"ValidityPeriod": "-1"}, 90014),
    ({"ValidityPeriod": "ten"}, 90014),
    ({"ValidityPeriod": "36001"}, 90007),
    ({"ValidityPeriod": 5000 * "9"}, 90007),
    ({"StatusCallback": "avisos.example.com/cb"}, 21609),
    ({"StatusCallback": "ftp://avisos.example.com/cb"}, 21609),
    ({"StatusCallback": "https://avisos_1.example.com/cb"}, 21609),
    ({"StatusCallback": "https://avisos.example.com:port/cb"}, 21609),
    ({"To": "+15005550001"}, 21211),
    ({"To": "+15005550002"}, 21612),
    ({"To": "+15005550003"}, 21408),
    ({"To": "+15005550004"}, 21610),
    ({"To": "+15005550009"}, 21614),
    ({"From": "+15005550001"}, 21212),
    ({"From": "+15005550007"}, 21606),
    ({"From": "+15005550008"}, 21611),
]


@pytest.mark.parametrize(("changes", "code"), REFUSALS)
def test_it_refuses_with_twilios_code_and_body(
    url: str, changes: dict[str, str], code: int
) -> None:
    reply = post_form(url, {**SMS, **changes})
    assert (reply.status, reply.json["status"], reply.json["code"]) == (400, 400, code)
    assert reply.json["more_info"] == f"https://www.twilio.com/docs/errors/{code}"
    assert reply.json["message"]
    assert reply.json.keys() == {"code", "message", "more_info", "status"}
    seen = record(url)
    assert (seen["messages"], seen["counters"]["refused"]) == ([], 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"Body": 1600 * "a"},
        {"ValidityPeriod": "1"},
        {"ValidityPeriod": "36000"},
        {"From": "AVISOS"},
        {"From": "12345"},
        {"From": "", "MessagingServiceSid": MESSAGING_SERVICE_SID},
        {"Body": "", "MediaUrl": "https://example.com/a.png"},
        {"StatusCallback": "http://127.0.0.1:8000/cb?a=1#rc=5&rp=all"},
        {"StatusCallback": "http://[::1]:8000/cb"},
        {"Unknown": "ignored"},
    ],
)
def test_it_accepts_what_is_just_within_the_rules(url: str, changes: dict[str, str]) -> None:
    assert post_form(url, {**SMS, **changes}).status == 201
    assert len(record(url)["messages"]) == 1


def test_a_missing_field_is_refused_like_a_blank_one(url: str) -> None:
    for field, code in (("To", 21604), ("From", 21603), ("Body", 21602)):
        form = {name: value for name, value in SMS.items() if name != field}
        assert post_form(url, form).json["code"] == code


def test_a_form_that_escapes_nothing_is_read_as_utf_8(url: str) -> None:
    headers = {**TWILIO_AUTH, "Content-Type": "application/x-www-form-urlencoded"}
    form = f"To=%2B51987654321&From=AVISOS&Body={SMS['Body']}+您"
    assert call(url, "POST", MESSAGES, form, headers).json["body"] == "Hola 您"


def test_a_json_body_is_no_form(url: str) -> None:
    headers = {**TWILIO_AUTH, "Content-Type": "application/json"}
    reply = call(url, "POST", MESSAGES, '{"To": "+51987654321"}', headers)
    assert (reply.status, reply.json["code"]) == (400, 21604)


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Basic wrong"}, {"Authorization": "Bearer ñ"}]
)
def test_any_other_credentials_are_refused_and_nothing_is_kept(
    url: str, headers: dict[str, str]
) -> None:
    for method, path in (("POST", MESSAGES), ("GET", MESSAGES), ("GET", "/2010-04-01/x.json")):
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = call(url, method, path, None, {**kind, **headers})
        assert (reply.status, reply.json["code"]) == (401, 20003)
        assert reply.headers["WWW-Authenticate"].startswith("Basic")
    assert record(url)["messages"] == []


def test_the_sdk_sees_a_wrong_token_as_20003(url: str) -> None:
    with pytest.raises(TwilioRestException) as caught:
        twilio(url, token="another").messages.create(to=SMS["To"], from_=SENDER, body="Hola")
    assert (caught.value.status, caught.value.code) == (401, 20003)


def test_what_does_not_exist_is_20404(url: str) -> None:
    other = "/2010-04-01/Accounts/AC" + 32 * "1"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for method, path in (
        ("POST", f"{other}/Messages.json"),
        ("GET", f"{other}/Messages.json"),
        ("GET", f"{MESSAGES.removesuffix('.json')}/SM{32 * '0'}.json"),
        ("GET", f"/2010-04-01/Accounts/{ACCOUNT_SID}/Calls.json"),
    ):
        reply = call(url, method, path, "To=%2B51987654321", {**TWILIO_AUTH, **form})
        assert (reply.status, reply.json["code"]) == (404, 20404), path
    assert call(url, "DELETE", MESSAGES, None, TWILIO_AUTH).json["code"] == 20004


def test_the_list_is_newest_first_and_filtered_by_number(url: str) -> None:
    for number, body in (("+51900000001", "a"), ("+51900000002", "b"), ("+51900000001", "c")):
        send(url, to=number, body=body)
    send(url, to="+51900000001", from_="AVISOS", body="d")
    messages = twilio(url).messages
    assert [m.body for m in messages.list(limit=50)] == ["d", "c", "b", "a"]
    assert [m.body for m in messages.list(to="+51900000001", limit=50)] == ["d", "c", "a"]
    assert [m.body for m in messages.list(from_="AVISOS", limit=50)] == ["d"]
    assert messages.list(to="+51900000009", limit=50) == []


def test_a_date_filter_finds_nothing_that_is_still_queued(url: str, clock_file: Path) -> None:
    send(url)
    messages = twilio(url).messages
    assert len(messages.list(to=SMS["To"])) == 1
    assert messages.list(to=SMS["To"], date_sent_after=START - timedelta(days=1)) == []
    advance(clock_file, 3)
    assert len(messages.list(date_sent_after=START - timedelta(days=1))) == 1
    assert len(messages.list(date_sent=START)) == 1
    assert len(messages.list(date_sent_before=START.date())) == 1
    assert messages.list(date_sent_after=START + timedelta(days=1)) == []
    assert messages.list(date_sent_before=START - timedelta(days=1)) == []


def test_the_sdk_pages_through_everything_once(url: str) -> None:
    for number in range(7):
        send(url, body=f"m{number}")
    expected = [f"m{number}" for number in reversed(range(7))]
    assert [m.body for m in twilio(url).messages.list(page_size=3)] == expected
    assert [m.body for m in twilio(url).messages.list(limit=4, page_size=3)] == expected[:4]
    page = twilio(url).messages.page(page_size=3)
    # What arrives between two pages shifts nothing.
    send(url, body="late")
    following = page.next_page()
    assert [m.body for m in following] == expected[3:6]
    assert [m.body for m in following.previous_page()] == expected[:3]


def test_the_envelope_says_where_a_page_stands(url: str) -> None:
    for _ in range(3):
        send(url)
    first = call(url, "GET", f"{MESSAGES}?To=%2B51987654321&PageSize=2", None, TWILIO_AUTH).json
    assert (first["page"], first["page_size"], first["start"], first["end"]) == (0, 2, 0, 1)
    assert first["uri"] == f"{MESSAGES}?To=%2B51987654321&PageSize=2&Page=0"
    assert first["first_page_uri"] == first["uri"]
    assert first["previous_page_uri"] is None
    assert "&Page=1&PageToken=PASM" in first["next_page_uri"]
    last = call(url, "GET", first["next_page_uri"], None, TWILIO_AUTH).json
    assert (last["page"], last["start"], last["end"]) == (1, 2, 2)
    assert last["next_page_uri"] is None
    assert call(url, "GET", last["previous_page_uri"], None, TWILIO_AUTH).json == first
    by_page = call(url, "GET", f"{MESSAGES}?PageSize=2&Page=1", None, TWILIO_AUTH).json
    assert by_page["messages"] == last["messages"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("PageSize=1001", 20007),
        ("PageSize=0", 20400),
        ("PageSize=x", 20400),
        ("Page=-1", 20400),
        ("PageToken=PAno", 20400),
        ("DateSent=yesterday", 20400),
    ],
)
def test_a_senseless_list_is_refused(url: str, query: str, code: int) -> None:
    reply = call(url, "GET", f"{MESSAGES}?{query}", None, TWILIO_AUTH)
    assert (reply.status, reply.json["code"]) == (400, code)
