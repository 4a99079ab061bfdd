"""Card books in the store: the book itself, and its holders and cards as an import needs them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from sqlalchemy import Connection, Row, select, update

from worker.core.cards import CardState
from worker.core.names import same_name
from worker.core.reminders import ReminderState
from worker.store import card_index
from worker.store.bulk import among, batched, insert_many, update_many
from worker.store.tables import books, cards, holders, reminders
from worker.store.upsert import upsert


@dataclass(frozen=True, slots=True)
class Own:
    """What an import needs of its book; ``id`` is ``None`` of one that does not exist yet."""

    id: int | None
    language: str
    time_zone: str


def ensure(conn: Connection, name: str, wanted: Mapping[str, Any], now: datetime) -> Row[Any]:
    """The book ``name``, created if it is new. ``wanted`` (``signature language time_zone``)
    applies where it is not ``None`` under ``set_``, else only to a new book.

    The book stays locked until the transaction ends, so imports of one book go one by one.
    """
    defaults, changes = _parted(wanted)
    if find(conn, name) is None:
        new = upsert(conn.dialect.name, books).values(
            name=name, created_at=now, **{**defaults, **changes}
        )
        # Another process may have made it a moment ago.
        conn.execute(new.on_conflict_do_nothing(index_elements=["name"]))
    # No key changes: what refers to the book, such as a message of a check, need not wait.
    locked = select(books).where(books.c.name == name).with_for_update(key_share=True)
    row = conn.execute(locked).one()
    different = {key: value for key, value in changes.items() if getattr(row, key) != value}
    if row.removed_at is not None:  # its name is free: it begins anew, beside the old proof
        different |= {**defaults, **changes, "removed_at": None}
    if row.sample != defaults.get("sample", row.sample):  # it has no cards yet
        different["sample"] = defaults["sample"]
    if different:
        conn.execute(update(books).where(books.c.id == row.id).values(**different))
        row = conn.execute(locked).one()
    return row


def peek(conn: Connection, name: str, wanted: Mapping[str, Any]) -> Own:
    """The book ``name`` as ``ensure`` would have it; nothing is written."""
    defaults, changes = _parted(wanted)
    row = conn.execute(select(books).where(books.c.name == name)).mappings().one_or_none()
    values: dict[str, Any] = {"id": None, **(row or defaults), **changes}
    return Own(values["id"], values["language"], values["time_zone"])


def is_sample(conn: Connection, name: str) -> bool | None:
    """Is the book ``name`` the invented one? ``None`` if there is no such book, or no card in
    it."""
    there = (cards.c.book_id == books.c.id, cards.c.removed_at.is_(None))
    known = select(books.c.sample).where(books.c.id == find(conn, name))
    found = conn.execute(known.where(select(cards.c.id).where(*there).exists())).scalar()
    return None if found is None else bool(found)


def _parted(wanted: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values of a new book, and those that apply to any."""
    defaults = {k: v for k, v in wanted.items() if not k.startswith("set_")}
    changes = {k.removeprefix("set_"): v for k, v in wanted.items() if k.startswith("set_") and v}
    return defaults, changes


def find(conn: Connection, name: str, *, removed: bool = False) -> int | None:
    """The id of the book ``name``, however it is typed (see ``core.names``); of one that was
    removed only where that is wanted."""
    found = named_like(conn, name, removed=removed)
    return found[0] if found else None


def named_like(conn: Connection, name: str, *, removed: bool = False) -> tuple[int, str] | None:
    """The id and the name of the book that ``name`` means: the one of exactly this name, else the
    one whose name differs in case, width or Unicode form only."""
    there = select(books.c.id, books.c.name).order_by(books.c.id)
    if not removed:
        there = there.where(books.c.removed_at.is_(None))
    exact = conn.execute(there.where(books.c.name == name)).scalar()
    if exact is not None:
        return exact, name
    wanted = same_name(name)
    every = conn.execute(there)
    return next(((row.id, row.name) for row in every if same_name(row.name) == wanted), None)


def names(conn: Connection) -> list[str]:
    """The names of the books that were not removed, the oldest first."""
    there = select(books.c.name).where(books.c.removed_at.is_(None))
    return list(conn.execute(there.order_by(books.c.id)).scalars())


