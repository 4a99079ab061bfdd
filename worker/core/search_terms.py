"""What a card is found by: its numbers from both ends, and the words of its holder's name.

A search is a prefix of one of these terms: who types the last digits of a number types a prefix of
the number written backwards. Chinese is written without spaces, so each suffix of a name is a term.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_FORWARD: Final = "f"
_BACKWARD: Final = "r"
_NAME: Final = "n"
# What is kept of a word, and how many a name has at most: nobody types more.
_LONGEST: Final = 32
_MOST: Final = 24
_PERU: Final = "51"
_NATIONAL_DIGITS: Final = 9
# Chinese characters and kana, in the forms that are left after NFKD.
_CJK: Final = "぀-ヿ㐀-䶿一-鿿\U00020000-\U0003ffff"
_RUNS: Final = re.compile(f"[{_CJK}]+|[^{_CJK}]+")
_BETWEEN_CJK: Final = re.compile(rf"(?<=[{_CJK}])\s+(?=[{_CJK}])")
_IS_CJK: Final = re.compile(f"[{_CJK}]")
_SURROGATES: Final = range(0xD800, 0xE000)


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody looks for: cards that have a term with one of the prefixes ``any_of`` (a number
    from either end), or one with each of ``all_of`` (the words of a name)."""

    any_of: tuple[str, ...] = ()
    all_of: tuple[str, ...] = ()


def terms(msisdn: str | None, iccid: str | None, imsi: str | None, name: str) -> frozenset[str]:
    """The terms of a card with these numbers whose holder is called ``name``."""
    found: set[str] = set()
    for number in (national(msisdn) if msisdn else None, iccid, imsi):
        if number:
            found.add(_BACKWARD + number[::-1][:_LONGEST])
        if number and number != imsi:  # nobody knows the beginning of that one
            found.add(_FORWARD + number[:_LONGEST])
    words: dict[str, None] = {}
    for word in _words(name, joined=True):
        suffixes = range(len(word)) if _IS_CJK.match(word) else (0,)
        words.update(dict.fromkeys(word[start:][:_LONGEST] for start in suffixes))
    return frozenset({*found, *(_NAME + word for word in list(words)[:_MOST])})


def search_for(text: str) -> Search | None:
    """What ``text`` asks for: digits, such as the last four of a number, or parts of a name;
    ``None`` if there is neither a letter nor a digit in it."""
    if re.search(r"\d", text) and not any(letter.isalpha() for letter in text):
        digits = "".join(str(unicodedata.digit(one)) for one in text if one.isdigit())
        if text.strip().startswith("+"):
            digits = national(f"+{digits}")
        elif len(digits) == len(_PERU) + _NATIONAL_DIGITS and digits.startswith(_PERU):
            digits = digits.removeprefix(_PERU)
        return Search(any_of=(_FORWARD + digits[:_LONGEST], _BACKWARD + digits[::-1][:_LONGEST]))
    words = sorted({_NAME + word[:_LONGEST] for word in _words(text)}, key=lambda w: (-len(w), w))
    return Search(all_of=tuple(words[:_MOST])) if words else None


def national(msisdn: str) -> str:
    """The digits of a number as people in Peru write it; of one from abroad all of them."""
    return msisdn.removeprefix("+51").removeprefix("+")


def after(prefix: str) -> str:
    """The first text that comes after all that begin with ``prefix``, compared by code points."""
    for end in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[end]) + 1
        if code <= 0x10FFFF:
            code = _SURROGATES.stop if code in _SURROGATES else code
            return prefix[:end] + chr(code)
    raise ValueError("nothing comes after it")


def _words(text: str, *, joined: bool = False) -> Iterator[str]:
    """The words of ``text`` without case, width and accents; Chinese apart from other letters.
    ``joined``: whoever writes a space between two Chinese characters has not begun a word."""
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(one for one in plain if not unicodedata.combining(one))
    plain = unicodedata.normalize("NFKC", plain.casefold())
    if joined:
        plain = _BETWEEN_CJK.sub("", plain)
    for word in re.findall(r"\w+", plain):
        yield from _RUNS.findall(word.replace("_", ""))
