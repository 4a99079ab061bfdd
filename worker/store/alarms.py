"""What asks for somebody: a row while it does, and afterwards when it ended and who had seen it."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, select, update

from worker.core.viewer import Viewer
from worker.store.bulk import among
from worker.store.tables import alarms
from worker.store.upsert import upsert

NO_BOOK = 0


class Cause(NamedTuple):
    """What an alarm is about: the ``kind`` as logs have it, the ``subject`` where there may be
    several, such as a breaker, and the book, ``NO_BOOK`` if it belongs to none."""

    kind: str
    subject: str = ""
    book_id: int = NO_BOOK


def open_ones(conn: Connection, kinds: Collection[str]) -> dict[Cause, Row[Any]]:
    """The alarms of these kinds that have not ended."""
    rows = conn.execute(select(alarms).where(alarms.c.ended_at.is_(None)))
    return {Cause(row.kind, row.subject, row.book_id): row for row in rows if row.kind in kinds}


def keep(
    conn: Connection, kinds: Collection[str], found: Mapping[Cause, int], now: datetime
) -> None:
    """Make the open alarms of these ``kinds`` those that were ``found``, each with its number: new
    ones begin at ``now``, those that are gone end. Of several who look at once each cause has one
    row."""
    there = open_ones(conn, kinds)
    gone = [row.id for cause, row in there.items() if cause not in found]
    if gone:
        conn.execute(update(alarms).where(among(conn, alarms.c.id, gone)).values(ended_at=now))
    for cause, number in found.items():
        row = there.get(cause)
        if row is None:
            values = {**cause._asdict(), "number": number, "started_at": now, "last_at": now}
            new = upsert(conn.dialect.name, alarms).values(values)
            conn.execute(new.on_conflict_do_nothing())
        elif row.number != number:
            mine = alarms.c.id == row.id
            conn.execute(update(alarms).where(mine).values(number=number, last_at=now))


def see(conn: Connection, viewer: Viewer, alarm_id: int, now: datetime) -> bool:
    """Write down that ``viewer`` has seen an alarm, unless somebody has before; whether there is
    such an alarm for him."""
    mine = alarms.c.id == alarm_id, among(conn, alarms.c.book_id, (NO_BOOK, *viewer.books))
    if conn.execute(select(alarms.c.id).where(*mine)).first() is None:
        return False
    unseen = alarms.c.seen_at.is_(None)
    conn.execute(update(alarms).where(*mine, unseen).values(seen_by=viewer.name, seen_at=now))
    return True
