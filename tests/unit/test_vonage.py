"""Vonage's tables, forms and signatures, written out from its pages; and answers that are none."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from worker.core.outcomes import Fault, Outcome, OutcomeKind, Scope, Wait, from_fault
from worker.core.reports import News, Phase, Report
from worker.errors import ConfigError
from worker.providers.declaration import Remark
from worker.providers.given import Given
from worker.providers.registry import is_doubtful, is_opt_out, news_of, row_of
from worker.providers.vonage.answers import from_answer
from worker.providers.vonage.codes import CALLS, RECEIPTS
from worker.providers.vonage.outcomes import (
    VONAGE_CALLS,
    VONAGE_ENDS,
    VONAGE_RECEIPTS,
    from_http,
    from_receipt,
    from_vonage,
)
from worker.providers.vonage.records import page, sightings
from worker.providers.vonage.reports import STATUSES, reference, referred_to
from worker.providers.vonage.settings import VonageSettings, configure, pace, question
from worker.providers.vonage.signature import is_signed, signature
from worker.setup.gateways import choose
from worker.setup.settings import load

TRANSIENT, AMBIGUOUS = OutcomeKind.TRANSIENT, OutcomeKind.AMBIGUOUS
DEAD, BAD, FAULT = (
    OutcomeKind.RECIPIENT_DEAD,
    OutcomeKind.MESSAGE_DEAD,
    OutcomeKind.CONFIG_FAULT,
)
ATTEMPT = UUID("0b7d0f5e-3c5a-4a52-9d8e-1f2e3d4c5b6a")

ANSWERS = {
    TRANSIENT: [1, 10, 13],
    AMBIGUOUS: [5],
    DEAD: [7, 33, 34],
    BAD: [12],
    FAULT: [2, 3, 4, 6, 8, 9, 11, 14, 15, 16, 19, 20, 22, 23, 29, 32],
}
BEHIND = {
    TRANSIENT: [2, 5, 7, 8, 12, 14, 15, 16],
    AMBIGUOUS: [1, 99],
    DEAD: [3, 4, 9, 13],
    BAD: [6, 10],
    FAULT: [11, 50, 51, 52, 53, 54],
}
SCOPES = {
    Scope.ACCOUNT: ["4", "8", "9", "11", "14", "19", "23", "32", "http_403", "http_302"],
    Scope.ROUTE: ["15", "dlr_11", "dlr_50", "dlr_51", "dlr_54"],
    Scope.RECIPIENT: ["6", "29", "dlr_53"],
    Scope.MESSAGE: ["2", "3", "16", "20", "22", "dlr_52", "777", "dlr_777"],
}


def listed(name: str) -> set[int]:
    text = (Path(__file__).parents[1] / "data" / "vonage-codes.txt").read_text("utf-8")
    [line] = [line for line in text.splitlines() if line.startswith(name)]
    return {int(code) for code in line.split()[1:]}


def rows(table: dict[OutcomeKind, list[int]]) -> list[tuple[int, OutcomeKind]]:
    return [(code, kind) for kind, codes in table.items() for code in codes]


def test_every_code_that_vonage_lists_has_its_row_and_its_test() -> None:
    assert listed("answers") == VONAGE_CALLS.keys() == {code for code, _ in rows(ANSWERS)}
    assert listed("receipts") == VONAGE_RECEIPTS.keys() == {code for code, _ in rows(BEHIND)}
    assert (len(CALLS), len(RECEIPTS)) == (len(VONAGE_CALLS), len(VONAGE_RECEIPTS))
    assert all(words for table in (CALLS, RECEIPTS) for _, _, words in table)


@pytest.mark.parametrize(("status", "kind"), rows(ANSWERS))
def test_a_status_ends_as_its_row_says(status: int, kind: OutcomeKind) -> None:
    assert from_vonage(status) == Outcome(kind, f"vonage:{status}", alarm=kind in (BAD, FAULT))


@pytest.mark.parametrize(("code", "kind"), rows(BEHIND))
@pytest.mark.parametrize("status", sorted(VONAGE_ENDS))
def test_an_error_code_ends_as_its_row_says(status: str, code: int, kind: OutcomeKind) -> None:
    found = from_receipt(status, code)
    row = row_of(f"vonage:dlr_{code}")
    assert (found.kind, found.code) == (kind, f"vonage:dlr_{code}")
    assert (found.wait, found.most, found.alarm) == (row.wait, row.most, kind in (BAD, FAULT))


@pytest.mark.parametrize(("code", "scope"), [(c, s) for s, codes in SCOPES.items() for c in codes])
def test_a_fault_concerns_whom_its_page_names(code: str, scope: Scope) -> None:
    assert row_of(f"vonage:{code}").scope is scope


def test_the_numbers_of_answers_and_of_receipts_are_kept_apart() -> None:
    assert row_of("vonage:7").kind is DEAD, "a barred number"
    assert row_of("vonage:dlr_7").wait is Wait.HOURS, "a busy handset"


def test_what_a_phone_that_is_off_may_cause_is_doubtful_and_one_code_is_a_persons_wish() -> None:
    names = [*(str(c) for c in VONAGE_CALLS), *(f"dlr_{c}" for c in VONAGE_RECEIPTS), *VONAGE_ENDS]
    doubtful = {name for name in names if is_doubtful(f"vonage:{name}")}
    assert doubtful == {"dlr_2", "dlr_12", "dlr_14", "expired"}
    assert {name for name in names if is_opt_out(f"vonage:{name}")} == {"dlr_9"}
    assert [code for code, row in VONAGE_RECEIPTS.items() if row.filtered] == [6]


@pytest.mark.parametrize("code", [17, 95, 777, 9999])
def test_a_code_nobody_knows_holds_the_message_with_an_alarm(code: int) -> None:
    for found in (from_vonage(code), from_receipt("failed", code)):
        assert (found.kind, found.alarm) == (FAULT, True)
        assert row_of(found.code).scope is Scope.MESSAGE


@pytest.mark.parametrize(
    ("status", "kind"), [(429, TRANSIENT), (500, AMBIGUOUS), (503, AMBIGUOUS), (403, FAULT)]
)
def test_what_is_not_in_vonages_words_is_the_word_of_http(status: int, kind: OutcomeKind) -> None:
    assert from_http(status, 7.0).kind is kind
    assert from_http(429, 7.0).retry_after == 7.0


# Reports


def said(status: str, code: str | None = None) -> News | None:
    return news_of(Report("vonage", "1", status, None, None, code, None))


@pytest.mark.parametrize("status", ["accepted", "buffered", "submitted", "deleted", "unknown"])
@pytest.mark.parametrize("code", [None, "1"])
def test_progress_proves_that_it_was_taken_and_its_code_says_nothing(
    status: str, code: str | None
) -> None:
    assert said(status, code) == News(Phase.TAKEN)


@pytest.mark.parametrize(("code", "parts"), [(None, 1), ("parts_3", 3), ("0", 1), ("parts_", 1)])
def test_a_receipt_is_a_delivery_of_one_of_its_parts(code: str | None, parts: int) -> None:
    assert said("delivered", code) == News(Phase.DELIVERED, parts=parts)


@pytest.mark.parametrize(
    ("status", "kind", "wait"),
    [
        ("expired", TRANSIENT, Wait.HOURS),
        ("failed", AMBIGUOUS, Wait.HOURS),
        ("rejected", BAD, None),
    ],
)
@pytest.mark.parametrize("code", [None, "0", "x"])
def test_an_end_without_a_code_is_what_its_status_says(
    status: str, kind: OutcomeKind, wait: Wait | None, code: str | None
) -> None:
    found = said(status, code)
    assert found is not None
    assert found.outcome is not None
    assert (found.phase, found.outcome.kind, found.outcome.wait) == (Phase.FAILED, kind, wait)
    assert found.outcome.code == f"vonage:{status}"


def test_no_other_word_is_news() -> None:
    assert all(said(status) for status in STATUSES)
    assert said("invented") is None


@pytest.mark.parametrize("parts", [1, 9, 100])
def test_what_a_message_carries_comes_back(parts: int) -> None:
    carried = reference(ATTEMPT, parts)
    assert len(carried) <= 40
    assert referred_to(carried) == (ATTEMPT, parts)


@pytest.mark.parametrize(
    "strange",
    [
        *(None, 7, "", "x", str(ATTEMPT), "-" * 36 + ".1"),
        *(f"{ATTEMPT}.0", f"{ATTEMPT}.1000", f"{ATTEMPT}.1 "),
    ],
)
def test_what_others_carry_is_nobodys(strange: object) -> None:
    assert referred_to(strange) == (None, 1)


# Signatures

PARAMS = {"param1": "value1", "param2": "value2", "timestamp": "1234567890"}


@pytest.mark.parametrize(
    ("method", "fields", "sig"),
    [
        # What Vonage's own SDK for Python makes of them.
        ("sha256", PARAMS, "280c4320703dbc98bfa22db676655ed2acfbfe8792b062ff7622e67f1183c287"),
        ("md5", PARAMS, "724c2bf6ca423c36e20631b11d1c5753"),
        (
            "md5",
            {**PARAMS, "param1": "value&1", "param2": "value=2"},
            "2bbf0abafb2c55e5af6231513896a2ac",
        ),
    ],
)
def test_a_signature_is_the_one_that_vonage_makes(
    method: str, fields: dict[str, str], sig: str
) -> None:
    assert signature(fields, "signature_secret", method) == sig
    assert is_signed({**fields, "sig": sig.upper()}, "signature_secret", method)
    assert not is_signed({**fields, "sig": sig}, "another", method)
    assert not is_signed({**fields, "sig": ""}, "signature_secret", method)
    assert not is_signed(fields, "signature_secret", method)


def test_vonages_default_is_no_hmac() -> None:
    plain = "&param1=value_1&param2=value2&timestamp=1234567890s3cret"
    wanted = hashlib.md5(plain.encode()).hexdigest()  # noqa: S324 - it is Vonage's
    assert signature({**PARAMS, "param1": "value&1"}, "s3cret", "md5hash") == wanted


# Answers that are none


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Welcome to the hotel</body></html>",
        b'{"message-count": "1", "messages": [{"status": "0", "mess',
        b"[]",
        b"7",
        b"null",
        b"{}",
        b'{"messages": []}',
        b'{"messages": null}',
        b'{"messages": {"status": "0"}}',
        b'{"messages": [7]}',
        b'{"messages": [{"message-id": "A"}]}',
        b'{"messages": [{"status": null}]}',
        b'{"messages": [{"status": true}]}',
        b'{"messages": [{"status": -1}]}',
        b'{"messages": [{"status": 1e400}]}',
        b'{"messages": [{"status": "' + b"9" * 5_000 + b'"}]}',
        b'{"messages": [{"status": ' + b"9" * 5_000 + b"}]}",
        b'{"messages": [{"status": "0"}]}',
        b'{"messages": [{"status": "0", "message-id": ""}]}',
        b'{"messages": [{"status": "0", "message-id": "' + b"A" * 101 + b'"}]}',
        b'{"messages": [{"status": "0", "message-id": "a b"}]}',
        b'{"messages": [' + b",".join([b'{"status": "0", "message-id": "A"}'] * 101) + b"]}",
        b"[" * 100_000,
    ],
    ids=lambda body: body[:45].decode(),
)
def test_an_answer_that_is_none_may_have_been_a_yes(body: bytes) -> None:
    assert from_answer(body) == from_fault(Fault.BROKEN_REPLY)


def answer(*parts: tuple[str, str]) -> bytes:
    entries = [{"status": status, "message-id": name} for status, name in parts]
    return json.dumps({"message-count": str(len(entries)), "messages": entries}).encode()


def test_a_text_in_parts_is_named_by_its_first_one() -> None:
    found = from_answer(answer(("0", "A0"), ("0", "A1"), ("0", "A2")))
    assert (found.kind, found.provider_id) == (OutcomeKind.ACCEPTED, "A0")


@pytest.mark.parametrize(
    ("parts", "code", "kind", "name"),
    [
        ([("0", "A0"), ("1", "")], "vonage:1", TRANSIENT, "A0"),
        ([("1", ""), ("0", "A1")], "vonage:1", TRANSIENT, "A1"),
        ([("0", "A0"), ("9", ""), ("1", "")], "vonage:9", FAULT, "A0"),
        ([("7", ""), ("7", "")], "vonage:7", DEAD, None),
        # It may have been sent: it is looked up.
        ([("0", "A0"), ("5", "")], "vonage:5", AMBIGUOUS, None),
    ],
)
def test_a_text_of_which_a_part_was_refused_was_not_sent(
    parts: list[tuple[str, str]], code: str, kind: OutcomeKind, name: str | None
) -> None:
    found = from_answer(answer(*parts))
    assert (found.code, found.kind, found.provider_id) == (code, kind, name)


NEEDED = ("message_id", "to", "status", "date_received")
NO_TIMES = ("", "soon", None, "9999-12-31T00:00:00Z", "0001-01-01T00:00:00Z")
RECORD = {
    "message_id": "A0",
    "to": "51987654321",
    "status": "delivered",
    "error_code": "0",
    "message_body": "Hola",
    "client_ref": f"{ATTEMPT}.1",
    "date_received": "2026-06-12T15:00:00+0000",
}


def envelope(*records: object, **changes: Any) -> bytes:
    return json.dumps({"request_status": "SUCCESS", "records": records, **changes}).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b"[]",
        b"{}",
        b'{"request_status": "SUCCESS", "records": [',
        b'{"request_status": "SUCCESS", "records": 7}',
        b"[" * 100_000,
        envelope(RECORD, request_status="FAILED"),
        envelope(RECORD, request_status="TRUNCATED"),
        envelope(7),
        envelope([]),
        *(envelope({k: v for k, v in RECORD.items() if k != name}) for name in NEEDED),
        *(envelope({**RECORD, "date_received": at}) for at in NO_TIMES),
        envelope(RECORD, _links={"next": {"href": "https://elsewhere.example.com"}}),
    ],
    ids=range(21),
)
def test_records_that_are_not_complete_tell_nothing(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it is, it cannot be told
        page(body)


def seen(*records: dict[str, Any]) -> Any:
    return sightings(page(envelope(*records)).records, timedelta(seconds=30))


def test_a_record_tells_its_attempt_by_our_clock() -> None:
    [one] = seen(RECORD)
    assert (one.provider_id, one.text) == ("A0", "Hola")
    assert (one.status, one.error_code) == ("delivered", None)
    assert one.created_at == datetime(2026, 6, 12, 14, 59, 30, tzinfo=UTC)
    assert one.attempt == ATTEMPT
    [other] = seen({**RECORD, "client_ref": "campaign 7", "status": "INVENTED" * 10})
    assert (other.attempt, len(other.status)) == (None, 30)


@pytest.mark.parametrize(
    ("statuses", "status", "code"),
    [
        (["delivered", "delivered", "delivered"], "delivered", None),
        (["delivered", "delivered"], "accepted", None),
        (["delivered", "buffered", "delivered"], "buffered", None),
        (["delivered", "failed", "delivered"], "failed", "2"),
        (["expired", "buffered", "delivered"], "expired", "2"),
    ],
)
def test_the_parts_of_a_text_are_one_sighting(
    statuses: list[str], status: str, code: str | None
) -> None:
    parts = [
        {
            **RECORD,
            "message_id": f"A{n}",
            "status": one,
            "client_ref": f"{ATTEMPT}.3",
            "message_body": "abc"[n],
            "error_code": "2" if one in VONAGE_ENDS else "0",
        }
        for n, one in enumerate(statuses)
    ]
    [found] = seen(*reversed(parts), *parts)
    assert (found.provider_id, found.status, found.error_code) == ("A0", status, code)
    assert found.text == "abc"[: len(statuses)]


# Settings

GOOD = {
    "VONAGE_API_KEY": "abcd1234",
    "VONAGE_API_SECRET": "abcDEF0123456789",
    "VONAGE_SIGNATURE_SECRET": "s3cret-s3cret",
    "VONAGE_FROM": "+15017122661",
}


@pytest.fixture(autouse=True)
def _nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "vigencia.toml").write_text("", encoding="utf-8")
    monkeypatch.setenv("VIGENCIA_CONFIG_DIR", str(tmp_path))


def start(monkeypatch: pytest.MonkeyPatch, **changes: str) -> Any:
    for name, value in {**GOOD, **changes}.items():
        monkeypatch.setenv(name, value)
    return choose(load())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VONAGE_API_KEY", "abcd123"),
        ("VONAGE_API_KEY", "abcd12345"),
        ("VONAGE_API_KEY", "abcd 123"),
        ("VONAGE_API_SECRET", "abc DEF"),
        ("VONAGE_API_SECRET", "\N{ZERO WIDTH NO-BREAK SPACE}abcDEF"),
        ("VONAGE_SIGNATURE_SECRET", "s3cret s3cret"),
        ("VONAGE_SIGNATURE_METHOD", "sha3"),
        ("VONAGE_SIGNATURE_METHOD", "none"),
        ("VONAGE_FROM", "15017122662"),
        ("VONAGE_FROM", "+1 501 712 2661"),
        ("VONAGE_FROM", "Mi SIM 24"),
        ("VONAGE_FROM", "TwelveLetter"),
        ("VONAGE_FROM", "Vig&ncia"),
        ("VONAGE_BASE_URL", "http://api.example.com"),
        ("VONAGE_BASE_URL", "http://127.0.0.1:8825"),
    ],
)
def test_a_setting_of_a_wrong_form_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        start(monkeypatch, **{name: value})
    assert name in refused.value.message.upper()
    assert value not in refused.value.message + refused.value.hint


@pytest.mark.parametrize("sender", ["+51987654321", "12345", "KeepSIM", "Vigencia24"])
def test_every_form_of_a_sender_is_taken(monkeypatch: pytest.MonkeyPatch, sender: str) -> None:
    gateways = start(monkeypatch, VONAGE_FROM=sender)
    assert [one.provider.name for one in gateways.own.values()] == ["vonage"]
    assert "abcDEF" not in repr(gateways)


@pytest.mark.parametrize("left", ["VONAGE_API_KEY", "VONAGE_API_SECRET", "VONAGE_FROM"])
def test_a_half_configured_vonage_is_refused_with_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    with pytest.raises(ConfigError, match=f"Vonage is half configured; missing: {left}"):
        start(monkeypatch, **{left: ""})


def given(**changes: Any) -> Given:
    values = {name.removeprefix("VONAGE_").lower(): value for name, value in GOOD.items()}
    own = {k: v for k, v in changes.items() if k in ("public_url", "sandbox")}
    more = {k: v for k, v in changes.items() if k not in own}
    return Given("vonage", "Vonage", {**values, **more}, **own)


@pytest.mark.parametrize(
    ("changes", "callback"),
    [
        ({}, None),
        ({"public_url": "https://r.example.com"}, "https://r.example.com/webhooks/vonage/receipt"),
        # Nobody could believe it.
        ({"public_url": "https://r.example.com", "signature_secret": None}, None),
    ],
)
def test_a_receipt_is_asked_for_where_it_can_be_believed(
    changes: dict[str, Any], callback: str | None
) -> None:
    errors: list[str] = []
    found = configure(given(**changes), errors)
    assert errors == []
    assert found is not None
    assert found.account.callback == callback


@pytest.mark.parametrize(("length", "right"), [(76, True), (77, False)])
def test_a_callback_that_vonage_does_not_take_is_told_at_start(length: int, right: bool) -> None:
    errors: list[str] = []
    configure(given(public_url="https://" + "r" * (length - 8)), errors)
    assert [("76 characters" in one) for one in errors] == ([] if right else [True])


@pytest.mark.parametrize(
    ("sender", "rate"),
    [("+15017122661", 1.0), ("+18335550006", 30.0), ("+51987654321", 30.0), ("Vigencia", 30.0)],
)
def test_a_sender_gets_what_its_kind_bears(sender: str, rate: float) -> None:
    assert pace(sender) == rate


@pytest.mark.parametrize(
    ("found", "level"),
    [
        ({"value": 10.28, "autoReload": False}, "ok"),
        ({"value": 0, "autoReload": True}, "ok"),
        ({"value": 0.0, "autoReload": False}, "error"),
        ({"value": "10.28"}, "warning"),
        ({"value": True}, "warning"),
        ({}, "warning"),
    ],
)
def test_the_balance_says_whether_anything_can_be_sent(found: dict[str, Any], level: str) -> None:
    account = VonageSettings("abcd1234", "secret", "Vigencia")
    asked = question(account)
    assert asked.url == "https://rest.nexmo.com/account/get-balance"
    assert asked.authorization == "Basic YWJjZDEyMzQ6c2VjcmV0"
    told: Remark = asked.read(found)
    assert told.level == level
    assert question(replace(account, base_url="http://localhost:1")).url.startswith("http://local")
