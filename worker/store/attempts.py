"""Attempts: one call to a provider each, committed before it is made, and what became of it."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from sqlalchemy import Connection, func, or_, select, update

from worker.core.cards import Audience, Channel
from worker.core.outcomes import Outcome, OutcomeKind
from worker.core.reminders import MessageState
from worker.core.reports import CONFIRMED, Phase, phase_after
from worker.core.senders import ELSEWHERE
from worker.store.bulk import add_many, among, update_many
from worker.store.tables import attempts, messages


@dataclass(frozen=True, slots=True)
class Tried:
    """An attempt beside its message as they are now."""

    id: UUID
    message_id: int
    address: str
    started_at: datetime
    provider_id: str | None
    phase: Phase
    channel: Channel
    state: MessageState
    message_provider_id: str | None
    provider: str | None
    sender: str | None
    audience: Audience = Audience.HOLDER


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A message that was sent and of which nothing more is known, with the attempt that was
    taken."""

    message_id: int
    attempt: UUID
    provider: str
    provider_id: str
    sent_at: datetime


class NewAttempt(TypedDict):
    """An attempt that is about to be made."""

    id: UUID
    message_id: int
    address: str
    digest: str
    started_at: datetime
    provider: str | None
    sender: str | None


class AttemptEnd(TypedDict):
    """How the attempt ``row_id`` ended."""

    row_id: UUID
    outcome: OutcomeKind
    code: str
    phase: Phase
    provider_id: str | None
    ended_at: datetime


def ended(attempt: UUID, outcome: Outcome, at: datetime) -> AttemptEnd:
    """The end of ``attempt`` in ``outcome``."""
    return {
        "row_id": attempt,
        "outcome": outcome.kind,
        "code": outcome.code,
        "phase": phase_after(outcome),
        "provider_id": outcome.provider_id,
        "ended_at": at,
    }


def add(conn: Connection, rows: Sequence[NewAttempt]) -> None:
    """Commit attempts before their calls."""
    add_many(conn, attempts, rows)


def end(conn: Connection, rows: Sequence[AttemptEnd]) -> None:
    """Record how attempts ended."""
    update_many(conn, attempts, rows)


def settled(conn: Connection, ids: Sequence[UUID]) -> tuple[set[UUID], set[UUID]]:
    """Those of ``ids`` that the provider is known to have taken, and all those that have ended."""
    rows = conn.execute(
        select(attempts.c.id, attempts.c.provider_id).where(
            among(conn, attempts.c.id, ids),
            or_(attempts.c.provider_id.is_not(None), attempts.c.ended_at.is_not(None)),
        )
    ).all()
    return {row.id for row in rows if row.provider_id is not None}, {row.id for row in rows}


def find(
    conn: Connection, ids: Collection[UUID], provider_ids: Collection[str]
) -> tuple[dict[UUID, int], dict[str, tuple[UUID, int]]]:
    """The messages of the attempts ``ids``; and of ``provider_ids`` the attempt and message."""
    by_id = conn.execute(
        select(attempts.c.id, attempts.c.message_id).where(attempts.c.id.in_(ids))
    ).all()
    by_name = conn.execute(
        select(attempts.c.provider_id, attempts.c.id, attempts.c.message_id).where(
            attempts.c.provider_id.in_(provider_ids)
        )
    ).all()
    named = {row.provider_id: (row.id, row.message_id) for row in by_name}
    return {row.id: row.message_id for row in by_id}, named


def tried(conn: Connection, attempt: UUID) -> Tried | None:
    """The attempt with its message, which is locked before either is read."""
    own = select(attempts.c.message_id).where(attempts.c.id == attempt)
    names = ("id", "channel", "audience", "state", "provider_id")
    columns = [messages.c[name] for name in names]
    message = conn.execute(
        select(*columns).where(messages.c.id == own.scalar_subquery()).with_for_update()
    ).first()
    if message is None:
        return None
    row = conn.execute(select(attempts).where(attempts.c.id == attempt)).one()
    return Tried(
        id=row.id,
        message_id=message.id,
        address=row.address,
        started_at=row.started_at,
        provider_id=row.provider_id,
        phase=Phase(row.phase),
        channel=Channel(message.channel),
        state=MessageState(message.state),
        message_provider_id=message.provider_id,
        provider=row.provider,
        sender=row.sender,
        audience=Audience(message.audience),
    )


