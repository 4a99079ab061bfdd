"""No text is ever untrue: a deadline as the reader's own calendar and clock show it."""

import pytest

from tests.unit.core_helpers import (
    LIMA,
    LOS_ANGELES,
    NEW_YORK,
    RULES,
    SHANGHAI,
    T,
    a_card,
    a_pack,
    at,
)
from worker.core.deadlines import DeadlineKind, ladder
from worker.core.wording import (
    ALL_EVENTS,
    DEADLINE_EVENTS,
    EVENTS,
    PAST,
    event_for,
    kind_of,
    read,
    upcoming,
    usual_event,
)

PLAN = RULES.ladder(a_card())[DeadlineKind.PLAN_END]  # the end of 12 June in Lima
# Topped up 60 days before 12 June: the line can be lost from that day on.
LINE = ladder(a_card(plan_end=None, last_topup=T), a_pack(line_loss=1))[DeadlineKind.LINE_LOSS]


@pytest.mark.parametrize(
    ("time_zone", "now", "days", "event"),
    [
        (LIMA, "2026-05-13 09:00", 30, "plan_end_far"),
        (LIMA, "2026-06-11 00:00", 1, "plan_end_tomorrow"),
        (LIMA, "2026-06-11 23:59", 1, "plan_end_tomorrow"),
        (LIMA, "2026-06-12 00:00", 0, "plan_end_today"),
        (LIMA, "2026-06-12 23:59:59", 0, "plan_end_today"),
        (LIMA, "2026-06-13 00:00", -1, "plan_ended"),
        (LIMA, "2026-06-15 09:00", -3, "plan_ended"),
        # In Shanghai the plan ends at 12:59 on 13 June.
        (SHANGHAI, "2026-06-11 23:59", 2, "plan_end_near"),
        (SHANGHAI, "2026-06-12 09:00", 1, "plan_end_tomorrow"),
        (SHANGHAI, "2026-06-13 12:59:59", 0, "plan_end_today"),
        (SHANGHAI, "2026-06-13 13:00", -1, "plan_ended"),
        (SHANGHAI, "2026-06-14 00:00", -1, "plan_ended"),
        (SHANGHAI, "2026-06-15 00:00", -2, "plan_ended"),
        # In New York it ends at 00:59 on 13 June.
        (NEW_YORK, "2026-06-12 09:00", 1, "plan_end_tomorrow"),
        (NEW_YORK, "2026-06-13 00:30", 0, "plan_end_today"),
        (NEW_YORK, "2026-06-13 01:00", -1, "plan_ended"),
        # In Los Angeles it ends at 21:59 on 12 June.
        (LOS_ANGELES, "2026-06-11 23:59", 1, "plan_end_tomorrow"),
        (LOS_ANGELES, "2026-06-12 21:59:59", 0, "plan_end_today"),
        (LOS_ANGELES, "2026-06-12 22:00", -1, "plan_ended"),
        (LOS_ANGELES, "2026-06-14 00:00", -2, "plan_ended"),
    ],
)
def test_a_plan_is_told_of_by_the_readers_calendar(
    time_zone: str, now: str, days: int, event: str
) -> None:
    reading = read(PLAN, at(now, time_zone), time_zone)
    assert (reading.days, event_for(DeadlineKind.PLAN_END, reading)) == (days, event)


