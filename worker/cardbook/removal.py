"""Use case: a card or a whole book is taken away, and what becomes of the proof is told first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select

from worker.errors import CardBookError
from worker.pipeline.endings import count
from worker.store import removal as store
from worker.store.books import find
from worker.store.engine import reading, writing
from worker.store.removal import Contents
from worker.store.tables import books


@dataclass(frozen=True, slots=True)
class Removal:
    """What goes, or went where ``applied``. ``erased``: its proof too, if there is any."""

    contents: Contents
    erased: bool
    applied: bool


def remove_book(engine: Engine, name: str, now: datetime, *, apply: bool) -> Removal:
    """Take the book ``name`` away; without ``apply`` only tell what would go.

    The book of samples goes whole, and so does one of which no message was ever tried. Of any
    other the proof stays for its time. Raises ``CardBookError`` if there is no such book, or if a
    message of one that goes whole is under way.
    """
    with writing(engine) if apply else reading(engine) as conn:
        book_id = find(conn, name)
        if book_id is None:
            raise _no_book(name)
        if apply:
            store.hold(conn, book_id)
        found = store.contents(conn, book_id=book_id)
        sample = conn.execute(select(books.c.sample).where(books.c.id == book_id)).scalar_one()
        whole = bool(sample) or not found.proof
        if apply and whole:
            _require_rest(found)
            store.erase_book(conn, book_id)
        elif apply:
            count(store.close_book(conn, book_id, now))
        return Removal(found, whole, apply)


def remove_card(engine: Engine, card: Any, now: datetime, *, apply: bool) -> Removal:
    """The same for one card (a row with ``id`` and ``book_id``): its proof always stays."""
    with writing(engine) if apply else reading(engine) as conn:
        found = store.contents(conn, book_id=card["book_id"], card_id=card["id"])
        if apply:
            count(store.close_card(conn, card["id"], now))
        return Removal(found, False, apply)


def _require_rest(found: Contents) -> None:
    if found.under_way:
        raise CardBookError(
            f"{found.under_way} messages of this book are under way; nothing was removed.",
            "Try again in some minutes, once the workers have settled them.",
        )


def _no_book(name: str) -> CardBookError:
    return CardBookError(f"There is no card book {name!r}.", "List them with: vigencia books list")
