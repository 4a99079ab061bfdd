"""Breakers: whom a fault concerns, how long nothing is sent, and when it is too late to wait."""

from datetime import UTC, datetime, time, timedelta

import pytest

from worker.core.breaker import BreakerPolicy, Sender, can_wait, rest, rests_alone
from worker.core.cards import Channel
from worker.core.hours import Hours
from worker.core.outcomes import FILTERED, OutcomeKind, Scope, held

SMS = Sender(Channel.SMS, "twilio", "+15005550006")
EMAIL = Sender(Channel.EMAIL, "sendgrid", "reminders@example.com")
HOURS = Hours(time(9), time(20))
NOON = datetime(2026, 6, 12, 17, tzinfo=UTC)  # in Lima
MIDNIGHT = datetime(2026, 6, 13, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("scope", "key"),
    [
        (Scope.ACCOUNT, "sms/twilio/*/*"),
        (Scope.COUNTRY, "sms/twilio/PE/*"),
        (Scope.SENDER, "sms/twilio/*/+1…0006"),
        (Scope.ROUTE, "sms/twilio/PE/+1…0006"),
    ],
)
def test_a_fault_stops_whom_it_concerns(scope: Scope, key: str) -> None:
    assert held(scope).kind is OutcomeKind.CONFIG_FAULT
    assert SMS.key("twilio:1", held(scope), "PE") == key
    assert key in SMS.keys("PE")
    assert not rests_alone("twilio:1", held(scope))


def test_a_provider_that_is_down_has_a_breaker_of_its_own() -> None:
    assert SMS.key("twilio:down", held(Scope.ACCOUNT), "PE") == "sms/twilio/down"
    assert "sms/twilio/down" in SMS.keys(None)
    assert not rests_alone("twilio:down", held(Scope.RECIPIENT))


@pytest.mark.parametrize("scope", [Scope.MESSAGE, Scope.RECIPIENT])
def test_what_concerns_one_alone_opens_no_breaker(scope: Scope) -> None:
    assert rests_alone("twilio:1", held(scope))


def test_a_country_without_permission_stops_no_other() -> None:
    assert SMS.key("twilio:1", held(Scope.COUNTRY), "CN") not in SMS.keys("PE")


def test_a_sender_that_is_refused_stops_no_other() -> None:
    other = Sender(Channel.SMS, "twilio", "+15005550999")
    assert SMS.key("twilio:1", held(Scope.ROUTE), "PE") not in other.keys("PE")


def test_a_key_tells_the_sender_without_telling_all_of_it() -> None:
    assert EMAIL.masked == "r…@example.com"
    assert Sender(Channel.SMS, "twilio", "MG" + "0" * 28 + "abcd").masked == "MG…abcd"
    long = Sender(Channel.EMAIL, "sendgrid", "a@" + "b" * 250 + ".example.com")
    assert all(len(key) <= 120 for key in long.keys("PE"))


def test_each_failure_doubles_the_pause_up_to_the_longest() -> None:
    policy = BreakerPolicy(timedelta(minutes=5), timedelta(minutes=30))
    pauses = [policy.pause(failures).total_seconds() / 60 for failures in (1, 2, 3, 4, 400)]
    assert pauses == [5, 10, 20, 30, 30]
    patient = BreakerPolicy(timedelta(minutes=5), timedelta(hours=4))
    assert [patient.pause(failures).seconds / 60 for failures in (1, 2, 3, 4, 5)] == [
        *(5, 10, 20, 40, 80),
    ]


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


def test_who_is_asked_again_at_the_very_end_is_asked_too_late() -> None:
    second = timedelta(seconds=1)
    assert can_wait(NOON, NOON - second, HOURS, "America/Lima")
    assert not can_wait(NOON, NOON, HOURS, "America/Lima")


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
    ends = [True] * filtered + [False] * (of - filtered)
    assert BreakerPolicy().filters(ends) is closes


def test_a_filter_concerns_one_sender_and_one_country() -> None:
    sender, other = (Sender(Channel.SMS, "twilio", f"+1500555000{n}") for n in (6, 7))
    key = sender.key("twilio:30007", FILTERED, "PE")
    assert key in sender.keys("PE")
    assert key not in {*sender.keys("CN"), *sender.keys(None), *other.keys("PE")}
