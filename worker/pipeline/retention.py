"""Use case: content is erased early, addresses later, and the proof when nobody can ask for it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection, Engine, and_, exists, or_

from worker import metrics
from worker.clock import Throttle
from worker.core.windows import REMEMBERED
from worker.errors import VigenciaError
from worker.store import digests, retention
from worker.store.engine import reading, writing
from worker.store.retention import Batch, Cutoffs
from worker.store.tables import attempts, messages, receipts, reminders

log = structlog.get_logger(__name__)

# Rows in one transaction: some milliseconds, whatever waits for the same tables.
BATCH: Final = 500
# What the ledger is asked for, and a day on each side, since days are those of the card.
SETTLED: Final = REMEMBERED + timedelta(days=2)
# Marks of an hour or a day are looked up in that hour or on that day only.
_DIGESTS: Final = timedelta(days=7)
_HOUR: Final = timedelta(hours=1)
_KIND: Final = "retention"

Step = Callable[[Connection, Cutoffs, object, int], Batch]

# What is done, in this order: what tells most of a person goes first.
STEPS: Final[Mapping[str, Step]] = {
    "contents": retention.contents,
    "addresses": retention.addresses,
    "proofs": retention.proofs,
    "unsent": retention.unsent,
    "receipts": retention.reports,
    "undoable": retention.undoable,
    "saves": retention.saved,
    "events": retention.events,
    "inbound": retention.heard,
    "usage": retention.used,
    "tallies": retention.summed,
    "alarms": retention.alarmed,
    "digests": retention.told,
    "sessions": retention.signed_in,
    "audit": retention.deeds,
    "jobs": retention.asked,
}


@dataclass(frozen=True, slots=True)
class Periods:
    """How long is kept: the text of a message after its end, the address of an attempt after its
    beginning, everything else of a notice after it was due."""

    content: timedelta
    address: timedelta
    proof: timedelta

    def cutoffs(self, now: datetime) -> Cutoffs:
        """What may go at ``now``."""
        return Cutoffs(
            content=now - self.content,
            address=now - self.address,
            proof=now - self.proof,
            settled=now - SETTLED,
            digest=now - _DIGESTS,
            now=now,
        )


@dataclass(frozen=True, slots=True)
class Retention:
    """Erases what is older than its period. Any number may run at once: rows that one has in hand
    are left out by the others."""

    engine: Engine
    periods: Periods

    def batches(self, now: datetime, size: int = BATCH) -> Iterator[tuple[str, int]]:
        """A pass over everything: each item is a step and the rows of one short transaction,
        which is committed when it comes. Raises ``UnreachableError``; what was done stays done."""
        cut = self.periods.cutoffs(now)
        for name, step in STEPS.items():
            after: object = None
            while True:
                with writing(self.engine) as conn:
                    retention.overwrite(conn)
                    batch = step(conn, cut, after, size)
                metrics.erased(name, batch.rows)
                yield name, batch.rows
                after = batch.after
                if after is None:
                    break

    def waiting(self, now: datetime) -> dict[str, int]:
        """What a pass at ``now`` would do, counted: it reads all that is old, and changes nothing.
        Marks, usage and events are not counted: they are about nobody's message."""
        cut = self.periods.cutoffs(now)
        mine = and_(messages.c.id == attempts.c.message_id, retention.old_message(cut))
        by_id = and_(attempts.c.id == receipts.c.attempt_id, exists().where(mine))
        named = and_(attempts.c.provider_id == receipts.c.provider_id, exists().where(mine))
        carried = and_(messages.c.id == reminders.c.message_id, retention.old_message(cut))
        free = or_(reminders.c.message_id.is_(None), exists().where(carried))
        asked = {
            "contents": (messages, retention.old_content(cut)),
            "addresses": (attempts, retention.old_address(cut)),
            "messages": (messages, retention.old_message(cut)),
            "reminders": (reminders, and_(retention.old_reminder(cut), free)),
            "attempts": (attempts, exists().where(mine)),
            "receipts": (receipts, or_(exists().where(by_id), exists().where(named))),
        }
        with reading(self.engine) as conn:
            return {name: retention.count(conn, *what) for name, what in asked.items()}

    def take_on(self, now: datetime) -> bool:
        """Take on the pass of this hour; of several processes one gets it."""
        hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        with writing(self.engine) as conn:
            return digests.claim(conn, _KIND, hour)


class Hourly:
    """The scheduler's share: a pass an hour at most, one batch whenever there is time for it."""

    def __init__(self, own: Retention | None, every: timedelta = _HOUR) -> None:
        self._own, self._throttle = own, Throttle(every.total_seconds())
        self._pass: Iterator[tuple[str, int]] | None = None
        self._done: Counter[str] = Counter()

    @property
    def under_way(self) -> bool:
        """Is there more to do of this hour's pass?"""
        return self._pass is not None

    def go_on(self, now: datetime) -> None:
        """Do one batch, if it is time. Raises ``UnreachableError``; the next pass is in an hour."""
        try:
            self._go_on(now)
        except VigenciaError:
            self._pass = None
            raise
        except Exception:  # a bug in here must not stop the clock
            self._pass = None
            log.exception("alarm", cause="retention_failed")

    def _go_on(self, now: datetime) -> None:
        if self._pass is None:
            if self._own is None or not self._throttle.is_due() or not self._own.take_on(now):
                return
            self._pass, self._done = self._own.batches(now), Counter()
        name, rows = next(self._pass, (None, 0))
        if name is not None:
            self._done[name] += rows
            return
        self._pass = None
        if found := {name: rows for name, rows in self._done.items() if rows}:
            log.info("retention", **found)
