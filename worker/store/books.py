"""Card books in the store: the book itself, and its holders and cards as an import needs them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from worker.core.cards import CardState
from worker.store.tables import books, cards, holders


def ensure(conn: Connection, name: str, wanted: Mapping[str, Any], now: datetime) -> Row[Any]:
    """The book ``name``, created if it is new. ``wanted`` (``signature language time_zone``)
    applies where it is not ``None`` under ``set_``, else only to a new book."""
    row = conn.execute(select(books).where(books.c.name == name)).one_or_none()
    changes = {k.removeprefix("set_"): v for k, v in wanted.items() if k.startswith("set_") and v}
    if row is None:
        defaults = {k: v for k, v in wanted.items() if not k.startswith("set_")}
        conn.execute(insert(books).values(name=name, created_at=now, **{**defaults, **changes}))
    elif changes:
        conn.execute(update(books).where(books.c.id == row.id).values(**changes))
    return conn.execute(select(books).where(books.c.name == name)).one()


def find(conn: Connection, name: str) -> int | None:
    """The id of the book ``name``."""
    return conn.execute(select(books.c.id).where(books.c.name == name)).scalar()


def holders_of(conn: Connection, book_id: int) -> Sequence[Row[Any]]:
    """All holders of a book."""
    return conn.execute(select(holders).where(holders.c.book_id == book_id)).all()


def cards_of(conn: Connection, book_id: int) -> Sequence[Row[Any]]:
    """All cards of a book, locked until the import ends."""
    return conn.execute(
        select(cards).where(cards.c.book_id == book_id).order_by(cards.c.id).with_for_update()
    ).all()


def add_holders(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Insert holders; returns their ids in order."""
    return _insert(conn, holders, rows)


def holder_like(conn: Connection, book_id: int, person: Mapping[str, Any], now: datetime) -> int:
    """The id of the book's holder who is just like ``person``, made if there is none.

    ``language`` and ``time_zone`` that are ``None`` are the book's.
    """
    book = conn.execute(select(books).where(books.c.id == book_id)).one()
    values = {
        **person,
        "language": person["language"] or book.language,
        "time_zone": person["time_zone"] or book.time_zone,
    }
    same = [holders.c[name].is_not_distinct_from(value) for name, value in values.items()]
    found = conn.execute(
        select(holders.c.id).where(holders.c.book_id == book_id, *same).limit(1)
    ).scalar()
    if found is not None:
        return int(found)
    row = {**values, "book_id": book_id, "created_at": now, "updated_at": now}
    return add_holders(conn, [row])[0]


def erase_if_done(conn: Connection, holder_id: int, now: datetime) -> None:
    """Forget who a holder is once all their cards are at their end; the proof of each notice stays
    with its attempts."""
    open_cards = select(cards.c.id).where(
        cards.c.holder_id == holder_id,
        cards.c.state.not_in((CardState.CLOSED, CardState.RECYCLED)),
    )
    conn.execute(
        update(holders)
        .where(holders.c.id == holder_id, ~open_cards.exists())
        .values(name="", contact_phone=None, email=None, updated_at=now)
    )


def guardian_of(conn: Connection, book_id: int, now: datetime) -> int:
    """The id of the holder who stands for the book's guardian, as messages need one."""
    book = conn.execute(select(books).where(books.c.id == book_id)).one()
    person = {
        "name": book.name,
        "language": book.language,
        "time_zone": book.time_zone,
        "contact_phone": None,
        "email": book.guardian_email,
    }
    return holder_like(conn, book_id, person, now)


def add_cards(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Insert cards; returns their ids in order."""
    return _insert(conn, cards, rows)


def update_holders(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Update holders by ``row_id``; every row has the same columns."""
    if rows:
        conn.execute(update(holders).where(holders.c.id == bindparam("row_id")), list(rows))


def update_cards(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Update cards by ``row_id``; every row has the same columns."""
    if rows:
        conn.execute(update(cards).where(cards.c.id == bindparam("row_id")), list(rows))


def _insert(conn: Connection, table: Any, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    if not rows:
        return []
    statement = insert(table).returning(table.c.id, sort_by_parameter_order=True)
    return list(conn.execute(statement, list(rows)).scalars())
