"""What an unknown column may be, judged by its cells: a contact that would be lost, a count of the
rows, or something to keep as a note."""

import re
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Literal

from worker.cardbook.cells import Cell
from worker.cardbook.reader import Sheet

# Enough to know a column by.
_LOOKED_AT = 500
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
# International, or a mobile number of Peru, China or Taiwan as it is written at home.
_PHONE = re.compile(r"(?:\+|00)[1-9][0-9]{7,14}|(?:51)?9[0-9]{8}|(?:86)?1[3-9][0-9]{9}|09[0-9]{8}")
_SEPARATORS = re.compile(r"[\s().\-'\u2010-\u2015\u200e\u202a-\u202e]")
_MOST_ROWS = 10_000_000

Looks = Literal["emails", "phones"]


def looks_like_contacts(sheet: Sheet, index: int) -> Looks | None:
    """What half of a column's cells are, if that is a way to reach somebody."""
    cells = [str(cell) for cell in islice(_cells(sheet, index), _LOOKED_AT)]
    bare = [text.removesuffix(".0") for text in (_SEPARATORS.sub("", cell) for cell in cells)]
    phones = sum(bool(_PHONE.fullmatch(text)) for text in bare)
    emails = sum(bool(_EMAIL.fullmatch(text.strip())) for text in cells)
    if 2 * emails >= max(len(cells), 1):
        return "emails"
    return "phones" if 2 * phones >= max(len(cells), 1) else None


def counts_rows(sheet: Sheet, index: int, *, named: bool) -> bool:
    """Whether a column only numbers the rows: small numbers, and unless its header says so
    (``named``) each one more than the one above."""
    numbers = [_number(cell) for cell in islice(_cells(sheet, index), _LOOKED_AT)]
    small = [number for number in numbers if number is not None and number < _MOST_ROWS]
    if not small or len(small) < len(numbers):
        return False
    return named or (len(small) > 1 and all(below == above + 1 for above, below in pairwise(small)))


def _cells(sheet: Sheet, index: int) -> Iterator[Cell]:
    for _, cells in sheet.rows:
        if index < len(cells) and cells[index] is not None:
            yield cells[index]


def _number(cell: Cell) -> int | None:
    if isinstance(cell, bool):
        return None
    if isinstance(cell, int | float):
        return int(cell) if cell == int(cell) else None
    return int(cell) if isinstance(cell, str) and re.fullmatch("[0-9]{1,8}", cell) else None
