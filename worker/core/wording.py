"""Which text fits: chosen by the reader's own clock at the hour of sending, so that none is untrue.

A deadline is an instant. The end of 12 June in Lima is 12:59 on 13 June in Beijing, and a reader
there has to be told "today at 12:59" on the 13th, not "today" on the 12th.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from worker.core.deadlines import Deadline, DeadlineKind
from worker.core.hours import local_day
from worker.core.life import LifeNotice

# Days left of a loss that can happen at any moment now, and that is not certain yet.
_BEGUN = -1
_MINUTE = timedelta(minutes=1)

# The least number of days left for which a text holds, most distant first.
EVENTS: dict[DeadlineKind, tuple[tuple[int, str], ...]] = {
    DeadlineKind.PLAN_END: (
        (9, "plan_end_far"),
        (2, "plan_end_near"),
        (1, "plan_end_tomorrow"),
        (0, "plan_end_today"),
    ),
    DeadlineKind.LINE_LOSS: (
        (16, "line_loss_far"),
        (2, "line_loss_near"),
        (_BEGUN, "line_loss_tomorrow"),
    ),
    DeadlineKind.OUTGOING_BLOCK: ((_BEGUN, "outgoing_block_near"),),
    DeadlineKind.BALANCE_LOSS: ((_BEGUN, "balance_loss_near"),),
    DeadlineKind.REASSIGNMENT: ((_BEGUN, "reassignment_near"),),
}
PAST = {
    DeadlineKind.PLAN_END: "plan_ended",
    DeadlineKind.LINE_LOSS: "line_lost",
    DeadlineKind.OUTGOING_BLOCK: "outgoing_block_past",
    DeadlineKind.BALANCE_LOSS: "balance_loss_past",
    DeadlineKind.REASSIGNMENT: "reassignment_past",
}
DEADLINE_EVENTS = tuple(name for steps in EVENTS.values() for _, name in steps) + tuple(
    PAST.values()
)
# What happens to a card between two deadlines.
LIFE_EVENTS = tuple(notice.value for notice in LifeNotice)
# What the keeper of a card book is told when holders could not be; by email only.
GUARDIAN_EVENT = "guardian_alert"
ALL_EVENTS = (*DEADLINE_EVENTS, *LIFE_EVENTS, GUARDIAN_EVENT)


@dataclass(frozen=True, slots=True)
class Reading:
    """A deadline as its reader's calendar and clock show it.

    ``day``: a plan's last day, or the day from which something can be lost. ``at``: the same to
    the minute; ``clock`` is that minute where it is not the turn of the reader's day (``None`` for
    a reader whose day ends with the card's). ``days`` from the reader's today to ``day``; less than
    0 once the loss can have happened. ``over``: the deadline has passed for certain.
    """

    day: date
    at: datetime
    days: int
    over: bool

    @property
    def clock(self) -> str | None:
        """12:59, or ``None`` where the day says it all."""
        at = self.at
        turn = (at.hour, at.minute) in ((0, 0), (23, 59))
        return None if turn else f"{at:%H:%M}"


def read(deadline: Deadline, now: datetime, time_zone: str) -> Reading:
    """``deadline`` for a reader in ``time_zone`` at ``now``.

    Of a plan the last minute counts (23:59 on 12 June in Lima, 12:59 on the 13th in Beijing), of
    everything else the minute from which it can be lost (00:00 on 13 June in Lima, 13:00 on the
    same day in Beijing).
    """
    plan = deadline.kind is DeadlineKind.PLAN_END
    minute = deadline.at - _MINUTE if plan else deadline.begins
    at = minute.astimezone(ZoneInfo(time_zone))
    days = (at.date() - local_day(now, time_zone)).days
    over = deadline.at <= now
    days = max(days, 0) if now < deadline.begins else min(days, -1)
    if not over:
        days = max(days, _BEGUN)
    return Reading(at.date(), at, days, over)


def event_for(kind: DeadlineKind, reading: Reading) -> str:
    """The template folder for a deadline of ``kind`` as its reader sees it."""
    return PAST[kind] if reading.over else upcoming(kind, reading.days)


def usual_event(kind: DeadlineKind, offset: int) -> str:
    """The template folder that a window ``offset`` days from its deadline usually has: for a reader
    whose calendar is the card's."""
    return PAST[kind] if offset > 0 else upcoming(kind, -offset)


def upcoming(kind: DeadlineKind, days: int) -> str:
    """The template folder for a deadline of ``kind`` that is not over, with ``days`` left."""
    for least, name in EVENTS[kind]:
        if days >= least:
            return name
    raise ValueError(f"{kind} with {days} days left is over")


def kind_of(event: str) -> DeadlineKind:
    """The kind of deadline that an event of ``DEADLINE_EVENTS`` tells of."""
    for kind, steps in EVENTS.items():
        if event == PAST[kind] or any(name == event for _, name in steps):
            return kind
    raise ValueError(f"{event} tells of no deadline")
