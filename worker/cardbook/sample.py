"""The card books that come with the program are invented, and their numbers may be somebody's."""

from dataclasses import replace
from datetime import date
from pathlib import Path

from worker.cardbook.column_file import load_columns
from worker.cardbook.options import ReadOptions
from worker.cardbook.parse import read_cardbook
from worker.cardbook.rows import CardBook
from worker.errors import CardBookError
from worker.paths import shipped

_FILES = ("cardbook-zh.xlsx", "cardbook-en.tsv")
# Larger than all samples together and still mostly samples: no file is.
_MOST = 1_000
# The day for which the samples were written.
_WRITTEN_FOR = date(2026, 6, 5)


def is_sample(book: CardBook) -> bool:
    """Is at least half of the file our own sample, whatever it is called or was changed in?

    A card is known by its number and its ICCID together, so that nobody's own list, should it hold
    one of the invented numbers, is taken for one.
    """
    if not 0 < len(book.rows) <= _MOST:
        return False
    # With the words that come with the program: somebody's own need not name what is in it.
    vocabulary = load_columns(shipped("config") / "columns.toml")
    invented = {
        (row.msisdn, row.iccid)
        for name in _FILES
        for row in read_cardbook(shipped("examples") / name, ReadOptions(), vocabulary).rows
    }
    ours = sum((row.msisdn, row.iccid) in invented for row in book.rows)
    return 2 * ours >= len(book.rows)


def require_apart(book: str, *, sample: bool, there: bool | None) -> None:
    """Raise ``CardBookError`` if invented and own cards would come into one book; ``there``: is
    the book, if it has cards, the sample?"""
    if there is None or there is sample:
        return
    if sample:
        raise CardBookError(
            f"This file is the sample, and {book!r} is a book of your own.",
            "Import it as a book with another name: --book sample.",
        )
    raise CardBookError(
        f"{book!r} is the sample book: what its cards owe reaches nobody real.",
        f"Choose another --book, or first: vigencia books remove {book!r} --apply",
    )


def sample_file() -> Path:
    """The Chinese sample book."""
    return shipped("examples") / _FILES[0]


def moved(book: CardBook, today: date) -> CardBook:
    """A sample whose dates lie to ``today`` as they do to the day for which it was written."""
    shift = today - _WRITTEN_FOR

    def later(day: date | None) -> date | None:
        return None if day is None else day + shift

    rows = (
        replace(row, plan_end=later(row.plan_end), last_topup=later(row.last_topup))
        for row in book.rows
    )
    return replace(book, rows=tuple(rows))
