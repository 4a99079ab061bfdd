"""A card book's file made into cards: the one door of this package to reading."""

from dataclasses import replace
from pathlib import Path

from worker.cardbook.cells import Cell, ValueProblem
from worker.cardbook.columns import Columns
from worker.cardbook.contacts import is_region
from worker.cardbook.examine import RowCells, RowParser
from worker.cardbook.mapping import ColumnMap, map_columns
from worker.cardbook.options import ReadOptions
from worker.cardbook.reader import read_sheet
from worker.cardbook.record import read_row
from worker.cardbook.rows import CardBook, CardRow, Problem
from worker.errors import CardBookError

__all__ = ["ReadOptions", "read_cardbook"]


def read_cardbook(path: Path, options: ReadOptions, vocabulary: Columns) -> CardBook:
    """Every card of the file and every error, at once.

    Each row that is not blank counts in ``total`` and is in ``rows``, or in ``refused`` and in
    ``errors``.
    Raises CardBookError where no row can be read: the file, its columns, or an option is wrong.
    """
    if options.contact_region and not is_region(options.contact_region):
        raise CardBookError(
            f"{options.contact_region!r} is no region", "two letters are expected, such as PE or CN"
        )
    sheet = read_sheet(path, options, vocabulary.knows_header)
    columns = map_columns(sheet, vocabulary, options)
    if not sheet.rows:
        raise CardBookError(
            f"{sheet.file} has no rows under its header in row {sheet.header_row}",
            "write one card in each row below it, and save the file",
        )
    try:
        parser = RowParser(columns, vocabulary, options)
    except ValueProblem as problem:  # of the words for all cards
        raise CardBookError(problem.message, problem.hint) from None
    width = len(sheet.header) if sheet.name is None else None
    seen = _Seen(columns)
    rows: list[CardRow] = []
    errors: list[Problem] = []
    warnings = [*sheet.warnings, *columns.warnings]
    refused: list[tuple[int, tuple[Cell, ...]]] = []
    named: set[str] = set()
    total, taken = len(sheet.rows), list(reversed(sheet.rows))
    sheet = replace(sheet, rows=())
    while taken:
        number, cells = taken.pop()  # let go of: a large book is not kept as cells and as cards
        row = RowCells(parser, number, cells)
        card = read_row(row, width)
        twice = seen.twice(number, row.msisdn, row.iccid)
        errors += [*row.errors, *twice]
        warnings += row.warnings
        if card is not None and not twice:
            rows.append(card)
        else:
            refused.append((number, tuple(cells)))
            named.update(filter(None, (row.msisdn, row.iccid)))
    return CardBook(
        file=sheet.file,
        encoding=sheet.encoding,
        sheet=sheet.name,
        columns=columns.headers,
        total=total,
        rows=tuple(rows),
        errors=tuple(errors),
        warnings=tuple(warnings),
        header=sheet.header,
        refused=tuple(refused),
        named=frozenset(named),
    )


class _Seen:
    """The cards met so far: the first row of each number."""

    def __init__(self, columns: ColumnMap) -> None:
        self._columns = columns
        self._rows: dict[tuple[str, str], int] = {}

    def twice(self, row: int, msisdn: str | None, iccid: str | None) -> list[Problem]:
        """The error of a row whose card stands in an earlier one; both rows are named.

        The ICCID decides; the mobile number does where it is the only thing that repeats.
        """
        found: list[Problem] = []
        for field, value in (("iccid", iccid), ("msisdn", msisdn)):
            if value is None:
                continue
            first = self._rows.setdefault((field, value), row)
            if first != row and not found:
                found.append(
                    Problem(
                        row,
                        self._columns.headers[field],
                        "duplicate",
                        f"rows {first} and {row} are the same card: {field} …{value[-4:]}",
                        "delete the row that is out of date",
                    )
                )
        return found
