"""When a message is tried again, and when it is over."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core_helpers import LOS_ANGELES, at
from worker.core.outcomes import Outcome, OutcomeKind, Wait
from worker.core.reminders import MessageState
from worker.core.retry import Next, RetryPolicy, after_attempt, pause

NOW = datetime(2026, 6, 12, 15, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
POLICY = RetryPolicy()
SECOND = timedelta(seconds=1)
TRANSIENT = Outcome(OutcomeKind.TRANSIENT, "twilio:20429")
NOT_SENT = Outcome(OutcomeKind.NOT_SENT, "connect")


def after(
    outcome: Outcome, attempts: int = 1, until: datetime = LATER, jitter: float = 0.0
) -> Next:
    return after_attempt(outcome, attempts, NOW, until, POLICY, jitter)


def wait(
    outcome: Outcome, attempts: int = 1, jitter: float = 0.0, now: datetime = NOW
) -> timedelta:
    return pause(outcome, attempts, now, POLICY, jitter)


def test_the_longest_pause_doubles_with_each_attempt_up_to_the_cap() -> None:
    longest = [wait(TRANSIENT, n, jitter=1.0) - POLICY.quick for n in range(1, 10)]
    assert [pause.total_seconds() for pause in longest] == [
        *(30, 60, 120, 240, 480, 960, 1920),
        *(3600, 3600),
    ]


def test_the_jitter_is_full() -> None:
    assert wait(TRANSIENT, 4, jitter=0.0) == POLICY.quick
    assert wait(TRANSIENT, 4, jitter=0.5) == POLICY.quick + 120 * SECOND
    assert wait(TRANSIENT, 4, jitter=1.0) == POLICY.quick + 240 * SECOND


def test_what_never_left_is_tried_again_sooner() -> None:
    assert wait(NOT_SENT, 1, jitter=1.0) == 2 * POLICY.quick
    assert wait(NOT_SENT, 2, jitter=1.0) == 3 * POLICY.quick
    assert after(NOT_SENT) == Next(MessageState.RETRYABLE, NOW + POLICY.quick, "connect")


def test_a_retry_after_is_honoured() -> None:
    asked = replace(TRANSIENT, retry_after=600.0)
    assert wait(asked, 1, jitter=0.0) == 600 * SECOND + POLICY.quick
    assert wait(asked, 1, jitter=1.0) == 630 * SECOND + POLICY.quick


@pytest.mark.parametrize("seconds", [3601.0, 10.0**9, 10.0**20, float("inf")])
def test_a_wrong_retry_after_cannot_silence_a_notice(seconds: float) -> None:
    asked = replace(TRANSIENT, retry_after=seconds)
    assert wait(asked, 1, jitter=0.0) == POLICY.longest + POLICY.quick


@given(
    st.sampled_from([TRANSIENT, NOT_SENT]),
    st.integers(1, 200),
    st.floats(0, 1),
    st.none() | st.floats(0, 10**6),
)
def test_a_pause_lies_between_what_was_asked_and_the_cap(
    outcome: Outcome, attempts: int, jitter: float, retry_after: float | None
) -> None:
    asked = min(timedelta(seconds=retry_after or 0), POLICY.longest)
    pause = wait(replace(outcome, retry_after=retry_after), attempts, jitter)
    assert asked + POLICY.quick <= pause <= asked + POLICY.quick + POLICY.longest


def test_no_retry_lies_past_the_use_of_the_notice() -> None:
    at_once_after = NOW + POLICY.quick
    assert after(TRANSIENT, until=at_once_after + SECOND).state is MessageState.RETRYABLE
    for until in (at_once_after, at_once_after - SECOND, NOW - SECOND):
        assert after(TRANSIENT, until=until) == Next(
            MessageState.FAILED, None, "twilio:20429: no longer useful"
        )


@pytest.mark.parametrize("attempts", [12, 13, 500])
def test_no_count_ends_what_certainly_was_not_sent(attempts: int) -> None:
    assert after(TRANSIENT, attempts=attempts).state is MessageState.RETRYABLE
    assert after(NOT_SENT, attempts=attempts).state is MessageState.RETRYABLE


def test_a_row_may_bound_the_attempts_where_another_way_takes_over() -> None:
    twice = replace(TRANSIENT, most=2)

    def tried(attempts: int, *, elsewhere: bool) -> Next:
        return after_attempt(twice, attempts, NOW, LATER, POLICY, 0.0, elsewhere=elsewhere)

    assert tried(1, elsewhere=True).state is MessageState.RETRYABLE
    assert tried(2, elsewhere=True) == Next(MessageState.FAILED, None, "twilio:20429: 2 attempts")
    assert tried(2, elsewhere=False).state is MessageState.RETRYABLE
    assert after(twice, 2).state is MessageState.RETRYABLE


@given(st.sampled_from([TRANSIENT, NOT_SENT]), st.floats(0.5, 1), st.integers(60, 10**6))
def test_there_are_tries_to_the_end_and_none_after_it(
    outcome: Outcome, jitter: float, seconds: int
) -> None:
    now, until, tries = NOW, NOW + timedelta(seconds=seconds), 0
    while tries < 1_000:
        tries += 1
        following = after_attempt(outcome, tries, now, until, POLICY, jitter)
        if following.at is None:
            break
        assert now < following.at < until
        now = following.at
    assert until - now <= max(timedelta(seconds=30), timedelta(seconds=seconds) / 6)
    assert tries < 700


def test_a_handset_that_is_off_is_tried_hours_later() -> None:
    off = Outcome(OutcomeKind.TRANSIENT, "twilio:30003", wait=Wait.HOURS, most=2)
    assert wait(off, jitter=0.0) == timedelta(hours=4) + POLICY.quick
    assert wait(replace(off, retry_after=60.0), jitter=0.0) == timedelta(hours=4) + POLICY.quick


@pytest.mark.parametrize(
    ("now", "midnight"),
    [
        ("2026-06-12 08:00", "2026-06-13 00:00"),
        ("2026-06-12 23:59:58.500", "2026-06-13 00:00"),
        ("2026-03-08 00:30", "2026-03-09 00:00"),  # 23 hours long: clocks go forward
        ("2026-03-07 12:00", "2026-03-08 00:00"),
        ("2026-11-01 00:30", "2026-11-02 00:00"),  # 25 hours long: clocks go back
    ],
)
def test_a_daily_cap_lasts_until_midnight_in_california(now: str, midnight: str) -> None:
    capped = Outcome(OutcomeKind.TRANSIENT, "twilio:30023", wait=Wait.UNTIL_PACIFIC_MIDNIGHT)
    then = at(now, LOS_ANGELES)
    following = after_attempt(capped, 1, then, then + timedelta(days=9), POLICY, 0.0)
    assert following.at == at(midnight, LOS_ANGELES) + POLICY.quick


def test_a_config_fault_is_held_and_never_counts_as_too_many_attempts() -> None:
    fault = Outcome(OutcomeKind.CONFIG_FAULT, "twilio:20003", alarm=True)
    waits = [after(fault, attempts).at for attempts in (1, 2, 3, 12, 500)]
    assert [at and (at - NOW).total_seconds() / 60 for at in waits] == [15, 30, 60, 60, 60]
    assert after(fault, 500).state is MessageState.HELD


def test_what_is_held_once_more_is_held_up_to_a_quarter_longer() -> None:
    """So that not all that one fault held comes back at one instant."""
    fault = Outcome(OutcomeKind.CONFIG_FAULT, "twilio:20003", alarm=True)
    for attempts, jitter, minutes in ((1, 1.0, 15), (2, 0.0, 30), (2, 0.5, 33.75), (2, 1.0, 37.5)):
        assert after(fault, attempts, jitter=jitter).at == NOW + timedelta(minutes=minutes)


def test_what_would_be_too_late_is_tried_once_more_in_half_of_the_time_that_is_left() -> None:
    fault = Outcome(OutcomeKind.CONFIG_FAULT, "twilio:20003", alarm=True)
    held = after(fault, until=NOW + timedelta(minutes=10))
    code, at = "twilio:20003", NOW + timedelta(minutes=5)
    assert held == Next(MessageState.HELD, at, code, fault=code)
    at_the_end = after(fault, until=NOW + POLICY.hold)
    assert at_the_end.at == NOW + POLICY.hold / 2, "at its very end a notice is of no use"
    assert after(fault, until=NOW + POLICY.quick).state is MessageState.FAILED
    soon = after(TRANSIENT, 9, NOW + timedelta(minutes=2), jitter=1.0)
    assert soon.at == NOW + timedelta(seconds=25), "a sixth of what is left, and a little"


def test_a_provider_that_wants_to_be_left_alone_is_not_called_sooner() -> None:
    asked = replace(TRANSIENT, retry_after=90.0)
    assert after(asked, until=NOW + timedelta(seconds=100)).at == NOW + timedelta(seconds=95)
    assert after(asked, until=NOW + timedelta(seconds=95)).state is MessageState.FAILED
    off = Outcome(OutcomeKind.TRANSIENT, "twilio:30003", wait=Wait.HOURS)
    twelve = NOW + timedelta(hours=12)
    assert after(off, 3, until=twelve + 6 * SECOND).at == twelve + POLICY.quick
    assert after(off, 3, until=twelve).state is MessageState.FAILED


@pytest.mark.parametrize("until", [LATER, NOW - SECOND])
def test_an_ambiguous_end_parks_as_unknown_and_is_not_sent_again(until: datetime) -> None:
    lost = Outcome(OutcomeKind.AMBIGUOUS, "timeout", retry_after=9000.0)
    assert after(lost, 99, until) == Next(
        MessageState.UNKNOWN, NOW + timedelta(seconds=150), "timeout"
    )


@pytest.mark.parametrize("kind", [OutcomeKind.RECIPIENT_DEAD, OutcomeKind.MESSAGE_DEAD])
def test_what_is_dead_is_not_tried_again(kind: OutcomeKind) -> None:
    assert after(Outcome(kind, "a:code")) == Next(MessageState.FAILED, None, "a:code")


def test_what_was_accepted_is_sent() -> None:
    assert after(Outcome(OutcomeKind.ACCEPTED, "accepted", "SM1")) == Next(
        MessageState.SENT, None, None
    )
