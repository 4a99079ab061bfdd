"""A provider that errs too often rests for a minute."""

from datetime import UTC, datetime, timedelta

import pytest

from worker.core.outcomes import Outcome, OutcomeKind
from worker.pipeline.delivery.provider_health import ProviderHealth

AT = datetime(2026, 6, 12, 15, tzinfo=UTC)
ERROR = Outcome(OutcomeKind.TRANSIENT, "smtp:body_451")


def after(errors: int, pause: timedelta = timedelta(seconds=1)) -> ProviderHealth:
    health = ProviderHealth()
    for n in range(errors):
        health.note("smtp", ERROR, AT + n * pause)
    return health


@pytest.mark.parametrize(("errors", "away"), [(10, set()), (11, {"smtp"})])
def test_more_than_ten_errors_in_a_minute_are_too_many(errors: int, away: set[str]) -> None:
    assert after(errors).away(AT + timedelta(seconds=12)) == away


def test_the_same_errors_over_a_longer_time_are_not() -> None:
    assert after(40, timedelta(seconds=7)).away(AT + timedelta(seconds=281)) == set()


def test_the_rest_is_over_after_a_minute() -> None:
    assert after(11).away(AT + timedelta(seconds=71)) == set()


def test_a_clock_that_is_set_back_prolongs_no_rest() -> None:
    health = after(11)
    assert health.away(AT - timedelta(hours=1)) == set()
    for _ in range(10):
        health.note("smtp", ERROR, AT - timedelta(hours=1))
    assert health.away(AT - timedelta(hours=1)) == set()


def test_an_address_that_is_dead_is_no_error_of_the_provider() -> None:
    health = ProviderHealth()
    for _ in range(50):
        health.note("smtp", Outcome(OutcomeKind.RECIPIENT_DEAD, "smtp:rcpt_550"), AT)
    assert health.away(AT + timedelta(seconds=1)) == set()
