"""Every row of the providers' table of ends, written out from their references."""

import pytest

from worker.core.outcomes import (
    DELIVERED,
    FAULTS,
    PROGRESS,
    SENDGRID_EVENTS,
    SENDGRID_STATUSES,
    TWILIO_CODES,
    Fault,
    Outcome,
    OutcomeKind,
    Wait,
    accepted,
    from_fault,
    from_sendgrid,
    from_twilio,
)

NOT_SENT, TRANSIENT = OutcomeKind.NOT_SENT, OutcomeKind.TRANSIENT
AMBIGUOUS, CONFIG_FAULT = OutcomeKind.AMBIGUOUS, OutcomeKind.CONFIG_FAULT
RECIPIENT_DEAD, MESSAGE_DEAD = OutcomeKind.RECIPIENT_DEAD, OutcomeKind.MESSAGE_DEAD
NEEDS_A_PERSON = (MESSAGE_DEAD, CONFIG_FAULT)

TWILIO = {
    TRANSIENT: [20429, 21611, 30001, 30036, 30022, 30023, 30500, 63017, 63018, 30003],
    AMBIGUOUS: [30410, 30008],
    RECIPIENT_DEAD: [
        *(21211, 21614, 21635, 21610, 30004, 30005, 30006, 63003, 63024, 63032, 21612)
    ],
    MESSAGE_DEAD: [21602, 21603, 21604, 21617, 30007, 30010, 63013, 63016],
    CONFIG_FAULT: [
        *(20003, 20403, 10001, 20404, 21212, 21601, 21606, 21608, 21703, 30002, 30032, 30034),
        21408,
    ],
}
TWILIO_ROWS = [(code, kind) for kind, codes in TWILIO.items() for code in codes]
TWILIO_SPECIALS = {
    30023: (Wait.UNTIL_PACIFIC_MIDNIGHT, None),
    30003: (Wait.HOURS, 2),
    30008: (Wait.HOURS, 2),
    30410: (Wait.HOURS, 2),
}

SENDGRID_ROWS = [
    (429, TRANSIENT),
    (500, AMBIGUOUS),
    (502, AMBIGUOUS),
    (503, AMBIGUOUS),
    (504, AMBIGUOUS),
    (400, MESSAGE_DEAD),
    (413, MESSAGE_DEAD),
    (401, CONFIG_FAULT),
    (403, CONFIG_FAULT),
    (404, CONFIG_FAULT),
    (405, CONFIG_FAULT),
    (406, CONFIG_FAULT),
    (415, CONFIG_FAULT),
]
SENDGRID_EVENT_ROWS = [
    ("bounce", RECIPIENT_DEAD, None, None),
    ("dropped", RECIPIENT_DEAD, None, None),
    ("spamreport", RECIPIENT_DEAD, None, None),
    ("unsubscribe", RECIPIENT_DEAD, None, None),
    ("group_unsubscribe", RECIPIENT_DEAD, None, None),
    ("blocked", TRANSIENT, Wait.HOURS, 2),
]
FAULT_ROWS = [
    (Fault.CONNECT, NOT_SENT, False),
    (Fault.TLS, NOT_SENT, True),
    (Fault.TIMEOUT, AMBIGUOUS, False),
    (Fault.RESET, AMBIGUOUS, False),
    (Fault.BROKEN_REPLY, AMBIGUOUS, False),
]


@pytest.mark.parametrize(("code", "kind"), TWILIO_ROWS)
@pytest.mark.parametrize("status", [400, None], ids=["answer", "receipt"])
def test_a_twilio_code_ends_as_its_row_says(
    code: int, kind: OutcomeKind, status: int | None
) -> None:
    wait, most = TWILIO_SPECIALS.get(code, (None, None))
    assert from_twilio(status, code, 7.0) == Outcome(
        kind, f"twilio:{code}", None, 7.0, wait, most, alarm=kind in NEEDS_A_PERSON
    )


@pytest.mark.parametrize(("status", "kind"), SENDGRID_ROWS)
def test_a_sendgrid_status_ends_as_its_row_says(status: int, kind: OutcomeKind) -> None:
    assert from_sendgrid(status, 7.0) == Outcome(
        kind, f"sendgrid:http_{status}", None, 7.0, alarm=kind in NEEDS_A_PERSON
    )


@pytest.mark.parametrize(("event", "kind", "wait", "most"), SENDGRID_EVENT_ROWS)
def test_a_sendgrid_event_ends_as_its_row_says(
    event: str, kind: OutcomeKind, wait: Wait | None, most: int | None
) -> None:
    row = SENDGRID_EVENTS[event]
    assert (row.kind, row.wait, row.most) == (kind, wait, most)


@pytest.mark.parametrize(("fault", "kind", "alarm"), FAULT_ROWS)
def test_a_fault_on_the_wire_tells_whether_anything_was_written(
    fault: Fault, kind: OutcomeKind, alarm: bool
) -> None:
    assert from_fault(fault) == Outcome(kind, fault.value, alarm=alarm)


def test_no_row_is_without_its_test() -> None:
    assert set(TWILIO_CODES) == {code for code, _ in TWILIO_ROWS}
    assert set(SENDGRID_STATUSES) == {status for status, _ in SENDGRID_ROWS}
    assert set(SENDGRID_EVENTS) == {row[0] for row in SENDGRID_EVENT_ROWS}
    assert set(FAULTS) == set(Fault) == {row[0] for row in FAULT_ROWS}


@pytest.mark.parametrize("status", [402, 409, 418, 422, 451])
def test_an_unknown_4xx_is_a_dead_message_with_an_alarm(status: int) -> None:
    for outcome in (from_twilio(status, None), from_twilio(status, 99_999), from_sendgrid(status)):
        assert (outcome.kind, outcome.alarm) == (MESSAGE_DEAD, True)


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 507, 520, 599])
def test_a_5xx_is_ambiguous_whatever_code_comes_with_it(status: int) -> None:
    assert from_twilio(status, None).kind is AMBIGUOUS
    assert from_twilio(status, 21211).kind is AMBIGUOUS
    assert from_twilio(status, 20429).kind is AMBIGUOUS
    assert from_sendgrid(status).kind is AMBIGUOUS


@pytest.mark.parametrize("code", [20429, None, 21211])
def test_a_429_was_never_processed_and_keeps_its_retry_after(code: int | None) -> None:
    outcome = from_twilio(429, code, 42.5)
    assert (outcome.kind, outcome.retry_after) == (TRANSIENT, 42.5)
    assert from_sendgrid(429, 42.5).retry_after == 42.5


def test_a_401_without_a_body_is_a_config_fault_with_an_alarm() -> None:
    assert from_twilio(401, None) == Outcome(CONFIG_FAULT, "twilio:http_401", alarm=True)


def test_the_code_of_an_unknown_end_tells_what_was_seen() -> None:
    assert from_twilio(400, 99_999).code == "twilio:99999"
    assert from_twilio(418, None).code == "twilio:http_418"
    assert from_sendgrid(418).code == "sendgrid:http_418"


def test_accepted_carries_the_providers_id_and_asks_for_nothing() -> None:
    assert accepted("SM1") == Outcome(OutcomeKind.ACCEPTED, "accepted", "SM1")


@pytest.mark.parametrize(
    "status", ["accepted", "queued", "sending", "sent", "processed", "deferred"]
)
def test_progress_is_not_an_end(status: str) -> None:
    assert status in PROGRESS
    assert status not in DELIVERED
    assert status not in SENDGRID_EVENTS


def test_only_delivered_and_read_are_delivery() -> None:
    assert frozenset({"delivered", "read"}) == DELIVERED
