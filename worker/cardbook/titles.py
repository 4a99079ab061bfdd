"""The words a written card book uses in each language: one title a column, one word a value.

Everything written must be read back, so each word is held against the words that are read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from worker.cardbook.folding import fold
from worker.core.cards import CardState, Kind, Language

T = TypeVar("T", bound=str)

# Columns that are written for people and not read: the card's state, why a row was refused.
FOR_PEOPLE = ("state", "reason")


class Misworded(Exception):  # noqa: N818 - its reader names the file
    """A key of the titles or words is wrong: ``key`` and what is wrong with it."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key
        self.message = message


@dataclass(frozen=True, slots=True)
class Wording:
    """One language's titles by field (``state`` and ``reason`` among them) and words by value."""

    titles: Mapping[str, str]
    no_plan_end: str
    kinds: Mapping[Kind, str]
    operators: Mapping[str, str]
    languages: Mapping[Language, str]
    states: Mapping[CardState, str]


@dataclass(frozen=True, slots=True)
class Read:
    """What is read, folded word -> meaning; ``listed_operators``: each one's words as written."""

    headers: Mapping[str, str]
    ignored: frozenset[str]
    no_plan_end: frozenset[str]
    kinds: Mapping[str, Kind]
    operators: Mapping[str, str]
    listed_operators: Mapping[str, tuple[str, ...]]
    languages: Mapping[str, Language]


def load_wordings(tables: Mapping[str, Any], read: Read) -> dict[Language, Wording]:
    """``[titles.<language>]`` and ``[words.<language>]`` of every language. Raises Misworded."""
    for table in ("titles", "words"):
        for key in _content(tables, table, table):
            _converted(f"{table}.{key}", key, Language)
    return {language: _wording(tables, language, read) for language in Language}


def _wording(tables: Mapping[str, Any], language: Language, read: Read) -> Wording:
    where = f"words.{language}"
    words = _content(tables["words"], language, where)
    for key in words:
        if key not in ("no_plan_end", "kinds", "operators", "languages", "states"):
            raise Misworded(f"{where}.{key}", "unknown key")
    endless = _word(words, "no_plan_end", where)
    if fold(endless) not in read.no_plan_end:
        raise Misworded(f"{where}.no_plan_end", f"{endless!r} is not among no_plan_end.words")

    def values(name: str, convert: Callable[[str], T], known: Mapping[str, T]) -> dict[T, str]:
        return _values(_content(words, name, f"{where}.{name}"), f"{where}.{name}", convert, known)

    states = values("states", CardState, {})
    return Wording(
        titles=_titles(tables, language, read),
        no_plan_end=endless,
        kinds=_all(f"{where}.kinds", values("kinds", Kind, read.kinds), Kind),
        operators={
            # An operator that somebody adds needs no word of its own.
            **{key: listed[0] for key, listed in read.listed_operators.items()},
            **values("operators", str, read.operators),
        },
        languages=_all(
            f"{where}.languages", values("languages", Language, read.languages), Language
        ),
        states=_all(f"{where}.states", states, CardState),
    )


def _titles(tables: Mapping[str, Any], language: Language, read: Read) -> dict[str, str]:
    where = f"titles.{language}"
    content = _content(tables["titles"], language, where)
    fields = [*dict.fromkeys(read.headers.values()), *FOR_PEOPLE]
    for field in content:
        if field not in fields:
            raise Misworded(f"{where}.{field}", f"unknown key; known are {', '.join(fields)}")
    found = {}
    for field in fields:
        found[field] = title = _word(content, field, where)
        if field in FOR_PEOPLE and fold(title) not in read.ignored:
            raise Misworded(f"{where}.{field}", f"{title!r} is not among ignored.headers")
        if field not in FOR_PEOPLE and read.headers.get(fold(title)) != field:
            raise Misworded(f"{where}.{field}", f"{title!r} is not among headers.{field}")
    return found


def _values(
    content: Mapping[str, Any], where: str, convert: Callable[[str], T], known: Mapping[str, T]
) -> dict[T, str]:
    found: dict[T, str] = {}
    for key in content:
        meaning = _converted(f"{where}.{key}", key, convert)
        word = _word(content, key, where)
        if known and known.get(fold(word)) != meaning:
            table = where.rpartition(".")[2]
            raise Misworded(f"{where}.{key}", f"{word!r} is not among {table}.{key}")
        found[meaning] = word
    return found


def _all(where: str, found: dict[T, str], every: type[T]) -> dict[T, str]:
    for member in every:  # type: ignore[attr-defined]
        if member not in found:
            raise Misworded(f"{where}.{member}", "a word is missing")
    return found


def _content(tables: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    content = tables.get(name)
    if not isinstance(content, dict) or not content:
        raise Misworded(where, "the table is missing or empty")
    return content


def _word(content: Mapping[str, Any], key: str, where: str) -> str:
    word = content.get(key)
    if not isinstance(word, str) or not fold(word):
        raise Misworded(f"{where}.{key}", "a word is expected")
    return word


def _converted(where: str, key: str, convert: Callable[[str], T]) -> T:
    try:
        return convert(key)
    except ValueError as error:
        raise Misworded(where, f"unknown key: {error}") from None
