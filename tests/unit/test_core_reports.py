"""What a report means, and what it may change."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from worker.core.cards import Channel
from worker.core.outcomes import Outcome, OutcomeKind, accepted
from worker.core.reminders import MessageState
from worker.core.reports import (
    Phase,
    advances,
    after_failure,
    phase_after,
)
from worker.core.retry import Next, RetryPolicy
from worker.providers.twilio.outcomes import from_twilio_status

NOW = datetime(2026, 6, 12, 15, tzinfo=UTC)
FAR = NOW + timedelta(days=5)


def test_what_has_a_providers_id_was_taken_whatever_became_of_it_then() -> None:
    fault, off = OutcomeKind.AMBIGUOUS, OutcomeKind.TRANSIENT
    assert phase_after(Outcome(fault, "timeout")) is Phase.OPEN
    assert phase_after(Outcome(OutcomeKind.NOT_SENT, "reconciled:not_found")) is Phase.OPEN
    assert phase_after(accepted("SM1")) is Phase.TAKEN
    assert phase_after(Outcome(off, "twilio:30003", "SM1")) is Phase.FAILED


@pytest.mark.parametrize("channel", list(Channel))
def test_phases_only_move_forward(channel: Channel) -> None:
    for one, other in product(Phase, repeat=2):
        assert advances(channel, one, other) + advances(channel, other, one) == (one is not other)
    for then in set(Phase) - {Phase.OPEN}:
        assert advances(channel, Phase.OPEN, then)
    for then in (Phase.DELIVERED, Phase.FAILED):
        assert advances(channel, Phase.TAKEN, then)


def test_a_handset_has_the_last_word_and_of_mail_servers_the_one_behind() -> None:
    assert advances(Channel.SMS, Phase.FAILED, Phase.DELIVERED)
    assert advances(Channel.EMAIL, Phase.DELIVERED, Phase.FAILED)


def after(
    outcome: Outcome,
    failures: int = 1,
    attempts: int = 1,
    until: datetime = FAR,
    policy: RetryPolicy | None = None,
) -> Next:
    policy = policy or RetryPolicy()
    return after_failure(outcome, failures, attempts, NOW, until, policy, Channel.SMS, 0.5)


HANDSET_OFF = from_twilio_status("undelivered", 30003)
UNKNOWN_ERROR = from_twilio_status("undelivered", 30008)


@pytest.mark.parametrize("outcome", [HANDSET_OFF, UNKNOWN_ERROR], ids=["30003", "30008"])
def test_what_may_pass_gets_one_late_retry(outcome: Outcome) -> None:
    again = after(outcome)
    assert again.state is MessageState.RETRYABLE
    assert again.at is not None
    assert again.at >= NOW + timedelta(hours=4)
    over = Next(MessageState.UNDELIVERED, None, outcome.code)
    assert after(outcome, failures=2, attempts=2) == over
    assert after(outcome, until=NOW + timedelta(hours=2)) == over


def test_what_may_have_arrived_is_not_repeated_without_end() -> None:
    over = Next(MessageState.UNDELIVERED, None, UNKNOWN_ERROR.code)
    assert after(UNKNOWN_ERROR, attempts=RetryPolicy().most) == over


def test_a_handset_that_is_off_is_tried_ever_more_rarely_where_there_is_no_other_way() -> None:
    waits = []
    for failures in (1, 2, 3, 4):
        again = after_failure(
            *(HANDSET_OFF, failures, 99, NOW, FAR, RetryPolicy(), Channel.SMS, 0.0),
            elsewhere=False,
        )
        assert again.at is not None
        waits.append((again.at - NOW) // timedelta(hours=1))
    assert waits == [4, 8, 12, 12]


def test_attempts_that_never_left_do_not_use_up_the_late_retry() -> None:
    assert after(HANDSET_OFF, failures=1, attempts=5).state is MessageState.RETRYABLE


def test_what_may_have_arrived_is_not_repeated_where_that_is_forbidden() -> None:
    hold = RetryPolicy(resend=frozenset())
    assert after(UNKNOWN_ERROR, policy=hold).state is MessageState.UNDELIVERED
    assert after(HANDSET_OFF, policy=hold).state is MessageState.RETRYABLE


@pytest.mark.parametrize("code", [21614, 30007])
def test_the_dead_are_not_tried_again(code: int) -> None:
    outcome = from_twilio_status("failed", code)
    assert after(outcome) == Next(MessageState.UNDELIVERED, None, f"twilio:{code}")


def test_a_fault_of_ours_holds_the_message() -> None:
    outcome = from_twilio_status("failed", 30002)
    held = after(outcome)
    assert (held.state, held.at) == (MessageState.HELD, NOW + RetryPolicy().hold)
    assert after(outcome, failures=2).at == NOW + 2.25 * RetryPolicy().hold
    assert after(outcome, until=NOW).state is MessageState.UNDELIVERED
