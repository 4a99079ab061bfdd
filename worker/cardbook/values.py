"""One pure parser a value: the cell in, the value out, or a ValueProblem.

This is the whole set; numbers, dates, contacts and plans have modules of their own. A parser is
given a cell that is not blank.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping
from functools import cache
from typing import TypeVar
from zoneinfo import available_timezones

from worker.cardbook.cells import Cell, ValueProblem, masked, text_of, unquoted
from worker.cardbook.contacts import parse_contact_phone, parse_email
from worker.cardbook.dates import parse_date, parse_plan_end
from worker.cardbook.folding import fold
from worker.cardbook.identifiers import (
    iccid_doubt,
    imsi_doubt,
    parse_iccid,
    parse_imsi,
    parse_msisdn,
)
from worker.cardbook.plans import parse_balance, plan_days
from worker.core.cards import Kind, Language

__all__ = [
    "FORMULA_STARTS",
    "LONGEST_NAME",
    "Cell",
    "ValueProblem",
    "bounded",
    "iccid_doubt",
    "imsi_doubt",
    "parse_balance",
    "parse_contact_phone",
    "parse_date",
    "parse_email",
    "parse_iccid",
    "parse_imsi",
    "parse_kind",
    "parse_language",
    "parse_msisdn",
    "parse_name",
    "parse_operator",
    "parse_plan_end",
    "parse_text",
    "parse_time_zone",
    "plan_days",
]

T = TypeVar("T", bound=str)

# What the store keeps of a name or a plan.
LONGEST_NAME = 200
# A spreadsheet takes a text for a formula that begins with one of these (full-width ones in some
# languages), unless an apostrophe stands before it.
FORMULA_STARTS = "=+\\-@＝＋－＠"
_MARKED = re.compile(rf"'+[{FORMULA_STARTS}]")


def parse_text(cell: Cell) -> str:
    """Free text: a name, a plan, a note; without the apostrophe that keeps it from being a formula,
    or the ``="…"`` that keeps a spreadsheet from changing it.

    Raises ValueProblem for control characters.
    """
    text = text_of(cell)
    if not text.isascii():
        # One form for what looks the same: some systems write é as e and an accent.
        text = unicodedata.normalize("NFC", text)
    return text[1:] if _MARKED.match(text) else unquoted(text)


def parse_name(cell: Cell) -> str:
    """A name or a plan: free text that is not longer than the store keeps. Raises ValueProblem."""
    return bounded(parse_text(cell), LONGEST_NAME)


def bounded(text: str, most: int) -> str:
    """``text``, unless it has more than ``most`` characters. Raises ValueProblem."""
    if len(text) > most:
        raise ValueProblem(
            "too_long",
            f"the text has {len(text):,} characters",
            f"the limit is {most:,}: shorten it",
        )
    return text


def parse_kind(cell: Cell, kinds: Mapping[str, Kind]) -> Kind:
    """A card's kind by any of its names. Raises ValueProblem."""
    return _named(cell, kinds, "kind")


def parse_operator(cell: Cell, operators: Mapping[str, str]) -> str:
    """An operator's key by any of its names. Raises ValueProblem."""
    return _named(cell, operators, "operator")


def parse_language(
    cell: Cell,
    languages: Mapping[str, Language],
    unclear: Collection[str] = (),
    chinese: Language | None = None,
) -> Language:
    """A language by code or name; 中文 alone (``unclear``) does not tell the script, unless it is
    known which ``chinese`` the book is in. Raises ValueProblem."""
    text = text_of(cell)
    if fold(text) in unclear:
        if chinese is not None:
            return chinese
        raise ValueProblem(
            "unclear_language",
            f"{masked(text)!r} does not tell the script",
            "write 简体中文 or 繁體中文, or say it for the book: --language zh-Hans or zh-Hant",
        )
    return _named(cell, languages, "language")


def chinese(language: str | None) -> Language | None:
    """The language of this code, if it is a Chinese one."""
    known = (Language.ZH_HANS, Language.ZH_HANT)
    return next((each for each in known if each == language), None)


def parse_time_zone(cell: Cell, zones: Mapping[str, str]) -> str:
    """An IANA time zone by its own name (any case) or a common one. Raises ValueProblem."""
    exact = _iana().get(text_of(cell).casefold())
    return exact or _named(cell, zones, "time zone")


def _named(cell: Cell, names: Mapping[str, T], what: str) -> T:
    text = text_of(cell)
    found = names.get(fold(text))
    if found is None:
        known = ", ".join(dict.fromkeys(map(str, names.values())))
        raise ValueProblem(
            f"unknown_{what.replace(' ', '_')}",
            f"{masked(text)!r} is not a known {what}",
            f"known are {known}; further names go into config/columns.toml",
        )
    return found


@cache
def _iana() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones()}
