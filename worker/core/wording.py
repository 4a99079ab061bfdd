"""Which text fits: chosen by the days that are really left, so that no text is ever untrue."""

from datetime import datetime

from worker.core.deadlines import Deadline, DeadlineKind
from worker.core.hours import local_day
from worker.core.life import LifeNotice

# The least number of days left for which a text holds, most distant first.
EVENTS: dict[DeadlineKind, tuple[tuple[int, str], ...]] = {
    DeadlineKind.PLAN_END: (
        (8, "plan_end_far"),
        (2, "plan_end_near"),
        (1, "plan_end_tomorrow"),
        (0, "plan_end_today"),
    ),
    DeadlineKind.LINE_LOSS: (
        (16, "line_loss_far"),
        (2, "line_loss_near"),
        (0, "line_loss_tomorrow"),
    ),
}
PAST = {DeadlineKind.PLAN_END: "plan_ended", DeadlineKind.LINE_LOSS: "line_lost"}
DEADLINE_EVENTS = tuple(name for steps in EVENTS.values() for _, name in steps) + tuple(
    PAST.values()
)
# What happens to a card between two deadlines.
LIFE_EVENTS = tuple(notice.value for notice in LifeNotice)
# What the keeper of a card book is told when holders could not be; by email only.
GUARDIAN_EVENT = "guardian_alert"
ALL_EVENTS = (*DEADLINE_EVENTS, *LIFE_EVENTS, GUARDIAN_EVENT)


def days_left(deadline: Deadline, now: datetime, time_zone: str) -> int:
    """Days from the reader's today to the deadline's day, negative once the deadline has passed.

    The reader's calendar may be a day ahead of the card's: as long as the deadline has not passed
    at least 0 are left, and once it has, at most -1.
    """
    days = (deadline.on - local_day(now, time_zone)).days
    return max(days, 0) if now < deadline.at else min(days, -1)


def event_for(kind: DeadlineKind, days: int) -> str:
    """The template folder for a deadline of ``kind`` with ``days`` left."""
    for least, name in EVENTS[kind]:
        if days >= least:
            return name
    return PAST[kind]