def in_other_books(
    conn: Connection, book_id: int | None, msisdns: Collection[str], iccids: Collection[str]
) -> list[tuple[str | None, str | None, str]]:
    """The watched cards of other books with one of these numbers: number, ICCID, name of the book.

    ``iccids`` are looked up book by book, for no index has them alone.
    """
    others = conn.execute(select(books.c.id, books.c.name)).all()
    by_id = {row.id: row.name for row in others if row.id != book_id}
    if not by_id:
        return []
    query = select(cards.c.msisdn, cards.c.iccid, cards.c.book_id).where(
        cards.c.state.in_((CardState.ACTIVE, CardState.SUSPENDED))
    )
    found: list[Any] = []
    if msisdns:
        found += conn.execute(query.where(among(conn, cards.c.msisdn, msisdns))).all()
    for other in by_id if iccids else ():
        own = query.where(cards.c.book_id == other)
        found += conn.execute(own.where(among(conn, cards.c.iccid, iccids))).all()
    return [(row.msisdn, row.iccid, by_id[row.book_id]) for row in found if row.book_id in by_id]


def holders_of(conn: Connection, book_id: int) -> Sequence[Row[Any]]:
    """All holders of a book."""
    return conn.execute(select(holders).where(holders.c.book_id == book_id)).all()


def cards_of(conn: Connection, book_id: int, *, lock: bool = True) -> Sequence[Row[Any]]:
    """All cards of a book as an import compares them, locked until it ends unless told not to."""
    unused = (
        *("book_id", "receipt_ref", "next_check_at", "check_asked_at", "created_at", "updated_at"),
        *("asked_at", "claimed_plan_end", "claimed_last_topup", "removed_at"),
    )
    columns = [column for column in cards.c if column.name not in unused]
    mine = (cards.c.book_id == book_id, cards.c.removed_at.is_(None))
    query = select(*columns).where(*mine).order_by(cards.c.id)
    return conn.execute(query.with_for_update(key_share=True) if lock else query).all()


def add_holders(conn: Connection, rows: Iterable[Mapping[str, Any]]) -> list[int]:
    """Insert holders; returns their ids in order."""
    return insert_many(conn, holders, rows)


class HolderValues(TypedDict):
    """Who a holder is; ``language`` and ``time_zone`` that are ``None`` are the book's."""

    name: str
    language: str | None
    time_zone: str | None
    contact_phone: str | None
    email: str | None


def holder_like(conn: Connection, book_id: int, person: HolderValues, now: datetime) -> int:
    """The id of the book's holder who is just like ``person``, made if there is none."""
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


def erase_done(conn: Connection, holder_ids: Iterable[int], now: datetime) -> None:
    """Forget who these holders are, of whom all cards are at their end; the proof of each notice
    stays with its attempts."""
    open_cards = select(cards.c.id).where(
        cards.c.holder_id == holders.c.id,
        cards.c.state.not_in((CardState.CLOSED, CardState.RECYCLED)),
    )
    for some in batched(holder_ids):
        erased = conn.execute(
            update(holders)
            .where(holders.c.id.in_(some), ~open_cards.exists())
            .values(name="", contact_phone=None, email=None, updated_at=now)
            .returning(holders.c.id)
        )
        card_index.rename(conn, erased.scalars().all())


def take_turns(conn: Connection, book_ids: Iterable[int]) -> None:
    """Until this transaction ends nobody else has these books for himself; others still write
    what belongs to them."""
    mine = select(books.c.id).where(books.c.id.in_(list(book_ids))).order_by(books.c.id)
    conn.execute(mine.with_for_update(key_share=True)).all()


def guardian_of(conn: Connection, book_id: int, now: datetime) -> int:
    """The id of the holder who stands for the book's guardian, as messages need one."""
    book = conn.execute(select(books).where(books.c.id == book_id)).one()
    person: HolderValues = {
        "name": book.name,
        "language": book.language,
        "time_zone": book.time_zone,
        "contact_phone": None,
        "email": book.guardian_email,
    }
    return holder_like(conn, book_id, person, now)


def add_cards(conn: Connection, rows: Iterable[Mapping[str, Any]]) -> list[int]:
    """Insert cards; returns their ids in order."""
    return insert_many(conn, cards, rows)


def update_holders(conn: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Update holders by ``row_id``; the other keys are the columns to set."""
    update_many(conn, holders, rows)


def update_cards(conn: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Update cards by ``row_id``; the other keys are the columns to set."""
    update_many(conn, cards, rows)


def waiting_reminders(conn: Connection, book_id: int) -> list[tuple[int, int]]:
    """All reminders of the book's cards that wait, as (reminder id, card id)."""
    rows = conn.execute(
        select(reminders.c.id, reminders.c.card_id)
        .join(cards, cards.c.id == reminders.c.card_id)
        .where(cards.c.book_id == book_id, reminders.c.state == ReminderState.PENDING)
    )
    return [(row.id, row.card_id) for row in rows]
