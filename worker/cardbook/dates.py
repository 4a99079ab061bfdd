"""Dates as card books write them: read in one way only, or refused."""

import re
from collections.abc import Collection
from datetime import date, datetime, timedelta

from worker.cardbook.cells import Cell, ValueProblem, code_of, masked
from worker.cardbook.folding import fold
from worker.cardbook.options import DateOrder, ExcelEpoch

# Serial 1 is 1900-01-01, and Excel believes in 1900-02-29: hence the day before for all we accept.
_EPOCHS: dict[int, date] = {1900: date(1899, 12, 30), 1904: date(1904, 1, 1)}
_FIRST_YEAR, _LAST_YEAR = 2000, 2099

_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?"
_TIME = rf"(?:(?:[ T]+| ?[上下]午 ?){_CLOCK}(?: ?[AaPp]\.? ?[Mm]\.?)?)?"
_YEAR_FIRST = re.compile(rf"(\d{{4}})([-/.])(\d{{1,2}})\2(\d{{1,2}}){_TIME}", re.ASCII)
_CHINESE = re.compile(rf"(\d{{4}}) ?年 ?(\d{{1,2}}) ?月 ?(\d{{1,2}}) ?[日号號]?{_TIME}", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_YEAR_LAST = re.compile(rf"(\d{{1,2}})([-/.])(\d{{1,2}})\2(\d{{4}}){_TIME}", re.ASCII)
_SERIAL = re.compile(r"(\d{5})(?:[.,]\d+)?", re.ASCII)
_TWO_DIGIT_YEAR = re.compile(r"\d{1,2}([-/.年])\d{1,2}[-/.月]\d{1,2}日?", re.ASCII)
_NO_DAY = re.compile(r"\d{4}[-/.年]\d{1,2}月?|\d{1,2}[-/.]\d{4}", re.ASCII)
_HINT = "write it as 2026-05-13"


def parse_date(cell: Cell, order: DateOrder | None = None, epoch: ExcelEpoch | None = None) -> date:
    """The day a cell names; a time of day is dropped. Raises ValueProblem."""
    if isinstance(cell, datetime):
        return _plausible(cell.date())
    if isinstance(cell, date):
        return _plausible(cell)
    if isinstance(cell, float) and not cell.is_integer():
        return _plausible(_from_serial(str(cell), epoch))
    text = code_of(cell)
    if match := _YEAR_FIRST.fullmatch(text):
        return _day(match[1], match[3], match[4])
    if match := _CHINESE.fullmatch(text) or _COMPACT.fullmatch(text):
        return _day(match[1], match[2], match[3])
    if match := _YEAR_LAST.fullmatch(text):
        return _year_last(int(match[1]), int(match[3]), match[4], order)
    if _SERIAL.fullmatch(text):
        return _plausible(_from_serial(text, epoch))
    raise _refusal(text)


def parse_plan_end(
    cell: Cell,
    indefinite: Collection[str] = (),
    order: DateOrder | None = None,
    epoch: ExcelEpoch | None = None,
) -> date | None:
    """As ``parse_date``; ``None`` for a word that says the plan has no end (folded words)."""
    if isinstance(cell, str) and fold(cell) in indefinite:
        return None
    return parse_date(cell, order, epoch)


def _year_last(first: int, second: int, year: str, order: DateOrder | None) -> date:
    if order == "dmy" or (order is None and first > 12) or first == second:
        return _day(year, second, first)
    if order == "mdy" or (order is None and second > 12):
        return _day(year, first, second)
    one, other = _day(year, second, first), _day(year, first, second)
    raise ValueProblem(
        "ambiguous_date",
        f"{first:02}/{second:02}/{year} is {one} (day first) or {other} (month first)",
        f"choose with --date-order dmy or mdy, or {_HINT}",
    )


def _day(year: str | int, month: str | int, day: str | int) -> date:
    try:
        found = date(int(year), int(month), int(day))
    except ValueError:
        raise ValueProblem(
            "impossible_date", f"there is no day {year}-{month:0>2}-{day:0>2}", _HINT
        ) from None
    return _plausible(found)


def _plausible(day: date) -> date:
    if _FIRST_YEAR <= day.year <= _LAST_YEAR:
        return day
    raise ValueProblem(
        "date_out_of_range",
        f"{day} is not between {_FIRST_YEAR} and {_LAST_YEAR}",
        f"{_HINT}; a plan without an end is 长期 or indefinido",
    )


def _from_serial(text: str, epoch: ExcelEpoch | None) -> date:
    match = _SERIAL.fullmatch(text)
    if match is None:
        raise _refusal(text)
    if epoch is None:
        raise ValueProblem(
            "bare_serial",
            f"{match[1]} is a spreadsheet's day number, and its first day is not known",
            f"choose with --excel-dates 1900 or 1904, or {_HINT}",
        )
    return _EPOCHS[epoch] + timedelta(days=int(match[1]))


def _refusal(text: str) -> ValueProblem:
    if _TWO_DIGIT_YEAR.fullmatch(text):
        return ValueProblem("two_digit_year", f"{text} has a year of two digits", _HINT)
    if _NO_DAY.fullmatch(text):
        return ValueProblem("no_day", f"{text} names a month and no day", _HINT)
    return ValueProblem("bad_date", f"{masked(text)!r} is not a date", _HINT)
