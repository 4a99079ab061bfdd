"""Cards, holders and books: claiming what is due, loading what a check needs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypedDict

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    case,
    column,
    func,
    select,
    update,
)

from worker.core.cards import Card, CardState, Holder, Kind, Language
from worker.store.bulk import add_many, among, as_stored, batched
from worker.store.planner_hints import by_index
from worker.store.tables import books, card_events, cards, holders
from worker.store.types import array_of


@dataclass(frozen=True, slots=True)
class Watched:
    """A card with the holder who is told about it and the signature of its book."""

    card: Card
    holder: Holder
    signature: str


class Claimed(NamedTuple):
    """A card to check, of this holder."""

    holder: int
    card: int


def claim_due(conn: Connection, now: datetime, limit: int, lease: timedelta) -> list[Claimed]:
    """Take up to ``limit`` cards whose check fell due; returns them sorted by holder.

    The claim moves ``next_check_at`` by ``lease``: if nobody comes to check, they are due again,
    and ``check_since`` still says since when.
    """
    at = cards.c.next_check_at
    return _claim(conn, at <= now, at, now, limit, lease)


def claim_asked(conn: Connection, now: datetime, limit: int, lease: timedelta) -> list[Claimed]:
    """The same of cards whose check was asked for, since they are new or were changed."""
    at = cards.c.check_asked_at
    return _claim(conn, at.is_not(None), at, now, limit, lease)


def _claim(
    conn: Connection,
    which: ColumnElement[bool],
    order: ColumnElement[datetime],
    now: datetime,
    limit: int,
    lease: timedelta,
) -> list[Claimed]:
    by_index(conn, repeatable=True, in_order=True)  # a claim that is lost leaves its cards due
    due = (
        select(cards.c.id)
        .where(which)
        .order_by(order)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = conn.execute(due).scalars().all()
    if not ids:
        return []
    claimed = conn.execute(
        update(cards)
        .where(among(conn, cards.c.id, ids))
        .values(next_check_at=now + lease, check_since=_owed_since(now), check_asked_at=None)
        .returning(cards.c.holder_id, cards.c.id)
    )
    return sorted(Claimed(*row) for row in claimed.all())


def _owed_since(now: datetime) -> ColumnElement[datetime]:
    """Since when a claimed check is owed: kept from an earlier claim, else when it fell due. One
    that was asked for is not late before it is handed out: what falls due comes first."""
    fell_due = case((cards.c.next_check_at <= now, cards.c.next_check_at), else_=now)
    return func.coalesce(cards.c.check_since, fell_due)


def watched_columns() -> Select[Any]:
    """A select of cards with their holders and books, for ``to_watched``: what a decision needs
    and nothing else, since each further column of a million cards takes its time."""
    return (
        select(*(cards.c[name] for name in _OF_CARD), *(holders.c[name] for name in _OF_HOLDER))
        .add_columns(books.c.signature, books.c.guardian_email)
        .join(holders, holders.c.id == cards.c.holder_id)
        .join(books, books.c.id == cards.c.book_id)
    )


# In the order in which ``to_watched`` takes them.
_OF_CARD = (
    *("id", "book_id", "holder_id", "kind", "operator", "msisdn", "iccid", "plan", "plan_days"),
    *("plan_end", "last_topup", "balance", "state", "time_zone", "watched_since", "paused"),
    *("renewed_at", "former_plan_end", "former_last_topup"),
    *("asked_at", "claimed_plan_end", "claimed_last_topup", "receipt_ref"),
)
_OF_HOLDER = ("name", "language", "time_zone", "contact_phone", "email")
_KINDS: Mapping[str, Kind] = {kind.value: kind for kind in Kind}
_STATES: Mapping[str, CardState] = {state.value: state for state in CardState}
_LANGUAGES: Mapping[str, Language] = {language.value: language for language in Language}


def to_watched(row: Row[Any]) -> Watched:
    """One row of ``watched_columns`` as values."""
    cell = tuple(row)  # by place: by name each costs ten times as much
    card = Card(
        id=cell[0],
        book_id=cell[1],
        holder_id=cell[2],
        kind=_KINDS[cell[3]],
        operator=cell[4],
        msisdn=cell[5],
        iccid=cell[6],
        plan=cell[7],
        plan_days=cell[8],
        plan_end=cell[9],
        last_topup=cell[10],
        balance=cell[11],
        state=_STATES[cell[12]],
        time_zone=cell[13],
        watched_since=cell[14],
        paused=cell[15],
        renewed_at=cell[16],
        former_plan_end=cell[17],
        former_last_topup=cell[18],
        asked_at=cell[19],
        claimed_plan_end=cell[20],
        claimed_last_topup=cell[21],
        receipt_ref=cell[22],
        guardian_email=cell[29],
    )
    name, language, time_zone, contact_phone, email = cell[23:28]
    holder = Holder(card.holder_id, name, _LANGUAGES[language], time_zone, contact_phone, email)
    return Watched(card, holder, cell[28])


def lock(conn: Connection, ids: Sequence[int]) -> list[Watched]:
    """Load the cards ``ids`` for a check, sorted by holder, leaving out those somebody else holds.

    The row locks make a renewal wait until the check is over, or the check see the renewal.
    """
    rows = conn.execute(
        watched_columns()
        .where(among(conn, cards.c.id, ids))
        .order_by(cards.c.holder_id, cards.c.id)
        .with_for_update(of=cards, skip_locked=True)
    )
    return [to_watched(row) for row in rows.all()]


def hold(conn: Connection, card_id: int) -> Watched | None:
    """Load one card and lock it, waiting for whoever has it."""
    row = conn.execute(
        watched_columns().where(cards.c.id == card_id).with_for_update(of=cards)
    ).one_or_none()
    return to_watched(row) if row else None


def change(
    conn: Connection,
    card_id: int,
    values: Mapping[str, object],
    now: datetime,
    held_until: datetime | None = None,
) -> None:
    """Set columns of a card, and ask for its check; ``held_until``: it is left alone until then."""
    check: dict[str, datetime | None] = {"check_asked_at": now}
    if held_until is not None:
        check = {"check_asked_at": None, "next_check_at": held_until}
    conn.execute(
        update(cards).where(cards.c.id == card_id).values(**values, **check, updated_at=now)
    )


def last_event(conn: Connection, card_id: int) -> int:
    """The number of what happened to the card last, 0 where nothing has: it changes whenever the
    card does."""
    mine = select(func.max(card_events.c.id)).where(card_events.c.card_id == card_id)
    return int(conn.execute(mine).scalar() or 0)


def load(conn: Connection, ids: Iterable[int]) -> dict[int, Watched]:
    """The cards ``ids`` as they are now, by id."""
    rows = conn.execute(watched_columns().where(among(conn, cards.c.id, list(ids))))
    return {row.id: to_watched(row) for row in rows}


def advance(conn: Connection, instants: Mapping[int, datetime | None]) -> None:
    """Set the next instant of change of cards that were checked; ``None`` means not before the
    card changes."""
    for batch in batched(instants.items()):
        if conn.dialect.name == "postgresql":
            values = {"ids": [card for card, _ in batch], "ats": [at for _, at in batch]}
            conn.execute(_ADVANCE, values)
        else:
            ats = as_stored(conn, cards.c.next_check_at, [at for _, at in batch])
            rows = [(at, card) for at, (card, _) in zip(ats, batch, strict=True)]
            conn.exec_driver_sql(_ADVANCE_EACH, rows)


_TOLD = (
    func.unnest(
        bindparam("ids", type_=array_of(cards.c.id.type)),
        bindparam("ats", type_=array_of(cards.c.next_check_at.type)),
    )
    .table_valued(column("id", cards.c.id.type), column("at", cards.c.next_check_at.type))
    .render_derived(name="told")
)
_ADVANCE = (
    update(cards)
    .where(cards.c.id == _TOLD.c.id)
    .values(next_check_at=_TOLD.c.at, check_since=None, check_asked_at=None)
)
_ADVANCE_EACH = (
    "UPDATE cards SET next_check_at = ?, check_since = NULL, check_asked_at = NULL WHERE id = ?"
)


class CardEvent(TypedDict):
    """What happened to a card, for its audit trail; ``detail`` holds no address."""

    card_id: int
    at: datetime
    event: str
    detail: Mapping[str, object]


def add_events(conn: Connection, events: Sequence[CardEvent]) -> None:
    """Write the audit trail."""
    if events:
        add_many(conn, card_events, events)
