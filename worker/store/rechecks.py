"""Checks that somebody asked for, beside those that fall due: of cards that are new or changed, and
of all cards after the rules have changed. They take their turn when nothing is due.

A check of all cards is one row that says how far it has come, not a mark on each card: asking costs
nothing, and each slice of it is as short a transaction as any claim.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, literal, select, text, update

from worker.core.cards import CardState
from worker.store.bulk import among
from worker.store.cards import Claimed
from worker.store.planner_hints import by_index
from worker.store.tables import books, cards, rechecks
from worker.store.upsert import upsert

_WATCHED = (CardState.ACTIVE, CardState.SUSPENDED)
# The key by which a second check of all books is known to be one.
_ALL_BOOKS: Mapping[str, Any] = {
    "index_elements": [text("(book_id IS NULL)")],
    "index_where": text("book_id IS NULL"),
}


@dataclass(frozen=True, slots=True)
class Underway:
    """A check of all cards (of ``book``) that goes on; ``done`` is a share from 0 to 1."""

    book: str | None
    asked_at: datetime
    done: float


def ask(conn: Connection, book_id: int | None, now: datetime) -> int:
    """Have all watched cards (of one book) checked, from the first one on; returns how many.

    Cards that come later are not among them: whoever writes them asks for their check.
    """
    mine: list[ColumnElement[bool]] = [cards.c.state.in_(_WATCHED)]
    if book_id is not None:
        mine.append(cards.c.book_id == book_id)
    count, last = conn.execute(select(func.count(), func.max(cards.c.id)).where(*mine)).one()
    if count:
        row = {"book_id": book_id, "after_id": 0, "until_id": last, "asked_at": now}
        again = upsert(conn.dialect.name, rechecks).values(row)
        key = _ALL_BOOKS if book_id is None else {"index_elements": ["book_id"]}
        conn.execute(again.on_conflict_do_update(**key, set_=row))
    return int(count)


def underway(conn: Connection) -> list[Underway]:
    """What was asked for and is not finished, in the order in which it is done."""
    rows = conn.execute(
        select(rechecks, books.c.name)
        .outerjoin(books, books.c.id == rechecks.c.book_id)
        .order_by(rechecks.c.asked_at, rechecks.c.id)
    )
    return [Underway(row.name, row.asked_at, row.after_id / row.until_id) for row in rows]


def room(conn: Connection, most: int) -> int:
    """How many more checks that were asked for may be handed out, if there are any, so that no
    more than ``most`` checks of any sort are with the workers."""
    # In order and one only: however the database plans that, it reads the index and no card.
    new = select(cards.c.id).where(cards.c.check_asked_at.is_not(None))
    new = new.order_by(cards.c.check_asked_at).limit(1)
    if not any(conn.execute(asked).first() for asked in (new, select(rechecks.c.id).limit(1))):
        return 0
    by_index(conn, in_order=True)
    handed_out = select(cards.c.id).where(cards.c.check_since.is_not(None)).limit(most).subquery()
    return most - int(conn.execute(select(func.count()).select_from(handed_out)).scalar_one())


def claim(conn: Connection, now: datetime, limit: int, lease: timedelta) -> list[Claimed]:
    """Take up to ``limit`` cards, the next slice of a check of all, as ``cards.claim_due`` takes
    those that are due."""
    one = conn.execute(
        select(rechecks)
        .order_by(rechecks.c.asked_at, rechecks.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    return [] if one is None else _slice(conn, one, now, limit, lease)


def _slice(
    conn: Connection, one: Row[Any], now: datetime, limit: int, lease: timedelta
) -> list[Claimed]:
    wanted = _next(conn, one, limit)
    locked = select(cards.c.id).where(among(conn, cards.c.id, wanted))
    free = set(conn.execute(locked.with_for_update(skip_locked=True)).scalars())
    # Up to the first that somebody holds, such as an import: nobody is waited for, none left out.
    ids = list(takewhile(free.__contains__, wanted))
    mine = rechecks.c.id == one.id
    if len(ids) == len(wanted) < limit:
        conn.execute(delete(rechecks).where(mine))
    elif ids:
        conn.execute(update(rechecks).where(mine).values(after_id=ids[-1]))
    claimed = conn.execute(
        update(cards)
        .where(among(conn, cards.c.id, ids))
        .values(next_check_at=now + lease, check_since=now, check_asked_at=None)
        .returning(cards.c.holder_id, cards.c.id)
    )
    return sorted(Claimed(*row) for row in claimed.all())


def _next(conn: Connection, one: Row[Any], limit: int) -> Sequence[int]:
    """The next cards by number. One that is with a worker is being checked as it is."""
    query = select(cards.c.id).where(
        cards.c.id > one.after_id,
        cards.c.id <= one.until_id,
        cards.c.state.in_(_WATCHED),
        cards.c.check_since.is_(None),
    )
    if one.book_id is not None:
        # Written out: a large book is walked through by number, of a small one all cards are read.
        query = query.where(cards.c.book_id == literal(one.book_id, literal_execute=True))
    else:
        by_index(conn, in_order=True)
    return conn.execute(query.order_by(cards.c.id).limit(limit)).scalars().all()
