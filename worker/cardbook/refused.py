"""The rows that were refused, as a workbook to correct and import again."""

from collections import defaultdict
from pathlib import Path

from worker.cardbook.cells import Cell
from worker.cardbook.columns import Columns
from worker.cardbook.folding import fold
from worker.cardbook.grid import MAX_CELL_CHARS
from worker.cardbook.new_file import NameTakenError
from worker.cardbook.rows import CardBook, Problem
from worker.cardbook.spreadsheet import Cells, new_workbook
from worker.core.cards import Language

_REASON_WIDTH = 80


def write_refused(book: CardBook, beside: Path, language: Language, vocabulary: Columns) -> Path:
    """Write the refused rows of ``book`` beside its file, and return where.

    The name is ``<stem>.refused.xlsx``, or ``.refused-2.xlsx`` and so on: no file is overwritten.
    Header and cells stand as in the source, so the options that read it read this too; the last
    column says why each row was refused and is ignored at the next import. Only its owner can read
    it. Raises CardBookError if it cannot be written.
    """
    number = 1
    while True:
        path = beside.with_name(f"{beside.stem}.refused{f'-{number}' if number > 1 else ''}.xlsx")
        try:
            _write(book, path, language, vocabulary)
        except NameTakenError:
            number += 1
            continue
        return path


def _write(book: CardBook, path: Path, language: Language, vocabulary: Columns) -> None:
    reasons = _reasons(book.errors)
    # A book that was corrected once brings its former reasons along: they make room for the new.
    former = {fold(wording.titles["reason"]) for wording in vocabulary.wordings.values()}
    width = max([len(book.header), *(len(cells) for _, cells in book.refused)])
    header = [*book.header, *[""] * (width - len(book.header))]
    kept = [column for column in range(width) if fold(header[column]) not in former]
    with new_workbook(path) as workbook:
        cells = Cells(workbook)
        sheet = workbook.add_worksheet(_sheet_name(book.sheet))
        titles = [header[column] for column in kept]
        cells.head(sheet, [*titles, vocabulary.wordings[language].titles["reason"]])
        for place, (number, row) in enumerate(book.refused, 1):
            for column, source in enumerate(kept):
                cells.write(sheet, place, column, _at(row, source))
            cells.write(sheet, place, len(kept), " | ".join(reasons[number])[:MAX_CELL_CHARS])
        sheet.set_column(0, len(kept) - 1, 18)
        sheet.set_column(len(kept), len(kept), _REASON_WIDTH)


def _reasons(errors: tuple[Problem, ...]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for problem in errors:
        where = f"{problem.column}: " if problem.column else ""
        for row in problem.rows or (problem.row,):
            found[row].append(f"{where}{problem.message}; {problem.hint}")
    return found


def _at(row: tuple[Cell, ...], column: int) -> Cell:
    return row[column] if column < len(row) else None


def _sheet_name(name: str | None) -> str:
    # Other programs allow names that Excel does not; --sheet must not be needed for ours.
    bad = name is None or len(name) > 31 or set(name) & set("[]:*?/\\") or name.strip("'") != name
    return "Sheet1" if bad or not name or name.casefold() == "history" else name
