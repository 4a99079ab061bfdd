"""One more reminder of the same deadline, tomorrow, because the holder asked for it."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from worker.core.cards import Card, Holder
from worker.core.hours import local_day
from worker.core.reminders import Planned, ReminderKey
from worker.core.rules import Rules

_WINDOW = "again-"


@dataclass(frozen=True, slots=True)
class Again:
    """``planned``, for the day ``on`` at the holder's. ``too_late``: nothing is useful by then.
    ``regular``: a notice of that deadline goes the same way that day anyway."""

    planned: Planned
    on: date
    too_late: bool
    regular: bool


def tomorrow(key: ReminderKey, card: Card, holder: Holder, rules: Rules, now: datetime) -> Again:
    """What the reminder of tomorrow would be, after one with ``key``.

    Its window is named for its day, which makes it one a day however often it is asked for. It is
    useful for a day, and no longer than the last window of its deadline; before the deadline, no
    longer than acting is certain to help.
    """
    day = local_day(now, holder.time_zone) + timedelta(days=1)
    due_at = rules.hours.opening(day, holder.time_zone)
    spans = [
        span
        for span in rules.spans(card, holder)
        if (span.deadline.kind, span.deadline.on) == (key.deadline, key.on)
        and not span.window.closes  # it ends the watch, and tells nobody anything
    ]
    ends = max((span.until for span in spans), default=due_at)
    # Before a loss nothing helps that comes when it can have happened: the last safe minute of a
    # line that can be lost from the 13th on is in the night to the 13th.
    ends = min([ends, *(s.deadline.begins for s in spans if now < s.deadline.begins)])
    regular = any(
        local_day(span.at, holder.time_zone) == day and key.destination in span.window.destinations
        for span in spans
    )
    planned = Planned(
        replace(key, window=f"{_WINDOW}{day.isoformat()}"),
        due_at,
        min(ends, due_at + timedelta(days=1)),
        urgency=(0, 0),
    )
    return Again(planned, day, too_late=due_at >= ends, regular=regular)
