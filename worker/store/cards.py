"""Cards, holders and books: claiming what is due, loading what a check needs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    case,
    func,
    select,
    update,
)

from worker.core.cards import Card, CardState, Holder, Kind, Language
from worker.store.bulk import add_many, update_many
from worker.store.tables import books, card_events, cards, holders

# Due at whatever time the next tick is asked for, be it a replayed day of the past.
AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Watched:
    """A card with the holder who is told about it and the signature of its book."""

    card: Card
    holder: Holder
    signature: str


def claim_due(conn: Connection, now: datetime, limit: int, lease: timedelta) -> list[int]:
    """Take up to ``limit`` cards whose check is due, sorted by holder; returns their ids.

    The claim moves ``next_check_at`` by ``lease``: if nobody comes to check, they are due again,
    and ``check_since`` still says since when.
    """
    due = (
        select(cards.c.id)
        .where(cards.c.next_check_at <= now)
        .order_by(cards.c.next_check_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claimed = conn.execute(
        update(cards)
        .where(cards.c.id.in_(due))
        .values(next_check_at=now + lease, check_since=_owed_since(now))
        .returning(cards.c.holder_id, cards.c.id)
    )
    return [row.id for row in sorted(claimed, key=lambda row: (row.holder_id, row.id))]


def _owed_since(now: datetime) -> ColumnElement[datetime]:
    """Since when a claimed check is owed: kept from an earlier claim, else when it fell due."""
    asked = case((cards.c.next_check_at <= AT_ONCE, now), else_=cards.c.next_check_at)
    return func.coalesce(cards.c.check_since, asked)


def watched_columns() -> Select[Any]:
    """A select of cards with their holders and books, for ``to_watched``."""
    return (
        select(
            cards,
            holders.c.name.label("holder_name"),
            holders.c.language.label("holder_language"),
            holders.c.time_zone.label("holder_time_zone"),
            holders.c.contact_phone,
            holders.c.email,
            books.c.signature,
            books.c.guardian_email,
        )
        .join(holders, holders.c.id == cards.c.holder_id)
        .join(books, books.c.id == cards.c.book_id)
    )


def to_watched(row: Row[Any]) -> Watched:
    """One row of ``watched_columns`` as values."""
    holder = Holder(
        id=row.holder_id,
        name=row.holder_name,
        language=Language(row.holder_language),
        time_zone=row.holder_time_zone,
        contact_phone=row.contact_phone,
        email=row.email,
    )
    return Watched(_card(row), holder, row.signature)


def _card(row: Row[Any]) -> Card:
    return Card(
        id=row.id,
        book_id=row.book_id,
        holder_id=row.holder_id,
        kind=Kind(row.kind),
        operator=row.operator,
        msisdn=row.msisdn,
        iccid=row.iccid,
        plan=row.plan,
        plan_days=row.plan_days,
        plan_end=row.plan_end,
        last_topup=row.last_topup,
        balance=row.balance,
        state=CardState(row.state),
        time_zone=row.time_zone,
        watched_since=row.watched_since,
        paused=row.paused,
        renewed_at=row.renewed_at,
        former_plan_end=row.former_plan_end,
        former_last_topup=row.former_last_topup,
        guardian_email=row.guardian_email,
    )


def lock(conn: Connection, ids: Sequence[int]) -> list[Watched]:
    """Load the cards ``ids`` for a check, sorted by holder, leaving out those somebody else holds.

    The row locks make a renewal wait until the check is over, or the check see the renewal.
    """
    rows = conn.execute(
        watched_columns()
        .where(cards.c.id.in_(ids))
        .order_by(cards.c.holder_id, cards.c.id)
        .with_for_update(of=cards, skip_locked=True)
    )
    return [to_watched(row) for row in rows]


def hold(conn: Connection, card_id: int) -> Watched | None:
    """Load one card and lock it, waiting for whoever has it."""
    row = conn.execute(
        watched_columns().where(cards.c.id == card_id).with_for_update(of=cards)
    ).one_or_none()
    return to_watched(row) if row else None


def change(conn: Connection, card_id: int, values: Mapping[str, object], now: datetime) -> None:
    """Set columns of a card, and have it checked at the next tick."""
    conn.execute(
        update(cards)
        .where(cards.c.id == card_id)
        .values(**values, next_check_at=AT_ONCE, updated_at=now)
    )


def recheck(conn: Connection, book_id: int | None) -> int:
    """Have all watched cards (of one book) checked at the next tick; returns how many."""
    states = (CardState.ACTIVE, CardState.SUSPENDED)
    statement = update(cards).where(cards.c.state.in_(states)).values(next_check_at=AT_ONCE)
    if book_id is not None:
        statement = statement.where(cards.c.book_id == book_id)
    return conn.execute(statement).rowcount


def load(conn: Connection, ids: Iterable[int]) -> dict[int, Watched]:
    """The cards ``ids`` as they are now, by id."""
    rows = conn.execute(watched_columns().where(cards.c.id.in_(list(ids))))
    return {row.id: to_watched(row) for row in rows}


def advance(conn: Connection, instants: Mapping[int, datetime | None]) -> None:
    """Set each card's next instant of change; ``None`` means not before the card changes."""
    rows = [{"row_id": card, "next_check_at": at} for card, at in instants.items()]
    update_many(conn, cards, rows, check_since=None)


def add_events(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the audit trail: rows of ``card_id``, ``at``, ``event``, ``detail`` (no addresses)."""
    if rows:
        add_many(conn, card_events, rows)
