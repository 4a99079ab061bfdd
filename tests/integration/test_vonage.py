"""Vonage on the real way: worker, HTTP, the sandbox's Vonage, its receipts by webhook, the ledger.

The cases come from its tables: a row of a class without a consequence fails here.
"""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from tests.integration.helpers import NOW, PHONE, TODAY, World, causes, until
from tests.integration.real_path import (
    LATER,
    MAIL,
    PENDING,
    SMS,
    Case,
    Ledger,
    Told,
    Walk,
    all_told,
    breaker_of,
    failed_behind,
    refused_in_the_call,
    reported,
    waits_well,
)
from tests.integration.sandbox_helpers import call, mailbox, record, set_faults
from tests.integration.vonage_helpers import (
    FORMATS,
    SETTINGS,
    answering,
    bring,
    fields,
    signed,
)
from worker.core.outcomes import ALONE, Outcome, OutcomeKind, Scope, accepted
from worker.core.reminders import MessageState, ReminderState
from worker.core.segments import measure
from worker.processes.doctor.online import ask_providers
from worker.providers.base import SmsOut
from worker.providers.transport import Transport
from worker.providers.vonage.client import VonageProvider
from worker.providers.vonage.outcomes import VONAGE_CALLS, VONAGE_ENDS, VONAGE_RECEIPTS
from worker.providers.vonage.reports import PROGRESS
from worker.providers.vonage.settings import VonageSettings
from worker.providers.vonage.webhook import INBOUND_PATH
from worker.sandbox.credentials import (
    ACCOUNT_SID,
    API_KEY,
    AUTH_TOKEN,
    SENDER,
    VONAGE_KEY,
    VONAGE_SECRET,
)
from worker.store.tables import attempts, books, messages, receipts, suppressions

FAULT = OutcomeKind.CONFIG_FAULT
SENT, UNKNOWN, RETRYABLE = MessageState.SENT, MessageState.UNKNOWN, MessageState.RETRYABLE
DELIVERED, HELD = MessageState.DELIVERED, MessageState.HELD
on_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
EMAIL = {"sendgrid_api_key": API_KEY, "sendgrid_from": "reminders@example.com"}
TWILIO = {
    "twilio_account_sid": ACCOUNT_SID,
    "twilio_auth_token": AUTH_TOKEN,
    "twilio_from": SENDER,
}
OURS = {"sms": {"twilio_weight": 0, "vonage_weight": 100}}


@pytest.fixture
def walk(world: World) -> Walk:
    """The real app on both databases, with Vonage for its text messages."""
    world.read_timeout = 5.0
    return Walk(world, {**SETTINGS, **EMAIL})


@pytest.fixture
def both(world: World) -> Walk:
    """The same with Twilio, and with Vonage as its spare."""
    world.read_timeout = 5.0
    return Walk(world, {**SETTINGS, **TWILIO, **EMAIL})


def fault(walk: Walk, kind: str, provider: str = "vonage", times: int = 1, **more: Any) -> None:
    rule = {"channel": "sms", "kind": kind, "provider": provider, "times": times, **more}
    set_faults(walk.world.sandbox, rule)


def tried(walk: Walk, channel: str = "sms") -> list[tuple[str, str | None]]:
    """Provider and outcome of each attempt on ``channel``, in order."""
    own = {row.id for row in walk.world.rows(messages) if row.channel == channel}
    rows = walk.world.rows(attempts)
    return [(row.provider, row.outcome) for row in rows if row.message_id in own]


def reconcile(walk: Walk, now: datetime = LATER) -> dict[str, int]:
    """Settle what is unknown, as a worker process does."""
    walk.set_clock(now)
    app = walk.app(now)

    async def run() -> dict[str, int]:
        try:
            ids = [row.id for row in walk.world.rows(messages)]
            return dict(await app.reconciliation.run(ids, now))
        finally:
            await app.transport.close()

    return asyncio.run(run())


def strike(walk: Walk, told: Sequence[Told], cases: Sequence[Case]) -> None:
    pairs = zip(told, cases, strict=True)
    set_faults(walk.world.sandbox, *({**case.rule, "to": one.address} for one, case in pairs))


def assert_left(
    walk: Walk, told: Sequence[Told], wanted: dict[str, Ledger], since: datetime = NOW
) -> None:
    found = dict(zip(wanted, walk.ledgers(told), strict=True))
    wrong = {name: (found[name], wanted[name]) for name in wanted if found[name] != wanted[name]}
    assert wrong == {}, "found, wanted"


