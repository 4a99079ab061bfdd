"""A card book's file made into cards: the one door of this package to reading."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from worker.cardbook import date_columns
from worker.cardbook.cells import Cell, ValueProblem
from worker.cardbook.columns import Columns
from worker.cardbook.contacts import is_region
from worker.cardbook.date_columns import DateColumns
from worker.cardbook.duplicates import Numbers, suspects
from worker.cardbook.examine import RowCells, RowParser
from worker.cardbook.mapping import ColumnMap, map_columns
from worker.cardbook.options import ReadOptions
from worker.cardbook.reader import Sheet, read_sheet
from worker.cardbook.reading import readings
from worker.cardbook.record import read_row
from worker.cardbook.rows import CardBook, CardRow, Problem
from worker.cardbook.wording import listed
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
    sheet = read_sheet(path, options, vocabulary.field_of)
    columns = map_columns(sheet, vocabulary, options)
    if not sheet.rows and not sheet.others:
        raise CardBookError(
            f"{sheet.file} has no rows under its header in row {sheet.header_row}",
            "write one card in each row below it, and save the file",
        )
    dates = date_columns.examine(sheet.rows, columns.places)
    try:
        parser = RowParser(columns, vocabulary, options, dates)
    except ValueProblem as problem:  # of the words for all cards
        raise CardBookError(problem.message, problem.hint) from None
    doubts = list(_doubts(sheet, columns, dates, options))
    found = _ReadRows(refused=dict(sheet.others))
    total = len(sheet.rows) + len(sheet.others)
    found.read(sheet, parser, vocabulary.blank, {row for one in doubts for row in one.rows})
    found.errors = [*sheet.errors, *doubts, *found.errors]
    found.part_duplicates(columns)
    rows = tuple(found.cards.values())
    warnings = (*sheet.warnings, *columns.warnings, *date_columns.told(dates, columns.headers))
    return CardBook(
        file=sheet.file,
        encoding=sheet.encoding,
        sheet=sheet.name,
        columns=columns.headers,
        total=total,
        rows=rows,
        errors=tuple(sorted(found.errors, key=lambda one: one.row)),
        warnings=(*warnings, *found.blanks(), *found.warnings),
        header=sheet.header,
        refused=tuple(sorted((number, tuple(cells)) for number, cells in found.refused.items())),
        named=frozenset(found.named),
        reading=readings(columns, sheet.first_column, rows, dates),
    )


def _doubts(
    sheet: Sheet, columns: ColumnMap, dates: DateColumns, options: ReadOptions
) -> Iterator[Problem]:
    """The columns of dates that have two readings, between which no option has chosen."""
    for name in sorted(dates.unsettled(options.date_order)):
        place, header = columns.places[name], columns.headers[name]
        if problem := date_columns.doubt(name, header, sheet.rows, place, dates):
            yield problem


@dataclass(slots=True)
class _ReadRows:
    """What the rows gave: cards by row number, and the cells of those that were refused."""

    cards: dict[int, CardRow] = field(default_factory=dict)
    refused: dict[int, list[Cell]] = field(default_factory=dict)
    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    named: set[str] = field(default_factory=set)
    numbers: Numbers = field(default_factory=Numbers)
    _kept: dict[int, tuple[list[Cell], str | None, str | None]] = field(default_factory=dict)
    _blank: Counter[str] = field(default_factory=Counter)

    def read(
        self, sheet: Sheet, parser: RowParser, blank: Collection[str], doubted: set[int]
    ) -> None:
        """Read every row; those in ``doubted`` are refused whatever else they hold."""
        width = len(sheet.header) if sheet.name is None else None
        repeated = suspects(sheet.rows, parser.columns.places)
        taken = list(reversed(sheet.rows))
        sheet = replace(sheet, rows=())
        words = frozenset(blank)
        while taken:
            number, cells = taken.pop()  # let go of: a large book is not kept as cells and cards
            row = RowCells(parser, number, self._emptied(cells, words))
            card = read_row(row, width)
            self.numbers.add(number, row.msisdn, row.iccid)
            self.errors += row.errors
            self.warnings += row.warnings
            if card is None or number in doubted:
                self._refuse(number, cells, row.msisdn, row.iccid)
                continue
            self.cards[number] = card
            if number in repeated:
                self._kept[number] = cells, row.msisdn, row.iccid

    def part_duplicates(self, columns: ColumnMap) -> None:
        """Refuse the rows that are the same card as others."""
        problems = list(self.numbers.problems(self.cards, columns.headers))
        self.errors += problems
        for problem in problems:
            if self.cards.pop(problem.row, None) is not None:
                self._refuse(problem.row, *self._kept[problem.row])

    def blanks(self) -> Iterator[Problem]:
        """A warning of words that stand for an empty cell."""
        if self._blank:
            words = listed((f"{word} ({count})" for word, count in self._blank.most_common()), 5)
            told = f"cells that hold {words} are read as blank"
            yield Problem(0, "", "placeholder", told, "nothing to do, unless one is a real value")

    def _refuse(
        self, number: int, cells: list[Cell], msisdn: str | None, iccid: str | None
    ) -> None:
        self.refused[number] = cells
        self.named.update(filter(None, (msisdn, iccid)))

    def _emptied(self, cells: list[Cell], words: frozenset[str]) -> list[Cell]:
        if words.isdisjoint(cells):
            return cells
        self._blank.update(cell for cell in cells if isinstance(cell, str) and cell in words)
        return [None if isinstance(cell, str) and cell in words else cell for cell in cells]
