"""What a whole column of dates shows that none of its cells does.

A spreadsheet set to month first that opens a list of 05/06/2026 and 13/06/2026 makes the first a
date, 6 May, and leaves the second a text. Each cell is then in order, and half of them are wrong:
every date has a day of 12 at most, and every text one past it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Literal

from worker.cardbook.dates import exchanged
from worker.cardbook.grid import Row
from worker.cardbook.options import DateOrder
from worker.cardbook.rows import Problem
from worker.cardbook.wording import rows_named

Order = Literal["dmy", "mdy"]
_DATE_FIELDS = ("expires", "last_topup")
_YEAR_LAST = re.compile(r"\s*(\d{1,2})([-/.])(\d{1,2})\2\d{4}\b", re.ASCII)
_FORMS = (
    (re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}"), "year-month-day"),
    (re.compile(r"\d{4} ?年"), "年月日"),
    (re.compile(r"\d{8}"), "yyyymmdd"),
    (re.compile(r"\d{5}(?:[.,]\d+)?"), "day number"),
    (re.compile(r".*\d.*[^\W\d_]{3}|.*[^\W\d_]{3}.*\d"), "month by name"),
)
# Many dates end with the day's last second.
_WHOLE_DAYS = (time(0), time(23, 59), time(23, 59, 59))


@dataclass(slots=True)
class DateColumn:
    """One column's cells by how they are written. ``dates`` are true dates whose day and month may
    be exchanged (5 May may not); ``fixed`` those that have a day past the 12th."""

    forms: Counter[str] = field(default_factory=Counter)
    dates: list[int] = field(default_factory=list)
    fixed: int = 0
    day_first: int = 0
    month_first: int = 0
    unclear: int = 0
    at_hours: list[int] = field(default_factory=list)

    def opened_as(self) -> Order | None:
        """How the list was written that a spreadsheet has read the other way round; ``None`` if
        the column shows no such thing."""
        if not self.dates or self.fixed or self.unclear:
            return None
        if self.day_first and not self.month_first:
            return "dmy"
        return "mdy" if self.month_first and not self.day_first else None


@dataclass(frozen=True, slots=True)
class DateColumns:
    """All columns of dates; ``doubtful`` are the fields that can be read two ways, and ``written``
    is how their list was written."""

    columns: Mapping[str, DateColumn]
    doubtful: frozenset[str] = frozenset()
    written: Order | None = None

    def turned(self, order: DateOrder | None) -> frozenset[str]:
        """The fields whose true dates have day and month exchanged, as a person has settled it."""
        return self.doubtful if order is not None and order == self.written else frozenset()

    def unsettled(self, order: DateOrder | None) -> frozenset[str]:
        """The fields that are refused until somebody says how they were written."""
        return self.doubtful if order is None else frozenset()


def examine(rows: Sequence[Row], places: Mapping[str, int]) -> DateColumns:
    """How each column of dates is written, and whether it shows two readings."""
    columns = {
        name: _column(rows, places[name]) for name in _DATE_FIELDS if places.get(name) is not None
    }
    found = {name: written for name, one in columns.items() if (written := one.opened_as())}
    if len(set(found.values())) != 1:
        return DateColumns(columns)
    # The same program opened the other column too: there, dates alone may be all that is left.
    alike = {
        name
        for name, one in columns.items()
        if one.dates and not (one.fixed or one.unclear or one.day_first or one.month_first)
    }
    return DateColumns(columns, frozenset({*found, *alike}), next(iter(found.values())))


def _column(rows: Iterable[Row], place: int) -> DateColumn:
    found = DateColumn()
    forms: Counter[str] = Counter()
    met: dict[str, str] = {}
    for number, cells in rows:
        cell = cells[place] if place < len(cells) else None
        if cell is None:
            continue
        if isinstance(cell, date):
            forms["date cell"] += 1
            _note_date(found, number, cell)
        elif isinstance(cell, str):
            form = met.get(cell)
            if form is None:
                form = met[cell] = _form(cell)
            forms[form] += 1
            found.day_first += form == _DAY_FIRST
            found.month_first += form == _MONTH_FIRST
            found.unclear += form == _EITHER
        else:
            forms["day number"] += 1
    found.forms = forms
    return found


def _note_date(found: DateColumn, number: int, cell: date) -> None:
    if cell.day > 12:
        found.fixed += 1
    elif cell.day != cell.month:
        found.dates.append(number)
    if isinstance(cell, datetime) and cell.time() not in _WHOLE_DAYS:
        found.at_hours.append(number)


_DAY_FIRST, _MONTH_FIRST, _EITHER = "day/month/year", "month/day/year", "either/or/year"


def _form(text: str) -> str:
    if match := _YEAR_LAST.match(text):
        first, second = int(match[1]), int(match[3])
        if first > 12:
            return _DAY_FIRST
        return _MONTH_FIRST if second > 12 else _EITHER
    return next((form for known, form in _FORMS if known.match(text.strip())), "a word")


def doubt(
    name: str, header: str, rows: Sequence[Row], place: int, columns: DateColumns
) -> Problem | None:
    """Why a doubtful column is refused: both readings of its first date, and the option."""
    numbers = tuple(n for n, cells in rows if place < len(cells) and cells[place] is not None)
    shown = next(
        (
            (number, cells[place])
            for number, cells in rows
            if place < len(cells) and number in columns.columns[name].dates[:1]
        ),
        None,
    )
    if shown is None or not isinstance(shown[1], date):
        return None
    day = shown[1].date() if isinstance(shown[1], datetime) else shown[1]
    order = columns.written
    text, other = ("13/06/2026", "mdy") if order == "dmy" else ("06/13/2026", "dmy")
    return Problem(
        numbers[0],
        header,
        "two_readings",
        f"its dates all have a day of 12 or less, and texts such as {text} stand beside them: a "
        f"spreadsheet has read day and month the other way round. Row {shown[0]} is {day} as it "
        f"stands, or {exchanged(day)}",
        f"--date-order {order} exchanges them, {other} leaves them as they stand",
        numbers,
    )


def told(columns: DateColumns, headers: Mapping[str, str]) -> Iterator[Problem]:
    """Warnings of date cells that hold an hour within the day: its day alone is read."""
    for name, column in columns.columns.items():
        if column.at_hours:
            yield Problem(
                column.at_hours[0],
                headers[name],
                "time_of_day",
                f"{rows_named(column.at_hours)}: the date cells hold an hour within the day, as "
                "those of a program in another time zone; their day is taken as it stands",
                "compare the dates below with the spreadsheet",
                tuple(column.at_hours),
            )
