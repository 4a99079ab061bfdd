"""A row under examination: its cells by field, and what was found wrong or doubtful."""

from collections.abc import Callable, Collection
from functools import lru_cache, partial
from typing import Any, TypeVar

from worker.cardbook import values
from worker.cardbook.cells import Cell, ValueProblem
from worker.cardbook.columns import Columns
from worker.cardbook.date_columns import DateColumns
from worker.cardbook.mapping import ColumnMap
from worker.cardbook.options import ReadOptions
from worker.cardbook.rows import Problem

T = TypeVar("T")

# Holders, dates and plans repeat from row to row; a book's numbers do not.
_REMEMBERED = 16_384


def remembered(parse: Callable[..., T], *args: object, **options: object) -> Callable[[Cell], T]:
    """``parse`` with its options bound, and its latest results kept for one book."""
    # typed: True, 1 and 1.0 are one key to a dict, and three cells to a person.
    return lru_cache(_REMEMBERED, typed=True)(partial(parse, *args, **options))


class RowParser:
    """Reads the rows of one sheet; what depends on the sheet alone is prepared once."""

    def __init__(
        self, columns: ColumnMap, vocabulary: Columns, options: ReadOptions, dates: DateColumns
    ) -> None:
        def of_column(name: str) -> dict[str, Any]:
            # In a column whose dates a spreadsheet has read, no text is left that has two readings.
            order = None if name in dates.doubtful else options.date_order
            turned = name in dates.turned(options.date_order)
            return {"order": order, "epoch": options.excel_dates, "turned": turned}

        self.columns = columns
        self.date = remembered(values.parse_date, **of_column("last_topup"))
        self.plan_end = remembered(
            values.parse_plan_end, indefinite=vocabulary.no_plan_end, **of_column("expires")
        )
        self.kind = remembered(values.parse_kind, kinds=vocabulary.kinds)
        self.operator = remembered(values.parse_operator, operators=vocabulary.operators)
        self.language = remembered(
            values.parse_language,
            languages=vocabulary.languages,
            unclear=vocabulary.unclear_languages,
            chinese=values.chinese(options.language),
        )
        self.time_zone = remembered(values.parse_time_zone, zones=vocabulary.time_zones)
        self.phone = remembered(
            values.parse_contact_phone, region=options.contact_region, any_phone=options.any_phone
        )
        self.email = remembered(values.parse_email)
        self.balance = remembered(values.parse_balance)
        self.default_kind = self.kind(options.kind) if options.kind else None
        self.default_operator = self.operator(options.operator) if options.operator else None
        self.plan_days = lru_cache(_REMEMBERED)(values.plan_days)


class RowCells:
    """One row under examination: its cells by field, and what was found so far."""

    def __init__(self, parser: RowParser, number: int, cells: list[Cell]) -> None:
        self.parser = parser
        self.number = number
        self.cells = cells
        self.errors: list[Problem] = []
        self.warnings: list[Problem] = []
        self.refused: set[str] = set()
        self.msisdn: str | None = None
        self.iccid: str | None = None

    def take(self, field: str, parse: Callable[[Cell], T]) -> T | None:
        """The field's value; ``None`` if it is blank, has no column, or was refused."""
        if not self.holds(field):
            return None
        try:
            return parse(self.cells[self.parser.columns.places[field]])
        except ValueProblem as problem:
            self.refused.add(field)
            self.errors.append(self.problem(field, problem))
            return None

    def holds(self, field: str) -> bool:
        """Whether the field has a cell that says anything."""
        place = self.parser.columns.places.get(field)
        return place is not None and place < len(self.cells) and self.cells[place] is not None

    def is_blank(self, field: str) -> bool:
        """Whether the field has a column, and its cell says nothing."""
        return field in self.parser.columns.places and not self.holds(field)

    def problem(self, field: str, found: ValueProblem) -> Problem:
        """``found`` with its place."""
        header = self.parser.columns.headers.get(field, field)
        return Problem(self.number, header, found.code, found.message, found.hint)

    def require(self, fields: Collection[str], present: bool, found: ValueProblem) -> None:
        """Report ``found`` unless a value is present or was already reported as refused."""
        if present or self.refused.intersection(fields):
            return
        column = next((name for name in fields if name in self.parser.columns.places), "")
        self.errors.append(self.problem(column, found))

    def doubt(self, field: str, found: ValueProblem | None) -> None:
        """Keep a warning, if there is one."""
        if found is not None:
            self.warnings.append(self.problem(field, found))
