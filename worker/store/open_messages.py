"""Messages that have not ended, found by their partial index: what alarms and gauges look at."""

from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, func, select

from worker.core.reminders import WAITING, MessageState
from worker.store.tables import messages, reminders

# Beyond this many the gauges and alarms say "at least".
MOST = 100_000

# The states of a message that is to be looked at.
OPEN: Final = (*WAITING, MessageState.SENDING, MessageState.UNKNOWN)


def open_messages() -> Select[Any]:
    """``id``, ``state`` and ``channel`` of up to ``MOST`` of them."""
    return (
        select(messages.c.id, messages.c.state, messages.c.channel)
        .where(messages.c.wake_at.is_not(None), messages.c.state.in_(OPEN))
        .limit(MOST)
    )


def in_open_messages(conn: Connection) -> ColumnElement[bool]:
    """Reminders in a message that is to be looked at.

    As an array on PostgreSQL, so that it goes from the messages to their reminders: a join is
    planned by statistics from before the morning, when nothing waited, and then takes hours.
    """
    ids = select(open_messages().subquery().c.id)
    if conn.dialect.name == "postgresql":
        return reminders.c.message_id == func.any(func.array(ids.scalar_subquery()))
    return reminders.c.message_id.in_(ids)


def count(conn: Connection, found: Select[Any]) -> int:
    """How many rows ``found`` selects."""
    return int(conn.execute(select(func.count()).select_from(found.subquery())).scalar_one())
