"""Workbooks written row by row, in which a cell stays what it was."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from worker.cardbook.cells import Cell
from worker.cardbook.new_file import new_file

MAX_SHEET_ROWS = 1_048_576
_DATE, _TIME = "yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss"
# Excel believes in 1900-02-29: before it, its days are not ours.
_FIRST_DAY = date(1900, 3, 1)
# Cannot stand in XML, nor in a card.
_UNWRITABLE = re.compile("[\ud800-\udfff\ufffe\uffff]")


@contextmanager
def new_workbook(path: Path, *, overwrite: bool = False) -> Iterator[Workbook]:
    """As ``new_file``: a workbook in bounded memory, so each row is written once, from the top."""
    with new_file(path, overwrite=overwrite) as temporary:
        options = {"constant_memory": True, "tmpdir": str(temporary.parent), "use_zip64": True}
        # What a cell says is never taken for a formula, a link or a number.
        options |= dict.fromkeys(("strings_to_formulas", "strings_to_urls"), False)
        book = Workbook(str(temporary), options)
        try:
            yield book
            book.close()
        finally:
            for sheet in book.worksheets():
                sheet._opt_close()  # their row files, after an error too


class Cells:
    """Writes cells of any kind to the sheets of one workbook, each as the reader gives it back."""

    def __init__(self, book: Workbook) -> None:
        self.text: Format = book.add_format({"num_format": "@"})
        self.date: Format = book.add_format({"num_format": _DATE, "align": "left"})
        self.time: Format = book.add_format({"num_format": _TIME, "align": "left"})
        self.amount: Format = book.add_format({"num_format": "0.00"})
        self.title: Format = book.add_format(
            {"num_format": "@", "bold": True, "bg_color": "#E3ECF7", "bottom": 1}
        )

    def write(self, sheet: Worksheet, row: int, column: int, cell: Cell | Decimal) -> None:
        """Write one cell at a 0-based place; a blank one is left out."""
        if cell is None or cell == "":
            return
        if isinstance(cell, str):
            sheet.write_string(row, column, _UNWRITABLE.sub("\ufffd", cell), self.text)
        elif isinstance(cell, bool):
            sheet.write_boolean(row, column, cell)
        elif isinstance(cell, date):
            self._write_date(sheet, row, column, cell)
        elif isinstance(cell, Decimal):
            sheet.write_number(row, column, _Exact(cell), self.amount)
        else:
            _write_number(sheet, row, column, cell)

    def head(self, sheet: Worksheet, titles: list[str]) -> None:
        """Write the header row; it stays in sight."""
        for column, title in enumerate(titles):
            sheet.write_string(0, column, title, self.title)
        sheet.freeze_panes(1, 0)

    def _write_date(self, sheet: Worksheet, row: int, column: int, day: date) -> None:
        if isinstance(day, datetime):
            if day.date() >= _FIRST_DAY:
                sheet.write_datetime(row, column, day, self.time)
                return
        elif day >= _FIRST_DAY:
            sheet.write_datetime(row, column, day, self.date)
            return
        sheet.write_string(row, column, day.isoformat(), self.text)


class _Exact(float):
    """A number written with all its digits: the library keeps 16, a float may need 17."""

    def __format__(self, _: str) -> str:
        return repr(float(self))


def _write_number(sheet: Worksheet, row: int, column: int, number: float) -> None:
    try:
        exact = _Exact(number)
        sheet.write_number(row, column, exact)
    except (TypeError, OverflowError):  # not a number, or endless
        sheet.write_string(row, column, str(number))