IN_CALLS = [
    Case(
        f"vonage:{code}",
        row,
        {"channel": "sms", "kind": "code", "provider": "vonage", "code": code},
        breaker_of(row, "vonage"),
    )
    for code, row in VONAGE_CALLS.items()
]
BEHIND = [
    Case(
        f"vonage:dlr_{code}",
        row,
        {"channel": "sms", "kind": "undelivered", "provider": "vonage", "code": code},
        breaker_of(row, "vonage"),
    )
    for code, row in VONAGE_RECEIPTS.items()
]


# One message


def test_a_text_goes_through_vonage_and_its_receipts_confirm_it(walk: Walk) -> None:
    [one] = walk.people(SMS, 1)
    with reported(walk) as web:
        assert walk.deliver(SMS) == {SENT: 1}
        [shown] = mailbox(walk.world.sandbox, one.address)["sms"][one.address]
        assert shown["status_callback"] == f"{web}/webhooks/vonage/receipt"
        all_told(walk, 2 * shown["segments"])
    [attempt] = walk.world.rows(attempts)
    [message] = [row for row in walk.world.rows(messages) if row.channel == "sms"]
    assert (message.state, message.provider_id) == (DELIVERED, shown["id"])
    assert (attempt.provider, attempt.sender, attempt.code) == ("vonage", SENDER, "delivered")
    assert measure(shown["body"]).segments == shown["segments"]
    assert [row.attempt_id for row in walk.world.rows(receipts)] == [attempt.id] * 2
    assert {row["attempt"] for row in record(walk.world.sandbox)["messages"]} == {str(attempt.id)}


@pytest.mark.parametrize("shape", FORMATS)
@pytest.mark.parametrize("method", ["md5hash", "sha256"])
@on_sqlite
def test_receipts_are_read_however_the_account_is_set_to_call(
    walk: Walk, shape: str, method: str
) -> None:
    account = json.dumps({"format": shape, "method": method})
    assert call(walk.world.sandbox, "POST", "/sandbox/vonage", account).status == 200
    walk.settings = {**walk.settings, "vonage_signature_method": method}
    walk.people(SMS, 1)
    with reported(walk):
        walk.deliver(SMS)
        all_told(walk, 2)
    assert [row.state for row in walk.world.rows(messages) if row.channel == "sms"] == [DELIVERED]


def long_text(walk: Walk) -> Told:
    """A notice in Chinese from somebody with a long name, which falls into three parts."""
    walk.world.book()
    walk.world.change(books, signature="利马中国城通讯服务联合代理商总店客户服务中心第一营业厅一号")
    holder = walk.world.holder(language="zh-Hans", name="陈秀兰", email=None)
    card = walk.world.card(holder, plan_end=TODAY)
    walk.world.check()
    [message] = walk.world.rows(messages)
    return Told(message.id, card, PHONE)


def test_a_text_in_parts_is_delivered_with_the_last_of_them(walk: Walk) -> None:
    one = long_text(walk)
    with reported(walk, shuffle=True):
        assert walk.deliver(SMS) == {SENT: 1}
        [shown] = mailbox(walk.world.sandbox, one.address)["sms"][one.address]
        assert shown["segments"] == 3
        assert "利马" in shown["body"]
        all_told(walk, 2 * shown["segments"])
    assert walk.world.message(SMS).state == DELIVERED
    assert len(walk.world.rows(receipts)) == 2 * shown["segments"]


def test_a_text_of_which_a_part_is_lost_is_not_delivered(walk: Walk) -> None:
    one = long_text(walk)
    fault(walk, "undelivered", code=8)
    with reported(walk, shuffle=True):
        walk.deliver(SMS)
        [shown] = mailbox(walk.world.sandbox, one.address)["sms"][one.address]
        all_told(walk, 2 * shown["segments"])
    assert (walk.world.message(SMS).state, walk.world.message(SMS).reason) == (
        RETRYABLE,
        "vonage:dlr_8",
    )


def partly(*statuses: str) -> bytes:
    parts = [
        {"status": status, "message-id": f"PART-{n}"} if status == "0" else {"status": status}
        for n, status in enumerate(statuses)
    ]
    return json.dumps({"message-count": str(len(parts)), "messages": parts}).encode()


