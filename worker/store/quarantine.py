"""While a restored database does not know what was sent since its backup, nothing is sent."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from worker.core.cards import Channel
from worker.core.reminders import WAITING
from worker.store.tables import messages, quarantine


@dataclass(frozen=True, slots=True)
class Quarantine:
    """``since``: when the backup was made; ``begun_at``: when it was restored."""

    since: datetime
    begun_at: datetime


def begin(conn: Connection, since: datetime, now: datetime) -> None:
    """Send nothing from now on; begun twice, the last word holds."""
    end(conn)
    conn.execute(insert(quarantine).values(since=since, begun_at=now))


def current(conn: Connection) -> Quarantine | None:
    """The quarantine in force, if any."""
    row = conn.execute(select(quarantine.c.since, quarantine.c.begun_at)).first()
    return Quarantine(row.since, row.begun_at) if row else None


def end(conn: Connection) -> None:
    """Send again."""
    conn.execute(delete(quarantine))


def waiting(conn: Connection, channel: Channel) -> list[int]:
    """The messages that wait to be sent over ``channel``."""
    found = conn.execute(
        select(messages.c.id)
        .where(messages.c.channel == channel, messages.c.state.in_(WAITING))
        .order_by(messages.c.id)
    )
    return list(found.scalars())
