"""How reminders end: written in the ledger, and counted once that is committed."""

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import Connection

from worker import metrics
from worker.core.cards import told_by
from worker.core.reminders import ReminderState
from worker.store import reminder_changes as ledger
from worker.store.committed import after_commit
from worker.store.reminder_changes import ReminderChange


def end(
    conn: Connection, ids: Iterable[int], state: ReminderState, reason: str | None, now: datetime
) -> None:
    """End the waiting reminders ``ids``; one that has ended stays as it is."""
    count(ledger.end(conn, ids, state, reason, now))


def told(
    conn: Connection, message_ids: Collection[int], at: datetime, begun: datetime | None = None
) -> None:
    """The provider has the messages: what they carried was told ``at``, from attempts that had
    ``begun`` then (default: the last of each message)."""
    count(ledger.told(conn, message_ids, at, begun), at)


def delivered(conn: Connection, message_id: int, at: datetime, begun: datetime) -> None:
    """The message has arrived, in the attempt that had ``begun`` then."""
    news, known = ledger.delivered(conn, message_id, at, begun)
    count(news, at)
    count(known)


def miss(conn: Connection, ids: Iterable[int]) -> None:
    """Nobody was told: what was only held back on its channel has been missed."""
    count(ledger.miss(conn, ids))


def count(changes: Collection[ReminderChange], told_at: datetime | None = None) -> None:
    """Count the reminders that have ended, once the transaction is committed; and how long those
    that were ``told_at`` then have taken."""
    if changes:
        after_commit(_count)(changes, told_at)


def _count(changes: Iterable[ReminderChange], told_at: datetime | None) -> None:
    for one in changes:
        if one.state != ReminderState.PENDING:
            metrics.reminder(one.state, told_by(one.channel, one.audience), one.reason)
        if told_at is not None:
            metrics.accepted(one.window, one.owed_at, told_at)
