"""What a report means, and what it may change."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from worker.core.cards import Channel
from worker.core.outcomes import (
    DELIVERED,
    OPT_OUTS,
    PROGRESS,
    SENDGRID_EVENTS,
    TWILIO_CODES,
    Outcome,
    OutcomeKind,
    Wait,
    from_sendgrid_event,
    from_twilio_status,
)
from worker.core.reminders import MessageState
from worker.core.reports import (
    CONFIRMED,
    News,
    Phase,
    Report,
    advances,
    after_failure,
    news,
    phase,
)
from worker.core.retry import Next, RetryPolicy

NOW = datetime(2026, 6, 12, 15, tzinfo=UTC)
FAR = NOW + timedelta(days=5)


def said(status: str, code: str | None = None, provider: str = "twilio") -> News | None:
    return news(Report(provider, "1", status, None, None, code, None))


@pytest.mark.parametrize("status", sorted(PROGRESS))
@pytest.mark.parametrize("provider", ["twilio", "sendgrid", "smtp"])
def test_progress_proves_that_it_was_taken(status: str, provider: str) -> None:
    assert said(status, None, provider) == News(Phase.TAKEN)


@pytest.mark.parametrize("status", sorted(DELIVERED))
@pytest.mark.parametrize("provider", ["twilio", "sendgrid", "smtp"])
def test_a_receipt_is_a_delivery(status: str, provider: str) -> None:
    assert said(status, None, provider) == News(Phase.DELIVERED)


@pytest.mark.parametrize("code", sorted(TWILIO_CODES))
@pytest.mark.parametrize("status", ["failed", "undelivered", "canceled"])
def test_twilios_failures_mean_what_their_code_means(status: str, code: int) -> None:
    found = said(status, str(code))
    assert found is not None
    assert found.phase is Phase.FAILED
    assert found.outcome == from_twilio_status(status, code)
    assert found.outcome is not None
    assert found.outcome.kind is TWILIO_CODES[code].kind
    assert found.outcome.code == f"twilio:{code}"


def test_an_undelivered_text_without_a_code_is_the_carriers_unknown_error() -> None:
    outcome = from_twilio_status("undelivered", None)
    assert (outcome.kind, outcome.wait, outcome.most) == (OutcomeKind.AMBIGUOUS, Wait.HOURS, 2)
    assert outcome.code == "twilio:undelivered"


@pytest.mark.parametrize(
    ("status", "code"),
    [("failed", None), ("canceled", None), ("failed", "99999"), ("failed", "x1")],
)
def test_a_failure_nobody_knows_is_a_dead_message_with_an_alarm(
    status: str, code: str | None
) -> None:
    found = said(status, code)
    assert found is not None
    assert found.outcome is not None
    assert (found.outcome.kind, found.outcome.alarm) == (OutcomeKind.MESSAGE_DEAD, True)


@pytest.mark.parametrize("event", sorted(set(SENDGRID_EVENTS) - OPT_OUTS))
@pytest.mark.parametrize("provider", ["sendgrid", "smtp"])
def test_events_of_email_mean_what_their_row_says(event: str, provider: str) -> None:
    found = said(event, None, provider)
    assert found is not None
    assert found.outcome == from_sendgrid_event(provider, event, None)
    assert found.phase is Phase.FAILED
    assert found.opt_out is None


def test_a_bounce_that_only_was_a_block_is_one() -> None:
    assert said("bounce", "blocked", "sendgrid") == said("blocked", None, "sendgrid")


@pytest.mark.parametrize("event", sorted(OPT_OUTS))
def test_who_asks_for_silence_has_read_it(event: str) -> None:
    assert said(event, None, "sendgrid") == News(Phase.TAKEN, opt_out=f"sendgrid:{event}")


@pytest.mark.parametrize("status", ["open", "click", "", "received"])
@pytest.mark.parametrize("provider", ["twilio", "sendgrid"])
def test_all_else_is_nothing_to_us(status: str, provider: str) -> None:
    assert said(status, None, provider) is None


def test_the_phase_of_an_attempt_is_in_its_row() -> None:
    assert phase(None, None, None) is Phase.OPEN
    assert phase("ambiguous", "timeout", None) is Phase.OPEN
    assert phase("not_sent", "reconciled:not_found", None) is Phase.OPEN
    assert phase("accepted", "accepted", "SM1") is Phase.TAKEN
    assert phase("accepted", CONFIRMED, "SM1") is Phase.DELIVERED
    assert phase("transient", "twilio:30003", "SM1") is Phase.FAILED


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
    for by_mail in (Channel.EMAIL, Channel.GUARDIAN):
        assert advances(by_mail, Phase.DELIVERED, Phase.FAILED)


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
    assert after(outcome, attempts=RetryPolicy().most) == over


def test_attempts_that_never_left_do_not_use_up_the_late_retry() -> None:
    assert after(HANDSET_OFF, failures=1, attempts=5).state is MessageState.RETRYABLE


def test_what_may_have_arrived_is_not_repeated_where_that_is_forbidden() -> None:
    hold = RetryPolicy(resend=frozenset())
    assert after(UNKNOWN_ERROR, policy=hold).state is MessageState.UNDELIVERED
    assert after(HANDSET_OFF, policy=hold).state is MessageState.RETRYABLE


@pytest.mark.parametrize("code", [30005, 30007])
def test_the_dead_are_not_tried_again(code: int) -> None:
    outcome = from_twilio_status("failed", code)
    assert after(outcome) == Next(MessageState.UNDELIVERED, None, f"twilio:{code}")


def test_a_fault_of_ours_holds_the_message() -> None:
    outcome = from_twilio_status("failed", 30002)
    held = after(outcome)
    assert (held.state, held.at) == (MessageState.HELD, NOW + RetryPolicy().hold)
    assert after(outcome, until=NOW).state is MessageState.UNDELIVERED
