"""Cards of a file that another book has too: their holders would be told twice."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from worker.cardbook.rows import CardRow
from worker.store import books as book_store


@dataclass(frozen=True, slots=True)
class AlsoInBook:
    """A row whose card is watched in the book ``book`` as well."""

    row: int
    book: str


def elsewhere(
    conn: Connection, book_id: int | None, rows: Sequence[CardRow]
) -> tuple[AlsoInBook, ...]:
    """The rows whose card is in another book than ``book_id``, in the order of the file."""
    by_msisdn = {row.msisdn: row.row for row in rows if row.msisdn}
    # Most rows have both; a chip alone is looked up at a higher price.
    by_iccid = {row.iccid: row.row for row in rows if row.iccid and not row.msisdn}
    found = book_store.in_other_books(conn, book_id, list(by_msisdn), list(by_iccid))
    numbers: set[tuple[int, str]] = set()
    for msisdn, iccid, book in found:
        row = by_msisdn.get(msisdn or "") or by_iccid.get(iccid or "")
        if row is not None:
            numbers.add((row, book))
    return tuple(AlsoInBook(row, book) for row, book in sorted(numbers))
