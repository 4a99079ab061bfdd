"""A card book's file made into one sheet of cells, or refused with the next step.

What a file is follows from its content; its name only decides what an unreadable one was meant to
be.
"""

import re
import shlex
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from worker.cardbook.cells import Cell, masked
from worker.cardbook.grid import HEADER_ROWS, Grid, KnowsHeader, Row, holds_values, titles
from worker.cardbook.options import ReadOptions
from worker.cardbook.rows import Problem
from worker.cardbook.source_file import (
    MAX_WORKBOOK_BYTES,
    content,
    refuse_disguise,
    shown_name,
    too_large,
)
from worker.cardbook.tables import FieldOf, parted
from worker.cardbook.text import text_grid
from worker.cardbook.wording import counted, rows_named, short
from worker.cardbook.workbook import guard, is_workbook, unseen_sheets, workbook_grids
from worker.errors import CardBookError

__all__ = ["ReadOptions", "Sheet", "read_sheet"]

_SHOWN_TITLES, _FEWEST_TITLES = 6, 3


@dataclass(frozen=True, slots=True)
class Sheet:
    """The header row and the data rows under it; blank rows and repeated headers are left out.

    ``name`` is ``None`` for a text file, ``encoding`` for a workbook. Row numbers are the
    spreadsheet's own, 1-based; ``first_column`` is the 1-based column of the first cell.
    ``warnings`` tell of sheets that were not read, and of what was doubtful. ``others`` are the
    rows of further tables in the sheet, which ``errors`` refuse.
    """

    file: str
    encoding: str | None
    name: str | None
    header_row: int
    first_column: int
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    warnings: tuple[Problem, ...] = ()
    errors: tuple[Problem, ...] = ()
    others: tuple[Row, ...] = ()


def read_sheet(path: Path, options: ReadOptions, field_of: FieldOf) -> Sheet:
    """The sheet named by ``options``, else the first visible one with a header row.

    ``field_of`` tells what a text heads, ``None`` if no column that we can read. Raises
    CardBookError.
    """

    def knows(title: str) -> bool:
        return bool(title) and field_of(title) is not None

    data = content(path)
    # Closed, so that no unpacking goes on after an error.
    with closing(_grids(path, data, options, knows)) as grids:
        looked_at: list[Grid] = []
        for grid in grids:
            place = _header_of(grid, knows)
            if place is not None:
                further = () if options.sheet else tuple(_unread(grids, knows))
                return _sheet(path, grid, place, field_of, further)
            looked_at += [grid] if grid.rows else []
    raise _no_header(path, looked_at, data, options, knows)


def _sheet(
    path: Path, grid: Grid, place: int, field_of: FieldOf, further: tuple[Problem, ...]
) -> Sheet:
    number, cells = grid.rows[place]
    header = tuple(titles(cells))
    found = parted(header, grid.rows[place + 1 :], field_of)
    return Sheet(
        file=shown_name(path),
        encoding=grid.encoding,
        name=grid.name,
        header_row=number,
        first_column=grid.first_column,
        header=header,
        rows=tuple(found.rows),
        warnings=(*grid.warnings, *found.told(), *_unseen(grid, found.rows), *further),
        errors=tuple(found.refused()),
        others=tuple(row for table in found.others for row in table),
    )


def _unseen(grid: Grid, rows: Sequence[Row]) -> Iterator[Problem]:
    """A warning of rows that a person does not see, hidden by hand or by a filter."""
    hidden = tuple(number for number, _ in rows if number in grid.hidden) if grid.hidden else ()
    if hidden:
        yield Problem(
            hidden[0],
            "",
            "hidden_rows",
            f"{counted(len(hidden), 'row')} hidden or filtered out in the sheet, read like the "
            f"others: {rows_named(hidden)}",
            "delete the rows that are no longer cards, and import the file again",
            hidden,
        )


