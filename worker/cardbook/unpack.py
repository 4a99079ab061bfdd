"""Unpack a spreadsheet: run as a program of its own, never imported by the reading side for work.

The reader of workbooks lays a sheet out as one dense block, and aborts the whole process when a
stray cell in the last row and column asks for 500 GB. Here that costs a child process its life, and
a file made to exhaust memory or time meets a limit.

Standard input: the workbook. Argument: a sheet's name, or nothing for every visible one. Output:
JSON lines. First ``{"sheets": [name, ...], "unseen": [name, ...]}``, the latter the hidden ones;
then for each sheet ``{"sheet": name, "column": C, "hidden": [row, ...]}`` (where its data begins,
and which rows are hidden, 1-based) and one list a row, or a number for so many blank ones; at last
``{}``.
``{"error": "password"}`` or ``{"error": "limits"}`` ends it early.
"""

import io
import json
import sys
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import python_calamine as calamine

if __name__ == "__main__":
    # By its place: neither the working directory nor an installed package matters.
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from worker.cardbook.calamine_gaps import Lost, in_records, is_protected, repaired
from worker.cardbook.xlsx_parts import is_1904, month_styles

MEMORY_BYTES = 2 << 30
CPU_SECONDS = 120
# One long text can stand in every cell: a few megabytes would unpack to terabytes.
MAX_OUTPUT_CHARS = 512 << 20


def limit() -> None:
    """Bound memory and time where the system can."""
    try:
        import resource
    except ImportError:  # pragma: no cover - POSIX has it
        return
    bounds = ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CPU, CPU_SECONDS))
    for what, most in (*bounds, (resource.RLIMIT_CORE, 0)):
        # Nobody may go past the bound that was set before, such as one of ulimit.
        _, hard = resource.getrlimit(what)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (least, least))


def unzipped(data: bytes) -> bytes:
    """A zipped workbook as one without compression, its parts repaired; an xls as it is.

    No part grows past the size its directory claims, whatever the library would do.
    """
    if not data.startswith(b"PK"):
        return data
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as source,
        zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as copy,
    ):
        is_xlsx = "xl/workbook.xml" in source.namelist()
        styles = month_styles(source) if is_xlsx else ()
        epoch_1904 = is_xlsx and is_1904(source)
        for name in dict.fromkeys(source.namelist()):
            about = source.getinfo(name)
            with source.open(about) as part:
                content = part.read(about.file_size)
            copy.writestr(name, repaired(name, content, styles, epoch_1904=epoch_1904))
    return target.getvalue()


def sheet_lines(sheet: calamine.CalamineSheet, lost: Lost) -> Iterator[Any]:
    """The lines of one sheet; a merged cell's value stands in each row it covers, if that row holds
    anything else."""
    column = sheet.start[1] if sheet.start else 0
    yield {"sheet": sheet.name, "column": column + 1, "hidden": lost.hidden}
    merges: dict[int, list[tuple[int, int]]] = {}
    for (top, left), (bottom, _) in [*(sheet.merged_cell_ranges or ()), *lost.merges]:
        if bottom > top and left >= column:
            merges.setdefault(top, []).append((left - column, bottom))
    covering: dict[int, tuple[int, Any]] = {}
    blank = 0
    for y, cells in enumerate(sheet.iter_rows()):
        for x, value in lost.cells.get(y, {}).items():
            cells[x - column] = value
        covering = {x: merge for x, merge in covering.items() if merge[0] >= y}
        if not any(cell != "" for cell in cells):
            blank += 1
            continue
        for x, (_, value) in covering.items():
            cells[x] = value
        covering |= {x: (last, cells[x]) for x, last in merges.get(y, ()) if x < len(cells)}
        if blank:
            yield blank
            blank = 0
        yield cells


def lines(data: bytes, wanted: str) -> Iterator[Any]:
    """Everything the module's docstring describes."""
    data = unzipped(data)
    # The library would only say that it knows no such file.
    if is_protected(data):
        yield {"error": "password"}
        return
    book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    lost = in_records(data)
    unseen = [
        about.name
        for about in book.sheets_metadata
        if about.typ == calamine.SheetTypeEnum.WorkSheet
        and about.visible != calamine.SheetVisibleEnum.Visible
    ]
    yield {"sheets": book.sheet_names, "unseen": unseen}
    for index, about in enumerate(book.sheets_metadata):
        shown = about.visible == calamine.SheetVisibleEnum.Visible
        is_sheet = about.typ == calamine.SheetTypeEnum.WorkSheet
        if is_sheet and (about.name == wanted if wanted else shown):
            of_sheet = lost[index] if index < len(lost) else Lost()
            yield from sheet_lines(book.get_sheet_by_index(index), of_sheet)


def _plain(value: object) -> object:
    return {"date": value.isoformat()} if isinstance(value, date) else str(value)


def write(data: bytes, wanted: str) -> None:
    """Print the lines; end early, as one cut short, past what a card book can be."""
    written = 0
    for line in lines(data, wanted):
        text = json.dumps(line, default=_plain, ensure_ascii=True)
        written += len(text)
        if written > MAX_OUTPUT_CHARS:
            sys.exit(1)
        sys.stdout.write(text + "\n")
    sys.stdout.write("{}\n")


if __name__ == "__main__":
    limit()
    try:
        write(sys.stdin.buffer.read(), sys.argv[1])
    except MemoryError:
        sys.stdout.write('{"error": "limits"}\n')
