"""Every row of the providers' table of ends, written out from their references."""

from pathlib import Path

import pytest

from worker.core.breaker import Sender
from worker.core.cards import Channel
from worker.core.outcomes import (
    FAULTS,
    Fault,
    Outcome,
    OutcomeKind,
    Scope,
    Wait,
    accepted,
    from_fault,
)
from worker.providers.registry import PROVIDERS, is_doubtful, is_opt_out, is_providers_word, row_of
from worker.providers.sendgrid.outcomes import (
    SENDGRID_DROPS,
    SENDGRID_EVENTS,
    SENDGRID_STATUSES,
    from_sendgrid,
    from_sendgrid_event,
)
from worker.providers.twilio.codes import CALLS
from worker.providers.twilio.delivery_codes import CARRIERS, CHANNELS
from worker.providers.twilio.outcomes import TWILIO_CODES, from_twilio

NOT_SENT, TRANSIENT = OutcomeKind.NOT_SENT, OutcomeKind.TRANSIENT
AMBIGUOUS, CONFIG_FAULT = OutcomeKind.AMBIGUOUS, OutcomeKind.CONFIG_FAULT
RECIPIENT_DEAD, MESSAGE_DEAD = OutcomeKind.RECIPIENT_DEAD, OutcomeKind.MESSAGE_DEAD
NEEDS_A_PERSON = (MESSAGE_DEAD, CONFIG_FAULT)

TWILIO = {
    TRANSIENT: [
        *(20429, 21611, 30001, 30036, 30022, 30023, 30500, 63017, 63018, 30003, 63038, 30017),
        *(30004, 30005, 30006, 30450),
    ],
    AMBIGUOUS: [30410, 30008],
    RECIPIENT_DEAD: [21211, 21614, 21635, 21610, 63003, 63024],
    MESSAGE_DEAD: [21602, 21604, 21617, 30007, 63013, 63016],
    CONFIG_FAULT: [
        *(20003, 20403, 10001, 20404, 21212, 21601, 21606, 21608, 21703, 30002, 30032, 30034),
        *(21408, 21612, 21701, 21702, 21704, 21705, 21659, 21660, 21661, 21657, 21607, 21609),
        *(21655, 20006, 20008, 20010, 30033, 30018, 30024, 30035, 21603, 30010),
    ],
}
# Whom a fault concerns, by what its page says.
SCOPES = {
    Scope.ACCOUNT: [20003, 20006, 20008, 20010, 10001, 21609, 30002],
    Scope.SENDER: [21212, 21601, 21607, 21660, 21661, 21701, 21702, 21704, 21705],
    Scope.COUNTRY: [21408],
    Scope.ROUTE: [21606, 21657, 21659, 21703, 30018, 30024, 30032, 30033, 30034, 30035],
    Scope.RECIPIENT: [21608, 21612, 572005],
    Scope.MESSAGE: [21655, 99_999],
}
TWILIO_ROWS = [(code, kind) for kind, codes in TWILIO.items() for code in codes]
TWILIO_SPECIALS = {
    30023: (Wait.UNTIL_PACIFIC_MIDNIGHT, None),
    **dict.fromkeys((30003, 30004, 30005, 30006), (Wait.HOURS, 2)),
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
    ("dropped", CONFIG_FAULT, None, None),
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


def data(name: str) -> list[list[str]]:
    """The lines of a list of Twilio's, as words."""
    lines = (Path(__file__).parents[1] / "data" / name).read_text("utf-8").splitlines()
    return [line.split() for line in lines if not line.startswith("#")]


LISTED = {int(code) for line in data("twilio-codes.txt") for code in line}
# What they are about is no message: registrations, services, links.
OTHERS = {
    code
    for first, last, *_ in data("twilio-other-codes.txt")
    for code in range(int(first), int(last) + 1)
}


def test_every_code_that_twilio_lists_for_messages_has_a_class() -> None:
    assert len(LISTED) > 400
    assert LISTED - TWILIO_CODES.keys() - OTHERS == set()
    assert {code for code, _ in TWILIO_ROWS} <= TWILIO_CODES.keys()
    assert all(words for table in (CALLS, CARRIERS, CHANNELS) for _, _, words in table)


@pytest.mark.parametrize(
    ("code", "scope"), [(code, scope) for scope, codes in SCOPES.items() for code in codes]
)
def test_a_fault_concerns_whom_its_page_names(code: int, scope: Scope) -> None:
    assert row_of(f"twilio:{code}").scope is scope


def test_what_a_phone_that_is_off_may_cause_is_doubtful() -> None:
    doubtful = {code for code in TWILIO_CODES if is_doubtful(f"twilio:{code}")}
    assert doubtful == {30003, 30004, 30005, 30006, 63029, 63032, 63036}
    assert is_opt_out("twilio:21610")
    assert not is_opt_out("twilio:21614")


@pytest.mark.parametrize(
    ("enhanced", "kind"),
    [
        ("5.1.1", RECIPIENT_DEAD),
        ("5.1.10", RECIPIENT_DEAD),
        ("5.2.1", RECIPIENT_DEAD),
        ("5.4.1", RECIPIENT_DEAD),
        ("4.2.2", TRANSIENT),
        ("5.2.2", TRANSIENT),
        ("5.3.0", TRANSIENT),
        ("5.4.4", TRANSIENT),
        ("5.7.1", TRANSIENT),
        ("5.7.26", TRANSIENT),
        ("5.6.0", MESSAGE_DEAD),
        ("5.3.4", MESSAGE_DEAD),
        ("5.0.0", RECIPIENT_DEAD),
    ],
)
def test_the_class_of_a_bounce_says_what_it_shows(enhanced: str, kind: OutcomeKind) -> None:
    assert from_sendgrid_event("bounce", enhanced).kind is kind


def test_every_reason_for_a_drop_that_sendgrid_lists_has_a_class() -> None:
    assert SENDGRID_DROPS.keys() == {
        "invalid smtpapi header",
        "spam content",
        "unsubscribed address",
        "bounced address",
        "spam reporting address",
        "invalid",
        "recipient list over package quota",
    }


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404, 407, 408, 421])
def test_the_page_of_a_box_in_between_is_nobodys_word(status: int) -> None:
    for outcome in (from_twilio(status, None), from_sendgrid(status, own=False)):
        assert (outcome.kind, outcome.alarm) == (CONFIG_FAULT, True)
        assert row_of(outcome.code).scope is Scope.ACCOUNT


