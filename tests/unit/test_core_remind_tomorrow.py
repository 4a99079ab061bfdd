"""One more reminder tomorrow: when it is due, and when there is none."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.unit.core_helpers import RULES, T, a_card, a_holder, at
from worker.core.cards import Channel, Kind
from worker.core.deadlines import DeadlineKind
from worker.core.remind_tomorrow import tomorrow
from worker.core.reminders import Known, ReminderKey, ReminderState

KEY = ReminderKey(DeadlineKind.PLAN_END, T, "plan_end-7d", Channel.EMAIL)
HOLDER = a_holder()


@pytest.mark.parametrize(
    ("now", "due", "until"),
    [
        ("2026-06-06 12:00", "2026-06-07 09:00", "2026-06-08 09:00"),
        ("2026-06-06 00:01", "2026-06-07 09:00", "2026-06-08 09:00"),
        ("2026-06-06 23:59", "2026-06-07 09:00", "2026-06-08 09:00"),
    ],
)
def test_it_is_due_when_tomorrow_opens_and_useful_for_a_day(now: str, due: str, until: str) -> None:
    again = tomorrow(KEY, a_card(), HOLDER, RULES, at(now))
    assert (again.planned.due_at, again.planned.useful_until) == (at(due), at(until))
    assert (again.too_late, again.regular, again.on) == (False, False, date(2026, 6, 7))
    assert again.planned.key == ReminderKey(KEY.deadline, T, "again-2026-06-07", Channel.EMAIL)
    assert len(again.planned.key.window) <= 40


def test_the_day_is_that_of_the_holder() -> None:
    noon_in_lima = datetime(2026, 6, 6, 17, tzinfo=UTC)  # already the 7th in Shanghai
    there = a_holder(time_zone="Asia/Shanghai")
    again = tomorrow(KEY, a_card(), there, RULES, noon_in_lima)
    assert again.planned.key.window == "again-2026-06-08"
    assert again.planned.due_at == datetime(2026, 6, 8, 1, tzinfo=UTC)


def test_a_day_with_a_notice_of_its_own_needs_no_other() -> None:
    assert tomorrow(KEY, a_card(), HOLDER, RULES, at("2026-06-10 12:00")).regular
    assert not tomorrow(KEY, a_card(), HOLDER, RULES, at("2026-06-11 12:00")).regular  # SMS alone


def test_of_a_deadline_that_the_card_no_longer_has_nothing_is_useful() -> None:
    gone = replace(KEY, on=T + timedelta(days=1))
    assert tomorrow(gone, a_card(), HOLDER, RULES, at("2026-06-06 12:00")).too_late


def test_what_a_holder_asked_for_comes_before_all_that_was_not() -> None:
    again = tomorrow(KEY, a_card(), HOLDER, RULES, at("2026-06-06 12:00")).planned
    spans = RULES.spans(a_card(last_topup=T), HOLDER)
    assert again.urgency <= min(span.window.urgency for span in spans)
    assert again.urgency < (0, 1)


def test_it_ends_with_the_last_window_of_its_deadline() -> None:
    late = tomorrow(KEY, a_card(), HOLDER, RULES, at("2026-06-21 12:00"))
    assert (late.too_late, late.planned.useful_until) == (True, at("2026-06-22 09:00"))
    assert not tomorrow(KEY, a_card(), HOLDER, RULES, at("2026-06-20 12:00")).too_late


def test_on_the_last_day_to_act_tomorrow_is_too_late() -> None:
    assert tomorrow(KEY, a_card(), HOLDER, RULES, at("2026-06-12 09:00")).too_late
    assert not tomorrow(KEY, a_card(), HOLDER, RULES, at("2026-06-11 09:00")).too_late
    # A line that can be lost from the beginning of 11 August on.
    line = a_card(kind=Kind.RETENTION, operator="entel", plan_end=None, last_topup=T)
    key = ReminderKey(DeadlineKind.LINE_LOSS, date(2026, 8, 11), "line_loss-1d", Channel.EMAIL)
    assert tomorrow(key, line, HOLDER, RULES, at("2026-08-10 09:00")).too_late
    assert not tomorrow(key, line, HOLDER, RULES, at("2026-08-09 09:00")).too_late
    # In China from 13:00 of that day on: four hours are left when it opens.
    there = a_holder(time_zone="Asia/Shanghai")
    morning = at("2026-08-10 09:00", "Asia/Shanghai")
    assert not tomorrow(key, line, there, RULES, morning).too_late


def test_the_closing_of_a_card_is_no_notice_that_makes_a_late_one_useful() -> None:
    """The last notice of a lost line is useful for seven days, while its card closes after 90."""
    lost = a_card(kind=Kind.RETENTION, operator="entel", plan_end=None, last_topup=T)
    key = ReminderKey(DeadlineKind.LINE_LOSS, date(2026, 8, 11), "line_loss+1d", Channel.EMAIL)
    last = at("2026-08-19 09:00")
    assert not tomorrow(key, lost, HOLDER, RULES, last - timedelta(days=2)).too_late
    assert tomorrow(key, lost, HOLDER, RULES, last - timedelta(days=1)).too_late
    assert tomorrow(key, lost, HOLDER, RULES, last + timedelta(days=40)).too_late


def test_while_it_waits_the_windows_go_on_and_a_new_deadline_ends_it() -> None:
    now = at("2026-06-11 10:00")
    key = tomorrow(KEY, a_card(), HOLDER, RULES, at("2026-06-10 12:00")).planned.key
    known = [Known(5, key, ReminderState.PENDING, at("2026-06-11 09:00"))]
    decision = RULES.evaluate(a_card(), HOLDER, now, known)
    assert decision.stale == ()
    assert {p.key.window for p in decision.planned} >= {"plan_end-1d"}
    renewed = a_card(plan_end=T.replace(month=7))
    assert RULES.evaluate(renewed, HOLDER, now, known).stale == (5,)
