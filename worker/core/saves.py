"""Cards that were renewed after a notice: what was counted, and whether it was in time.

Pure. It is told what came after what, and not because of what: who renews a card may have known.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from worker.core.hours import local_day

# A renewal that comes later than this has hardly to do with the notice.
WITHIN: Final = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class LastNotice:
    """The last notice of a deadline of a card that is known to have arrived, and when."""

    card: int
    book: int
    deadline: str
    on: date
    window: str
    channel: str
    language: str
    time_zone: str


def days_before(notice: LastNotice, renewed_at: datetime) -> int | None:
    """How many days before its deadline the card was renewed; ``None`` if that was over."""
    days = (notice.on - local_day(renewed_at, notice.time_zone)).days
    return days if days >= 0 else None
