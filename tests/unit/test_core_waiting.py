"""What a message waits for, in words, and until when."""

from datetime import UTC, datetime, time, timedelta

import pytest

from worker.core.hours import Hours
from worker.core.reminders import MessageState, Obstacle
from worker.core.retry import Next
from worker.core.waiting import waits_for

HOURS = Hours(time(9), time(20))
# 10:00 in Lima, 23:00 in Shanghai.
NOW = datetime(2026, 6, 12, 15, tzinfo=UTC)
OPENS = datetime(2026, 6, 13, 1, tzinfo=UTC)  # 09:00 in Shanghai
LATER = NOW + timedelta(hours=1)


@pytest.mark.parametrize("obstacle", [None, Obstacle.HOURS])
def test_a_message_for_a_sleeping_reader_waits_for_the_morning(obstacle: Obstacle | None) -> None:
    message = Next(MessageState.PENDING, OPENS, None, obstacle)
    wait = waits_for(message, NOW, HOURS, "Asia/Shanghai")
    assert wait is not None
    assert (wait.why, wait.until) == ("quiet hours", OPENS)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (Next(MessageState.PENDING, LATER, "pace", Obstacle.PACE), "pace"),
        (Next(MessageState.PENDING, LATER, "cap:book", Obstacle.CAP), "this book"),
        (Next(MessageState.PENDING, LATER, "daily_cap", Obstacle.CAP), "in a day"),
        (Next(MessageState.PENDING, LATER, "gathering", Obstacle.GATHERING), "one email"),
        (Next(MessageState.RETRYABLE, LATER, "30001"), "after 30001"),
        (Next(MessageState.HELD, LATER, "x", Obstacle.BREAKER, "20003"), "is away (20003)"),
        (Next(MessageState.HELD, LATER, "twilio:21606", None, "twilio:21606"), "of ours"),
        (Next(MessageState.HELD, LATER, "template_failed"), "template failed"),
        (Next(MessageState.UNKNOWN, LATER, "timeout"), "found out"),
    ],
)
def test_every_wait_has_its_words_and_its_end(message: Next, words: str) -> None:
    wait = waits_for(message, NOW, HOURS, "America/Lima")
    assert wait is not None
    assert words in wait.why
    assert wait.until == LATER


def test_quiet_hours_are_told_even_where_the_morning_brings_a_later_look() -> None:
    for obstacle, words in ((Obstacle.HOURS, "quiet hours"), (None, "its time")):
        message = Next(MessageState.PENDING, LATER, None, obstacle)
        wait = waits_for(message, NOW, HOURS, "America/Lima")
        assert wait is not None
        assert wait.why == words


def test_what_the_words_leave_out() -> None:
    message = Next(MessageState.RETRYABLE, LATER, None)
    fault = waits_for(message, NOW, HOURS, "America/Lima")
    assert fault is not None
    assert fault.why == "tried again after a fault"


def test_what_is_being_found_out_is_looked_at_now_where_its_time_has_come() -> None:
    for again_at in (NOW, NOW - timedelta(minutes=1)):
        message = Next(MessageState.UNKNOWN, again_at, None)
        wait = waits_for(message, NOW, HOURS, "America/Lima")
        assert wait is not None
        assert wait.until is None


def test_what_is_due_is_due_and_what_has_ended_waits_for_nothing() -> None:
    due = waits_for(Next(MessageState.PENDING, NOW, None), NOW, HOURS, "America/Lima")
    assert due is not None
    assert (due.why, due.until) == ("due now", None)
    for state in (MessageState.SENT, MessageState.CANCELLED, MessageState.DELIVERED):
        assert waits_for(Next(state, LATER, None), NOW, HOURS, "America/Lima") is None
