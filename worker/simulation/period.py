"""The days that are simulated, and the instant from which the cards are followed."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from worker.core.cards import CARD_TIME_ZONE
from worker.core.deadlines import end_of_day
from worker.core.hours import local_day
from worker.errors import VigenciaError

MOST_DAYS = 400
# Beyond lie the ends of the calendar, where no day has a next or a previous one.
_YEARS = range(2000, 3000)


class PeriodError(VigenciaError):
    """The days asked for are none, or too many."""

    code = "period"


@dataclass(frozen=True, slots=True)
class Period:
    """Days in Lima from ``first`` to ``last``, both included.

    Cards are followed from ``begin``, and what falls into ``opens <= at < ends`` is told.
    """

    first: date
    last: date
    begin: datetime
    opens: datetime
    ends: datetime

    @classmethod
    def of(cls, first: date, last: date, now: datetime) -> "Period":
        """The period as seen at ``now``. Raises ``PeriodError``.

        Days to come are reached from ``now``, since what falls due until then will be told by
        then. Days that are over are replayed from their first midnight. Of today only the rest is
        left.
        """
        if last < first:
            raise PeriodError(
                f"--to {last} is before --from {first}", "Give the earlier day to --from."
            )
        if (days := (last - first).days + 1) > MOST_DAYS:
            raise PeriodError(
                f"{days} days are too many; {MOST_DAYS} at most", "Choose an earlier --to."
            )
        if first.year not in _YEARS or last.year not in _YEARS:
            raise PeriodError(
                f"{first} to {last} cannot be simulated", "Give days from 2000 to 2999."
            )
        opens = datetime.combine(first, time(), ZoneInfo(CARD_TIME_ZONE))
        begin = opens if local_day(now, CARD_TIME_ZONE) > first else now
        return cls(first, last, begin, opens, end_of_day(last, CARD_TIME_ZONE))

    @property
    def days(self) -> list[date]:
        """Every day, in order."""
        count = (self.last - self.first).days + 1
        return [self.first + timedelta(days=n) for n in range(count)]
