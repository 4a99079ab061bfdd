"""What a card book holds once read: rows that are right, and problems that name their cell."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from worker.cardbook.cells import Cell
from worker.core.cards import Kind, Language


@dataclass(frozen=True, slots=True)
class CardRow:
    """One card as its row tells it; ``row`` is the number a person sees in the spreadsheet.

    Numbers are E.164 (``+51…``). ``language`` and ``time_zone`` are ``None`` where the book's
    defaults apply. At least one of ``msisdn`` and ``iccid`` is set.
    """

    row: int
    msisdn: str | None
    iccid: str | None
    imsi: str | None
    operator: str
    kind: Kind
    plan: str | None
    plan_days: int | None
    plan_end: date | None
    last_topup: date | None
    balance: Decimal | None
    holder: str
    email: str | None
    contact_phone: str | None
    language: Language | None
    time_zone: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a cell was refused (or is doubtful): where, a stable code, and what to do.

    ``row`` 1 is the first line of the sheet, 0 the file as a whole. ``message`` shows at most a
    masked value. ``rows`` are all rows it is about, where it is about several.
    """

    row: int
    column: str
    code: str
    message: str
    hint: str
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ColumnReading:
    """How one column was read: ``column`` is the spreadsheet's letter, ``holds`` its field
    (``note``: kept among the notes; ``not read``).

    Of the rows that were not refused: how many have a value there and how many none, how the
    cells are written or what they say (``forms``, the commonest), the lowest and highest value of
    a date or an amount, and up to three examples, masked where they are personal.
    """

    column: str
    header: str
    holds: str
    cells: int = 0
    blank: int = 0
    forms: Mapping[str, int] = field(default_factory=dict)
    lowest: str | None = None
    highest: str | None = None
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CardBook:
    """A card book that could be read: each data row is either in ``rows`` or has ``errors``.

    ``header`` is the header row as text; ``refused`` holds the rows with errors as they stand in
    the file: number and cells. So ``len(refused) == total - len(rows)``. ``named``: the mobile
    numbers and ICCIDs that could be read in refused rows. ``reading`` tells of each column.
    """

    file: str
    encoding: str | None
    sheet: str | None
    columns: dict[str, str]
    total: int
    rows: tuple[CardRow, ...]
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = field(default=())
    header: tuple[str, ...] = ()
    refused: tuple[tuple[int, tuple[Cell, ...]], ...] = ()
    named: frozenset[str] = frozenset()
    reading: tuple[ColumnReading, ...] = ()