def test_no_row_is_without_its_test() -> None:
    assert set(SENDGRID_STATUSES) == {status for status, _ in SENDGRID_ROWS}
    assert set(SENDGRID_EVENTS) == {row[0] for row in SENDGRID_EVENT_ROWS}
    assert set(FAULTS) == set(Fault) == {row[0] for row in FAULT_ROWS}


@pytest.mark.parametrize("status", [402, 409, 418, 422, 451])
def test_an_unknown_4xx_is_held_by_itself_with_an_alarm(status: int) -> None:
    for outcome in (from_twilio(status, 99_999), from_sendgrid(status)):
        assert (outcome.kind, outcome.alarm) == (CONFIG_FAULT, True)
        assert row_of(outcome.code).scope is Scope.MESSAGE


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


# Breakers and silence


def test_every_fault_of_configuration_finds_its_own_breaker() -> None:
    sms = Sender(Channel.SMS, "twilio", "+15005550006")
    email = Sender(Channel.EMAIL, "sendgrid", "reminders@example.com")
    faults = [f"twilio:{c}" for c, row in TWILIO_CODES.items() if row.kind is CONFIG_FAULT]
    assert len(faults) > 10
    assert all(sms.key(code, row_of(code), "PE") in sms.keys("PE") for code in faults)
    refused = "sendgrid:http_403"
    assert email.key(refused, row_of(refused), "*") in email.keys(None)


@pytest.mark.parametrize(
    ("code", "scope"),
    [
        ("twilio:http_401", Scope.ACCOUNT),
        ("smtp:mail_550_5.1.8", Scope.SENDER),
        ("smtp:rcpt_550_5.7.1", Scope.RECIPIENT),
        ("smtp:no_auth", Scope.ACCOUNT),
        ("sendgrid:http_400", Scope.MESSAGE),
        ("sendgrid:dropped_unknown", Scope.MESSAGE),
        ("sendgrid:page_503", Scope.ACCOUNT),
        ("connect", Scope.ACCOUNT),
        ("carrier:404", Scope.ACCOUNT),
    ],
)
def test_a_code_is_read_by_the_provider_that_it_names(code: str, scope: Scope) -> None:
    assert row_of(code).scope is scope


def test_only_a_filter_of_carriers_closes_a_route_by_its_rate() -> None:
    assert [code for code, row in TWILIO_CODES.items() if row.filtered] == [30007]


OPT_OUTS = [
    *("opted_out", "twilio:21610", "sendgrid:opted_out"),
    *("sendgrid:spamreport", "sendgrid:unsubscribe", "sendgrid:group_unsubscribe"),
]


@pytest.mark.parametrize("reason", OPT_OUTS)
def test_who_asks_for_silence_is_no_dead_address(reason: str) -> None:
    assert is_opt_out(reason)
    assert not is_providers_word(reason)


@pytest.mark.parametrize("reason", ["twilio:30003", "sendgrid:bounce", "smtp:rcpt_550_5.1.1"])
def test_a_dead_address_asks_for_nothing(reason: str) -> None:
    assert is_providers_word(reason)
    assert not is_opt_out(reason)


@pytest.mark.parametrize("reason", [None, "recycled", "no_address", "carrier:404"])
def test_what_no_provider_says_is_not_its_word(reason: str | None) -> None:
    assert not is_providers_word(reason)


def test_each_provider_answers_to_one_name() -> None:
    assert [one.name for one in PROVIDERS] == ["twilio", "vonage", "sendgrid", "smtp"]
    for one in PROVIDERS:
        assert {code.partition(":")[0] for code in one.silence.codes} <= {one.name}
        assert one.silence.taken_back <= one.silence.codes
        assert one.silence.statuses | one.silence.resumed <= one.statuses
