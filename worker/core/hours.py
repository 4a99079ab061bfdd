"""When a holder may be disturbed: from opening to closing time, in the holder's own time zone."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Hours:
    """Local times of day; ``opens`` is within, ``closes`` is not."""

    opens: time
    closes: time

    def opening(self, day: date, time_zone: str) -> datetime:
        """The instant at which ``day`` opens in ``time_zone``."""
        return datetime.combine(day, self.opens, ZoneInfo(time_zone))

    def closing(self, at: datetime, time_zone: str) -> datetime:
        """The instant at which the day of ``at`` closes in ``time_zone``."""
        return datetime.combine(local_day(at, time_zone), self.closes, ZoneInfo(time_zone))

    def next_open(self, at: datetime, time_zone: str) -> datetime:
        """``at`` itself if it is within the hours, else the next opening after it."""
        local = at.astimezone(ZoneInfo(time_zone))
        if local.time() < self.opens:
            # Where clocks go back, an opening time may come twice, and the first be over already.
            return max(at.astimezone(UTC), self.opening(local.date(), time_zone))
        if local.time() >= self.closes:
            return self.opening(local.date() + timedelta(days=1), time_zone)
        return at


def local_day(at: datetime, time_zone: str) -> date:
    """The calendar day it is at ``at`` in ``time_zone``."""
    return at.astimezone(ZoneInfo(time_zone)).date()
