"""Unpack a spreadsheet: run as a program of its own, never imported by the reading side for work.

The reader of workbooks lays a sheet out as one dense block, and aborts the whole process when a
stray cell in the last row and column asks for 500 GB. Here that costs a child process its life, and
a file made to exhaust memory or time meets a limit.

Arguments: the file, and a sheet's name or nothing for every visible one. Output: JSON lines. First
``{"sheets": [name, ...]}``; then for each sheet ``{"sheet": name, "row": R, "column": C}`` (where
its data begins, 1-based) and one list a row. ``{"error": "password"}`` ends it early.
"""

import io
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import python_calamine as calamine

MEMORY_BYTES = 4 << 30
CPU_SECONDS = 120

# The library reads an error value (#N/A) as a blank, and a blank may be a right answer: as text it
# reaches the person who can repair the formula.
_ERROR_CELL = re.compile(rb'(<(?:\w+:)?c\s[^>]*?\bt=)(["\'])e\2')


def limit() -> None:
    """Bound memory and time where the system can."""
    try:
        import resource
    except ImportError:  # pragma: no cover - POSIX has it
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def errors_as_text(data: bytes) -> bytes:
    """The workbook with its error cells turned into text cells; anything but xlsx as it is."""
    if not data.startswith(b"PK"):
        return data
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        sheets = {
            name: source.read(name)
            for name in source.namelist()
            if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name)
        }
        changed = {name: _ERROR_CELL.sub(rb"\1\2str\2", xml) for name, xml in sheets.items()}
        if changed == sheets:
            return data
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as copy:
            for name in dict.fromkeys(source.namelist()):
                copy.writestr(name, changed[name] if name in changed else source.read(name))
    return target.getvalue()


def sheet_lines(sheet: calamine.CalamineSheet) -> Iterator[Any]:
    """The lines of one sheet; a merged cell's value stands in each row it covers."""
    row, column = sheet.start or (0, 0)
    yield {"sheet": sheet.name, "row": row + 1, "column": column + 1}
    rows: list[list[Any]] = list(sheet.to_python())
    for (top, left), (bottom, _) in sheet.merged_cell_ranges or ():
        covered = range(max(top, row) - row + 1, min(bottom - row + 1, len(rows)))
        if left < column or top < row or (covered and left - column >= len(rows[0])):
            continue
        for below in covered:
            rows[below][left - column] = rows[top - row][left - column]
    yield from rows


def lines(path: Path, wanted: str) -> Iterator[Any]:
    """Everything the module's docstring describes."""
    try:
        book = calamine.CalamineWorkbook.from_filelike(
            io.BytesIO(errors_as_text(path.read_bytes()))
        )
    except calamine.PasswordError:
        yield {"error": "password"}
        return
    yield {"sheets": book.sheet_names}
    for index, about in enumerate(book.sheets_metadata):
        shown = about.visible == calamine.SheetVisibleEnum.Visible
        is_sheet = about.typ == calamine.SheetTypeEnum.WorkSheet
        if is_sheet and (about.name == wanted if wanted else shown):
            yield from sheet_lines(book.get_sheet_by_index(index))


def _plain(value: object) -> object:
    return {"date": value.isoformat()} if isinstance(value, date) else str(value)


if __name__ == "__main__":
    limit()
    for line in lines(Path(sys.argv[1]), sys.argv[2]):
        sys.stdout.write(json.dumps(line, default=_plain, ensure_ascii=True) + "\n")
    sys.stdout.write("{}\n")
