"""Rows of cells as they come from a file, within bounds, and the header row among them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from worker.cardbook.cells import Cell, ValueProblem, text_of, trim
from worker.cardbook.rows import Problem
from worker.errors import CardBookError

MAX_ROWS = 1_000_000
MAX_COLUMNS = 256
MAX_CELL_CHARS = 10_000
HEADER_ROWS = 20

# An address, or a number that is longer than that of "teléfono 2".
_VALUE = re.compile(r"@|[0-9](?:[\s.\-]?[0-9]){5}")

KnowsHeader = Callable[[str], bool]
Row = tuple[int, list[Cell]]


@dataclass(slots=True)
class Grid:
    """A sheet's rows that are not blank, each with its own 1-based number.

    ``name`` is the sheet's (``None``: a text file); ``next_row`` the number of the row to come;
    ``first_column`` the 1-based column of each row's first cell; ``hidden`` the rows that a person
    does not see; ``warnings`` what was doubtful in reading them.
    """

    name: str | None
    encoding: str | None
    next_row: int = 1
    first_column: int = 1
    rows: list[Row] = field(default_factory=list)
    hidden: frozenset[int] = frozenset()
    warnings: list[Problem] = field(default_factory=list)

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
        """The place in ``rows`` of the header row, near the top: of the rows above the first card
        the one that names most columns we know.

        A block above the table ("Cliente | Sol SAC") names some, and holds values beside them.
        """
        best: tuple[int, int] | None = None
        for place, (_, cells) in enumerate(self.rows[:HEADER_ROWS]):
            known = sum(map(knows, titles(cells)))
            values = holds_values(cells)
            if best and values and not known:
                break
            filled = sum(cell is not None for cell in cells)
            if known >= 2 and not values and 2 * known > filled and known > (best or (0,))[0]:
                best = known, place
        return best[1] if best else self._first_known(knows)

    def _first_known(self, knows: KnowsHeader) -> int | None:
        for place, (_, cells) in enumerate(self.rows[:HEADER_ROWS]):
            if sum(map(knows, titles(cells))) >= 2 and not _holds_contacts(cells):
                return place
        return None


def holds_values(cells: Sequence[Cell]) -> bool:
    """Whether a row holds what no header does: a number, a date, an address."""
    return any(
        cell is not None and (not isinstance(cell, str) or bool(_VALUE.search(cell)))
        for cell in cells
    )


def _holds_contacts(cells: Sequence[Cell]) -> bool:
    """What is in such a row is somebody's, and is not to be told as a column's name."""
    return any(isinstance(cell, str) and "@" in cell for cell in cells)


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