@pytest.mark.parametrize(
    ("time_zone", "now", "days", "event"),
    [
        (LIMA, "2026-06-12 09:00", 1, "line_loss_tomorrow"),
        # From the beginning of the 13th it can be lost, and after the 13th it certainly would be.
        (LIMA, "2026-06-13 00:00", -1, "line_loss_tomorrow"),
        (LIMA, "2026-06-13 23:59", -1, "line_loss_tomorrow"),
        (LIMA, "2026-06-14 00:00", -1, "line_lost"),
        (LIMA, "2026-06-15 09:00", -2, "line_lost"),
        # In Shanghai from 13:00 on the 13th, and for certain after 13:00 on the 14th.
        (SHANGHAI, "2026-06-12 23:59", 1, "line_loss_tomorrow"),
        (SHANGHAI, "2026-06-13 12:59", 0, "line_loss_tomorrow"),
        (SHANGHAI, "2026-06-13 13:00", -1, "line_loss_tomorrow"),
        (SHANGHAI, "2026-06-14 12:59", -1, "line_loss_tomorrow"),
        (SHANGHAI, "2026-06-14 13:00", -1, "line_lost"),
        (SHANGHAI, "2026-06-15 09:00", -2, "line_lost"),
    ],
)
def test_a_line_is_told_of_by_the_instant_from_which_it_can_be_lost(
    time_zone: str, now: str, days: int, event: str
) -> None:
    reading = read(LINE, at(now, time_zone), time_zone)
    assert (reading.days, event_for(DeadlineKind.LINE_LOSS, reading)) == (days, event)


@pytest.mark.parametrize(
    ("time_zone", "plan", "line"),
    [
        (LIMA, ("06-12", None), ("06-13", None)),
        ("America/Bogota", ("06-12", None), ("06-13", None)),
        (SHANGHAI, ("06-13", "12:59"), ("06-13", "13:00")),
        (NEW_YORK, ("06-13", "00:59"), ("06-13", "01:00")),
        (LOS_ANGELES, ("06-12", "21:59"), ("06-12", "22:00")),
        ("Pacific/Auckland", ("06-13", "16:59"), ("06-13", "17:00")),
    ],
)
def test_day_and_hour_are_those_of_the_readers_clock(
    time_zone: str, plan: tuple[str, str | None], line: tuple[str, str | None]
) -> None:
    for deadline, (day, clock) in ((PLAN, plan), (LINE, line)):
        reading = read(deadline, at("2026-06-10 09:00", time_zone), time_zone)
        assert (f"{reading.day:%m-%d}", reading.clock) == (day, clock)


@pytest.mark.parametrize(
    ("days", "event"),
    [
        (400, "plan_end_far"),
        # A reader whose last day to act is the one before is told of T-7 with 8 days left.
        (9, "plan_end_far"),
        (8, "plan_end_near"),
        (2, "plan_end_near"),
        (1, "plan_end_tomorrow"),
        (0, "plan_end_today"),
    ],
)
def test_a_plans_text_fits_the_days_left(days: int, event: str) -> None:
    assert upcoming(DeadlineKind.PLAN_END, days) == event


@pytest.mark.parametrize(
    ("days", "event"),
    [
        (400, "line_loss_far"),
        (16, "line_loss_far"),
        (15, "line_loss_near"),
        (2, "line_loss_near"),
        (1, "line_loss_tomorrow"),
        (0, "line_loss_tomorrow"),
        (-1, "line_loss_tomorrow"),
    ],
)
def test_a_lines_text_fits_the_days_left(days: int, event: str) -> None:
    assert upcoming(DeadlineKind.LINE_LOSS, days) == event


def test_every_deadline_has_a_text_before_and_after_it() -> None:
    assert set(EVENTS) == set(PAST) == set(DeadlineKind)
    used = {usual_event(kind, offset) for kind in DeadlineKind for offset in range(-400, 90)}
    assert used == set(DEADLINE_EVENTS)
    for event in DEADLINE_EVENTS:
        assert event in {usual_event(kind_of(event), offset) for offset in range(-400, 90)}


def test_a_text_that_is_over_is_not_one_to_come() -> None:
    with pytest.raises(ValueError, match="over"):
        upcoming(DeadlineKind.PLAN_END, -1)
    with pytest.raises(ValueError, match="no deadline"):
        kind_of("suspended")


def test_all_events_are_listed_once() -> None:
    assert len(DEADLINE_EVENTS) == 15
    assert len(ALL_EVENTS) == len(set(ALL_EVENTS)) == 24
