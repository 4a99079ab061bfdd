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

# Of a name the first three letters say all, in Spanish and English; setiembre is Peru's September.
_ABBREVIATED = (
    *("ene jan", "feb", "mar", "abr apr", "may", "jun", "jul", "ago aug", "sep set", "oct", "nov"),
    "dic dec",
)
_MONTHS = {name: month for month, names in enumerate(_ABBREVIATED, 1) for name in names.split()}
_FULL_MONTHS = re.compile(
    "(?:ene|enero|jan|january|feb|febrero|february|mar|marzo|march|abr|abril|apr|april|may|mayo"
    "|jun|junio|june|jul|julio|july|ago|agosto|aug|august|sep|sept|set|septiembre|setiembre"
    "|september|oct|octubre|october|nov|noviembre|november|dic|diciembre|dec|december)"
)

_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?"
_TIME = rf"(?:(?:[ T]+| ?[上下]午 ?){_CLOCK}(?: ?[AaPp]\.? ?[Mm]\.?)?)?"
# An hour in UTC is another day somewhere, unless it is midnight, as programs write a day alone.
_UTC = re.compile(rf"(\d{{4}}-\d{{2}}-\d{{2}})[ T]({_CLOCK})(?:Z|[+-]00:?00)", re.ASCII)
_DAY_MONTH = re.compile(
    r"(?:[^\W\d_]+,? )?(\d{1,2})(?:st|nd|rd|th|º)?[ \-/.]*(?:de )?([^\W\d_]{3,10})\.?[ \-/.,]*"
    r"(?:del? )?(\d{4}|\d{2})?"
)
_MONTH_DAY = re.compile(r"([^\W\d_]{3,10})\.? (\d{1,2})(?:st|nd|rd|th|º)?,? (?:del? )?(\d{4})")
_MONTH_YEAR = re.compile(r"([^\W\d_]{3,10})\.?[ \-/.]*(?:del? )?(\d{4}|\d{2})")
_NO_YEAR = re.compile(r"\d{1,2}[-/.]\d{1,2}|\d{1,2}月\d{1,2}[日号號]?", re.ASCII)
_YEAR_FIRST = re.compile(rf"(\d{{4}})([-/.])(\d{{1,2}})\2(\d{{1,2}}){_TIME}", re.ASCII)
_CHINESE = re.compile(rf"(\d{{4}}) ?年 ?(\d{{1,2}}) ?月 ?(\d{{1,2}}) ?[日号號]?{_TIME}", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_YEAR_LAST = re.compile(rf"(\d{{1,2}})([-/.])(\d{{1,2}})\2(\d{{4}}){_TIME}", re.ASCII)
_SERIAL = re.compile(r"(\d{5})(?:[.,]\d+)?", re.ASCII)
_TWO_DIGIT_YEAR = re.compile(r"\d{1,2}([-/.年])\d{1,2}[-/.月]\d{1,2}日?", re.ASCII)
_NO_DAY = re.compile(r"\d{4}[-/.年]\d{1,2}月?|\d{1,2}[-/.]\d{4}", re.ASCII)
_HINT = "write it as 2026-05-13"


def parse_date(
    cell: Cell,
    order: DateOrder | None = None,
    epoch: ExcelEpoch | None = None,
    *,
    turned: bool = False,
) -> date:
    """The day a cell names; a time of day is dropped. ``turned``: of a true date, day and month
    were exchanged by the program that read it. Raises ValueProblem."""
    if isinstance(cell, date):
        day = cell.date() if isinstance(cell, datetime) else cell
        return _plausible(exchanged(day) if turned else day)
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
    if match := _UTC.fullmatch(text):
        return _utc(match[1], match[2])
    return _named_month(text)


def parse_plan_end(
    cell: Cell,
    indefinite: Collection[str] = (),
    order: DateOrder | None = None,
    epoch: ExcelEpoch | None = None,
    *,
    turned: bool = False,
) -> date | None:
    """As ``parse_date``; ``None`` for a word that says the plan has no end (folded words)."""
    if isinstance(cell, str) and fold(cell) in indefinite:
        return None
    return parse_date(cell, order, epoch, turned=turned)


def exchanged(day: date) -> date:
    """``day`` with its day and month exchanged, where that is a date."""
    return day.replace(month=day.day, day=day.month) if day.day <= 12 else day


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


def _utc(day: str, clock: str) -> date:
    if clock.strip("0:."):
        raise ValueProblem(
            "utc_time",
            f"{day} {clock} is told in UTC: in Lima or in China it may be another day",
            _HINT,
        )
    return _day(*day.split("-"))


def _named_month(text: str) -> date:
    """13 de mayo de 2026, 13-may-2026, May 13, 2026. Raises ValueProblem."""
    folded = text.casefold()
    if match := _DAY_MONTH.fullmatch(folded):
        day, name, year = match.groups()
    elif match := _MONTH_DAY.fullmatch(folded):
        name, day, year = match.groups()
    elif (match := _MONTH_YEAR.fullmatch(folded)) and _FULL_MONTHS.fullmatch(match[1]):
        raise ValueProblem("no_day", f"{text} names a month and no day", _HINT)
    else:
        raise _refusal(text)
    if not _FULL_MONTHS.fullmatch(name):
        raise _refusal(text)
    if year is None:
        raise _no_year(text)
    if len(year) == 2:
        raise ValueProblem("two_digit_year", f"{text} has a year of two digits", _HINT)
    return _day(year, _MONTHS[name[:3]], day)


def _no_year(text: str) -> ValueProblem:
    return ValueProblem("no_year", f"{text} names no year", _HINT)


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
    if _NO_YEAR.fullmatch(text):
        return _no_year(text)
    return ValueProblem("bad_date", f"{masked(text)!r} is not a date", _HINT)
