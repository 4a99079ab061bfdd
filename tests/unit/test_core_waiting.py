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


def test_what_is_due_is_due_and_what_has_ended_waits_for_nothing() -> None:
    due = waits_for(MessageState.PENDING, None, NOW, NOW, HOURS, "America/Lima")
    assert due is not None
    assert (due.why, due.until) == ("due now", None)
    for state in (MessageState.SENT, MessageState.CANCELLED, MessageState.DELIVERED):
        assert waits_for(state, None, LATER, NOW, HOURS, "America/Lima") is None
