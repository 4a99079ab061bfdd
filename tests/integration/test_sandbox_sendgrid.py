"""The sandbox as SendGrid: what it takes, what it refuses, and what the real SDK sees."""

import base64
import json
import time
from typing import Any

import pytest
from python_http_client.exceptions import BadRequestsError, UnauthorizedError
from sendgrid.helpers.mail import (
    Attachment,
    Bcc,
    Cc,
    Content,
    CustomArg,
    Disposition,
    FileContent,
    FileName,
    FileType,
    Header,
    Mail,
    ReplyTo,
    To,
)

from tests.integration.sandbox_helpers import (
    BEARER,
    call,
    mail,
    mailbox,
    post_mail,
    record,
    reset,
    sendgrid,
)
from worker.sandbox.process import SandboxProcess

LUCIA = {"email": "lucia@example.com"}
HTML = {"type": "text/html", "value": "<p>Hola</p>"}
PLAIN = {"type": "text/plain", "value": "Hola"}
FILE = {"content": base64.b64encode(b"%PDF").decode(), "filename": "a.pdf"}


@pytest.fixture
def url(sandbox_in_real_time: SandboxProcess) -> str:
    reset(sandbox_in_real_time.url)
    return sandbox_in_real_time.url


def to(*emails: str, **more: Any) -> dict[str, Any]:
    return {"to": [{"email": email} for email in emails], **more}


def test_the_sdk_sends_and_chinese_arrives_intact(url: str) -> None:
    message = Mail(("avisos@example.com", "Avisos"), "lucia@example.com", "您的套餐即将到期")
    message.add_content(Content("text/plain", "请充值，😀"))
    message.add_content(Content("text/html", "<p>请充值，😀</p>"))
    message.add_custom_arg(CustomArg("a", "at-9"))
    message.add_header(Header("List-Unsubscribe", "<https://example.com/u>"))
    response = sendgrid(url).send(message)
    assert (response.status_code, response.body) == (202, b"")
    [received] = mailbox(url, "lucia@example.com")["email"]["lucia@example.com"]
    assert received["id"] == response.headers["X-Message-Id"] != ""
    assert (received["subject"], received["text"]) == ("您的套餐即将到期", "请充值，😀")
    assert (received["html"], received["from"]) == ("<p>请充值，😀</p>", "avisos@example.com")
    assert received["custom_args"] == {"a": "at-9"}
    assert received["headers"] == {"List-Unsubscribe": "<https://example.com/u>"}
    [entry] = record(url)["messages"]
    assert (entry["channel"], entry["attempt"]) == ("email", "at-9")
    assert (entry["to"], entry["text"]) == ("lucia@example.com", "您的套餐即将到期")


def test_the_mailbox_shows_who_wrote_where_answers_go_and_what_is_attached(url: str) -> None:
    message = Mail(("avisos@example.com", "卡卡 SIM, S.A."), "lucia@example.com", "Aviso", "Hola")
    message.reply_to = ReplyTo("help@example.com", "Ayuda")
    for name in ("a.ics", "b.ics"):
        content = FileContent(base64.b64encode(b"BEGIN:VCALENDAR").decode())
        kind, how = FileType("text/calendar; method=PUBLISH"), Disposition("attachment")
        message.add_attachment(Attachment(content, FileName(name), kind, how))
    assert sendgrid(url).send(message).status_code == 202
    [received] = mailbox(url, "lucia@example.com")["email"]["lucia@example.com"]
    assert (received["from"], received["from_name"]) == ("avisos@example.com", "卡卡 SIM, S.A.")
    assert received["reply_to"] == "help@example.com"
    assert {
        file["filename"]: base64.b64decode(file["content"]) for file in received["attachments"]
    } == {
        "a.ics": b"BEGIN:VCALENDAR",
        "b.ics": b"BEGIN:VCALENDAR",
    }
    assert {(file["type"], file["disposition"]) for file in received["attachments"]} == {
        ("text/calendar; method=PUBLISH", "attachment")
    }