def test_what_was_taken_in_part_is_sent_again_as_a_whole(walk: Walk) -> None:
    """And the receipts of the part that left say nothing of the whole."""
    long_text(walk)
    with reported(walk, drop_rate=1) as web:
        with answering(partly("0", "1", "1")) as (url, _):
            walk.settings = {**walk.settings, "vonage_base_url": url}
            assert walk.deliver(SMS) == {RETRYABLE: 1}
        [attempt] = walk.world.rows(attempts)
        assert (attempt.outcome, attempt.code) == ("transient", "vonage:1")
        for status in ("accepted", "delivered"):
            given = fields(
                int(LATER.timestamp()),
                messageId="PART-0",
                status=status,
                **{"client-ref": f"{attempt.id}.3"},
            )
            assert bring(web, signed(given)).status == 204
        assert walk.world.message(SMS).state == RETRYABLE
        del walk.settings["vonage_base_url"]
        assert walk.deliver(SMS, now=LATER + timedelta(minutes=5)) == {SENT: 1}
    assert len(walk.world.accepted(SMS)) == 1


# Each row of the tables


def test_each_answer_to_a_call_has_the_consequence_of_its_class(walk: Walk) -> None:
    cases = [case for case in IN_CALLS if case.row.kind is not FAULT]
    told = walk.people(SMS, len(cases))
    strike(walk, told, cases)
    with capture_logs() as logs:
        walk.deliver(SMS)
    assert_left(walk, told, {case.code: refused_in_the_call(case) for case in cases})
    looks = walk.next_looks()
    for one, case, left in zip(told, cases, walk.ledgers(told), strict=True):
        assert waits_well(case.row, left, NOW, looks[one.message]), case
    assert walk.breakers() == []
    dead = [case for case in cases if case.row.kind is OutcomeKind.MESSAGE_DEAD]
    assert sorted(causes(logs)) == sorted(["message_dead", "reminder_missed"] * len(dead))
    assert walk.world.accepted() == []


@on_sqlite
def test_each_fault_of_ours_opens_its_breaker_until_it_is_over(walk: Walk) -> None:
    cases = [case for case in IN_CALLS if case.row.kind is FAULT and case.row.scope not in ALONE]
    for one, case in zip(walk.people(SMS, len(cases)), cases, strict=True):
        set_faults(walk.world.sandbox, {**case.rule, "to": one.address, "times": 1})
        with capture_logs() as logs:
            assert walk.deliver(SMS, [one.message]) == {HELD: 1}
        assert_left(walk, [one], {case.code: refused_in_the_call(case)})
        assert walk.breakers() == [(case.breaker, case.code)]
        assert causes(logs) == [FAULT]
        over_at = walk.next_looks()[one.message]
        assert over_at is not None
        assert walk.deliver(SMS, [one.message], over_at) == {SENT: 1}
        assert walk.breakers() == []


@on_sqlite
def test_each_refusal_of_one_message_or_recipient_rests_by_itself(walk: Walk) -> None:
    cases = [case for case in IN_CALLS if case.row.kind is FAULT and case.row.scope in ALONE]
    unknown = Case("vonage:777", cases[0].row, {**IN_CALLS[0].rule, "code": 777})
    cases = [*(case for case in cases if case.row.scope is Scope.MESSAGE), unknown]
    told = walk.people(SMS, len(cases) + 1)
    strike(walk, told[:-1], cases)
    with capture_logs() as logs:
        assert walk.deliver(SMS) == {HELD: len(cases), SENT: 1}
    assert_left(walk, told[:-1], {case.code: refused_in_the_call(case) for case in cases})
    assert (walk.breakers(), causes(logs)) == ([], [FAULT] * len(cases))


def sample(walk: Walk, cases: Sequence[Case]) -> Sequence[Case]:
    """All on SQLite; on PostgreSQL the first of each class."""
    if walk.world.engine.dialect.name == "sqlite":
        return cases
    return list({case.row.kind: case for case in reversed(cases)}.values())


