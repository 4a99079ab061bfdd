"""A card book's file made into one sheet of cells, or refused with the next step.

What a file is follows from its content; its name only decides what an unreadable one was meant to
be.
"""

import re
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from worker.cardbook.grid import Grid, KnowsHeader, Row, titles
from worker.cardbook.options import ReadOptions
from worker.cardbook.text import text_grid
from worker.cardbook.workbook import guard, is_workbook, workbook_grids
from worker.errors import CardBookError

__all__ = ["ReadOptions", "Sheet", "read_sheet"]

MAX_FILE_BYTES = 64 << 20
_WORKBOOK_NAMES = {".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"}
_MARKUP = re.compile(rb"\s*<(!doctype|html|head|body|table|meta|\?xml|workbook|div)", re.I)
_OTHER_FILES = {b"%PDF": "PDF document", b"\x89PNG": "picture", b"\xff\xd8\xff": "picture"}


@dataclass(frozen=True, slots=True)
class Sheet:
    """The header row and the data rows under it; blank rows are left out.

    ``name`` is ``None`` for a text file, ``encoding`` for a workbook. Row numbers are the
    spreadsheet's own, 1-based; ``first_column`` is the 1-based column of the first cell.
    """

    file: str
    encoding: str | None
    name: str | None
    header_row: int
    first_column: int
    header: tuple[str, ...]
    rows: tuple[Row, ...]


def read_sheet(path: Path, options: ReadOptions, knows_header: KnowsHeader) -> Sheet:
    """The sheet named by ``options``, else the first visible one with a header row.

    ``knows_header`` tells whether a text heads a column we can read. Raises CardBookError.
    """
    # Closed, since a workbook is still being unpacked when its first sheet will do.
    with closing(_grids(path, options, knows_header)) as grids:
        return _first_with_header(path, grids, knows_header)


def _grids(path: Path, options: ReadOptions, knows: KnowsHeader) -> Generator[Grid, None, None]:
    data = _content(path)
    if is_workbook(data):
        guard(data)
        yield from workbook_grids(path, options.sheet)
        return
    _refuse_disguise(path, data)
    if options.sheet:
        raise CardBookError("a text file has no sheets", "leave out --sheet")
    yield text_grid(data, options.encoding, knows)


def _content(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise CardBookError(f"{path.name} is a folder", "name one card book in it")
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise CardBookError(
                f"{path.name} has {size >> 20} MB",
                f"the limit is {MAX_FILE_BYTES >> 20} MB; split the card book",
            )
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        raise CardBookError(
            f"{path.name} cannot be read: {reason}", "check the path and your permissions"
        ) from error
    if not data.strip():
        raise CardBookError(f"{path.name} is empty", "save the card book again and check its size")
    return data


def _refuse_disguise(path: Path, data: bytes) -> None:
    """Raises CardBookError for what is known to be neither a workbook nor a text table."""
    for magic, what in _OTHER_FILES.items():
        if data.startswith(magic):
            raise CardBookError(f"{path.name} is a {what}", "export the card book as .xlsx or .csv")
    if _MARKUP.match(data.removeprefix(b"\xef\xbb\xbf")):
        raise CardBookError(
            f"{path.name} is a web page or XML, as some portals export under a spreadsheet's name",
            "open it in a spreadsheet program and save it as .xlsx or .csv",
        )
    if path.suffix.lower() in _WORKBOOK_NAMES:
        raise CardBookError(
            f"{path.name} has the name of a workbook and is none",
            "save it again as .xlsx; if it is a text table, rename it to .csv",
        )


def _first_with_header(path: Path, found: Iterable[Grid], knows: KnowsHeader) -> Sheet:
    looked_at = 0
    for grid in found:
        place = grid.header_at(knows)
        if place is not None:
            number, cells = grid.rows[place]
            return Sheet(
                path.name,
                grid.encoding,
                grid.name,
                number,
                grid.first_column,
                tuple(titles(cells)),
                tuple(grid.rows[place + 1 :]),
            )
        looked_at += bool(grid.rows)
    if not looked_at:
        raise CardBookError(f"{path.name} has no data", "choose the sheet with --sheet")
    raise CardBookError(
        f"{path.name} has no header row among its first 20 rows",
        "one row must name the columns, for example 手机号, 运营商, 到期日 or celular, operador, "
        "vencimiento; further names go into config/columns.toml",
    )