def _grids(
    path: Path, data: bytes, options: ReadOptions, knows: KnowsHeader
) -> Generator[Grid, None, None]:
    if is_workbook(data):
        if len(data) > MAX_WORKBOOK_BYTES:
            raise too_large(path, len(data), MAX_WORKBOOK_BYTES, "save it as .csv, or split it")
        guard(data)
        yield from workbook_grids(data, options.sheet)
        return
    refuse_disguise(path, data)
    if options.sheet:
        raise CardBookError("a text file has no sheets", "leave out --sheet")
    yield text_grid(data, options.encoding, knows)


def _no_header(
    path: Path, looked_at: list[Grid], data: bytes, options: ReadOptions, knows: KnowsHeader
) -> CardBookError:
    """Why nothing could be read, and what may help."""
    if is_workbook(data) and not options.sheet:
        for name in unseen_sheets(data):
            with closing(workbook_grids(data, name)) as grids:
                if any(grid.header_at(knows) is not None for grid in grids):
                    return CardBookError(
                        f"{shown_name(path)} has cards only on the hidden sheet "
                        f"{short(repr(name), 60)}",
                        f"read it with --sheet {short(shlex.quote(name), 60)}",
                    )
    if not looked_at:
        return CardBookError(f"{shown_name(path)} has no data", "choose the sheet with --sheet")
    return CardBookError(
        short(
            f"{shown_name(path)} has no header row among its first {HEADER_ROWS} rows"
            + _closest(looked_at, knows)
        ),
        "one row must name the columns, for example 手机号, 运营商, 到期日 or celular, operador, "
        "vencimiento; further names go into config/columns.toml",
    )


def _header_of(grid: Grid, knows: KnowsHeader) -> int | None:
    """The place of the header row. Of a header in several lines (cells merged over both, groups
    above) it is the one that names most."""
    place = grid.header_at(knows)
    if place is None:
        return None
    while place + 1 < len(grid.rows):
        (number, cells), (below, others) = grid.rows[place : place + 2]
        if below != number + 1 or _known(others, knows) <= _known(cells, knows):
            break
        place += 1
    return place


def _known(cells: Sequence[Cell], knows: KnowsHeader) -> int:
    return sum(map(knows, titles(cells)))


def _unread(others: Iterator[Grid], knows: KnowsHeader) -> Iterator[Problem]:
    """A warning for each further sheet that holds a card book: only one is read."""
    try:
        for grid in others:
            if grid.header_at(knows) is not None:
                yield Problem(
                    0,
                    f"sheet {grid.name}",
                    "other_sheet",
                    "it has a header row too, and was not read: one sheet is read at a time",
                    f"import it as well, with --sheet '{grid.name}'",
                )
    except CardBookError as error:
        message = f"a further sheet cannot be read: {error.message}"
        yield Problem(0, "", "other_sheet", message, "nothing to do if it holds no cards")


def _closest(grids: Sequence[Grid], knows: KnowsHeader) -> str:
    """The row that comes closest to a header, so that a person sees which names were not known."""
    # Only above a row of values: what stands elsewhere may be anything, such as a customer's name.
    rows = [
        row
        for grid in grids
        for row, (_, below) in pairwise(grid.rows[: HEADER_ROWS + 1])
        if holds_values(below) and _texts(row[1]) >= max(_FEWEST_TITLES, len(below) - 1)
    ]
    if not rows:
        return ""
    number, cells = max(rows, key=lambda row: (_known(row[1], knows), _texts(row[1])))
    names = [repr(masked(title)) for title in titles(cells) if title]
    known = [repr(masked(title)) for title in titles(cells) if knows(title)]
    shown = ", ".join(names[:_SHOWN_TITLES]) + (", …" if len(names) > _SHOWN_TITLES else "")
    told = f"only {known[0]} is known" if known else "none of them is known"
    return f"; row {number} comes closest ({shown}), and {told}"


def _texts(cells: Sequence[Cell]) -> int:
    """How many names a row holds; none if it looks like data, which is not shown to anybody."""
    filled = [cell for cell in cells if cell is not None]
    if any(not isinstance(cell, str) or re.search(r"[0-9@]{3}|@", cell) for cell in filled):
        return 0
    return len(filled)