def test_each_code_of_a_receipt_has_the_consequence_of_its_class(walk: Walk) -> None:
    cases = sample(walk, BEHIND)
    told = walk.people(SMS, len(cases))
    strike(walk, told, cases)
    with reported(walk):
        assert walk.deliver(SMS) == {SENT: len(cases)}
        all_told(walk, 2 * len(cases))
        left = {case.code: failed_behind(case) for case in cases}
        assert_left(walk, told, left)
        looks = walk.next_looks()
        for one, case, found in zip(told, cases, walk.ledgers(told), strict=True):
            assert waits_well(case.row, found, LATER, looks[one.message]), case
        faults = {(c.breaker, c.code) for c in cases if c.row.kind is FAULT and c.breaker}
        assert {key for key, _ in walk.breakers()} == {key for key, _ in faults}
        assert set(walk.breakers()) <= faults


ON_ITS_WAY = Ledger(SENT, None, 1, (("accepted", "accepted"),), (ReminderState.SENT, None))
ARRIVED = Ledger(DELIVERED, None, 1, (("accepted", "delivered"),), (ReminderState.DELIVERED, None))
STATUSES = {
    **dict.fromkeys(sorted(PROGRESS), ON_ITS_WAY),
    "delivered": ARRIVED,
    **{name: failed_behind(Case(f"vonage:{name}", row, {})) for name, row in VONAGE_ENDS.items()},
}


def test_each_status_of_a_receipt_has_its_consequence(walk: Walk) -> None:
    told = walk.people(SMS, len(STATUSES))
    with reported(walk, drop_rate=1) as web:
        walk.deliver(SMS)
        tries = {row.message_id: row for row in walk.world.rows(attempts)}
        for one, status in zip(told, STATUSES, strict=True):
            own = tries[one.message]
            given = fields(
                int(LATER.timestamp()),
                messageId=own.provider_id,
                status=status,
                **{"client-ref": f"{own.id}.1"},
            )
            for shape in FORMATS:
                assert bring(web, signed(given), shape).status == 204
    assert_left(walk, told, STATUSES)
    assert sorted(row.status for row in walk.world.rows(receipts)) == sorted(STATUSES)


# What nobody knows


AFTER: list[dict[str, Any]] = [
    {"kind": "error_after"},
    {"kind": "reset_after"},
    {"kind": "truncated_after"},
    {"kind": "html_after", "status": 200},
]
BEFORE: list[dict[str, Any]] = [{"kind": "error_before"}, {"kind": "reset_before"}]


@pytest.mark.parametrize("how", AFTER, ids=lambda how: str(how["kind"]))
def test_what_vonage_took_is_found_in_its_records(walk: Walk, how: dict[str, Any]) -> None:
    walk.people(SMS, 1)
    fault(walk, **how)
    assert walk.deliver(SMS) == {UNKNOWN: 1}
    assert reconcile(walk) == {DELIVERED: 1}
    [theirs] = walk.world.accepted(SMS)
    assert walk.world.rows(attempts)[0].provider_id == theirs["id"]
    assert walk.deliver(SMS, now=LATER + timedelta(hours=1)) == {}


@pytest.mark.parametrize("how", BEFORE, ids=lambda how: str(how["kind"]))
def test_what_vonage_never_took_is_sent_exactly_once(walk: Walk, how: dict[str, Any]) -> None:
    walk.people(SMS, 1)
    fault(walk, **how)
    assert walk.deliver(SMS) == {UNKNOWN: 1}
    assert reconcile(walk) == {RETRYABLE: 1}
    assert walk.deliver(SMS, now=LATER) == {SENT: 1}
    assert len(walk.world.accepted(SMS)) == 1


@pytest.mark.parametrize("seconds", [-3600, -20, 0, 20, 3600, 86_400])
def test_a_long_text_is_known_again_whatever_time_it_is_with_vonage(
    walk: Walk, seconds: int
) -> None:
    """Its records show each part for itself: only its name tells whose it is."""
    long_text(walk)
    offset = json.dumps({"clock_offset_s": seconds})
    assert call(walk.world.sandbox, "POST", "/sandbox/account", offset).status == 200
    fault(walk, "reset_after")
    assert walk.deliver(SMS) == {UNKNOWN: 1}
    assert reconcile(walk) == {DELIVERED: 1}
    assert len(walk.world.accepted(SMS)) == 1


