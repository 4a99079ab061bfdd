"""What else stands among the rows of a sheet: its header once more, and further tables."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from worker.cardbook.folding import fold
from worker.cardbook.grid import Row, titles
from worker.cardbook.rows import Problem
from worker.cardbook.wording import counted, rows_named

FieldOf = Callable[[str], str | None]
_DIGIT = re.compile("[0-9]")
_FEWEST_NAMES = 2


@dataclass(slots=True)
class Parted:
    """``rows`` of the sheet's own table; ``repeated``, the rows that only repeat its header;
    ``others``, the rows of each further table, its header first."""

    rows: list[Row] = field(default_factory=list)
    repeated: list[int] = field(default_factory=list)
    others: list[list[Row]] = field(default_factory=list)

    def told(self) -> Iterator[Problem]:
        """A warning of the headers that were skipped."""
        if self.repeated:
            yield Problem(
                self.repeated[0],
                "",
                "repeated_header",
                f"the header stands once more in {rows_named(self.repeated)}, which are skipped",
                "nothing to do",
                tuple(self.repeated),
            )

    def refused(self) -> Iterator[Problem]:
        """An error for each further table: under the first header its cells would be misread."""
        for table in self.others:
            numbers = tuple(number for number, _ in table)
            yield Problem(
                numbers[0],
                "",
                "second_table",
                f"row {numbers[0]} begins a second table with other columns: it and the "
                f"{counted(len(numbers) - 1, 'row')} below are not read",
                "move it to a sheet or file of its own",
                numbers,
            )


def parted(header: Sequence[str], rows: Sequence[Row], field_of: FieldOf) -> Parted:
    """The rows under ``header``, told apart."""
    own = _fields(header, field_of)
    first = fold(next(filter(None, header), ""))
    found = Parted()
    table: list[Row] | None = None
    for row in rows:
        names = _names(row, first, field_of)
        if names is not None:
            if _same(names, header, own, field_of):
                found.repeated.append(row[0])
                table = None
                continue
            table = []
            found.others.append(table)
        (found.rows if table is None else table).append(row)
    return found


def _names(row: Row, first: str, field_of: FieldOf) -> list[str] | None:
    """The titles of a row that is a header; a card has digits in its number and its dates."""
    cells = row[1]
    filled = [cell for cell in cells if cell is not None]
    for cell in filled:
        if type(cell) is not str:
            return None
        if _DIGIT.search(cell) and fold(str(filled[0])) != first:
            return None
    names = titles(cells)
    known = sum(field_of(name) is not None for name in names if name)
    return names if known >= _FEWEST_NAMES and 2 * known >= len(filled) else None


def _fields(header: Sequence[str], field_of: FieldOf) -> dict[int, str]:
    every = {place: field_of(name) for place, name in enumerate(header) if name}
    return {place: name for place, name in every.items() if name is not None}


def _same(
    names: Sequence[str], header: Sequence[str], own: dict[int, str], field_of: FieldOf
) -> bool:
    """Whether the titles name the same columns, be it in other letters or another language."""
    if [*map(fold, names)] == [*map(fold, header)]:
        return True
    return _fields(names, field_of) == own
