"""The numbers a card is known by: mobile number, ICCID, IMSI."""

import re

from worker.cardbook.cells import MAX_NUMERIC_DIGITS, Cell, ValueProblem, code_of, masked, shortened
from worker.cardbook.options import CardColumn

_SEPARATORS = re.compile(r"[ \-().]")
_MSISDN = re.compile(r"(?:\+51|0051|51)?(9[0-9]{8})")
_ICCID = re.compile(r"(89[0-9]{16,18})[Ff]?")
_IMSI = re.compile(r"[0-9]{15}")
_PERU = "716"


def parse_msisdn(cell: Cell) -> str:
    """A Peruvian mobile number as ``+519XXXXXXXX``. Raises ValueProblem."""
    text = _SEPARATORS.sub("", code_of(cell))
    match = _MSISDN.fullmatch(text)
    if match is None:
        raise ValueProblem(
            "bad_msisdn",
            f"{_shown(text)} is not a Peruvian mobile number",
            "a mobile number is 9 digits that begin with 9, with or without +51"
            if re.search("[0-9]", text)
            else "write the mobile number; delete the row if it is no card (a total, a note)",
        )
    return "+51" + match[1]


def parse_iccid(cell: Cell) -> str:
    """An ICCID of 18 to 20 digits; a trailing filler ``F`` is dropped. Raises ValueProblem."""
    text = _SEPARATORS.sub("", code_of(cell))
    match = _ICCID.fullmatch(text)
    if match is None:
        raise ValueProblem(
            "bad_iccid",
            f"{_shown(text)} is not an ICCID",
            "an ICCID is the 18 to 20 digits printed on the card; they begin with 89",
        )
    return match[1]


def parse_imsi(cell: Cell) -> str:
    """An IMSI of 15 digits. Raises ValueProblem."""
    text = _SEPARATORS.sub("", code_of(cell))
    if _IMSI.fullmatch(text) is None:
        raise ValueProblem(
            "bad_imsi", f"{_shown(text)} is not an IMSI", "an IMSI is 15 digits; it may be left out"
        )
    return text


def iccid_doubt(iccid: str) -> ValueProblem | None:
    """Why a well-formed ICCID may still be wrong. Files drop or add the check digit, so a doubt."""
    if set(iccid[MAX_NUMERIC_DIGITS:]) == {"0"}:
        return ValueProblem(
            "iccid_rounded",
            f"ICCID {shortened(iccid)} ends in zeros, as a number rounded by a spreadsheet does",
            "compare it with the card",
        )
    if luhn(iccid):
        return None
    return ValueProblem(
        "iccid_check_digit",
        f"the check digit of ICCID {shortened(iccid)} is wrong or missing",
        "compare it with the card; nothing is refused for this",
    )


def imsi_doubt(imsi: str) -> ValueProblem | None:
    """A foreign IMSI is right for a travel eSIM only."""
    if imsi.startswith(_PERU):
        return None
    return ValueProblem(
        "foreign_imsi",
        f"IMSI {shortened(imsi)} does not begin with {_PERU}, so it is not Peruvian",
        "right for a travel eSIM; else compare it with the card",
    )


def luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of the others (ISO/IEC 7812-1)."""
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (doubled + sum(map(int, digits[-1::-2]))) % 10 == 0


def identifier_of(cell: Cell) -> CardColumn | None:
    """What a cell under an ambiguous header (卡号) holds; ``None`` where it cannot be told."""
    try:
        text = _SEPARATORS.sub("", code_of(cell))
    except ValueProblem:
        return None
    if _IMSI.fullmatch(text) and text.startswith(_PERU):
        return "imsi"
    if _MSISDN.fullmatch(text):
        return "msisdn"
    return "iccid" if _ICCID.fullmatch(text) else None


def _shown(text: str) -> str:
    digits = sum(letter.isdigit() for letter in text)
    # A short wrong number may still be most of a right one: show no more than 4 of its digits.
    if digits > 4 and digits >= len(text) - 1:
        return f"{shortened(text)} ({digits} digits)"
    return repr(masked(text))