def test_of_many_equal_texts_to_one_number_each_finds_its_own(walk: Walk) -> None:
    """More than stand on a page of the records."""
    for _ in range(12):
        walk.world.card(walk.world.holder(email=None), msisdn="+51900001234", plan_end=TODAY)
    walk.world.check()
    rule = {"channel": "sms", "provider": "vonage"}
    set_faults(
        walk.world.sandbox,
        {**rule, "kind": "error_before", "times": 1},
        {**rule, "kind": "error_after", "times": 11},
    )
    assert walk.deliver(SMS) == {UNKNOWN: 12}
    assert reconcile(walk) == {DELIVERED: 11, RETRYABLE: 1}
    taken = {row["id"]: UUID(row["attempt"]) for row in walk.world.accepted(SMS)}
    rows = [row for row in walk.world.rows(attempts) if row.provider_id]
    assert {row.provider_id: row.id for row in rows} == taken


def test_an_unknown_of_days_ago_is_looked_up_where_it_was(walk: Walk) -> None:
    walk.people(SMS, 1)
    fault(walk, "reset_after")
    assert walk.deliver(SMS) == {UNKNOWN: 1}
    assert reconcile(walk, NOW + timedelta(days=2)) == {DELIVERED: 1}


@pytest.mark.parametrize("asked", ["vonage", "twilio"])
def test_an_unknown_is_looked_up_with_the_provider_that_was_called_and_no_other(
    both: Walk, asked: str
) -> None:
    weights = OURS if asked == "vonage" else {}
    both.settings = {**both.settings, **weights}
    both.people(SMS, 1)
    fault(both, "error_after", asked)
    assert both.deliver(SMS) == {UNKNOWN: 1}
    other = "twilio" if asked == "vonage" else "vonage"
    set_faults(
        both.world.sandbox,
        *(
            {"channel": "sms", "kind": "reset_before", "on": "list", "provider": name, "times": 1}
            for name in (other,)
        ),
    )
    assert reconcile(both) == {DELIVERED: 1}
    assert record(both.world.sandbox)["counters"]["faults"] == {"error_after": 1}
    assert tried(both) == [(asked, "accepted")]


@pytest.mark.parametrize("kind", ["error_before", "html_before", "reset_before"])
def test_while_the_records_cannot_be_had_nothing_is_sent_again(walk: Walk, kind: str) -> None:
    walk.people(SMS, 1)
    fault(walk, "reset_before")
    assert walk.deliver(SMS) == {UNKNOWN: 1}
    fault(walk, kind, times=9, on="list")
    assert reconcile(walk) == {UNKNOWN: 1}
    set_faults(walk.world.sandbox)
    assert reconcile(walk, LATER + timedelta(minutes=5)) == {RETRYABLE: 1}


@on_sqlite
def test_records_that_are_closed_to_the_account_are_told(walk: Walk) -> None:
    walk.people(SMS, 1)
    fault(walk, "reset_before")
    walk.deliver(SMS)
    with answering(b'{"title": "Forbidden"}', status=403) as (url, _), capture_logs() as logs:
        walk.settings = {**walk.settings, "vonage_base_url": url}
        assert reconcile(walk) == {UNKNOWN: 1}
    refused = [one for one in logs if one["event"] == "vonage_records_refused"]
    assert [one["status"] for one in refused] == [403]


def test_a_text_of_which_nothing_was_heard_is_asked_about(walk: Walk) -> None:
    long_text(walk)
    walk.deliver(SMS)
    later = NOW + timedelta(hours=2)
    walk.set_clock(later)
    app = walk.app(later)

    async def run() -> Any:
        try:
            return await app.fetching.run([walk.world.message(SMS).id], later)
        finally:
            await app.transport.close()

    assert asyncio.run(run()) == {"fetched": 1, "applied": 1}
    assert walk.world.message(SMS).state == DELIVERED


# What its list and its answers may be


def provider(url: str, transport: Transport, **changes: Any) -> VonageProvider:
    values = {"api_key": VONAGE_KEY, "api_secret": VONAGE_SECRET, "sender": SENDER}
    settings = VonageSettings(**{**values, "base_url": url, **changes})
    return VonageProvider(settings, transport, lambda: NOW)


def ask(url: str, since: datetime = NOW - timedelta(minutes=10)) -> Any:
    async def run() -> Any:
        transport = Transport(connect_timeout=2, read_timeout=2)
        try:
            one = provider(url, transport)
            return await one.find(PHONE, since), await one.fetch("A0")
        finally:
            await transport.close()

    return asyncio.run(run())


