"""The scheduler's share of the account: the sums of days that can still change are made anew."""

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from worker.clock import Throttle
from worker.core.hours import local_day
from worker.errors import VigenciaError
from worker.monitoring.promise import Promise
from worker.setup.app import App
from worker.store import tallies as store
from worker.store.engine import reading, writing

log = structlog.get_logger(__name__)

# Seconds between two looks.
EVERY: Final = 60.0
# Of several schedulers one makes a day: what is younger than this is left.
_FRESH: Final = timedelta(seconds=50)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
# A report may come days later, and move a notice to another channel.
_CHANGES: Final = 5
# Of days that nobody has ever summed up, so many back, one at each look.
_BACK: Final = 30


class Tallies:
    """Makes today and yesterday anew each minute, the days before each hour."""

    def __init__(self, app: App, every: float = EVERY) -> None:
        self._app, self._throttle = app, Throttle(every)
        self._zone = ZoneInfo(app.settings.book.time_zone)
        self._promise = Promise(app.engine, app.rules, app.unchecked)
        self._thread: threading.Thread | None = None

    def look(self, now: datetime) -> None:
        """Make what is due, unless that was a moment ago or is under way. From a thread: a day of
        a large installation takes a second, and a tick must not wait for it."""
        busy = self._thread is not None and self._thread.is_alive()
        if busy or not self._throttle.is_due():
            return
        self._thread = threading.Thread(target=self._make, args=(now,), name="tallies", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Wait for the sums that are under way."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _make(self, now: datetime) -> None:
        try:
            self.make(now)
        except VigenciaError:
            pass  # a database that is away is told of by the tick
        except Exception:  # a bug in here must not end the thread without a word
            log.exception("alarm", cause="tallies_failed")

    def make(self, now: datetime) -> None:
        """Make the sums of the days that are due at ``now``. Raises ``UnreachableError``."""
        for day in self._due(now):
            begins, ends = self._midnight(day), self._midnight(day + _DAY)
            with reading(self._app.engine) as conn:
                found = store.work_out(conn, self._promise.judge(now), begins, ends)
            with writing(self._app.engine) as conn:
                store.keep(conn, day, begins, ends, found, now)

    def _due(self, now: datetime) -> Iterator[date]:
        today = local_day(now, self._zone.key)
        with reading(self._app.engine) as conn:
            made = store.made(conn, today - _BACK * _DAY)
        unknown = 0
        for back in range(_BACK):
            day = today - back * _DAY
            row = made.get(day)
            if row is None or row.begins_at != self._midnight(day):
                unknown += back > _CHANGES
                if back <= _CHANGES or unknown == 1:
                    yield day
            elif back <= _CHANGES and abs(now - row.made_at) >= (_FRESH if back < 2 else _HOUR):
                yield day

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self._zone).astimezone(UTC)
