"""The numbers of an xls that are read as something else than they show.

Two kinds: a date whose day is not shown (``mmm-yy``), and a plain number whose format has
an identifier that Excel reserves for dates; other programs number their own formats from 50.
Source: [MS-XLS] 2.4.126 (Format), 2.4.353 (XF), 2.4.180 (Number), 2.4.220 (RK), 2.4.174 (MulRk).
"""

import struct
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from worker.cardbook.date_formats import BUILT_IN_DATES, hides_day, is_date, month_of

_XF, _FORMAT, _DATE_MODE = 0xE0, 0x41E, 0x22
_NUMBER, _RK, _MULTIPLE, _FORMULA = 0x203, 0x27E, 0xBD, 0x06


@dataclass(frozen=True, slots=True)
class XlsNumbers:
    """The formats, by the place of their XF record, whose cells show a ``month`` and no day, or a
    ``plain`` number that is taken for a date."""

    months: Collection[int]
    plain: Collection[int]
    epoch_1904: bool

    @classmethod
    def of(cls, records: Iterable[tuple[int, bytes]]) -> "XlsNumbers":
        """From the records of the workbook's globals."""
        codes: dict[int, str] = {}
        numbers: list[int] = []
        epoch_1904 = False
        for kind, body in records:
            if kind == _FORMAT:
                codes[struct.unpack_from("<H", body)[0]] = _text(body)
            elif kind == _XF:
                numbers.append(struct.unpack_from("<H", body, 2)[0])
            elif kind == _DATE_MODE:
                epoch_1904 = bool(body[0])
        months: set[int] = set()
        plain: set[int] = set()
        for place, number in enumerate(numbers):
            code = codes.get(number)
            if hides_day(number, code):
                months.add(place)
            elif number in BUILT_IN_DATES and code is not None and not is_date(code):
                plain.add(place)
        return cls(months, plain, epoch_1904)

    def cells(self, kind: int, body: bytes) -> Iterator[tuple[tuple[int, int], str | float]]:
        """Row, column and reading of each cell in a record of a sheet that is read otherwise."""
        if not (self.months or self.plain) or kind not in (_NUMBER, _RK, _MULTIPLE, _FORMULA):
            return
        row, column = struct.unpack_from("<2H", body)
        for place, (style, number) in enumerate(_numbers(kind, body)):
            if number is None:
                continue
            if style in self.plain:
                yield (row, column + place), number
            elif style in self.months and (month := month_of(number, epoch_1904=self.epoch_1904)):
                yield (row, column + place), month


def _numbers(kind: int, body: bytes) -> Iterator[tuple[int, float | None]]:
    """Format and number of each cell; ``None`` for a formula whose result is no number."""
    if kind == _MULTIPLE:
        for at in range(4, len(body) - 2, 6):
            style, packed = struct.unpack_from("<HI", body, at)
            yield style, _unpacked(packed)
        return
    style = struct.unpack_from("<H", body, 4)[0]
    if kind == _RK:
        yield style, _unpacked(struct.unpack_from("<I", body, 6)[0])
    elif kind == _FORMULA and body[12:14] == b"\xff\xff":
        yield style, None
    else:
        yield style, struct.unpack_from("<d", body, 6)[0]


def _unpacked(packed: int) -> float:
    """A number of 30 bits: whole or the upper half of a double, and perhaps a hundredth of it."""
    if packed & 2:
        number: float = (packed >> 2) - (1 << 30 if packed & 1 << 31 else 0)
    else:
        number = struct.unpack("<d", struct.pack("<2I", 0, packed & ~3))[0]
    return number / 100 if packed & 1 else number


def _text(body: bytes) -> str:
    length, wide = struct.unpack_from("<HB", body, 2)
    if wide & 1:
        return body[5 : 5 + 2 * length].decode("utf-16-le", "replace")
    return body[5 : 5 + length].decode("latin-1")
