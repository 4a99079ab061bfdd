"""Cells as files hold them, made into clean text; and values masked before anybody sees them.

What spreadsheets and chats do to a value: full-width digits, bidi marks, a leading ``'``,
``="…"``, tabs, ``.0``, ``E+`` and numbers that a spreadsheet has already rounded.
"""

import re
from datetime import date

from worker.core.masking import last_four

Cell = str | int | float | bool | date | None

# Excel keeps 15 significant digits of a number; the rest it has replaced by zeros.
MAX_NUMERIC_DIGITS = 15

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_BIDI = "\u00ad\u061c\u180e\u200b\u200e\u200f\ufeff"
_BIDI += "".join(map(chr, [*range(0x202A, 0x202F), *range(0x2060, 0x2065), *range(0x2066, 0x206A)]))
_DROP_BIDI = dict.fromkeys(map(ord, _BIDI))
# Hyphens and dashes that word processors put for "-"; the first does not break a line.
_DASHES = dict.fromkeys((0x2011, 0x2010, *range(0x2012, 0x2016), 0x2212, 0xFE58, 0xFE63), 0x2D)
# Joiners belong in a name (emoji, Indic scripts), never in a number.
_TO_CODE = _FULL_WIDTH | _DROP_BIDI | dict.fromkeys((0x200C, 0x200D)) | _DASHES
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffd-\uffff]")
# As Excel shows them in English (and Chinese) and in Spanish, and LibreOffice its own.
_ERROR = re.compile(
    r"#(N/A|REF!|VALUE!|DIV/0!|NAME\?|NULL!|NUM!|SPILL!|CALC!|GETTING_DATA)"
    r"|#N/D|#[¡¿](DIV/0|VALOR|REF|NOMBRE|NUM|NULO|DESBORDAMIENTO|CALC)[!?]|Err:[0-9]{3}$",
    re.I,
)
_SCIENTIFIC = re.compile(r"[+-]?[0-9]+([.,][0-9]*)?\s*[eE]\s*[+-]?\s*[0-9]+")
_POINT_ZERO = re.compile(r"([0-9]+)[.,]0{1,2}")
_QUOTED = re.compile(r'="((?:[^"]|"")*)"')

_MAIL = re.compile(r"([^\s@]?)[^\s@]*@")
_LONG_NUMBER = re.compile(r"\+?\d(?:[\s().\-]?\d){5,}")
_AS_TEXT = "format the column as text in the spreadsheet, enter the number again and save"


class ValueProblem(Exception):  # noqa: N818 - a finding about one cell, collected and not an abort
    """One cell is refused: a stable ``code``, a ``message`` without personal data, a ``hint``."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


def trim(cell: Cell) -> Cell:
    """Strip what cannot be seen from both ends of a text; ``None`` where nothing is left."""
    if isinstance(cell, str):
        return cell.strip().strip(_BIDI).strip() or None
    return cell


def masked(text: str) -> str:
    """``text`` fit for a message: long numbers keep 4 digits, addresses their first letter."""
    # 200 characters hold every address or number that starts in the 60 that are shown.
    shown = _MAIL.sub(r"\1***@", text.translate(_TO_CODE)[:200])
    shown = _LONG_NUMBER.sub(lambda match: shortened(re.sub(r"\D", "", match[0])), shown)
    shown = _CONTROL.sub("?", shown)
    return shown if len(shown) <= 60 else shown[:59] + "…"


def shortened(*numbers: str | None) -> str:
    """``…1234``: all that a message shows of the first of ``numbers`` that there is."""
    return "…" + last_four(*numbers)


def text_of(cell: Cell) -> str:
    """A cell's text as a person typed it, white space made single, marks removed; ``""`` if blank.

    Raises ValueProblem for control characters and for a formula's error value.
    """
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, int | float):
        return _number_text(cell)
    if _CONTROL.search(cell):
        raise ValueProblem(
            "control_character",
            "the cell holds control or unreadable characters",
            "type the cell again, or read the file in its right encoding (--encoding)",
        )
    if _ERROR.match(cell.lstrip()):
        raise ValueProblem(
            "formula_error",
            f"the cell shows the error {masked(cell.strip())}",
            "open the file in a spreadsheet program, repair the formula or replace it by its "
            "value, and save",
        )
    return " ".join((cell if cell.isascii() else cell.translate(_DROP_BIDI)).split())


def unquoted(text: str) -> str:
    """A text without the ``="…"`` that keeps a spreadsheet from changing it."""
    quoted = _QUOTED.fullmatch(text)
    return quoted[1].replace('""', '"').strip() if quoted else text


def code_of(cell: Cell) -> str:
    """A number or code as plain text: full-width folded, the spreadsheet's wrappings taken off.

    Raises ValueProblem as ``text_of``, for ``E+`` and for a number past 15 digits.
    """
    if isinstance(cell, bool | date):
        raise ValueProblem("wrong_type", "the cell holds a date or a truth value", _AS_TEXT)
    if isinstance(cell, int | float):
        return _whole(cell)
    text = text_of(cell)
    if not text.isascii():
        text = text.translate(_TO_CODE)
    text = unquoted(text).strip().strip("'’`\"").strip()
    if _SCIENTIFIC.fullmatch(text):
        raise ValueProblem(
            "scientific", f"{masked(text)} is a number cut short by a spreadsheet", _AS_TEXT
        )
    zeros = _POINT_ZERO.fullmatch(text)
    if zeros and len(zeros[1]) > MAX_NUMERIC_DIGITS:
        raise _rounded(zeros[1])
    return zeros[1] if zeros else text


def _number_text(number: float) -> str:
    if isinstance(number, float) and number.is_integer() and abs(number) < 10**MAX_NUMERIC_DIGITS:
        return str(int(number))
    return str(number)


def _whole(number: float) -> str:
    if isinstance(number, float) and not number.is_integer():
        raise ValueProblem("not_whole", "the cell holds a number that is not whole", _AS_TEXT)
    if abs(number) >= 10**MAX_NUMERIC_DIGITS:
        raise _rounded(str(int(number)))
    return str(int(number))


def _rounded(digits: str) -> ValueProblem:
    return ValueProblem(
        "precision_lost",
        f"a number of {len(digits)} digits is kept as a number: only the first 15 are right",
        _AS_TEXT,
    )
