"""Rows of cells as they come from a file, within bounds, and the header row among them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from worker.cardbook.cells import Cell, ValueProblem, text_of, trim
from worker.errors import CardBookError

MAX_ROWS = 1_000_000
MAX_COLUMNS = 256
MAX_CELL_CHARS = 10_000
HEADER_ROWS = 20

KnowsHeader = Callable[[str], bool]
Row = tuple[int, list[Cell]]


@dataclass(slots=True)
class Grid:
    """A sheet's rows that are not blank, each with its own 1-based number.

    ``name`` is the sheet's (``None``: a text file); ``next_row`` the number of the row to come;
    ``first_column`` the 1-based column of each row's first cell.
    """

    name: str | None
    encoding: str | None
    next_row: int = 1
    first_column: int = 1
    rows: list[Row] = field(default_factory=list)

    def add(self, raw: list[Cell]) -> None:
        """Take the next row. Raises CardBookError past a bound."""
        number = self.next_row
        self.next_row += 1
        cells = [trim(cell) for cell in raw]
        while cells and cells[-1] is None:
            cells.pop()
        if not cells:
            return
        for index, cell in enumerate(cells):
            if isinstance(cell, str) and len(cell) > MAX_CELL_CHARS:
                column = column_letter(self.first_column + index)
                raise CardBookError(
                    f"row {number}, column {column}: a cell of {len(cell)} characters",
                    f"the limit is {MAX_CELL_CHARS}; in a text file a quote may never be closed",
                )
        if len(cells) > MAX_COLUMNS:
            raise CardBookError(
                f"row {number} has {len(cells)} columns",
                f"the limit is {MAX_COLUMNS}; delete stray cells far to the right",
            )
        if len(self.rows) > MAX_ROWS:
            raise CardBookError(f"more than {MAX_ROWS:,} rows", "split the card book")
        self.rows.append((number, cells))

    def header_at(self, knows: KnowsHeader) -> int | None:
        """The place in ``rows`` of the first row with two known headers, near the top."""
        for place, (_, cells) in enumerate(self.rows[:HEADER_ROWS]):
            if sum(knows(title) for title in titles(cells)) >= 2:
                return place
        return None


def column_letter(number: int) -> str:
    """The spreadsheet's name of a 1-based column: A, B, … AA."""
    name = ""
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def titles(cells: Sequence[Cell]) -> list[str]:
    """The cells of a header row as text; an unreadable one is blank."""
    return [_title(cell) for cell in cells]


def _title(cell: Cell) -> str:
    try:
        return text_of(cell)
    except ValueProblem:
        return ""
