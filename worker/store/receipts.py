"""Receipts: each report of a provider once, applied or parked until its attempt is there."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, exists, func, or_, select, update

from worker.core.reports import CONFIRMED, Report
from worker.store.tables import attempts, receipts
from worker.store.upsert import upsert

# How far back a confirmation is looked for: a check must not read them all where there is none.
_LATEST = 10_000


def keep(conn: Connection, reports: Sequence[Report], now: datetime) -> dict[int, Report]:
    """Store the reports that are new, unapplied; returns them by receipt id.

    The key decides: of two processes with one report the second finds nothing new. In the order
    of the keys, so that two batches never wait for each other.
    """
    unique = {(report.provider, report.event_id): report for report in reports}
    if not unique:
        return {}
    rows = [
        {
            "provider": provider,
            "event_id": event,
            "attempt_id": report.attempt,
            "provider_id": report.provider_id,
            "status": report.status,
            "code": report.code,
            "received_at": now,
            "occurred_at": report.occurred_at,
        }
        for provider, event in sorted(unique)
        for report in [unique[provider, event]]
    ]
    statement = upsert(conn.dialect.name, receipts).on_conflict_do_nothing()
    columns = (receipts.c.id, receipts.c.provider, receipts.c.event_id)
    kept = conn.execute(statement.returning(*columns), rows).all()
    return {row.id: unique[row.provider, row.event_id] for row in kept}


def reported_since(
    conn: Connection, attempt: UUID, statuses: Collection[str], at: datetime
) -> bool:
    """Was one of ``statuses`` reported of an attempt for an instant after ``at``?"""
    found = conn.execute(
        select(receipts.c.id)
        .where(
            receipts.c.attempt_id == attempt,
            receipts.c.status.in_(statuses),
            receipts.c.occurred_at > at,
        )
        .limit(1)
    )
    return found.first() is not None


def confirmed_parts(conn: Connection, attempt: UUID) -> int:
    """How many messages of the provider's, each a part of an attempt, are reported as delivered."""
    found = conn.execute(
        select(func.count(func.distinct(receipts.c.provider_id))).where(
            receipts.c.attempt_id == attempt, receipts.c.status == CONFIRMED
        )
    )
    return int(found.scalar_one())


def mark_applied(conn: Connection, ids: Sequence[int], now: datetime) -> None:
    """These are done with."""
    if ids:
        conn.execute(update(receipts).where(receipts.c.id.in_(ids)).values(applied_at=now))


def claimable(conn: Connection, limit: int) -> Mapping[int, Report]:
    """Parked reports whose attempt has appeared, oldest first, locked; by receipt id."""
    own = or_(
        exists().where(attempts.c.id == receipts.c.attempt_id),
        exists().where(attempts.c.provider_id == receipts.c.provider_id),
    )
    return {row.id: _report(row) for row in conn.execute(_parked(limit).where(own))}


def unclaimed(conn: Connection, before: datetime, limit: int) -> list[int]:
    """Reports parked since ``before`` or longer, locked."""
    rows = conn.execute(_parked(limit).where(receipts.c.received_at <= before))
    return [row.id for row in rows]


def _parked(limit: int) -> Select[Any]:
    return (
        select(receipts)
        .where(receipts.c.applied_at.is_(None))
        .order_by(receipts.c.received_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def last_confirmation(conn: Connection, providers: Sequence[str]) -> datetime | None:
    """When one of ``providers`` last reported a delivery, by the latest receipts."""
    latest = select(func.max(receipts.c.id)).scalar_subquery() - _LATEST
    return conn.execute(
        select(receipts.c.received_at)
        .where(
            receipts.c.id > latest,
            receipts.c.provider.in_(providers),
            receipts.c.status == CONFIRMED,
        )
        .order_by(receipts.c.id.desc())
        .limit(1)
    ).scalar()


def _report(row: Any) -> Report:
    return Report(
        provider=row.provider,
        event_id=row.event_id,
        status=row.status,
        attempt=row.attempt_id,
        provider_id=row.provider_id,
        code=row.code,
        occurred_at=row.occurred_at,
    )
