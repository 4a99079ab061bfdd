"""How what is unknown is settled, by whoever has found out: attempt, message and notices."""

from collections.abc import Collection
from datetime import datetime

import structlog
from sqlalchemy import Connection

from worker.core.outcomes import Outcome
from worker.core.recheck import Item
from worker.core.reminders import MessageState, ReminderState
from worker.core.retry import Next
from worker.pipeline import endings
from worker.store import attempts as attempt_store
from worker.store import message_states
from worker.store.committed import after_commit
from worker.store.unknowns import Unknown

log = structlog.get_logger(__name__)


def end(conn: Connection, one: Unknown, outcome: Outcome, now: datetime) -> None:
    """The attempt that nobody knew the end of ended in ``outcome``."""
    attempt_store.end(conn, [attempt_store.ended(one.attempt, outcome, now)])


def settle(
    conn: Connection, one: Unknown, state: MessageState, reason: str, at: datetime | None
) -> MessageState:
    """The message goes on in ``state``, and is looked at again ``at``; returns the state."""
    change = message_states.becomes(one.outgoing.id, one.outgoing.attempts, Next(state, at, reason))
    message_states.set_states(conn, [change], expected=(MessageState.UNKNOWN,))
    return state


def give_up(conn: Connection, one: Unknown, reason: str, now: datetime) -> MessageState:
    """Its notices were not told while they were useful, as far as anybody knows."""
    miss(conn, one, one.outgoing.items, now, reason)
    return settle(conn, one, MessageState.FAILED, reason, None)


def miss(
    conn: Connection,
    one: Unknown,
    items: Collection[Item],
    now: datetime,
    reason: str = "unknown_outcome",
) -> None:
    """Nobody can tell whether these were told, and now it is too late."""
    if items:
        after_commit(log.error)(
            "alarm", cause="reminder_missed", reason=reason, message=one.outgoing.id
        )
        endings.end(conn, [item.id for item in items], ReminderState.MISSED, reason, now)
