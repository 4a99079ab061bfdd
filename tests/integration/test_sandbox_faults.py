"""Faults: what the client sees, and whether the provider had accepted the message all the same."""

import http.client
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.error import URLError

import pytest
import requests  # type: ignore[import-untyped, unused-ignore]
from python_http_client.exceptions import HTTPError
from twilio.base.exceptions import (  # type: ignore[import-untyped, unused-ignore]
    TwilioException,
    TwilioRestException,
)

from tests.integration.sandbox_helpers import (
    MESSAGES,
    SMS,
    TWILIO_AUTH,
    call,
    mail,
    post_form,
    post_mail,
    record,
    reset,
    sendgrid,
    set_faults,
    twilio,
)
from worker.sandbox.credentials import SENDER
from worker.sandbox.process import SandboxProcess


@pytest.fixture
def url(sandbox_in_real_time: SandboxProcess) -> str:
    reset(sandbox_in_real_time.url)
    return sandbox_in_real_time.url


def sms(url: str, to: str = SMS["To"], timeout: float = 5) -> Any:
    return twilio(url, timeout=timeout).messages.create(to=to, from_=SENDER, body="Hola")


def email(url: str, timeout: float = 5) -> Any:
    return sendgrid(url, timeout=timeout).send(mail())


def failure(send: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011  the caller looks at it
        send()
    assert isinstance(caught.value, Exception)
    return caught.value


def accepted(url: str) -> int:
    return len(record(url)["messages"])


def faults(url: str) -> Any:
    return record(url)["counters"]["faults"]


BOTH = pytest.mark.parametrize("channel", ["sms", "email"])


def test_rate_limit_on_twilio_is_20429_with_retry_after(url: str) -> None:
    set_faults(url, {"channel": "sms", "kind": "rate_limit", "times": 2, "retry_after": 7})
    reply = post_form(url, SMS)
    assert (reply.status, reply.json["code"], reply.headers["Retry-After"]) == (429, 20429, "7")
    error = failure(lambda: sms(url))
    assert isinstance(error, TwilioRestException)
    assert (error.status, error.code, accepted(url)) == (429, 20429, 0)
    sms(url)
    assert (accepted(url), faults(url)) == (1, {"rate_limit": 2})


def test_rate_limit_on_sendgrid_says_when_it_ends(url: str) -> None:
    set_faults(url, {"channel": "email", "kind": "rate_limit", "times": 2, "retry_after": 60})
    reply = post_mail(url, mail())
    assert (reply.status, reply.headers["X-RateLimit-Remaining"]) == (429, "0")
    assert 55 < int(reply.headers["X-RateLimit-Reset"]) - datetime.now(UTC).timestamp() <= 61
    assert "Retry-After" not in reply.headers
    error = failure(lambda: email(url))
    assert isinstance(error, HTTPError)
    assert (error.status_code, accepted(url)) == (429, 0)


@pytest.mark.parametrize(("kind", "kept"), [("error_before", 0), ("error_after", 1)])
def test_a_server_error_comes_before_or_after_acceptance(url: str, kind: str, kept: int) -> None:
    set_faults(url, {"channel": "sms", "kind": kind, "times": 1, "status": 500})
    error = failure(lambda: sms(url))
    assert isinstance(error, TwilioRestException)
    assert (error.status, error.code, accepted(url)) == (500, 20500, kept)
    set_faults(url, {"channel": "email", "kind": kind, "times": 1})
    second = failure(lambda: email(url))
    assert isinstance(second, HTTPError)
    assert (second.status_code, accepted(url)) == (503, 2 * kept)
    assert second.to_dict["errors"][0].keys() == {"message", "field", "help"}
    assert faults(url) == {kind: 2}


@pytest.mark.parametrize(("kind", "kept"), [("timeout_before", 0), ("timeout_after", 1)])
def test_a_held_connection_times_out(url: str, kind: str, kept: int) -> None:
    set_faults(
        url,
        {"channel": "sms", "kind": kind, "times": 1, "hold_s": 0.6},
        {"channel": "email", "kind": kind, "times": 1, "hold_s": 0.6},
    )
    assert isinstance(failure(lambda: sms(url, timeout=0.15)), requests.ReadTimeout)
    assert isinstance(failure(lambda: email(url, timeout=0.15)), TimeoutError)
    assert accepted(url) == 2 * kept


@pytest.mark.parametrize(("kind", "kept"), [("timeout_before", 0), ("timeout_after", 1)])
def test_a_held_connection_ends_without_an_answer(url: str, kind: str, kept: int) -> None:
    set_faults(url, {"channel": "sms", "kind": kind, "times": 1, "hold_s": 0.2})
    started = time.monotonic()
    assert isinstance(failure(lambda: post_form(url, SMS)), http.client.RemoteDisconnected)
    assert time.monotonic() - started >= 0.2
    assert accepted(url) == kept


@pytest.mark.parametrize(("kind", "kept"), [("reset_before", 0), ("reset_after", 1)])
def test_a_reset_is_a_reset(url: str, kind: str, kept: int) -> None:
    set_faults(
        url,
        {"channel": "sms", "kind": kind, "times": 1},
        {"channel": "email", "kind": kind, "times": 1},
    )
    assert "Connection reset" in str(failure(lambda: sms(url)))
    error = failure(lambda: email(url))
    assert isinstance(error, ConnectionResetError)
    assert not isinstance(error, URLError)
    assert accepted(url) == 2 * kept


def test_a_truncated_answer_ends_early(url: str) -> None:
    set_faults(
        url,
        {"channel": "sms", "kind": "truncated_after", "times": 2},
        {"channel": "email", "kind": "truncated_after", "times": 1},
    )
    assert isinstance(failure(lambda: sms(url)), requests.exceptions.ChunkedEncodingError)
    raw = failure(lambda: post_form(url, SMS))
    assert isinstance(raw, http.client.IncompleteRead)
    assert raw.partial.startswith(b'{"account_sid"')
    assert isinstance(failure(lambda: email(url)), http.client.IncompleteRead)
    assert accepted(url) == 3


@pytest.mark.parametrize(("kind", "kept"), [("html_before", 0), ("html_after", 1)])
def test_a_page_instead_of_json(url: str, kind: str, kept: int) -> None:
    set_faults(
        url,
        {"channel": "sms", "kind": kind, "times": 1},
        {"channel": "email", "kind": kind, "times": 1},
    )
    error = failure(lambda: sms(url))
    assert isinstance(error, TwilioRestException)
    assert error.status == 502
    second = failure(lambda: email(url))
    assert isinstance(second, HTTPError)
    assert (second.status_code, second.body[:6]) == (502, b"<html>")
    assert accepted(url) == 2 * kept


@pytest.mark.parametrize(("kind", "kept"), [("html_before", 0), ("html_after", 1)])
def test_a_page_with_status_200_looks_like_success(url: str, kind: str, kept: int) -> None:
    set_faults(url, {"channel": "sms", "kind": kind, "times": 1, "status": 200})
    assert isinstance(failure(lambda: sms(url)), json.JSONDecodeError)
    assert accepted(url) == kept


def test_a_provider_error_by_address(url: str) -> None:
    set_faults(
        url,
        {"channel": "sms", "kind": "code", "to": "+51900000001", "code": 21635, "message": "x"},
        {"channel": "email", "kind": "code", "to": "LUCIA@example.com", "status": 403},
    )
    for _ in range(2):
        error = failure(lambda: sms(url, "+51900000001"))
        assert isinstance(error, TwilioRestException)
        assert (error.status, error.code) == (400, 21635)
    second = failure(lambda: email(url))
    assert isinstance(second, HTTPError)
    assert second.status_code == 403
    assert accepted(url) == 0
    sms(url, "+51900000002")
    other = mail(personalizations=[{"to": [{"email": "b@example.com"}]}])
    assert post_mail(url, other).status == 202


@BOTH
def test_slow_and_latency_delay_and_accept(url: str, channel: str) -> None:
    send: Callable[[str], Any] = sms if channel == "sms" else email
    set_faults(url, {"channel": channel, "kind": "slow", "times": 1, "extra_ms": 250})
    started = time.monotonic()
    send(url)
    assert 0.25 <= time.monotonic() - started < 3
    assert call(url, "PUT", "/sandbox/latency", '{"ms": 150}').json == {"ms": 150}
    started = time.monotonic()
    send(url)
    assert 0.15 <= time.monotonic() - started < 3
    assert accepted(url) == 2


def test_faults_on_list_and_fetch_leave_create_alone(url: str) -> None:
    set_faults(
        url,
        {"channel": "sms", "kind": "error_before", "times": 1, "on": "list"},
        {"channel": "sms", "kind": "reset_after", "to": SMS["To"], "on": "fetch"},
    )
    message = sms(url)
    with pytest.raises(TwilioException):
        twilio(url).messages.list(to=SMS["To"])
    assert len(twilio(url).messages.list(to=SMS["To"])) == 1
    with pytest.raises(requests.ConnectionError):
        twilio(url).messages(message.sid).fetch()


def test_a_refused_call_meets_no_fault_that_strikes_after(url: str) -> None:
    set_faults(url, {"channel": "sms", "kind": "reset_after", "times": 1})
    assert post_form(url, {**SMS, "Body": ""}).json["code"] == 21602
    assert call(url, "GET", "/sandbox/faults").json["rules"][0]["fired"] == 0
    assert isinstance(failure(lambda: post_form(url, SMS)), ConnectionResetError)


def test_wrong_credentials_meet_no_fault(url: str) -> None:
    set_faults(url, {"channel": "sms", "kind": "reset_before", "rate": 1})
    assert call(url, "GET", MESSAGES).status == 401
    assert post_form(url, SMS, Authorization="Basic x").status == 401
    assert faults(url) == {}


def test_a_rule_holds_only_when_all_it_names_holds(url: str) -> None:
    set_faults(
        url, {"channel": "sms", "kind": "error_before", "to": "+51900000001", "times": 1, "rate": 1}
    )
    statuses = [
        post_form(url, {**SMS, "To": to}).status
        for to in ("+51900000002", "+51900000001", "+51900000001")
    ]
    assert statuses == [201, 503, 201]
    set_faults(url, {"channel": "sms", "kind": "error_before", "rate": 0})
    assert post_form(url, SMS).status == 201


@pytest.mark.parametrize(
    ("to", "refused"),
    [
        ("+51*", ["+51900000001", "+51911111111"]),
        ("+519111*", ["+51911111111"]),
        ("+34*", ["+34612345678"]),
        ("*", ["+51900000001", "+51911111111", "+34612345678"]),
        ("*1", ["+51900000001", "+51911111111"]),
    ],
)
def test_a_rule_may_name_the_beginning_or_the_end_of_addresses(
    url: str, to: str, refused: list[str]
) -> None:
    set_faults(url, {"channel": "sms", "kind": "code", "code": 21703, "to": to})
    numbers = ("+51900000001", "+51911111111", "+34612345678")
    found = {n: post_form(url, {**SMS, "To": n}).status for n in numbers}
    assert [n for n, status in found.items() if status == 400] == refused


@pytest.mark.parametrize(
    ("hours", "status"), [((-2, -1), 201), ((-1, 1), 503), ((1, 2), 201), ((None, 1), 503)]
)
def test_an_outage_lasts_from_one_instant_to_another(
    url: str, hours: tuple[int | None, int], status: int
) -> None:
    now = datetime.fromisoformat(call(url, "GET", "/sandbox/health").json["now"])
    since, until = (h if h is None else (now + timedelta(hours=h)).isoformat() for h in hours)
    rule = {"channel": "sms", "kind": "error_before", "until": until}
    set_faults(url, {**rule, **({"since": since} if since else {})})
    assert post_form(url, SMS).status == status


def test_an_answer_may_name_the_message_otherwise(url: str) -> None:
    set_faults(url, {"channel": "sms", "kind": "renamed_after", "id": "SM1", "times": 1})
    assert post_form(url, SMS).json["sid"] == "SM1"
    assert post_form(url, SMS).json["sid"] != "SM1"
    assert accepted(url) == 2


def outcomes(url: str, numbers: list[int], seed: int) -> dict[int, list[int]]:
    reset(url)
    set_faults(url, {"channel": "sms", "kind": "error_before", "rate": 0.4}, seed=seed)
    seen: dict[int, list[int]] = {}
    for number in numbers:
        reply = post_form(url, {**SMS, "To": f"+5190000{number:04}"})
        seen.setdefault(number, []).append(reply.status)
    return seen


def test_a_seeded_plan_repeats_in_whatever_order_calls_arrive(url: str) -> None:
    numbers = 3 * list(range(40))
    first = outcomes(url, numbers, seed=7)
    assert outcomes(url, numbers, seed=7) == first
    assert outcomes(url, sorted(numbers, reverse=True), seed=7) == first
    assert outcomes(url, numbers, seed=8) != first
    # Each call is drawn for itself: an address is not lucky or unlucky for good.
    assert any(len(set(statuses)) == 2 for statuses in first.values())
    failed = sum(statuses.count(503) for statuses in first.values())
    assert 0.25 * len(numbers) < failed < 0.55 * len(numbers)


def test_a_plan_is_shown_with_defaults_and_can_be_given_again(url: str) -> None:
    rules = [
        {"channel": "sms", "kind": "timeout_after", "rate": 0.5, "on": "list"},
        {"channel": "email", "kind": "code", "to": "a@example.com"},
        {"channel": "sms", "kind": "html_after", "times": 2, "status": 200},
        {"channel": "sms", "kind": "html_before", "to": "+51*", "status": 302},
        {"channel": "email", "kind": "bounce", "to": "*@example.com", "why": "5.2.2"},
        {"channel": "email", "kind": "dropped", "to": "*@example.com"},
        {"channel": "sms", "kind": "delivered_late", "until": "2026-06-12T15:00:00+00:00"},
    ]
    first = call(url, "PUT", "/sandbox/faults", json.dumps({"rules": rules, "seed": 3})).json
    assert (first["seed"], first["latency_ms"]) == (3, 0)
    assert first["rules"][0]["hold_s"] == 30
    again = [{k: v for k, v in rule.items() if k != "fired"} for rule in first["rules"]]
    assert call(url, "PUT", "/sandbox/faults", json.dumps(again)).json == first
    assert call(url, "GET", "/sandbox/faults").json == first


def test_a_rule_may_be_about_one_of_several_providers(url: str) -> None:
    rule = {"channel": "sms", "kind": "code", "times": 2, "provider": "other", "code": 7}
    set_faults(url, rule)
    assert post_form(url, SMS).status == 201
    set_faults(url, {**rule, "provider": "twilio", "code": 21614})
    assert post_form(url, SMS).json["code"] == 21614
    [shown] = call(url, "GET", "/sandbox/faults").json["rules"]
    assert (shown["provider"], shown["fired"]) == ("twilio", 1)


RULE = {"channel": "sms", "kind": "slow", "times": 1}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{", "must be a list"),
        ({"rules": {}}, "must be a list"),
        ({"rules": [], "sead": 1}, "unknown: sead"),
        ({"rules": [], "seed": "x"}, "seed must be a whole number"),
        (["slow"], "rule 0 must be an object"),
        ([RULE, {"kind": "slow"}], 'rule 1: "channel" is missing'),
        ([{**RULE, "channel": "fax"}], '"channel" must be "sms" or "email"'),
        ([{**RULE, "kind": "explode"}], '"kind" must be one of'),
        ([{**RULE, "kind": ["slow"]}], '"kind" must be one of'),
        ([{"channel": "sms", "kind": "slow"}], "must say when"),
        ([{**RULE, "rate": 1.5}], '"rate" must be a number from 0 to 1'),
        ([{**RULE, "rate": True}], '"rate" must be a number from 0 to 1'),
        ([{**RULE, "times": 0}], '"times" must be a whole number'),
        ([{**RULE, "to": ""}], '"to" must be an address'),
        ([{**RULE, "until": "tomorrow"}], '"until" must be an instant'),
        ([{**RULE, "since": "2026-06-12T15:00:00"}], '"since" must be an instant'),
        ([{**RULE, "kind": "renamed_after"}], '"id" is missing'),
        ([{**RULE, "hold_s": 1}], '"hold_s" is not an option of slow'),
        ([{**RULE, "extra_ms": -1}], '"extra_ms" must be milliseconds'),
        ([{**RULE, "on": "delete"}], '"on" must be'),
        ([{**RULE, "channel": "email", "on": "list"}], 'only be "create" for email'),
        ([{**RULE, "kind": "code"}], '"code" is missing'),
        ([{**RULE, "kind": "code", "code": 7}], '"code" must be a Twilio error code'),
        ([{**RULE, "kind": "code", "provider": "other", "code": 0}], '"code" must be a number'),
        ([{**RULE, "provider": 7}], '"provider" must be the name'),
        ([{**RULE, "kind": "code", "channel": "email", "code": 21211}], "not an option of code"),
        ([{**RULE, "kind": "error_before", "status": 200}], '"status" must be an HTTP status'),
        ([{**RULE, "kind": "timeout_after", "hold_s": 1e9}], '"hold_s" must be seconds'),
    ],
)
def test_a_senseless_plan_is_refused_and_changes_nothing(url: str, body: Any, words: str) -> None:
    set_faults(url, {"channel": "sms", "kind": "rate_limit", "times": 1})
    before = call(url, "GET", "/sandbox/faults").json
    text = body if isinstance(body, str) else json.dumps(body)
    reply = call(url, "PUT", "/sandbox/faults", text)
    assert (reply.status, words in reply.json["error"]) == (400, True), reply.json
    assert call(url, "GET", "/sandbox/faults").json == before


@pytest.mark.parametrize("body", ["", "5", '{"ms": -1}', '{"ms": "5"}', '{"ms": true}', '{"x": 1}'])
def test_a_senseless_latency_is_refused(url: str, body: str) -> None:
    assert call(url, "PUT", "/sandbox/latency", body).status == 400
    assert call(url, "GET", "/sandbox/faults").json["latency_ms"] == 0


def test_calls_under_way_do_not_wait_for_a_held_one(url: str) -> None:
    set_faults(url, {"channel": "sms", "kind": "timeout_before", "times": 1, "hold_s": 8})
    assert isinstance(failure(lambda: sms(url, timeout=0.1)), requests.ReadTimeout)
    started = time.monotonic()
    reply = call(url, "GET", MESSAGES, None, TWILIO_AUTH)
    assert (reply.status, time.monotonic() - started < 4) == (200, True)