def test_several_addresses_for_answers_are_all_shown(url: str) -> None:
    people = [{"email": "a@example.com"}, {"email": "b@example.com", "name": "B"}]
    assert post_mail(url, mail(reply_to_list=people)).status == 202
    [received] = mailbox(url, "lucia@example.com")["email"]["lucia@example.com"]
    assert (received["reply_to"], received["attachments"]) == ("a@example.com, b@example.com", [])


def test_every_recipient_of_every_personalization_gets_a_copy(url: str) -> None:
    message = Mail("avisos@example.com", subject="Aviso", plain_text_content="Hola")
    message.add_to(To("a@example.com"))
    message.add_cc(Cc("b@example.com"))
    message.add_bcc(Bcc("c@example.com"))
    message.add_to(To("d@example.com", p=1), p=1)
    assert sendgrid(url).send(message).status_code == 202
    assert [m["to"][0] for m in record(url)["messages"]] == ["a", "b", "c", "d"]
    assert len(mailbox(url)["email"]) == 4


def test_a_personalization_overrides_the_message(url: str) -> None:
    own = {"subject": "Suyo", "custom_args": {"a": "2"}, "from": {"email": "otro@example.com"}}
    blocks = [to("a@example.com", **own), to("b@example.com")]
    args = {"a": "1", "book": "7"}
    assert post_mail(url, mail(personalizations=blocks, custom_args=args)).status == 202
    received = mailbox(url)["email"]
    [first], [second] = received["a@example.com"], received["b@example.com"]
    assert (first["subject"], first["from"]) == ("Suyo", "otro@example.com")
    assert first["custom_args"] == {"a": "2", "book": "7"}
    assert (second["subject"], second["custom_args"]) == ("Su plan vence", args)


REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"personalizations": None}, "personalizations"),
    ({"personalizations": []}, "personalizations"),
    ({"personalizations": "x"}, "personalizations"),
    ({"personalizations": ["x"]}, "personalizations.0"),
    ({"personalizations": 1001 * [to("a@example.com")]}, "personalizations"),
    ({"personalizations": [{}]}, "personalizations.0.to"),
    ({"personalizations": [to()]}, "personalizations.0.to"),
    ({"personalizations": [{"to": [{"name": "Lucía"}]}]}, "personalizations.0.to.0.email"),
    ({"personalizations": [{"to": ["lucia@example.com"]}]}, "personalizations.0.to.0"),
    ({"personalizations": [to("lucia@example")]}, "personalizations.0.to.0.email"),
    ({"personalizations": [to("lucia example.com")]}, "personalizations.0.to.0.email"),
    ({"personalizations": [to("lucía@example.com")]}, "personalizations.0.to.0.email"),
    ({"personalizations": [to("l..a@example.com")]}, "personalizations.0.to.0.email"),
    ({"personalizations": [to("a@example.com\r\nBcc: b@example.com")]}, "personalizations.0.to.0"),
    ({"personalizations": [to("a@example.com", cc=[LUCIA, {}])]}, "personalizations.0.cc.1.email"),
    ({"personalizations": [to("a@example.com", "A@example.com")]}, "personalizations.0"),
    ({"personalizations": [to("lucia@example.com", cc=[LUCIA])]}, "personalizations.0"),
    ({"personalizations": [to("lucia@example.com", bcc=[LUCIA])]}, "personalizations.0"),
    ({"personalizations": [to("a@example.com", subject="")]}, "personalizations.0.subject"),
    ({"personalizations": [to("a@example.com", extra=1)]}, "personalizations.0.extra"),
    (
        {"personalizations": [to("a@example.com", headers={"To": "b@example.com"})]},
        "personalizations.0.headers.To",
    ),
    (
        {"personalizations": [to("a@example.com", send_at=4_000_000_000)]},
        "personalizations.0.send_at",
    ),
    (
        {"personalizations": [to("a@example.com", custom_args={"a": 1})]},
        "personalizations.0.custom_args",
    ),
    ({"from": None}, "from"),
    ({"from": {"email": "avisos"}}, "from.email"),
    ({"from": {"name": "Avisos"}}, "from.email"),
    ({"from": "avisos@example.com"}, "from"),
    ({"reply_to": {"email": ""}}, "reply_to.email"),
    ({"reply_to": {"email": "josé@example.com"}}, "reply_to.email"),
    ({"reply_to": "lucia@example.com"}, "reply_to"),
    ({"reply_to": LUCIA, "reply_to_list": [LUCIA]}, "reply_to"),
    ({"subject": None}, "subject"),
    ({"subject": ""}, "subject"),
    ({"subject": 7}, "subject"),
    ({"content": None}, "content"),
    ({"content": []}, "content"),
    ({"content": "Hola"}, "content"),
    ({"content": ["Hola"]}, "content.0"),
    ({"content": [{"type": "text/plain", "value": ""}]}, "content.0.value"),
    ({"content": [{"type": "", "value": "x"}]}, "content.0.type"),
    ({"content": [{"type": "text/plain; charset=x", "value": "x"}]}, "content.0.type"),
    ({"content": [{"value": "x"}]}, "content.0.type"),
    ({"content": [HTML, PLAIN]}, "content"),
    ({"content": [{"type": "text/calendar", "value": "x"}, HTML]}, "content"),
    ({"headers": {"Subject": "x"}}, "headers.Subject"),
    ({"headers": {"x-sg-eid": "x"}}, "headers.x-sg-eid"),
    ({"headers": {"X A": "x"}}, "headers.X A"),
    ({"headers": {"X-Á": "x"}}, "headers.X-Á"),
    ({"headers": {"X-A": 1}}, "headers.X-A"),
    ({"headers": {"X-A": "a\r\nBcc: b@example.com"}}, "headers.X-A"),
    ({"custom_args": {}}, "custom_args"),
    ({"custom_args": {"a": 1}}, "custom_args"),
    ({"custom_args": "a=1"}, "custom_args"),
    ({"custom_args": {"b": 9_990 * "x"}}, "personalizations.0.custom_args"),
    ({"send_at": "tomorrow"}, "send_at"),
    ({"send_at": True}, "send_at"),
    ({"send_at": int(time.time()) + 73 * 3600}, "send_at"),
    ({"attachments": [{**FILE, "content": "not base64!"}]}, "attachments.0.content"),
    ({"attachments": [{**FILE, "content": "JVBERg==!"}]}, "attachments.0.content"),
    ({"attachments": [{**FILE, "content": ""}]}, "attachments.0.content"),
    ({"attachments": [{"content": FILE["content"]}]}, "attachments.0.filename"),
    ({"attachments": [{**FILE, "disposition": "hidden"}]}, "attachments.0.disposition"),
    ({"attachments": [{**FILE, "type": ""}]}, "attachments.0.type"),
    ({"attachments": [{**FILE, "type": "text/calendar\r\nX: y"}]}, "attachments.0.type"),
    ({"attachments": [{**FILE, "filename": ""}]}, "attachments.0.filename"),
    ({"attachments": [{**FILE, "name": "a.ics"}]}, "attachments.0.name"),
    ({"attachments": [FILE, {**FILE, "disposition": None}]}, "attachments.1.disposition"),
    ({"attachments": ["a.ics"]}, "attachments.0"),
    ({"attachments": FILE}, "attachments"),
    ({"categories": 11 * ["a"]}, "categories"),
    ({"categories": ["a", "a"]}, "categories"),
    ({"categories": ["á"]}, "categories.0"),
    ({"asm": {"group_id": "1"}}, "asm.group_id"),
    ({"batch_id": 1}, "batch_id"),
    ({"mail_settings": []}, "mail_settings"),
    ({"template_id": "d-1"}, "template_id"),
    ({"ip_pool_name": "pool"}, "ip_pool_name"),
    ({"extra": 1}, "extra"),
]