def confirm(conn: Connection, attempt: UUID) -> None:
    """The provider reports that the attempt was delivered."""
    conn.execute(
        update(attempts)
        .where(attempts.c.id == attempt)
        .values(outcome=OutcomeKind.ACCEPTED, code=CONFIRMED, phase=Phase.DELIVERED)
    )


def failed_behind(conn: Connection, message_id: int) -> int:
    """How many attempts of a message the provider took, and reported as failed."""
    found = conn.execute(
        select(func.count()).where(
            attempts.c.message_id == message_id, attempts.c.phase == Phase.FAILED
        )
    )
    return int(found.scalar_one())


def also_taken(conn: Connection, message_id: int, attempt: UUID) -> str | None:
    """The provider's id of another attempt of the message that was taken and did not fail."""
    return conn.execute(
        select(attempts.c.provider_id)
        .where(
            attempts.c.message_id == message_id,
            attempts.c.id != attempt,
            attempts.c.phase.in_((Phase.TAKEN, Phase.DELIVERED)),
        )
        .order_by(attempts.c.started_at)
        .limit(1)
    ).scalar()


def unconfirmed(conn: Connection, ids: Sequence[int]) -> list[Unconfirmed]:
    """Those of the messages ``ids`` that are sent, and no more than that."""
    rows = conn.execute(
        select(messages.c.id, messages.c.sent_at, attempts.c.id.label("attempt"))
        .add_columns(attempts.c.provider, messages.c.provider_id)
        .join(attempts, attempts.c.provider_id == messages.c.provider_id)
        .where(
            messages.c.id.in_(ids),
            messages.c.state == MessageState.SENT,
            messages.c.channel == Channel.SMS,
        )
    )
    return [
        Unconfirmed(row.id, row.attempt, str(row.provider), row.provider_id, row.sent_at)
        for row in rows
    ]


def failed_by(conn: Connection, message_ids: Collection[int]) -> dict[int, str]:
    """The provider of the last attempt of each message, where another may do better."""
    rows = conn.execute(
        select(attempts.c.message_id, attempts.c.provider, attempts.c.outcome)
        .where(attempts.c.message_id.in_(message_ids))
        .order_by(attempts.c.started_at)
    )
    last = {row.message_id: row for row in rows}
    return {message: str(row.provider) for message, row in last.items() if row.outcome in ELSEWHERE}


def codes(conn: Connection, message_id: int) -> Counter[str | None]:
    """How often the attempts of a message ended with each code."""
    found = conn.execute(select(attempts.c.code).where(attempts.c.message_id == message_id))
    return Counter(found.scalars())


def met(
    conn: Connection, message_ids: Collection[int], code: str, *, before: datetime | None = None
) -> dict[int, datetime]:
    """Those of the messages of which an attempt (begun ``before`` then) ended with ``code``, and
    when the last such one was begun."""
    earlier = [attempts.c.started_at < before] if before else []
    rows = conn.execute(
        select(attempts.c.message_id, func.max(attempts.c.started_at).label("at"))
        .where(attempts.c.message_id.in_(message_ids), attempts.c.code == code, *earlier)
        .group_by(attempts.c.message_id)
    )
    return {row.message_id: row.at for row in rows}


def newest(conn: Connection, message_ids: Collection[int]) -> set[UUID]:
    """The last attempt of each message: only how that one ended says what becomes of it."""
    rows = conn.execute(
        select(attempts.c.message_id, attempts.c.id)
        .where(attempts.c.message_id.in_(message_ids))
        .order_by(attempts.c.started_at, attempts.c.ended_at.is_(None))
    )
    return set({row.message_id: row.id for row in rows}.values())
