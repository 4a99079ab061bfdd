"""Messages that have not ended, found by their partial index: what alarms and gauges look at."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from worker.core.cards import Audience, Channel
from worker.core.lifecycle import OPEN
from worker.core.reminders import WAITING
from worker.store.tables import holders, messages, reminders

# Beyond this many the gauges and alarms say "at least".
MOST = 100_000


def open_messages() -> Select[Any]:
    """``id``, ``book_id``, ``state``, ``channel`` and ``audience`` of up to ``MOST`` of them."""
    names = ("id", "book_id", "state", "channel", "audience")
    return (
        select(*(messages.c[name] for name in names))
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


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that is still to be sent: when it is looked at, and how long it is useful."""

    next_attempt_at: datetime
    useful_until: datetime


def waiting_for(
    conn: Connection, channel: Channel, addresses: Collection[str], besides: Collection[int]
) -> dict[str, list[Waiting]]:
    """By address: what else waits to be sent to a holder there over ``channel``, but for
    ``besides``."""
    by_phone = channel is Channel.SMS
    column = holders.c.contact_phone if by_phone else func.lower(holders.c.email)
    known = {address if by_phone else address.lower(): address for address in addresses}
    rows = conn.execute(
        select(column.label("to"), messages.c.next_attempt_at, messages.c.useful_until)
        .join(holders, holders.c.id == messages.c.holder_id)
        .where(
            column.in_(known),
            messages.c.channel == channel,
            messages.c.audience == Audience.HOLDER,
            messages.c.state.in_(WAITING),
            messages.c.id.not_in(besides),
        )
    )
    found: dict[str, list[Waiting]] = defaultdict(list)
    for row in rows:
        found[known[row.to]].append(Waiting(row.next_attempt_at, row.useful_until))
    return found


def count(conn: Connection, found: Select[Any]) -> int:
    """How many rows ``found`` selects."""
    return int(conn.execute(select(func.count()).select_from(found.subquery())).scalar_one())
