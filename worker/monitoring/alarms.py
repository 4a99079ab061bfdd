"""The scheduler's look at the ledger: what is late, held, unknown, missed or unchecked is told."""

import threading
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Final

import structlog

from worker.clock import Throttle
from worker.errors import VigenciaError
from worker.monitoring.alarm_email import Digest
from worker.setup.app import App
from worker.store import alarm_counts
from worker.store import alarms as alarm_store
from worker.store.alarm_counts import ByBook, Counts, Standing
from worker.store.alarms import Cause
from worker.store.engine import reading, writing

log = structlog.get_logger(__name__)

# Seconds between two looks, and how far back the first one looks for what was missed.
EVERY: Final = 60.0
_BEFORE: Final = timedelta(hours=1)
# How long there is an alarm about what was missed, or which address was found dead: it stays so.
_LOST: Final = timedelta(days=1)

# The cause of the alarm about each count of the ledger. What holders wrote has none: whoever took
# such a message raised the alarm, with its words; the operator's email is left.
CAUSES: Final = {
    "late": "reminders_late",
    "held": "messages_held",
    "unknown": "messages_unknown",
    "missed": "reminders_missed",
    "dead": "addresses_dead",
    "checks_overdue": "checks_overdue",
}


class Watch:
    """Raises an alarm when something newly asks for somebody, or more of it does; and has the
    operator written to. What was said is remembered in this process only."""

    def __init__(self, app: App, digest: Digest | None = None, every: float = EVERY) -> None:
        self._app, self._throttle = app, Throttle(every)
        self._digest = digest or Digest(app)
        self._said: dict[str, int] = {}
        self._since: datetime | None = None
        self._thread: threading.Thread | None = None

    def look(self, now: datetime) -> None:
        """Look, unless the last look was a moment ago. Raises ``UnreachableError``."""
        if not self._throttle.is_due():
            return
        try:
            self._look(now)
        except VigenciaError:
            raise
        except Exception:  # a bug in here must not stop the clock
            log.exception("alarm", cause="watch_failed")

    def _look(self, now: datetime) -> None:
        if self.raise_alarms(now):
            self._digest.want(now)
        if self._digest.wanted and (self._thread is None or not self._thread.is_alive()):
            # From a thread: a provider that hangs must not keep a tick waiting.
            args = (now, self.standing)
            self._thread = threading.Thread(
                target=self._digest.send, args=args, name="digest", daemon=True
            )
            self._thread.start()

    def raise_alarms(self, now: datetime) -> bool:
        """Look at the ledger at ``now``; was there anything new to say?"""
        # A clock that was set back must not hide what is missed from now on.
        since = now - _BEFORE if self._since is None else min(self._since, now)
        counts = self._counts(now, since, now - _LOST)
        found = asdict(alarm_counts.summed(counts.news))
        self._since = now
        self._keep(counts.kept, now)
        said = self._said
        news = {name: count for name, count in found.items() if count > said.get(name, 0)}
        # Each look counts other missed, dead and unclear ones; all else is compared with before.
        self._said = {**found, "missed": 0, "dead": 0, "unclear": 0}
        for name, count in news.items():
            if name in CAUSES:
                log.error("alarm", cause=CAUSES[name], count=count)
            else:
                log.info("holders_wrote", count=count)
        return bool(news)

    def standing(self, now: datetime, since: datetime) -> Standing:
        """How the ledger stands; missed are those since ``since``."""
        return alarm_counts.summed(self._counts(now, since, since).news)

    def _counts(self, now: datetime, since: datetime, kept_since: datetime) -> Counts:
        app = self._app
        tolerance = app.rules.tolerance
        windows = {w.name for policy in app.rules.policies.values() for w in policy.windows}
        cutoffs = {window: tolerance.of(window) for window in sorted(windows)}
        spans = (tolerance.event, 3 * app.retry.park, app.unchecked)
        with reading(app.engine) as conn:
            return alarm_counts.by_book(conn, now, cutoffs, *spans, since, kept_since)

    def _keep(self, counts: Mapping[str, ByBook], now: datetime) -> None:
        """Keep a row of each cause while it holds; of what was lost, for a day."""
        found = {
            Cause(kind, book_id=book): number
            for name, kind in CAUSES.items()
            for book, number in counts[name].items()
            if number
        }
        with reading(self._app.engine) as conn:
            there = alarm_store.open_ones(conn, CAUSES.values())
        if found != {cause: row.number for cause, row in there.items()}:
            with writing(self._app.engine) as conn:
                alarm_store.keep(conn, CAUSES.values(), found, now)
