"""Reads ``config/columns.toml``: what headers and values are called, and how they are written.

Everything written must be read back, so each word of ``titles`` and ``words`` is held against the
words that are read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from worker.cardbook.columns import AMBIGUOUS, IGNORED, Columns, FieldName
from worker.cardbook.folding import fold
from worker.cardbook.meaning import HeaderWords, Part
from worker.cardbook.titles import FOR_PEOPLE, ForPeople, Wording
from worker.core.cards import CardState, Kind, Language
from worker.tables import Table, Where, every, located, read_file, wrong

T = TypeVar("T", bound=str)


def _said(means: Callable[[str], bool]) -> BeforeValidator:
    def word(value: Any) -> Any:
        if not isinstance(value, str) or not means(value):
            raise ValueError(f"{value!r} is not a word")
        return value

    return BeforeValidator(word)


def _several(value: Any) -> Any:
    if not isinstance(value, list) or not value:
        raise ValueError("a list of words is expected")
    return value


def _zone(key: str) -> str:
    if key not in _zones():
        raise ValueError("unknown key: an IANA name such as America/Lima is expected")
    return key


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _turned(table: Mapping[T, Sequence[str]]) -> dict[str, T]:
    """A table of lists turned round: what each word means, folded."""
    found: dict[str, T] = {}
    for key, words in table.items():
        for folded in map(fold, words):
            if found.setdefault(folded, key) != key:
                raise located([((str(key),), f"{folded!r} also means {found[folded]}")])
    return found


def _apart(table: dict[T, list[str]]) -> dict[T, list[str]]:
    _turned(table)
    return table


def _folded(words: Iterable[str]) -> frozenset[str]:
    return frozenset(map(fold, words))


_MISSING = "the table is missing or empty"
_Word = Annotated[str, _said(lambda text: bool(fold(text)))]
# A word that may be of signs alone, such as "-".
_Sign = Annotated[str, _said(lambda text: bool(text.strip()))]
_Words = Annotated[list[_Word], BeforeValidator(_several)]
_Apart, _Full = AfterValidator(_apart), Field(min_length=1, description=_MISSING)
_Kind = Annotated[Kind, Field(strict=False)]
_Language = Annotated[Language, Field(strict=False)]
_State = Annotated[CardState, Field(strict=False)]
_Title = Literal[FieldName, ForPeople]
_TimeZone = Annotated[str, AfterValidator(_zone)]


class _Headers(Table):
    headers: _Words = Field(description="a list of words is expected")


class _OfWords(Table):
    words: _Words = Field(description="a list of words is expected")


class _Blank(Table):
    words: Annotated[list[_Sign], BeforeValidator(_several)]


class _Written(Table):
    no_plan_end: _Word = Field(description="a word is missing")
    kinds: Annotated[dict[_Kind, _Word], every(Kind), _Full]
    operators: Annotated[dict[str, _Word], _Full]
    languages: Annotated[dict[_Language, _Word], every(Language), _Full]
    states: Annotated[dict[_State, _Word], every(CardState), _Full]


class ColumnFile(Table):
    """The whole file."""

    headers: Annotated[dict[FieldName, _Words], _Apart, _Full]
    ambiguous: _Headers = Field(description=_MISSING)
    ignored: _Headers = Field(description=_MISSING)
    no_plan_end: _OfWords = Field(description=_MISSING)
    kinds: Annotated[dict[_Kind, _Words], _Apart, _Full]
    operators: Annotated[dict[str, _Words], _Apart, _Full]
    languages: Annotated[dict[_Language, _Words], _Apart, _Full]
    time_zones: Annotated[dict[_TimeZone, _Words], _Apart, _Full]
    titles: Annotated[dict[_Language, dict[_Title, _Word]], every(Language), _Full]
    words: Annotated[dict[_Language, _Written], every(Language), _Full]
    # Without these a card book is read as well, only with less sense for its words.
    row_numbers: _Headers = _Headers.model_construct(headers=[])
    header_parts: Annotated[dict[Part, _Words], _Apart] = {}  # noqa: RUF012 - pydantic copies it
    header_notes: _OfWords = _OfWords.model_construct(words=[])
    blank: _Blank = _Blank.model_construct(words=[])
    unclear_languages: _OfWords = _OfWords.model_construct(words=[])

    @model_validator(mode="after")
    def _all_is_read_back(self) -> Self:
        problems = [*self._twice(), *self._unread_titles(), *self._unread_words()]
        if problems:
            raise located(problems)
        return self

    def _twice(self) -> Iterator[tuple[Where, str]]:
        known = _turned(self.headers)
        for table, headers in (("ambiguous", self.ambiguous), ("ignored", self.ignored)):
            for folded in sorted(known.keys() & _folded(headers.headers)):
                yield (table, "headers"), f"{folded!r} is also in headers.{known[folded]}"

    def _unread_titles(self) -> Iterator[tuple[Where, str]]:
        known, ignored = _turned(self.headers), _folded(self.ignored.headers)
        for language, titles in self.titles.items():
            for field in dict.fromkeys((*self.headers, *FOR_PEOPLE, *titles)):
                title, where = titles.get(field), ("titles", language.value, field)
                if title is None:
                    yield where, "a word is missing"
                elif field in FOR_PEOPLE and fold(title) not in ignored:
                    yield where, f"{title!r} is not among ignored.headers"
                elif field not in FOR_PEOPLE and known.get(fold(title)) != field:
                    yield where, f"{title!r} is not among headers.{field}"

    def _unread_words(self) -> Iterator[tuple[Where, str]]:
        endless = _folded(self.no_plan_end.words)
        for language, words in self.words.items():
            where = ("words", language.value)
            if fold(words.no_plan_end) not in endless:
                told = f"{words.no_plan_end!r} is not among no_plan_end.words"
                yield (*where, "no_plan_end"), told
            for table in ("kinds", "operators", "languages"):
                known: dict[str, str] = _turned(getattr(self, table))
                for key, word in getattr(words, table).items():
                    if known.get(fold(word)) != key:
                        yield (*where, table, str(key)), f"{word!r} is not among {table}.{key}"

    def columns(self) -> Columns:
        """The vocabulary."""
        fields = _turned(self.headers)
        whole: dict[str, str] = {
            **fields,
            **dict.fromkeys(_folded(self.ambiguous.headers), AMBIGUOUS),
            **dict.fromkeys(_folded(self.ignored.headers), IGNORED),
        }
        parts, notes = _turned(self.header_parts), _folded(self.header_notes.words)
        return Columns(
            accepted={field: tuple(words) for field, words in self.headers.items()},
            by_meaning=HeaderWords(whole, parts, notes),
            no_plan_end=_folded(self.no_plan_end.words),
            row_numbers=_folded(self.row_numbers.headers),
            # As people and programs write them; a person may be called Nan.
            blank=frozenset(
                form for word in self.blank.words for form in (word, word.upper(), word.lower())
            ),
            unclear_languages=_folded(self.unclear_languages.words),
            kinds=_turned(self.kinds),
            operators=_turned(self.operators),
            languages=_turned(self.languages),
            time_zones=_turned(self.time_zones),
            wordings={language: self._wording(language) for language in Language},
        )

    def _wording(self, language: Language) -> Wording:
        words = self.words[language]
        # An operator that somebody adds needs no word of its own.
        operators = {key: listed[0] for key, listed in self.operators.items()} | words.operators
        return Wording(
            {field: title for field, title in self.titles[language].items()},  # noqa: C416 - typed
            words.no_plan_end,
            words.kinds,
            operators,
            words.languages,
            words.states,
        )


def load_columns(path: Path) -> Columns:
    """The vocabulary of one TOML file. Raises ``ConfigError`` that lists everything that is
    wrong."""
    found, problems = read_file(ColumnFile, path)
    if found is None:
        raise wrong("The words of card books are wrong:", problems)
    return found.columns()
