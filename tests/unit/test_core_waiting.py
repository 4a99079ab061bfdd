"""What a message waits for, in words, and until when."""

from datetime import UTC, datetime, time, timedelta

import pytest

from worker.core.hours import Hours
from worker.core.reminders import MessageState
from worker.core.waiting import waits_for

HOURS = Hours(time(9), time(20))
# 10:00 in Lima, 23:00 in Shanghai.
NOW = datetime(2026, 6, 12, 15, tzinfo=UTC)
OPENS = datetime(2026, 6, 13, 1, tzinfo=UTC)  # 09:00 in Shanghai
LATER = NOW + timedelta(hours=1)


@pytest.mark.parametrize("reason", [None, "quiet_hours"])
def test_a_message_for_a_sleeping_reader_waits_for_the_morning(reason: str | None) -> None:
    wait = waits_for(MessageState.PENDING, reason, OPENS, NOW, HOURS, "Asia/Shanghai")
    assert wait is not None
    assert (wait.why, wait.until) == ("quiet hours", OPENS)


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        (MessageState.PENDING, "pace", "pace"),
        (MessageState.PENDING, "cap:book", "this book"),
        (MessageState.PENDING, "daily_cap", "in a day"),
        (MessageState.PENDING, "gathering", "one email"),
        (MessageState.RETRYABLE, "30001", "after 30001"),
        (MessageState.HELD, "breaker:20003", "20003"),
        (MessageState.HELD, "template_failed", "template failed"),
        (MessageState.UNKNOWN, "timeout", "found out"),
    ],
)
def test_every_wait_has_its_words_and_its_end(state: MessageState, reason: str, words: str) -> None:
    wait = waits_for(state, reason, LATER, NOW, HOURS, "America/Lima")
    assert wait is not None
    assert words in wait.why
    assert wait.until == LATER


def test_quiet_hours_are_told_even_where_the_morning_brings_a_later_look() -> None:
    for reason, words in (("quiet_hours", "quiet hours"), ("another", "its time")):
        wait = waits_for(MessageState.PENDING, reason, LATER, NOW, HOURS, "America/Lima")
        assert wait is not None
        assert wait.why == words


def test_what_the_words_leave_out() -> None:
    held = waits_for(MessageState.HELD, "breaker:20003", LATER, NOW, HOURS, "America/Lima")
    fault = waits_for(MessageState.RETRYABLE, None, LATER, NOW, HOURS, "America/Lima")
    assert held is not None
    assert fault is not None
    assert held.why.endswith("(20003)")
    assert fault.why == "tried again after a fault"


def test_what_is_being_found_out_is_looked_at_now_where_its_time_has_come() -> None:
    for again_at in (NOW, NOW - timedelta(minutes=1)):
        wait = waits_for(MessageState.UNKNOWN, None, again_at, NOW, HOURS, "America/Lima")
        assert wait is not None
        assert wait.until is None


def test_what_is_due_is_due_and_what_has_ended_waits_for_nothing() -> None:
    due = waits_for(MessageState.PENDING, None, NOW, NOW, HOURS, "America/Lima")
    assert due is not None
    assert (due.why, due.until) == ("due now", None)
    for state in (MessageState.SENT, MessageState.CANCELLED, MessageState.DELIVERED):
        assert waits_for(state, None, LATER, NOW, HOURS, "America/Lima") is None
