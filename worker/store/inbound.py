"""What holders wrote: each message once, and which of two words was said later."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select

from worker.core.optout import Said
from worker.store.digests import claim
from worker.store.tables import digests, inbound
from worker.store.upsert import upsert

_WORDS = (Said.OUT, Said.IN)
_LOOK = "inbound_look"


@dataclass(frozen=True, slots=True)
class Heard:
    """A message as it is kept. ``text``: without numbers and addresses, and only of what somebody
    has to read."""

    provider: str
    provider_id: str
    address: str
    meaning: str
    said_at: datetime
    text: str | None = None


def keep(conn: Connection, one: Heard, now: datetime) -> bool:
    """Keep a message; whether it is news. Who brings the same one at this moment waits."""
    values = {name: getattr(one, name) for name in Heard.__slots__}
    statement = (
        upsert(conn.dialect.name, inbound)
        .values(**values, received_at=now)
        .on_conflict_do_nothing()
    )
    return conn.execute(statement.returning(inbound.c.id)).first() is not None


def said_later(conn: Connection, one: Heard) -> bool:
    """Has the same address said a word (to stop, to start) after ``one`` was said?"""
    found = conn.execute(
        select(inbound.c.id)
        .where(
            inbound.c.address == one.address,
            inbound.c.said_at > one.said_at,
            inbound.c.meaning.in_(_WORDS),
        )
        .limit(1)
    )
    return found.first() is not None


def unclear_since(conn: Connection, since: datetime, limit: int) -> Sequence[Row[Any]]:
    """What somebody has to read, received after ``since``: oldest first."""
    return conn.execute(
        select(inbound)
        .where(inbound.c.received_at > since, inbound.c.meaning == Said.UNCLEAR)
        .order_by(inbound.c.id)
        .limit(limit)
    ).all()


def last_look(conn: Connection) -> datetime | None:
    """Until when the provider's list of messages to us has been read."""
    return conn.execute(select(func.max(digests.c.at)).where(digests.c.kind == _LOOK)).scalar()


def looked(conn: Connection, at: datetime) -> None:
    """The list has been read until ``at``. Only the last mark is kept."""
    claim(conn, _LOOK, at)
    conn.execute(delete(digests).where(digests.c.kind == _LOOK, digests.c.at < at))
