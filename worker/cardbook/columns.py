"""The words of card books: what headers and values are called."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from worker.cardbook.meaning import HeaderWords
from worker.cardbook.titles import Wording
from worker.core.cards import Kind, Language

AMBIGUOUS, IGNORED = "ambiguous", "ignored"
# fmt: off
FieldName = Literal[
    "msisdn", "iccid", "imsi", "operator", "kind", "plan", "expires", "last_topup", "holder",
    "email", "contact_phone", "balance", "language", "time_zone", "note",
]
# fmt: on
FIELDS: tuple[FieldName, ...] = get_args(FieldName)


@dataclass(frozen=True, slots=True)
class Columns:
    """A vocabulary; every key that is looked up is folded.

    ``accepted`` maps a field to its headers as written, ``by_meaning`` a header to its field.
    ``no_plan_end`` holds the words for "no end". ``wordings`` is what each language writes.
    ``row_numbers`` head a column that only counts rows; ``blank`` holds what programs write into an
    empty cell, not folded; ``unclear_languages`` the names of languages that tell no script.
    """

    accepted: Mapping[str, tuple[str, ...]]
    no_plan_end: frozenset[str]
    kinds: Mapping[str, Kind]
    operators: Mapping[str, str]
    languages: Mapping[str, Language]
    time_zones: Mapping[str, str]
    wordings: Mapping[Language, Wording]
    by_meaning: HeaderWords
    row_numbers: frozenset[str] = frozenset()
    blank: frozenset[str] = frozenset()
    unclear_languages: frozenset[str] = frozenset()

    def field_of(self, header: str) -> str | None:
        """The field of a header, ``"ambiguous"`` if its content decides, ``"ignored"`` if it is not
        read; ``None`` for an unknown one."""
        return self.by_meaning.meaning(header)
