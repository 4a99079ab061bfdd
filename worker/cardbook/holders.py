"""Which holder a row means: one already known, one whose contacts changed, or a new one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from worker.cardbook.rows import CardRow
from worker.cardbook.zones import zone_of
from worker.store import books as book_store


class Person(NamedTuple):
    """What makes two rows speak of the same holder: all of it is equal."""

    name: str
    language: str
    time_zone: str
    contact_phone: str | None
    email: str | None


@dataclass(slots=True)
class Holders:
    """The holders of one book during one import."""

    book: Row[Any]
    known: dict[Person, int]
    by_id: dict[int, Person]
    wanted: set[Person]
    new: list[Person] = field(default_factory=list)
    updated: dict[int, Person] = field(default_factory=dict)

    @classmethod
    def load(cls, conn: Connection, book: Row[Any], rows: Sequence[CardRow]) -> "Holders":
        """The holders a book has, and those that ``rows`` speak of."""
        by_id = {
            row.id: Person(row.name, row.language, row.time_zone, row.contact_phone, row.email)
            for row in book_store.holders_of(conn, book.id)
        }
        known = {person: holder for holder, person in by_id.items()}
        return cls(book, known, by_id, {person_of(row, book) for row in rows})

    def resolve(self, row: CardRow, holder_now: int | None) -> int | Person:
        """The holder of ``row``, whose card has ``holder_now``: an id, or a person to create.

        The same name with other contacts is the same holder whose contacts changed, unless this
        very file still speaks of the old ones.
        """
        person = person_of(row, self.book)
        if person in self.known:
            return self.known[person]
        before = self.by_id.get(holder_now) if holder_now is not None else None
        if before and holder_now and before.name == person.name and before not in self.wanted:
            self.known[person] = holder_now
            self.by_id[holder_now] = person
            self.updated[holder_now] = person
            return holder_now
        if person not in self.new:
            self.new.append(person)
        return person

    def write(self, conn: Connection, now: datetime) -> None:
        """Store new and updated holders; afterwards every person of the file has an id."""
        rows = [
            {**p._asdict(), "book_id": self.book.id, "created_at": now, "updated_at": now}
            for p in self.new
        ]
        self.known |= zip(self.new, book_store.add_holders(conn, rows), strict=True)
        changes = [{"row_id": i, **p._asdict(), "updated_at": now} for i, p in self.updated.items()]
        book_store.update_holders(conn, changes)


def person_of(row: CardRow, book: Row[Any]) -> Person:
    """The holder a row describes, with the book's defaults where it says nothing.

    The time zone is the row's, else the contact phone's, else the book's.
    """
    by_phone = zone_of(row.contact_phone) if row.contact_phone else None
    return Person(
        name=row.holder,
        language=str(row.language or book.language),
        time_zone=row.time_zone or by_phone or book.time_zone,
        contact_phone=row.contact_phone,
        email=row.email,
    )
