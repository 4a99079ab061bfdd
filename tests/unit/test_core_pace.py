"""Pace: how many may go now, and when the others come back."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.hours import Hours
from worker.core.pace import Budget, Grant, Level, capacity, last_chance
from worker.setup.pace import LocalPace

NOW = datetime(2026, 6, 12, 15, tzinfo=UTC)
LATER = NOW + timedelta(days=4)


def test_a_full_bucket_lets_a_seconds_worth_go_and_lines_up_the_rest() -> None:
    level = Level.full(10, 0)
    assert level.take(10, 25, 0) == Grant(10, 0.1, 0.1)
    grant = level.take(10, 5, 0)
    assert grant.tokens == 0
    assert grant.line == pytest.approx(1.6)


def test_who_is_in_time_waits_for_nothing() -> None:
    assert Level.full(10, 100).take(10, 3, 100) == Grant(3, 0, 0)


def test_the_next_token_comes_when_the_rest_of_it_has_flowed_in() -> None:
    level = Level.full(2, 100)
    level.take(2, 2, 100)
    assert level.take(2, 1, 100.25) == Grant(0, 0.25, 0.25)
    assert level.take(2, 1, 100.25).line == pytest.approx(0.75)


def test_a_bucket_fills_at_its_rate_and_no_higher_than_a_second() -> None:
    level = Level.full(10, 0)
    level.take(10, 10, 0)
    assert level.take(10, 100, 0.5).tokens == 5
    assert level.take(10, 100, 3600).tokens == 10


def test_a_slow_sender_has_room_for_one() -> None:
    assert capacity(0.2) == 1
    level = Level.full(0.2, 0)
    assert level.take(0.2, 3, 0).tokens == 1
    assert level.take(0.2, 3, 4.9).tokens == 0
    assert level.take(0.2, 3, 5).tokens == 1


def test_a_message_dearer_than_what_is_left_is_paid_by_those_after_it() -> None:
    level = Level.full(2, 0)
    level.take(2, 2, 0)
    level.settle(2, -2, 0, 0)
    assert level.take(2, 1, 1).tokens == 0
    assert level.take(2, 1, 1.5).tokens == 1


def test_what_was_not_used_comes_back() -> None:
    level = Level.full(10, 0)
    level.take(10, 20, 0)
    level.settle(10, 10, 10, 0)
    grant = level.take(10, 10, 0)
    assert grant.tokens == 10
    assert grant.line == pytest.approx(0.1)


def test_places_in_the_line_that_were_not_used_come_back() -> None:
    level = Level.full(10, 0)
    assert level.take(10, 20, 0).tokens == 10
    level.settle(10, 0, 5, 0)
    assert level.take(10, 1, 0).line == pytest.approx(0.6)


def test_a_clock_that_jumps_back_takes_no_tokens_away() -> None:
    level = Level.full(10, 100)
    level.take(10, 4, 100)
    assert level.take(10, 10, 50).tokens == 6


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 40)), max_size=60), st.floats(0.1, 50))
def test_no_span_of_time_sees_more_than_its_rate_and_one_burst(
    asked: list[tuple[float, int]], rate: float
) -> None:
    level, now, sent = Level.full(rate, 0), 0.0, []
    for pause, wanted in asked:
        now += pause
        sent.append((now, level.take(rate, wanted, now).tokens))
    for start, _ in sent:
        for end, _ in sent:
            total = sum(tokens for at, tokens in sent if start <= at <= end)
            assert total <= capacity(rate) + rate * max(0.0, end - start) + 1e-3


def test_who_does_not_fit_comes_back_in_turn() -> None:
    budget = Budget(2, 5, Grant(1, 0.5, 10))
    assert budget.is_open
    budget.spend(1)
    assert not budget.is_open
    places = [budget.place(NOW, LATER, waited=False) for _ in range(3)]
    assert [(at - NOW).total_seconds() for at in places] == [10, 10.5, 11]
    assert (budget.unused, budget.unqueued) == (0, 1)


def test_who_stood_in_line_already_or_has_no_time_comes_back_with_the_next_token() -> None:
    budget = Budget(2, 5, Grant(0, 0.5, 3600))
    assert budget.place(NOW, LATER, waited=True) == NOW + timedelta(seconds=0.5)
    soon = NOW + timedelta(hours=1)
    assert budget.place(NOW, soon, waited=False) == NOW + timedelta(seconds=1)
    assert budget.unqueued == 5


@pytest.mark.parametrize(("line", "back"), [(49, 49), (50, 0.5)])
def test_half_of_the_time_that_is_left_may_be_spent_in_line(line: float, back: float) -> None:
    budget = Budget(2, 5, Grant(0, 0.5, line))
    found = budget.place(NOW, NOW + timedelta(seconds=100), waited=False)
    assert found == NOW + timedelta(seconds=back)


def test_every_message_is_paid() -> None:
    budget = Budget(2, 5, Grant(3, 0.5, 10))
    budget.spend(2)
    budget.spend(1)
    assert (budget.unused, budget.is_open) == (0, False)


def test_without_a_rate_everything_goes() -> None:
    budget = Budget()
    for _ in range(1000):
        assert budget.is_open
        budget.spend(3)


def test_two_senders_have_buckets_of_their_own() -> None:
    pace = LocalPace(clock=lambda: 0.0)
    assert pace.take("a", 5, 9).tokens == 5
    assert pace.take("b", 5, 9).tokens == 5
    assert pace.take("a", 5, 9).tokens == 0


def test_the_last_chance_is_within_the_holders_hours() -> None:
    hours = Hours(time(9), time(20))
    midnight = datetime(2026, 6, 13, 5, tzinfo=UTC)  # in Lima
    closes = datetime(2026, 6, 13, 1, tzinfo=UTC)
    assert last_chance(midnight, hours, "America/Lima") == closes
    assert last_chance(midnight - timedelta(hours=2), hours, "America/Lima") == closes
    assert last_chance(NOW, hours, "America/Lima") == NOW
    assert last_chance(closes, hours, "America/Lima") == closes
    opens = datetime(2026, 6, 13, 14, tzinfo=UTC)
    assert last_chance(opens, hours, "America/Lima") == closes, "not at the end, but before it"
