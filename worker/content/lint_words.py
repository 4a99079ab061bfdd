"""Half-translated texts: characters and words that betray another language, with file and line."""

import re
from collections.abc import Iterator
from typing import Final

from jinja2 import Environment, TemplateSyntaxError, nodes

from worker.content.findings import Finding
from worker.content.languages import SPEECH
from worker.content.sources import Sources
from worker.core.cards import Language

_LATIN: Final = re.compile(r"[A-Za-zÀ-ÿ]+")
_SENTENCE: Final = re.compile(r"[A-Za-zÀ-ÿ]+(?: [A-Za-zÀ-ÿ]+){2,}")
_CJK: Final = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\u3000-\u303f]+")
_MARKUP: Final = re.compile(r"<[^>]*>")
# Names of events, fields and files are no words of a text.
_NAME: Final = re.compile("|".join([r"[a-z0-9_]*", *Language, r".*\.j2"]))


def check_words(sources: Sources, syntax: Environment) -> list[Finding]:
    """Look at every string of every template that stands in a language's folder."""
    found: list[Finding] = []
    for name, source in sources.items():
        folder = name.split("/")[1]
        if folder not in set(Language):
            continue
        language = Language(folder)
        for line, text in _strings(source, syntax):
            for at, what in _foreign(text, language):
                where = line + text[:at].count("\n")
                key = " ".join(name.split("/")[:-1])
                found.append(Finding(name, where, "error", "language", key, what))
    return found


def _strings(source: str, syntax: Environment) -> Iterator[tuple[int, str]]:
    """Every string a reader may see, with its line; a template that does not parse has none."""
    try:
        tree = syntax.parse(source)
    except TemplateSyntaxError:
        return
    for data in tree.find_all(nodes.TemplateData):
        yield data.lineno, _MARKUP.sub(lambda tag: " " * len(tag[0]), data.data)
    for const in tree.find_all(nodes.Const):
        if isinstance(const.value, str) and not _NAME.fullmatch(const.value):
            yield const.lineno, const.value


def _foreign(text: str, language: Language) -> Iterator[tuple[int, str]]:
    """Positions in ``text`` that do not speak ``language``, and what is wrong there."""
    own = SPEECH[language]
    if own.charset:
        for at, character in enumerate(text):
            if ord(character) > 0x2E7F and not _in_charset(character, own.charset):
                yield at, f"{character} is not a character of {language}"
        for word in own.not_said.finditer(text) if own.not_said else ():
            yield word.start(), f"{word[0]} is not said in {language}"
        for words in _SENTENCE.finditer(text):
            yield words.start(), f"not translated: {words[0]}"
    else:
        for characters in _CJK.finditer(text):
            yield characters.start(), f"not translated: {characters[0]}"
    if own.ascii_only:
        for at, character in enumerate(text):
            if ord(character) > 127 and not _CJK.match(character):
                yield at, f"{character} is not used in {language}"
    yield from _stop_words(text, language)


def _stop_words(text: str, language: Language) -> Iterator[tuple[int, str]]:
    for word in _LATIN.finditer(text):
        if word[0].lower() in SPEECH[language].strangers:
            yield word.start(), f"not translated: {word[0]}"


def _in_charset(character: str, charset: str) -> bool:
    try:
        character.encode(charset)
    except UnicodeEncodeError:
        return False
    return True
