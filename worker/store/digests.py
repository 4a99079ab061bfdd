"""What is done once at a time, such as an hour's email: of several processes one does it."""

from datetime import UTC, date, datetime

from sqlalchemy import Connection, delete

from worker.store.tables import digests
from worker.store.upsert import upsert


def claim(conn: Connection, kind: str, at: datetime) -> bool:
    """Take on the ``kind`` (up to 30 characters) of ``at``; ``False`` if somebody has."""
    row = upsert(conn.dialect.name, digests).values(kind=kind, at=at).on_conflict_do_nothing()
    return conn.execute(row.returning(digests.c.kind)).first() is not None


def claim_day(conn: Connection, kind: str, day: date) -> bool:
    """The same for what is told once a day."""
    return claim(conn, kind, datetime(day.year, day.month, day.day, tzinfo=UTC))


def release(conn: Connection, kind: str, at: datetime) -> None:
    """Give back what could not be done."""
    conn.execute(delete(digests).where(digests.c.kind == kind, digests.c.at == at))
