"""What a plan's name and the balance beside it say."""

import math
import re
from decimal import Decimal, InvalidOperation

from worker.cardbook.cells import Cell, ValueProblem, code_of, masked
from worker.cardbook.folding import fold

_CENT = Decimal("0.01")
_MOST = Decimal(10) ** 9
_CURRENCY = re.compile(r"^(?:S/\.?|PEN|US\$|USD|\$)\s*|\s*(?:S/\.?|PEN|USD|soles|sol)$", re.I)
_AMOUNT = re.compile(r"[0-9]{1,12}(?:[.,][0-9]{1,2})?", re.ASCII)
_GROUPED = re.compile(
    r"[0-9]{1,3}(?:(,)[0-9]{3}){1,3}\.[0-9]{1,2}|[0-9]{1,3}(?:(\.)[0-9]{3}){1,3},[0-9]{1,2}"
)

_NUMERALS = {"一": 1, "二": 2, "两": 2, "兩": 2, "三": 3, "六": 6}
_UNITS = (
    (1, r"天|日(?!租)|dias?|days?|d"),
    (7, r"周|週|星期|semanas?|weeks?"),
    (30, r"个月|個月|mes(?:es)?|months?"),
    (365, r"年|anos?|years?"),
    (1 / 24, r"小时|小時|horas?|hours?|hrs?|h"),
)
_COUNTED = tuple(
    (days, re.compile(rf"(?<![0-9.,])([0-9]{{1,4}}|[{''.join(_NUMERALS)}])(?:{unit})(?![a-z])"))
    for days, unit in _UNITS
)
_NAMED = (
    (1, re.compile(r"[按每包]日|[按每包]天|日租|日卡|diari[oa]|pordia|daily|perday")),
    (7, re.compile(r"[按每包][周週]|[周週]卡|semanal|porsemana|weekly|perweek")),
    (30, re.compile(r"[按每包]月|月租|月卡|mensual|pormes|monthly|permonth")),
    (180, re.compile(r"半年")),
    (365, re.compile(r"[按每包]年|年卡|anual|annual|yearly|porano|peryear")),
)
# "1.5 GB", but also "1.5 meses": of a length that is no whole number nothing is claimed.
_DECIMAL = re.compile(r"[0-9]+[.,][0-9]+ ?[^\W\d]*")
_LONGEST_DAYS = 3660


def plan_days(plan: str | None) -> int | None:
    """The length in days a plan's name tells (15天 5GB: 15); ``None`` where it tells none, or two.

    A month counts 30 days, a year 365.
    """
    text = _unspaced(plan or "")
    found = {_count(number) * days for days, unit in _COUNTED for number in unit.findall(text)}
    if not found:
        found = {days for days, name in _NAMED if name.search(text)}
    if len(found) != 1:
        return None
    days = round(found.pop(), 6)
    return int(days) if days == int(days) and 1 <= days <= _LONGEST_DAYS else None


def _unspaced(plan: str) -> str:
    """Folded words, each number joined to the unit after it: "30 días 5 GB" is "30dias 5gb"."""
    whole = _DECIMAL.sub(" ", plan)
    words = " ".join(filter(None, map(fold, re.split(r"\W+", whole))))
    joined = re.sub(r"(?<=[0-9]) (?=[^0-9 ])", "", words)
    return joined.replace("por ", "por").replace("per ", "per")


def _count(number: str) -> int:
    return _NUMERALS[number] if number in _NUMERALS else int(number)


def parse_balance(cell: Cell) -> Decimal:
    """An amount of money to the cent, not negative. Raises ValueProblem."""
    if isinstance(cell, float) and math.isfinite(cell):
        return _in_range(Decimal(str(cell)))
    text = _CURRENCY.sub("", code_of(cell)).strip()
    grouped = _GROUPED.fullmatch(text)
    if grouped:
        text = text.replace(grouped[1] or grouped[2], "")
    elif _AMOUNT.fullmatch(text) is None:
        raise _bad_balance(text)
    return _in_range(Decimal(text.replace(",", ".")))


def _in_range(amount: Decimal) -> Decimal:
    if not 0 <= amount < _MOST:
        raise _bad_balance(str(amount))
    try:
        return amount.quantize(_CENT)
    except InvalidOperation:
        raise _bad_balance(str(amount)) from None


def _bad_balance(text: str) -> ValueProblem:
    return ValueProblem(
        "bad_balance",
        f"{masked(text)!r} is not an amount",
        "write it as 25.90, without thousands separators",
    )
