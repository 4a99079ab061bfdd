"""Long work that somebody asked for and does not wait at the door for: imports, forecasts, exports.

A job is a row; a worker takes it with a lease, tells how far it is, and writes what came of it.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class JobKind(StrEnum):
    """What is to be done; each has one module in ``processes/jobs/``."""

    PREVIEW = "preview"  # read a card book and say what it would change
    IMPORT = "import"  # write what a preview has shown, and nothing else
    FORECAST = "forecast"  # what will be sent on which day, and what a changed policy would do
    EXPORT = "export"  # cards as a spreadsheet
    BULK = "bulk"  # one event for many cards


class JobState(StrEnum):
    """``QUEUED`` and ``RUNNING`` go on, the others are ends."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


# Who has a job in hand says so again and again; a worker that is killed is missed after this long.
LEASE = timedelta(minutes=2)
# A hint to the workers that was lost is repeated after this long.
HINT = timedelta(minutes=1)
# A job that took its worker along so often would take the next one, too.
MOST_STARTS = 3
# Of one book: whoever asks for more waits until one of them has ended.
MOST_AT_ONCE = 3
# Input and result hold names, numbers and addresses: nobody needs them for longer.
KEPT = timedelta(hours=24)
# A forecast holds none; it is looked at again, and compared.
KEPT_FORECAST = timedelta(days=7)


def kept(kind: JobKind) -> timedelta:
    """How long after its end a job of this kind is kept."""
    return KEPT_FORECAST if kind is JobKind.FORECAST else KEPT


@dataclass(frozen=True, slots=True)
class JobProgress:
    """``done`` of ``total`` steps, and what the present one is."""

    done: int
    total: int
    step: str = ""

    @property
    def percent(self) -> int:
        """From 0 to 100."""
        return min(100, 100 * self.done // self.total) if self.total else 0
