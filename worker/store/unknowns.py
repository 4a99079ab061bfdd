"""Messages that are unknown: what their last attempt said, and who else may have taken it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, func, select

from worker.core.cards import Channel
from worker.core.reminders import MessageState
from worker.store.outbox import OutgoingMessage, load
from worker.store.tables import attempts, messages


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message whose last attempt ended nobody knows how, with what that attempt said and whom it
    called; ``text`` is ``None`` once it is erased."""

    outgoing: OutgoingMessage
    attempt: UUID
    address: str
    digest: str
    started_at: datetime
    provider: str
    text: str | None = None


def unknowns(conn: Connection, channel: Channel, ids: Sequence[int]) -> list[Unknown]:
    """Those of ``ids`` that are unknown on ``channel``, each with its latest open attempt."""
    rows = conn.execute(
        select(attempts, messages.c.body)
        .join(messages, messages.c.id == attempts.c.message_id)
        .where(
            messages.c.id.in_(ids),
            messages.c.state == MessageState.UNKNOWN,
            messages.c.channel == channel,
            attempts.c.provider_id.is_(None),
        )
        .order_by(attempts.c.started_at)
    ).all()
    latest = {row.message_id: row for row in rows}
    return [
        Unknown(
            *(outgoing, row.id, row.address, row.digest, row.started_at),
            *(str(row.provider), row.body),
        )
        for outgoing in load(conn, list(latest))
        if (row := latest[outgoing.id])
    ]


def still_unknown(conn: Connection, one: Unknown) -> bool:
    """Is the message still unknown after the same attempt? If so it is locked."""
    found = conn.execute(
        select(messages.c.id)
        .where(
            messages.c.id == one.outgoing.id,
            messages.c.attempts == one.outgoing.attempts,
            messages.c.state == MessageState.UNKNOWN,
        )
        .with_for_update()
    )
    return found.first() is not None


def has_open_twin(conn: Connection, one: Unknown, *, any_text: bool = False) -> bool:
    """Is another attempt with the same text (or ``any_text``) to the same address in its call?"""
    same = () if any_text else (attempts.c.digest == one.digest,)
    found = conn.execute(
        select(attempts.c.id)
        .join(messages, messages.c.id == attempts.c.message_id)
        .where(
            attempts.c.address == one.address,
            attempts.c.id != one.attempt,
            attempts.c.outcome.is_(None),
            messages.c.state == MessageState.SENDING,
            *same,
        )
        .limit(1)
    )
    return found.first() is not None


def rivals(conn: Connection, one: Unknown) -> int:
    """How many other messages to the same address nobody knows the end of."""
    found = conn.execute(
        select(func.count(func.distinct(messages.c.id)))
        .join(attempts, attempts.c.message_id == messages.c.id)
        .where(
            attempts.c.address == one.address,
            attempts.c.provider_id.is_(None),
            messages.c.id != one.outgoing.id,
            messages.c.state == MessageState.UNKNOWN,
        )
    )
    return int(found.scalar_one())


def adopted(conn: Connection, provider_ids: Sequence[str]) -> set[str]:
    """Those of ``provider_ids`` that belong to an attempt already."""
    found = conn.execute(
        select(attempts.c.provider_id).where(attempts.c.provider_id.in_(provider_ids))
    )
    return {str(provider) for provider in found.scalars()}