@pytest.mark.parametrize(
    "body",
    [
        b"<html>hotel</html>",
        b'{"records": [',
        b"[]",
        b'{"request_status": "SUCCESS", "records": [{}]}',
        b'{"request_status": "SUCCESS", "records": [{"to": 7}]}',
        b'{"request_status": "SUCCESS", "records": [' + b"9" * 5_000 + b"]}",
        b"[" * 100_000,
    ],
    ids=range(7),
)
def test_a_list_that_is_none_tells_nothing(body: bytes) -> None:
    with answering(body) as (url, _):
        assert ask(url) == (None, None)


def test_no_list_is_asked_of_a_time_that_is_too_long_ago() -> None:
    with answering(b'{"request_status": "SUCCESS", "records": []}') as (url, asked):
        assert ask(url, NOW - timedelta(days=15)) == (None, None)
        assert len(asked) == 1, "the id alone"
        assert ask(url, NOW - timedelta(days=3)) == ([], None)
    spans = [parse_qs(urlsplit(path).query) for path in asked[1:-1]]
    assert [one["date_start"][0][:10] for one in spans] == [
        "2026-06-09",
        "2026-06-10",
        "2026-06-11",
    ]
    assert [one["date_end"] for one in spans[:-1]] == [one["date_start"] for one in spans[1:]]


def test_a_list_without_an_end_is_given_up_and_leads_nowhere_else() -> None:
    endless = {
        "request_status": "SUCCESS",
        "records": [],
        "cursor": "1",
        "iv": "2",
        "_links": {"next": {"href": "http://127.0.0.1:9/steal"}},
    }
    with answering(json.dumps(endless).encode()) as (url, asked):
        assert ask(url) == (None, None)
    assert len(asked) == 40
    assert {urlsplit(path).path for path in asked} == {"/v2/reports/records"}


def test_what_went_to_another_number_is_not_shown_even_if_the_list_does() -> None:
    record = {
        "message_id": "A0",
        "to": "51911111111",
        "status": "delivered",
        "date_received": "2026-06-12T15:00:00Z",
    }
    body = json.dumps({"request_status": "SUCCESS", "records": [record]}).encode()
    with answering(body) as (url, _):
        found, one = ask(url)
    assert found == []
    assert one.provider_id == "A0"


@pytest.mark.parametrize(
    ("text", "hours", "kind", "ttl", "parts"),
    [
        ("Su plan vence", 3, "text", "10800000", 1),
        ("Mañana vence", 0, "text", "20000", 1),
        ("Vencerá mañana", 10_000, "unicode", "604800000", 1),
        ("您的套餐" * 20, 24, "unicode", "86400000", 2),
        ("€" * 81, 24, "text", "86400000", 2),
    ],
)
def test_what_goes_on_the_wire(
    world: World, text: str, hours: int, kind: str, ttl: str, parts: int
) -> None:
    out, sent = SmsOut(uuid4(), PHONE, text, timedelta(hours=hours)), list[bytes]()

    async def submit(url: str) -> Outcome:
        transport = Transport(connect_timeout=2, read_timeout=2)
        try:
            one = provider(url, transport, callback="http://127.0.0.1:9/x")
            return await one.send(out)
        finally:
            await transport.close()

    with answering(partly(*["0"] * parts), given=sent) as (url, asked):
        assert asyncio.run(submit(url)) == accepted("PART-0")
    assert asked == ["/sms/json"]
    assert dict(parse_qsl(sent[0].decode())) == {
        "from": SENDER.removeprefix("+"),
        "to": PHONE.removeprefix("+"),
        "text": text,
        "type": kind,
        "ttl": ttl,
        "client-ref": f"{out.attempt}.{parts}",
        "status-report-req": "true",
        "callback": "http://127.0.0.1:9/x",
    }
    assert asyncio.run(submit(world.sandbox)).kind is OutcomeKind.ACCEPTED
    assert [taken["text"] for taken in world.accepted(SMS)] == [text]


# Two providers of text messages


def test_the_spare_is_not_called_while_all_is_well(both: Walk) -> None:
    both.people(SMS, 5)
    assert both.deliver(SMS) == {SENT: 5}
    assert {name for name, _ in tried(both)} == {"twilio"}


def test_by_their_weights_both_carry_some(both: Walk) -> None:
    both.settings = {**both.settings, "sms": {"twilio_weight": 50, "vonage_weight": 50}}
    both.people(SMS, 40)
    assert both.deliver(SMS) == {SENT: 40}
    assert {name for name, _ in tried(both)} == {"twilio", "vonage"}
    assert "Twilio, weight 50 and Vonage, weight 50" in both.app(NOW).gateways.through(SMS)


