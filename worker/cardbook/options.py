"""What a person may say about a card book that the file itself leaves open."""

from dataclasses import dataclass
from typing import Literal

CardColumn = Literal["msisdn", "iccid", "imsi"]
DateOrder = Literal["dmy", "mdy"]
ExcelEpoch = Literal[1900, 1904]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Each option answers one question the reader refuses to guess; ``None`` leaves it unanswered.

    ``encoding``: a Python codec name for a text file. ``date_order``: how 05/06/2026 is read.
    ``card_column``: what a column headed 卡号 holds. ``excel_dates``: the epoch of bare serial
    numbers. ``contact_region``: the ISO 3166 region of contact phones written without ``+``.
    ``sheet``: the sheet's name. ``kind`` and ``operator``: of every card whose row names none, by
    any word of the vocabulary. ``columns``: what a header holds, whatever it says: a field, or
    ``note`` or ``ignore``. ``any_phone``: contact phones are taken that their country does not know
    as mobile ones. ``language``: the book's own, which says what 中文 means if it is a Chinese one.
    """

    encoding: str | None = None
    date_order: DateOrder | None = None
    card_column: CardColumn | None = None
    excel_dates: ExcelEpoch | None = None
    contact_region: str | None = None
    sheet: str | None = None
    kind: str | None = None
    operator: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    any_phone: bool = False
    language: str | None = None
