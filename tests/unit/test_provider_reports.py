"""What a report of each provider means."""

import pytest

from worker.core.outcomes import OutcomeKind, Wait
from worker.core.reports import News, Phase, Report
from worker.providers.registry import STATUSES, news_of
from worker.providers.sendgrid import reports as sendgrid
from worker.providers.sendgrid.outcomes import SENDGRID_EVENTS, from_sendgrid_event
from worker.providers.sendgrid.reports import OPT_OUTS
from worker.providers.twilio import reports as twilio
from worker.providers.twilio.outcomes import TWILIO_CODES, from_twilio_status

PROGRESS = [
    *(("twilio", status) for status in ("accepted", "scheduled", "queued", "sending", "sent")),
    *(("sendgrid", status) for status in ("processed", "deferred")),
]
DELIVERED = [("twilio", "delivered"), ("twilio", "read"), ("sendgrid", "delivered")]


def said(status: str, code: str | None = None, provider: str = "twilio") -> News | None:
    return news_of(Report(provider, "1", status, None, None, code, None))


@pytest.mark.parametrize(("provider", "status"), PROGRESS)
def test_progress_proves_that_it_was_taken(provider: str, status: str) -> None:
    assert said(status, None, provider) == News(Phase.TAKEN)


@pytest.mark.parametrize(("provider", "status"), DELIVERED)
def test_a_receipt_is_a_delivery(provider: str, status: str) -> None:
    assert said(status, None, provider) == News(Phase.DELIVERED)


def test_no_word_is_without_its_test() -> None:
    assert {status for name, status in PROGRESS if name == "twilio"} == twilio.PROGRESS
    assert {status for name, status in DELIVERED if name == "twilio"} == twilio.DELIVERED
    assert {status for name, status in PROGRESS if name == "sendgrid"} == sendgrid.PROGRESS
    assert {status for name, status in DELIVERED if name == "sendgrid"} == sendgrid.DELIVERED
    assert all(said(status, None, name) for name, words in STATUSES.items() for status in words)


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
    [("failed", None), ("canceled", None), ("failed", "x1")],
)
def test_a_failure_nobody_knows_is_a_dead_message_with_an_alarm(
    status: str, code: str | None
) -> None:
    found = said(status, code)
    assert found is not None
    assert found.outcome is not None
    assert (found.outcome.kind, found.outcome.alarm) == (OutcomeKind.MESSAGE_DEAD, True)


def test_a_code_nobody_knows_holds_the_message_with_an_alarm() -> None:
    found = said("failed", "99999")
    assert found is not None
    assert found.outcome is not None
    assert (found.outcome.kind, found.outcome.alarm) == (OutcomeKind.CONFIG_FAULT, True)


@pytest.mark.parametrize("event", sorted(set(SENDGRID_EVENTS) - OPT_OUTS))
def test_events_of_email_mean_what_their_row_says(event: str) -> None:
    found = said(event, None, "sendgrid")
    assert found is not None
    assert found.outcome == from_sendgrid_event(event, None)
    assert found.phase is Phase.FAILED
    assert found.opt_out is None


def test_a_bounce_that_only_was_a_block_is_one() -> None:
    assert said("bounce", "blocked", "sendgrid") == said("blocked", None, "sendgrid")


@pytest.mark.parametrize("event", sorted(OPT_OUTS))
def test_who_asks_for_silence_has_read_it(event: str) -> None:
    assert said(event, None, "sendgrid") == News(Phase.TAKEN, opt_out=f"sendgrid:{event}")


@pytest.mark.parametrize("status", ["open", "click", "", "received"])
@pytest.mark.parametrize("provider", ["twilio", "sendgrid", "smtp", "carrier"])
def test_all_else_is_nothing_to_us(status: str, provider: str) -> None:
    assert said(status, None, provider) is None


def test_who_asks_for_mail_again_is_heard() -> None:
    again = News(Phase.TAKEN, opt_in="sendgrid:group_resubscribe")
    assert said("group_resubscribe", None, "sendgrid") == again
    assert said("group_resubscribe", None, "twilio") is None