@pytest.mark.parametrize(
    ("first", "kind", "more", "end"),
    [
        ("twilio", "rate_limit", {}, "transient"),
        ("twilio", "code", {"code": 20003, "status": 401}, "config_fault"),
        ("vonage", "rate_limit", {}, "transient"),
        ("vonage", "code", {"code": 9}, "config_fault"),
    ],
)
def test_after_a_refusal_the_next_attempt_goes_the_other_way(
    both: Walk, first: str, kind: str, more: dict[str, Any], end: str
) -> None:
    both.settings = {**both.settings, **(OURS if first == "vonage" else {})}
    both.people(SMS, 1)
    fault(both, kind, first, times=50, **more)
    assert both.deliver(SMS).keys() <= {RETRYABLE, HELD}
    later = max(at for at in both.next_looks().values() if at) + timedelta(seconds=3)
    assert both.deliver(SMS, now=later) == {SENT: 1}
    other = "vonage" if first == "twilio" else "twilio"
    assert tried(both) == [(first, end), (other, "accepted")]
    assert len(both.world.accepted(SMS)) == 1


def test_while_twilio_is_out_of_reach_vonage_carries_and_confirms(both: Walk) -> None:
    both.settings = {**both.settings, "twilio_base_url": "http://127.0.0.1:9"}
    [one] = both.people(SMS, 1)
    assert both.deliver(SMS) == {RETRYABLE: 1}
    with reported(both):
        assert both.deliver(SMS, now=LATER) == {SENT: 1}
        all_told(both, 2)
    assert tried(both) == [("twilio", "not_sent"), ("vonage", "accepted")]
    assert both.ledger(one).state == DELIVERED


def test_an_unknown_is_never_failed_over(both: Walk) -> None:
    both.people(SMS, 1)
    fault(both, "error_before", "twilio")
    assert both.deliver(SMS) == {UNKNOWN: 1}
    assert both.deliver(SMS, now=NOW + timedelta(hours=1)) == {}
    assert tried(both) == [("twilio", "ambiguous")]


# What holders write


@pytest.mark.parametrize(
    ("text", "arrive"), [("BAJA", 0), ("退订", 0), ("no quiero baja del chip", 1), ("AYUDA", 1)]
)
def test_a_word_of_a_holder_is_heard(both: Walk, text: str, arrive: int) -> None:
    both.settings = {**both.settings, **OURS}
    [one] = both.people(SMS, 1)
    with reported(both) as web:
        asked = {"url": web + INBOUND_PATH, "msisdn": one.address.removeprefix("+"), "text": text}
        told = call(both.world.sandbox, "POST", "/sandbox/vonage/inbound", json.dumps(asked))
        assert told.json["status"] == 204
    assert len(both.world.rows(suppressions)) == 1 - arrive
    both.deliver(SMS, now=LATER)
    assert len(both.world.accepted(SMS)) == arrive


def test_who_asked_the_carrier_for_silence_has_opted_out(walk: Walk) -> None:
    [one] = walk.people(SMS, 1)
    fault(walk, "undelivered", code=9)
    with reported(walk):
        walk.deliver(SMS)
        assert until(lambda: walk.world.rows(suppressions), 30)
    [row] = walk.world.rows(suppressions)
    assert (row.address, row.reason) == (one.address, "vonage:dlr_9")


# The doctor


@on_sqlite
def test_the_doctor_asks_for_the_balance_and_sends_nothing(walk: Walk) -> None:
    def told(**changes: Any) -> list[tuple[str, str]]:
        app = walk.world.app(lambda: NOW, **{**walk.settings, **changes})
        found = ask_providers(app)
        return [(one.state, one.message) for one in found if "Vonage" in one.message]

    assert told() == [("ok", "Vonage knows the account; its balance is 10.28 EUR")]
    [(level, _)] = told(vonage_api_secret="guessed")
    assert level == "error"
    assert record(walk.world.sandbox)["messages"] == []


@on_sqlite
def test_email_takes_over_from_a_dead_number(walk: Walk) -> None:
    [one] = walk.people(SMS, 1)
    fault(walk, "code", code=33)
    walk.deliver(SMS)
    assert walk.ledger(one).fallback == ((PENDING, None),)
    walk.deliver(MAIL, now=LATER)
    assert len(walk.world.accepted(MAIL)) == 1
