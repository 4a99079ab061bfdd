"""How each column of a card book was read, so that a person sees a wrong reading before it is
written: its field, how its cells are written, their range, and three of them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import islice

from worker.cardbook.cells import masked, shortened
from worker.cardbook.date_columns import DateColumns
from worker.cardbook.grid import column_letter
from worker.cardbook.mapping import ColumnMap
from worker.cardbook.rows import CardRow, ColumnReading

_ATTRIBUTES = {"expires": "plan_end"}
_EXAMPLES = 3
_MOST_FORMS = 8
# Of these the values themselves are few, and tell what was understood.
_COUNTED = ("operator", "kind", "language", "time_zone")
_RANGED = ("expires", "last_topup", "balance")
_NUMBERS = ("msisdn", "iccid", "imsi", "contact_phone")
_LONGEST_CODE = 3


def readings(
    columns: ColumnMap, first_column: int, cards: Sequence[CardRow], dates: DateColumns
) -> tuple[ColumnReading, ...]:
    """The columns from left to right; what they hold is that of the rows that were not refused."""
    found = [
        _of_field(name, place, columns.headers[name], first_column, cards, dates)
        for name, place in columns.places.items()
    ]
    others = ((columns.extras, "note"), (columns.skipped, "not read"))
    found += [
        ColumnReading(column_letter(first_column + place), masked(name), field)
        for several, field in others
        for place, name in several
    ]
    return tuple(sorted(found, key=lambda one: (len(one.column), one.column)))


def _of_field(
    name: str,
    place: int,
    header: str,
    first_column: int,
    cards: Sequence[CardRow],
    dates: DateColumns,
) -> ColumnReading:
    attribute = _ATTRIBUTES.get(name, name)
    every = [getattr(card, attribute) for card in cards]
    values = [value for value in every if value not in (None, "")]
    forms: Mapping[str, int] = {}
    if name in dates.columns:
        forms = dates.columns[name].forms
    elif name in _COUNTED:
        forms = Counter(str(value) for value in values)
    elif name == "contact_phone":
        forms = _countries(values)
    ranged = name in _RANGED and bool(values)
    return ColumnReading(
        column=column_letter(first_column + place),
        header=header,
        holds=name,
        blank=len(every) - len(values),
        cells=len(values),
        forms=dict(Counter(forms).most_common(_MOST_FORMS)),
        lowest=str(min(values)) if ranged else None,
        highest=str(max(values)) if ranged else None,
        examples=tuple(_shown(name, value) for value in _first(values)),
    )


def _first(values: Iterable[object]) -> Iterable[object]:
    return islice(dict.fromkeys(values), _EXAMPLES)


def _countries(numbers: Iterable[str]) -> Counter[str]:
    """How many numbers each country code has."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE as KNOWN

    starts = Counter(number[1 : 1 + _LONGEST_CODE] for number in numbers)
    found: Counter[str] = Counter()
    for start, count in starts.items():
        lengths = range(1, _LONGEST_CODE + 1)
        code = next((start[:n] for n in lengths if int(start[:n]) in KNOWN), start)
        found[f"+{code}"] += count
    return found


def _shown(name: str, value: object) -> str:
    """A value as anybody may see it."""
    if isinstance(value, date | Decimal):
        return str(value)
    text = str(value)
    if name in _NUMBERS:
        return shortened(text)
    if name == "holder":
        return _initials(text)
    return masked(text)


def _initials(name: str) -> str:
    """The first letter of each word, and the letters that a wrong encoding would spoil: "José" is
    "J**é"."""
    first, *others = name.split()[:4] or [""]
    shown = [first[:1] + _starred(first[1:])]
    shown += [_starred(w) if _is_cjk(w[0]) else w[0] + _starred(w[1:]) for w in others]
    return masked(" ".join(shown))


def _starred(letters: str) -> str:
    return "".join("*" if one.isascii() or _is_cjk(one) else one for one in letters)


def _is_cjk(letter: str) -> bool:
    return "\u3400" <= letter <= "\u9fff" or letter > "\uffff"