@pytest.mark.parametrize(("changes", "field"), REFUSALS)
def test_it_refuses_and_names_the_field(url: str, changes: dict[str, Any], field: str) -> None:
    reply = post_mail(url, mail(**changes))
    assert reply.status == 400
    errors = reply.json["errors"]
    assert any((error["field"] or "").startswith(field) for error in errors), errors
    assert all(error.keys() == {"message", "field", "help"} for error in errors)
    seen = record(url)
    assert (seen["messages"], seen["counters"]["refused"]) == ([], 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": None, "personalizations": [to("a@example.com", subject="Suyo")]},
        {"content": [HTML]},
        {"content": [PLAIN, HTML, {"type": "text/calendar", "value": "x"}]},
        {"custom_args": {"b": 9_900 * "x"}},
        {"send_at": int(time.time()) + 71 * 3600},
        {"send_at": 1},
        {"attachments": [{**FILE, "type": "application/pdf", "disposition": "inline"}]},
        {"attachments": [{**FILE, "type": "text/calendar; method=PUBLISH"}]},
        {"headers": {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}},
        {"reply_to": {"email": "b@example.com", "name": "贝"}},
        {"categories": ["aviso"], "tracking_settings": {"open_tracking": {"enable": False}}},
        {"personalizations": [to("l.o'a+b@sub-1.example.com")]},
        {"personalizations": [to("a@xn--fiqs8s.example.com")]},
    ],
)
def test_it_accepts_what_is_just_within_the_rules(url: str, changes: dict[str, Any]) -> None:
    reply = post_mail(url, mail(**changes))
    assert (reply.status, reply.body) == (202, b"")
    assert len(record(url)["messages"]) == 1


def test_a_thousand_recipients_are_accepted_and_one_more_is_not(url: str) -> None:
    people = [{"email": f"p{number}@example.com"} for number in range(1000)]
    full = {"to": people[:998], "cc": people[998:999], "bcc": people[999:]}
    assert post_mail(url, mail(personalizations=[full])).status == 202
    assert len(record(url)["messages"]) == 1000
    more = [{"to": people}, to("late@example.com")]
    assert post_mail(url, mail(personalizations=more)).status == 400
    blocks = [{"to": [person]} for person in people]
    assert post_mail(url, mail(personalizations=blocks)).status == 202
    assert len(record(url)["messages"]) == 2000


def test_the_sdk_sees_a_refusal_as_bad_request(url: str) -> None:
    with pytest.raises(BadRequestsError) as caught:
        sendgrid(url).send(Mail("avisos@example.com", "lucia@example", "Aviso", "Hola"))
    assert caught.value.to_dict["errors"][0]["field"] == "personalizations.0.to.0.email"


def test_a_wrong_key_is_refused_before_anything_else_is_said(url: str) -> None:
    with pytest.raises(UnauthorizedError) as caught:
        sendgrid(url, key="SG.another").send(mail())
    message = "The provided authorization grant is invalid, expired, or revoked"
    assert caught.value.to_dict == {"errors": [{"message": message, "field": None, "help": None}]}
    for headers in ({}, {"Authorization": "SG.sandbox-key"}, {"Authorization": "Basic x"}):
        for path in ("/v3/mail/send", "/v3/stats"):
            assert call(url, "POST", path, "{", headers).status == 401
    assert record(url)["messages"] == []


@pytest.mark.parametrize("body", ["", "{", "null", b"\xff\xfe\xfa", 100_000 * "["])
def test_what_is_no_json_is_a_bad_request(url: str, body: bytes | str) -> None:
    headers = {**BEARER, "Content-Type": "application/json"}
    reply = call(url, "POST", "/v3/mail/send", body, headers)
    assert reply.status == 400
    assert reply.json["errors"] == [{"message": "Bad Request", "field": None, "help": None}]


def test_another_content_type_is_415(url: str) -> None:
    reply = post_mail(url, mail(), {"Content-Type": "text/plain"})
    assert (reply.status, record(url)["messages"]) == (415, [])


def test_more_than_30_mb_is_413_with_a_page_and_not_json(url: str) -> None:
    big = {"type": "text/plain", "value": 30 * 1024 * 1024 * "x"}
    reply = post_mail(url, mail(content=[big]))
    assert (reply.status, record(url)["messages"]) == (413, [])
    assert reply.headers["Content-Type"].startswith("text/html")
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.body)


def test_other_methods_and_paths_are_405_and_404(url: str) -> None:
    assert call(url, "GET", "/v3/mail/send", None, BEARER).status == 405
    assert call(url, "POST", "/v3/mail/batch", "{}", BEARER).status == 404


def test_sendgrids_own_sandbox_mode_answers_200_and_sends_nothing(url: str) -> None:
    reply = post_mail(url, mail(mail_settings={"sandbox_mode": {"enable": True}}))
    assert (reply.status, record(url)["messages"]) == (200, [])
