"""The words of card books: what headers and values are called, from ``config/columns.toml``."""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from zoneinfo import available_timezones

from worker.cardbook.folding import fold
from worker.cardbook.meaning import PARTS, HeaderWords
from worker.cardbook.titles import Misworded, Read, Wording, load_wordings
from worker.core.cards import Kind, Language
from worker.errors import ConfigError

T = TypeVar("T")

AMBIGUOUS, IGNORED = "ambiguous", "ignored"
FIELDS = (
    *("msisdn", "iccid", "imsi", "operator", "kind", "plan", "expires", "last_topup", "holder"),
    *("email", "contact_phone", "balance", "language", "time_zone", "note"),
)
_TABLES = (
    *("headers", "ambiguous", "ignored", "no_plan_end", "kinds", "operators", "languages"),
    *("time_zones", "titles", "words"),
)
# Without these a card book is read as well, only with less sense for its words.
_OPTIONAL = ("row_numbers", "header_parts", "header_notes", "blank", "unclear_languages")


@dataclass(frozen=True, slots=True)
class Columns:
    """A vocabulary; every key that is looked up is folded.

    ``headers`` maps a header to its field, ``accepted`` a field to its headers as written.
    ``ambiguous`` headers are resolved by content, ``ignored`` ones not read at all;
    ``no_plan_end`` holds the words for "no end". ``wordings`` is what each language writes.
    ``row_numbers`` head a column that only counts rows; ``blank`` holds what programs write into an
    empty cell, not folded; ``unclear_languages`` the names of languages that tell no script.
    """

    headers: Mapping[str, str]
    accepted: Mapping[str, tuple[str, ...]]
    ambiguous: frozenset[str]
    ignored: frozenset[str]
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


def load_columns(path: Path) -> Columns:
    """The vocabulary of one TOML file. Raises ConfigError with the file and the key."""
    tables = _read(path)
    for table in tables:
        if table not in (*_TABLES, *_OPTIONAL):
            raise _wrong(path, table, f"unknown table; known are {', '.join(_TABLES)}")
    headers, accepted = _words(path, tables, "headers", _field)
    ambiguous, _ = _words(path, tables, "ambiguous", _only("headers"))
    ignored, _ = _words(path, tables, "ignored", _only("headers"))
    endless, _ = _words(path, tables, "no_plan_end", _only("words"))
    for table, found in (("ambiguous", ambiguous), ("ignored", ignored)):
        for folded in headers.keys() & found.keys():
            raise _wrong(
                path, f"{table}.headers", f"{folded!r} is also in headers.{headers[folded]}"
            )
    kinds, _ = _words(path, tables, "kinds", Kind)
    operators, listed = _words(path, tables, "operators", str)
    languages, _ = _words(path, tables, "languages", Language)
    time_zones, _ = _words(path, tables, "time_zones", _zone)
    optional = _optional(path, tables)
    read = Read(
        headers, frozenset(ignored), frozenset(endless), kinds, operators, listed, languages
    )
    try:
        wordings = load_wordings(tables, read)
    except Misworded as mistake:
        raise _wrong(path, mistake.key, mistake.message) from None
    return Columns(
        headers=headers,
        accepted=accepted,
        ambiguous=frozenset(ambiguous),
        ignored=read.ignored,
        no_plan_end=read.no_plan_end,
        by_meaning=HeaderWords(
            {**headers, **dict.fromkeys(ambiguous, AMBIGUOUS), **dict.fromkeys(ignored, IGNORED)},
            *optional.headers,
        ),
        row_numbers=optional.row_numbers,
        blank=optional.blank,
        unclear_languages=optional.unclear,
        kinds=kinds,
        operators=operators,
        languages=languages,
        time_zones=time_zones,
        wordings=wordings,
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error


class _Optional(NamedTuple):
    """What ``_OPTIONAL`` tables hold; nothing where one is missing."""

    headers: tuple[Mapping[str, str], frozenset[str]]
    row_numbers: frozenset[str]
    blank: frozenset[str]
    unclear: frozenset[str]


def _optional(path: Path, tables: Mapping[str, Any]) -> _Optional:
    def words(table: str, key: str) -> tuple[frozenset[str], tuple[str, ...]]:
        if table not in tables:
            return frozenset(), ()
        folded, written = _words(path, tables, table, _only(key), keep=table == "blank")
        return frozenset(folded), written[key]

    parts: Mapping[str, str] = {}
    if "header_parts" in tables:
        parts, _ = _words(path, tables, "header_parts", _part)
    blanks = words("blank", "words")[1]
    return _Optional(
        (parts, words("header_notes", "words")[0]),
        words("row_numbers", "headers")[0],
        # As people and programs write them; a person may be called Nan.
        frozenset(form for word in blanks for form in (word, word.upper(), word.lower())),
        words("unclear_languages", "words")[0],
    )


def _part(key: str) -> str:
    if key not in PARTS:
        raise ValueError(f"the sorts of words are {', '.join(PARTS)}")
    return key


def _words(
    path: Path,
    tables: Mapping[str, Any],
    table: str,
    convert: Callable[[str], T],
    *,
    keep: bool = False,
) -> tuple[dict[str, T], dict[str, tuple[str, ...]]]:
    """One table of lists, turned round: word -> meaning; and key -> words as written. ``keep``: a
    word may be of signs alone, such as "-"."""
    content = tables.get(table)
    if not isinstance(content, dict) or not content:
        raise _wrong(path, table, "the table is missing or empty")
    found: dict[str, T] = {}
    written: dict[str, tuple[str, ...]] = {}
    for key, words in content.items():
        where = f"{table}.{key}"
        try:
            meaning = convert(key)
        except ValueError as error:
            raise _wrong(path, where, f"unknown key: {error}") from None
        written[key] = tuple(_checked(path, where, words, keep=keep))
        for folded in map(fold, written[key]):
            if found.setdefault(folded, meaning) != meaning:
                raise _wrong(path, where, f"{folded!r} also means {found[folded]}")
    return found, written


def _checked(path: Path, where: str, words: object, *, keep: bool) -> Iterable[str]:
    if not isinstance(words, list) or not words:
        raise _wrong(path, where, "a list of words is expected")
    for word in words:
        if not isinstance(word, str) or not (fold(word) or (keep and word.strip())):
            raise _wrong(path, where, f"{word!r} is not a word")
        yield word


def _field(key: str) -> str:
    if key not in FIELDS:
        raise ValueError(f"the fields are {', '.join(FIELDS)}")
    return key


def _only(name: str) -> Callable[[str], str]:
    def check(key: str) -> str:
        if key != name:
            raise ValueError(f"{name} is expected")
        return key

    return check


def _zone(key: str) -> str:
    if key not in _zones():
        raise ValueError("an IANA name such as America/Lima is expected")
    return key


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _wrong(path: Path, key: str, message: str) -> ConfigError:
    return ConfigError(f"{path}: {key}: {message}", "see the comments in config/columns.toml")
