"""Which holder a row means: one already known, one whose contacts changed, or a new one."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from worker.cardbook.folding import fold
from worker.cardbook.rows import CardRow
from worker.cardbook.zones import Why, zone_with_reason
from worker.core.names import same_name
from worker.store import books as book_store
from worker.store.books import Own


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

    book: Own
    known: dict[Person, int]
    by_id: dict[int, Person]
    # The names before this import changed any.
    names: dict[int, str]
    persons: Sequence[Person]
    wanted: set[Person]
    # How many rows took which zone, and from where.
    zones: Counter[tuple[str, Why]]
    # In the order of the file; a dict, for there may be as many as rows.
    new: dict[Person, None] = field(default_factory=dict)
    updated: dict[int, Person] = field(default_factory=dict)

    @classmethod
    def of(cls, book: Own, found: Iterable[Row[Any]], rows: Sequence[CardRow]) -> "Holders":
        """The holders a book has, and those that ``rows`` speak of."""
        by_id = {
            row.id: Person(row.name, row.language, row.time_zone, row.contact_phone, row.email)
            for row in found
        }
        known = {person: holder for holder, person in by_id.items()}
        names = {holder: person.name for holder, person in by_id.items()}
        same: dict[Person, Person] = {}
        zones: Counter[tuple[str, Why]] = Counter()
        persons = []
        for row in rows:
            zone, source = zone_for(row, book)
            zones[zone, source] += 1
            person = person_of(row, book, zone)
            # Who is typed in several ways in one file is one person, as the first row has it.
            persons.append(same.setdefault(person._replace(name=name_key(row.holder)), person))
        return cls(book, known, by_id, names, persons, set(same.values()), zones)

    def resolve(self, person: Person, holder_now: int | None) -> int | Person:
        """The holder that ``person`` is, whose card has ``holder_now``: an id, or whom to create.

        The same name with other contacts is the same holder whose contacts changed, unless this
        very file still speaks of the old ones. Names that differ in case, width, accents or Unicode
        form are the same.
        """
        if holder_now is not None and self.by_id.get(holder_now) == person:
            return holder_now  # of holders that are alike, such as forgotten ones, the card's own
        if person in self.known:
            return self.known[person]
        before = self.by_id.get(holder_now) if holder_now is not None else None
        alike = before is not None and name_key(before.name) == name_key(person.name)
        if before and holder_now and alike and before not in self.wanted:
            self.known[person] = holder_now
            self.by_id[holder_now] = person
            self.updated[holder_now] = person
            return holder_now
        self.new[person] = None
        return person

    def is_other(self, holder_now: int, person: Person) -> bool:
        """Whether ``person`` is somebody else, and not the same or one who was only now named."""
        name = self.names.get(holder_now, "")
        return bool(name) and name_key(name) != name_key(person.name)

    def write(self, conn: Connection, now: datetime) -> None:
        """Store new and updated holders; afterwards every person of the file has an id."""
        stamps = {"book_id": self.book.id, "created_at": now, "updated_at": now}
        rows = ({**p._asdict(), **stamps} for p in self.new)
        self.known |= zip(self.new, book_store.add_holders(conn, rows), strict=True)
        changes = ({"row_id": i, **p._asdict(), "updated_at": now} for i, p in self.updated.items())
        book_store.update_holders(conn, changes)


def zone_for(row: CardRow, book: Own) -> tuple[str, Why]:
    """A holder's time zone, and what it comes from."""
    if row.time_zone:
        return row.time_zone, Why.ROW
    by_phone = zone_with_reason(row.contact_phone) if row.contact_phone else None
    return (by_phone.name, by_phone.why) if by_phone else (book.time_zone, Why.BOOK)


@lru_cache(16_384)
def name_key(name: str) -> str:
    """One form for a person's name, however it is typed: capitals often lose their accents."""
    return fold(name) or same_name(name)


def person_of(row: CardRow, book: Own, zone: str) -> Person:
    """The holder a row describes, with the book's defaults where it says nothing."""
    return Person(
        name=row.holder,
        language=str(row.language or book.language),
        time_zone=zone,
        contact_phone=row.contact_phone,
        email=row.email,
    )
