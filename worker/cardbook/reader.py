"""A card book's file made into one sheet of cells, or refused with the next step.

What a file is follows from its content; its name only decides what an unreadable one was meant to
be.
"""

import os
import re
import stat
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from worker.cardbook.cells import Cell, masked
from worker.cardbook.grid import HEADER_ROWS, Grid, KnowsHeader, Row, titles
from worker.cardbook.options import ReadOptions
from worker.cardbook.rows import Problem
from worker.cardbook.text import text_grid
from worker.cardbook.workbook import guard, is_workbook, workbook_grids
from worker.errors import CardBookError

__all__ = ["ReadOptions", "Sheet", "read_sheet"]

# A million cards as text take some 130 MB. Of a workbook far less is already too much to unpack.
MAX_FILE_BYTES = 256 << 20
MAX_WORKBOOK_BYTES = 64 << 20
_SHOWN_TITLES = 8
_WORKBOOK_NAMES = {".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"}
_MARKUP = re.compile(rb"\s*<(!doctype|html|head|body|table|meta|\?xml|workbook|div)", re.I)
_OTHER_FILES = {b"%PDF": "PDF document", b"\x89PNG": "picture", b"\xff\xd8\xff": "picture"}


@dataclass(frozen=True, slots=True)
class Sheet:
    """The header row and the data rows under it; blank rows and repeated headers are left out.

    ``name`` is ``None`` for a text file, ``encoding`` for a workbook. Row numbers are the
    spreadsheet's own, 1-based; ``first_column`` is the 1-based column of the first cell.
    ``warnings`` tell of sheets that were not read.
    """

    file: str
    encoding: str | None
    name: str | None
    header_row: int
    first_column: int
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    warnings: tuple[Problem, ...] = ()


def read_sheet(path: Path, options: ReadOptions, knows_header: KnowsHeader) -> Sheet:
    """The sheet named by ``options``, else the first visible one with a header row.

    ``knows_header`` tells whether a text heads a column we can read. Raises CardBookError.
    """
    # Closed, so that no unpacking goes on after an error.
    with closing(_grids(path, options, knows_header)) as grids:
        return _first_with_header(path, grids, options.sheet, knows_header)


def _grids(path: Path, options: ReadOptions, knows: KnowsHeader) -> Generator[Grid, None, None]:
    data = _content(path)
    if is_workbook(data):
        if len(data) > MAX_WORKBOOK_BYTES:
            raise _too_large(path, len(data), MAX_WORKBOOK_BYTES, "save it as .csv, or split it")
        guard(data)
        yield from workbook_grids(data, options.sheet)
        return
    _refuse_disguise(path, data)
    if options.sheet:
        raise CardBookError("a text file has no sheets", "leave out --sheet")
    yield text_grid(data, options.encoding, knows)


def _content(path: Path) -> bytes:
    try:
        # A pipe without a writer must not be waited for: what it is decides before it is read.
        with open(path, "rb", opener=_at_once) as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise CardBookError(
                    f"{_name(path)} is a pipe or a device, not a file",
                    "save the card book as a file and name that",
                )
            # Never more than the limit, even if the file has grown meanwhile.
            data = b"" if about.st_size > MAX_FILE_BYTES else file.read(MAX_FILE_BYTES + 1)
    except IsADirectoryError as error:
        raise CardBookError(f"{_name(path)} is a folder", "name one card book in it") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        raise CardBookError(
            f"{_name(path)} cannot be read: {reason}", "check the path and your permissions"
        ) from error
    size = max(about.st_size, len(data))
    if size > MAX_FILE_BYTES:
        raise _too_large(path, size, MAX_FILE_BYTES, "split the card book")
    if not data.strip():
        raise CardBookError(
            f"{_name(path)} is empty", "save the card book again and check its size"
        )
    return data


def _too_large(path: Path, size: int, most: int, advice: str) -> CardBookError:
    return CardBookError(
        f"{_name(path)} has {size >> 20} MB", f"the limit is {most >> 20} MB; {advice}"
    )


def _name(path: Path) -> str:
    # A name is any bytes; a terminal and a JSON document are not to be broken by it.
    return "".join(letter if letter.isprintable() else "?" for letter in path.name)


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _refuse_disguise(path: Path, data: bytes) -> None:
    """Raises CardBookError for what is known to be neither a workbook nor a text table."""
    for magic, what in _OTHER_FILES.items():
        if data.startswith(magic):
            raise CardBookError(
                f"{_name(path)} is a {what}", "export the card book as .xlsx or .csv"
            )
    if _MARKUP.match(data.removeprefix(b"\xef\xbb\xbf")):
        raise CardBookError(
            f"{_name(path)} is a web page or XML, which some portals name like a spreadsheet",
            "open it in a spreadsheet program and save it as .xlsx or .csv",
        )
    if path.suffix.lower() in _WORKBOOK_NAMES:
        raise CardBookError(
            f"{_name(path)} has the name of a workbook and is none",
            "save it again as .xlsx; if it is a text table, rename it to .csv",
        )


def _first_with_header(
    path: Path, found: Iterator[Grid], named: str | None, knows: KnowsHeader
) -> Sheet:
    looked_at: list[Grid] = []
    for grid in found:
        place = _header_of(grid, knows)
        if place is None:
            looked_at += [grid] if grid.rows else []
            continue
        number, cells = grid.rows[place]
        header = titles(cells)
        return Sheet(
            _name(path),
            grid.encoding,
            grid.name,
            number,
            grid.first_column,
            tuple(header),
            # A header repeated for each printed page is no card.
            tuple(row for row in grid.rows[place + 1 :] if titles(row[1]) != header),
            () if named else tuple(_unread(found, knows)),
        )
    if not looked_at:
        raise CardBookError(f"{_name(path)} has no data", "choose the sheet with --sheet")
    raise CardBookError(
        f"{_name(path)} has no header row among its first {HEADER_ROWS} rows"
        + _closest(looked_at, knows),
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
    rows = [row for grid in grids for row in grid.rows[:HEADER_ROWS]]
    number, cells = max(rows, key=lambda row: (_known(row[1], knows), _texts(row[1])))
    if _texts(cells) < 2:
        return ""
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
