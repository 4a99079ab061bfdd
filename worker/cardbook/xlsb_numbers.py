"""The dates of an xlsb whose day is not shown. Source: [MS-XLSB] 2.4.679 (BrtFmt), 2.4.876
(BrtXF), 2.4.738 (BrtCellReal), 2.4.741 (BrtCellRk)."""

import struct
import zipfile
from collections.abc import Collection
from dataclasses import dataclass

from worker.cardbook.biff import xlsb_records
from worker.cardbook.date_formats import BUILT_IN_DATES, hides_day, is_date, month_of

_FORMAT, _STYLE, _CELL_STYLES, _END = 44, 47, 617, 618
_BOOK = 153
_RK, _REAL, _FORMULA = 2, 5, 9


@dataclass(frozen=True, slots=True)
class XlsbNumbers:
    """The cell styles that show a ``month`` and no day, or a ``plain`` number that is taken for a
    date."""

    months: Collection[int]
    plain: Collection[int]
    epoch_1904: bool

    @classmethod
    def of(cls, archive: zipfile.ZipFile) -> "XlsbNumbers":
        """From the parts of the workbook."""
        codes: dict[int, str] = {}
        numbers: list[int] = []
        of_cells = False
        part = archive.read("xl/styles.bin") if "xl/styles.bin" in archive.namelist() else b""
        for kind, body in xlsb_records(part):
            if kind in (_CELL_STYLES, _END):
                of_cells = kind == _CELL_STYLES
            elif kind == _FORMAT:
                number, length = struct.unpack_from("<HI", body)
                codes[number] = body[6 : 6 + 2 * length].decode("utf-16-le", "replace")
            elif kind == _STYLE and of_cells:
                numbers.append(struct.unpack_from("<H", body, 2)[0])
        months: set[int] = set()
        plain: set[int] = set()
        for place, number in enumerate(numbers):
            code = codes.get(number)
            if hides_day(number, code):
                months.add(place)
            elif number in BUILT_IN_DATES and code is not None and not is_date(code):
                plain.add(place)
        book = xlsb_records(archive.read("xl/workbook.bin"))
        epoch_1904 = any(kind == _BOOK and body[0] & 1 for kind, body in book)
        return cls(months, plain, epoch_1904)

    def cell(self, kind: int, body: bytes) -> str | float | None:
        """What a cell's record is to be read as; ``None`` if it is read right."""
        if not (self.months or self.plain) or kind not in (_RK, _REAL, _FORMULA):
            return None
        style = struct.unpack_from("<I", body, 4)[0] & 0xFFFFFF
        if style not in self.months and style not in self.plain:
            return None
        number = _unpacked(body) if kind == _RK else struct.unpack_from("<d", body, 8)[0]
        return number if style in self.plain else month_of(number, epoch_1904=self.epoch_1904)


def _unpacked(body: bytes) -> float:
    packed = struct.unpack_from("<I", body, 8)[0]
    if packed & 2:
        number: float = (packed >> 2) - (1 << 30 if packed & 1 << 31 else 0)
    else:
        number = struct.unpack("<d", struct.pack("<2I", 0, packed & ~3))[0]
    return number / 100 if packed & 1 else number
