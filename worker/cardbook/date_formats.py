"""What a spreadsheet's number format shows of a date: a day that is not shown is not known.

A cell formatted ``mmm-yy`` shows "may-26" and holds the first of the month, which nobody wrote. It
is read as what it shows, so that it meets the same answer as the same text.
Sources: ECMA-376 part 1 18.8.30 and 18.8.31, [MS-XLS] 2.5.165.
"""

import re
from datetime import date, timedelta

# Formats that have a number and no text of their own, and show a month and a year; those from 27
# are of a Chinese system.
_MONTHS = frozenset((17, 27, 36, 50, 52, 57))
# Those that a reader takes for dates by their number alone.
BUILT_IN_DATES = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
# Quoted and escaped letters, fillers, colours and locales are no part of a date.
_NO_PART = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')
_PART = re.compile(r"am/pm|a/p|general|[ye]+|m+|d+|h+|s+")


def hides_day(number: int, code: str | None) -> bool:
    """Whether a format shows a month or a year and no day. ``code`` is the format's own text,
    ``None`` for a built-in ``number``."""
    if code is None:
        return number in _MONTHS
    parts = _parts(code)
    return bool(parts & {"y", "m"}) and "d" not in parts


def is_date(code: str) -> bool:
    """Whether a format's text shows a date or a time."""
    return bool(_parts(code) - {"general"})


def _parts(code: str) -> set[str]:
    found: list[str] = _PART.findall(_NO_PART.sub("", code.partition(";")[0].lower()))
    parts: set[str] = set()
    for place, part in enumerate(found):
        letter = "y" if part[0] == "e" else part[0] if part != "general" else part
        beside = found[place - 1 : place] if place else []
        # In h:mm and mm:ss an m stands for minutes.
        minutes = letter == "m" and (
            any(before[0] == "h" for before in beside)
            or any(after[0] == "s" for after in found[place + 1 : place + 2])
        )
        parts.add("h" if minutes else letter)
    return parts


def month_of(serial: float, *, epoch_1904: bool) -> str | None:
    """The month that a day number lies in: ``2026-05``; ``None`` for a number that is no date."""
    try:
        day = (date(1904, 1, 1) if epoch_1904 else date(1899, 12, 30)) + timedelta(days=int(serial))
    except (OverflowError, ValueError):
        return None
    return f"{day:%Y-%m}"
