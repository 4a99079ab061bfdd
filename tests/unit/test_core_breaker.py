"""Breakers: whom a fault concerns, how long nothing is sent, and when it is too late to wait."""

from datetime import UTC, datetime, time, timedelta

import pytest

from worker.core.breaker import FILTERED, BreakerPolicy, Sender, rest
from worker.core.cards import Channel
from worker.core.hours import Hours
from worker.core.outcomes import TWILIO_CODES, OutcomeKind

SMS = Sender(Channel.SMS, "twilio", "+15005550006")
EMAIL = Sender(Channel.EMAIL, "sendgrid", "reminders@example.com")
HOURS = Hours(time(9), time(20))
NOON = datetime(2026, 6, 12, 17, tzinfo=UTC)  # in Lima
MIDNIGHT = datetime(2026, 6, 13, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("code", "key"),
    [
        ("twilio:20003", "sms/twilio/*/*"),
        ("twilio:http_401", "sms/twilio/*/*"),
        ("twilio:21408", "sms/twilio/PE/*"),
        ("twilio:21212", "sms/twilio/*/+1…0006"),
        ("twilio:21606", "sms/twilio/PE/+1…0006"),
        ("smtp:mail_550_5.1.8", "sms/twilio/*/+1…0006"),
    ],
)
def test_a_fault_stops_whom_it_concerns(code: str, key: str) -> None:
    assert SMS.key(code, "PE") == key
    assert key in SMS.keys("PE")


def test_a_country_without_permission_stops_no_other() -> None:
    assert SMS.key("twilio:21408", "CN") not in SMS.keys("PE")


def test_a_sender_that_is_refused_stops_no_other() -> None:
    other = Sender(Channel.SMS, "twilio", "+15005550999")
    assert SMS.key("twilio:21606", "PE") not in other.keys("PE")


def test_every_fault_of_configuration_finds_its_own_breaker() -> None:
    codes = [c for c, row in TWILIO_CODES.items() if row.kind is OutcomeKind.CONFIG_FAULT]
    assert len(codes) > 10
    assert all(SMS.key(f"twilio:{code}", "PE") in SMS.keys("PE") for code in codes)
    assert EMAIL.key("sendgrid:http_403", "*") in EMAIL.keys(None)


def test_a_key_tells_the_sender_without_telling_all_of_it() -> None:
    assert EMAIL.masked == "r…@example.com"
    assert Sender(Channel.SMS, "twilio", "MG" + "0" * 28 + "abcd").masked == "MG…abcd"
    long = Sender(Channel.EMAIL, "sendgrid", "a@" + "b" * 250 + ".example.com")
    assert all(len(key) <= 120 for key in long.keys("PE"))


def test_each_failure_doubles_the_pause_up_to_the_longest() -> None:
    policy = BreakerPolicy(timedelta(minutes=5), timedelta(minutes=30))
    pauses = [policy.pause(failures).total_seconds() / 60 for failures in (1, 2, 3, 4, 400)]
    assert pauses == [5, 10, 20, 30, 30]


def test_a_longest_pause_below_the_first_does_not_shorten_it() -> None:
    assert BreakerPolicy(timedelta(minutes=5), timedelta(minutes=1)).pause(3).seconds == 300


@pytest.mark.parametrize(
    ("hours", "waits"),
    [(1, True), (7, True), (8, False), (13, False)],
)
def test_a_notice_waits_only_while_there_is_an_hour_left_to_tell_it(
    hours: int, waits: bool
) -> None:
    at = NOON + timedelta(hours=hours)
    assert (rest(MIDNIGHT, [at], HOURS, "America/Lima") is not None) == waits


def test_the_first_look_that_is_not_too_late_counts() -> None:
    late, soon = NOON + timedelta(hours=9), NOON + timedelta(minutes=5)
    assert rest(MIDNIGHT, [late, soon], HOURS, "America/Lima") == soon


@pytest.mark.parametrize(
    ("filtered", "of", "closes"),
    [(4, 19, False), (4, 20, False), (5, 20, True), (20, 20, True), (5, 5, False)],
)
def test_carriers_filter_where_more_than_a_share_of_enough_texts_was_filtered(
    filtered: int, of: int, closes: bool
) -> None:
    codes = [FILTERED] * filtered + ["delivered"] * (of - filtered)
    assert BreakerPolicy().filters(codes) is closes


def test_a_filter_concerns_one_sender_and_one_country() -> None:
    sender, other = (Sender(Channel.SMS, "twilio", f"+1500555000{n}") for n in (6, 7))
    key = sender.key(FILTERED, "PE")
    assert key in sender.keys("PE")
    assert key not in {*sender.keys("CN"), *sender.keys(None), *other.keys("PE")}
