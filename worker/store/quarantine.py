"""While a restored database does not know what was sent since its backup, nothing is sent."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Connection, Table, delete, func, insert, select, text, update

from worker.core.cards import Channel
from worker.core.reminders import WAITING
from worker.store.tables import attempts, breakers, messages, quarantine, reminders

# More than is sent between two backups.
_UNKNOWN: Final = 1_000_000
# What links in messages name, and who names it in here.
_NAMED: Final[dict[Table, tuple[Column[Any], ...]]] = {
    reminders: (),
    messages: (reminders.c.message_id, attempts.c.message_id, breakers.c.probe_message_id),
}


@dataclass(frozen=True, slots=True)
class Quarantine:
    """``since``: when the backup was made; ``begun_at``: when it was restored."""

    since: datetime
    begun_at: datetime


def begin(conn: Connection, since: datetime, now: datetime) -> bool:
    """Send nothing from now on; begun twice, the last word holds. Whether the numbers that links
    in messages since the backup may carry are given to nobody else."""
    first = current(conn) is None
    end(conn)
    conn.execute(insert(quarantine).values(since=since, begun_at=now))
    free = [_leave_out(conn, table) for table in _NAMED] if first else []
    return all(free)


def _leave_out(conn: Connection, table: Table) -> bool:
    """Give out none of the next ids of ``table``: a link of somebody else may carry one. Whether
    that can be done: SQLite counts on from the highest row, and there may be none."""
    if conn.dialect.name == "postgresql":
        # Not setval(): to draw a number is a right that every writer has.
        drawn = text(
            "SELECT count(nextval(pg_get_serial_sequence(:name, 'id'))) "
            "FROM generate_series(1, :unknown)"
        )
        conn.execute(drawn, {"name": table.name, "unknown": _UNKNOWN})
        return True
    last = conn.execute(select(func.max(table.c.id))).scalar()
    if last is None:
        return False
    conn.exec_driver_sql("PRAGMA defer_foreign_keys = ON")  # until this transaction ends
    for column in (table.c.id, *_NAMED[table]):
        conn.execute(
            update(column.table).where(column == last).values({column.name: last + _UNKNOWN})
        )
    return True


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
