"""Attempts of late: what caps, digests and the share of filtered texts are counted from."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, literal, or_, select

from worker.core.cards import Audience, Channel
from worker.core.outcomes import OutcomeKind
from worker.core.reports import Phase
from worker.store.attempts import Tried
from worker.store.bulk import among
from worker.store.tables import attempts, messages

# How far back ends are looked for, and how many are read: a filter shows in what went out lately.
_LATEST, _ENOUGH = 5_000, 1_000


def latest_ends(conn: Connection, like: Tried, start: str, quiet: datetime) -> Sequence[Row[Any]]:
    """``address`` and ``code`` of texts from the sender of ``like`` to numbers that begin with
    ``start``, of which something final was reported, or nothing since ``quiet``; latest first."""
    # The words of the partial index, as a literal: only so does PostgreSQL see that it applies.
    known = attempts.c.address != literal("", literal_execute=True)
    latest = (
        select(attempts)
        .where(known)
        .order_by(attempts.c.started_at.desc())
        .limit(_LATEST)
        .subquery()
    )
    final = latest.c.phase.in_((Phase.DELIVERED, Phase.FAILED))
    found: Select[Any] = (
        select(latest.c.address, latest.c.code)
        .where(
            latest.c.provider == like.provider,
            latest.c.sender == like.sender,
            latest.c.phase != Phase.OPEN,
            latest.c.address.startswith(start, autoescape=True),
            or_(final, latest.c.ended_at <= quiet),
        )
        .order_by(latest.c.started_at.desc())
        .limit(_ENOUGH)
    )
    return conn.execute(found).all()


def taken_since(
    conn: Connection, provider: str, sender: str, since: datetime, *, arrived: bool = False
) -> set[str]:
    """Where texts or emails from ``sender`` went that were begun after ``since`` and taken, or
    ``arrived``; of the latest ones."""
    latest = (
        select(attempts)
        .where(
            attempts.c.address != literal("", literal_execute=True), attempts.c.started_at > since
        )
        .order_by(attempts.c.started_at.desc())
        .limit(_LATEST)
        .subquery()
    )
    well = [latest.c.outcome == OutcomeKind.ACCEPTED]
    if arrived:
        well.append(latest.c.phase == Phase.DELIVERED)
    rows = conn.execute(
        select(latest.c.address).where(
            latest.c.provider == provider, latest.c.sender == sender, *well
        )
    )
    return set(rows.scalars())


def ends_at(
    conn: Connection, channels: Collection[Channel], address: str, since: datetime
) -> Sequence[Row[Any]]:
    """``code``, ``phase`` and ``started_at`` of what was sent to ``address`` after ``since``, where
    the end is known; latest first."""
    final = or_(attempts.c.phase == Phase.DELIVERED, attempts.c.outcome != OutcomeKind.ACCEPTED)
    found: Select[Any] = (
        select(attempts.c.code, attempts.c.phase, attempts.c.started_at)
        .join(messages, messages.c.id == attempts.c.message_id)
        .where(
            attempts.c.address == address,
            attempts.c.started_at > since,
            messages.c.channel.in_(channels),
            final,
        )
        .order_by(attempts.c.started_at.desc())
        .limit(_ENOUGH)
    )
    return conn.execute(found).all()


def started_since(
    conn: Connection, addresses: Collection[str], since: datetime
) -> dict[str, list[datetime]]:
    """When attempts to each of ``addresses`` that may have arrived were started after ``since``,
    earliest first; one the provider never took does not count."""
    arrived = (OutcomeKind.ACCEPTED, OutcomeKind.AMBIGUOUS)
    rows = conn.execute(
        select(attempts.c.address, attempts.c.started_at)
        .where(
            among(conn, attempts.c.address, addresses),
            attempts.c.started_at > since,
            or_(attempts.c.outcome.is_(None), attempts.c.outcome.in_(arrived)),
        )
        .order_by(attempts.c.started_at)
    )
    found: dict[str, list[datetime]] = defaultdict(list)
    for address, started_at in rows:
        found[address].append(started_at)
    return found


def digest_since(
    conn: Connection, book_id: int, addresses: Collection[str], since: datetime
) -> bool:
    """Was a message to the guardian of a book begun after ``since`` that may have arrived?"""
    arrived = (OutcomeKind.ACCEPTED, OutcomeKind.AMBIGUOUS)
    found = conn.execute(
        select(attempts.c.id)
        .join(messages, messages.c.id == attempts.c.message_id)
        .where(
            attempts.c.address.in_(addresses),
            attempts.c.started_at >= since,
            or_(attempts.c.outcome.is_(None), attempts.c.outcome.in_(arrived)),
            messages.c.book_id == book_id,
            messages.c.audience == Audience.GUARDIAN,
        )
        .limit(1)
    )
    return found.first() is not None
