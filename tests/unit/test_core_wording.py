"""No text is ever untrue: the days that are left, as the reader's own calendar counts them."""

import pytest

from tests.unit.core_helpers import LIMA, LOS_ANGELES, RULES, SHANGHAI, T, a_card, at
from worker.core.deadlines import DeadlineKind
from worker.core.wording import ALL_EVENTS, DEADLINE_EVENTS, days_left, event_for

DEADLINE = RULES.ladder(a_card())[DeadlineKind.PLAN_END]  # the end of 12 June in Lima


@pytest.mark.parametrize(
    ("time_zone", "now", "left"),
    [
        (LIMA, "2026-05-13 09:00", 30),
        (LIMA, "2026-06-11 00:00", 1),
        (LIMA, "2026-06-11 23:59", 1),
        (LIMA, "2026-06-12 00:00", 0),
        (LIMA, "2026-06-12 23:59:59", 0),
        (LIMA, "2026-06-13 00:00", -1),
        (LIMA, "2026-06-15 09:00", -3),
        # In Shanghai the deadline is 13 June at 13:00.
        (SHANGHAI, "2026-06-11 23:59", 1),
        (SHANGHAI, "2026-06-12 09:00", 0),
        (SHANGHAI, "2026-06-13 12:59:59", 0),
        (SHANGHAI, "2026-06-13 13:00", -1),
        (SHANGHAI, "2026-06-14 00:00", -2),
        # In Los Angeles it is 12 June at 22:00.
        (LOS_ANGELES, "2026-06-11 23:59", 1),
        (LOS_ANGELES, "2026-06-12 21:59:59", 0),
        (LOS_ANGELES, "2026-06-12 22:00", -1),
        (LOS_ANGELES, "2026-06-13 23:59", -1),
        (LOS_ANGELES, "2026-06-14 00:00", -2),
    ],
)
def test_days_left_are_those_of_the_readers_calendar(time_zone: str, now: str, left: int) -> None:
    assert DEADLINE.on == T
    assert days_left(DEADLINE, at(now, time_zone), time_zone) == left


@pytest.mark.parametrize(
    ("days", "event"),
    [
        (400, "plan_end_far"),
        (8, "plan_end_far"),
        (7, "plan_end_near"),
        (2, "plan_end_near"),
        (1, "plan_end_tomorrow"),
        (0, "plan_end_today"),
        (-1, "plan_ended"),
        (-30, "plan_ended"),
    ],
)
def test_a_plans_text_fits_the_days_left(days: int, event: str) -> None:
    assert event_for(DeadlineKind.PLAN_END, days) == event


@pytest.mark.parametrize(
    ("days", "event"),
    [
        (400, "line_loss_far"),
        (16, "line_loss_far"),
        (15, "line_loss_near"),
        (2, "line_loss_near"),
        (1, "line_loss_tomorrow"),
        (0, "line_loss_tomorrow"),
        (-1, "line_lost"),
        (-30, "line_lost"),
    ],
)
def test_a_lines_text_fits_the_days_left(days: int, event: str) -> None:
    assert event_for(DeadlineKind.LINE_LOSS, days) == event


def test_each_deadline_of_the_policies_has_a_text_on_every_day() -> None:
    deadlines = {w.deadline for policy in RULES.policies.values() for w in policy.windows}
    assert deadlines == {DeadlineKind.PLAN_END, DeadlineKind.LINE_LOSS}
    used = {event_for(kind, days) for kind in deadlines for days in range(-400, 400)}
    assert used == set(DEADLINE_EVENTS)


def test_all_events_are_listed_once() -> None:
    assert len(DEADLINE_EVENTS) == 9
    assert len(ALL_EVENTS) == len(set(ALL_EVENTS)) == 18
