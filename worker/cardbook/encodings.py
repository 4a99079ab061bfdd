"""Which legacy encoding a text file is in, proved by its header or by what its cells then say.

Any Spanish cp1252 text decodes as GB18030 into Chinese without an error, and one of MacRoman as
cp1252: that no byte is left over proves nothing. A header that is known in one encoding alone does.
 A header in plain ASCII reads right in all of them, so then the letters of the cells decide:
letters of Spanish in words, or ideographs in common use.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from worker.cardbook.cells import masked
from worker.cardbook.wording import counted, listed
from worker.errors import CardBookError

# big5hkscs only counts where cp950, what Windows writes in Taiwan, leaves bytes over.
LEGACY = ("gb18030", "cp950", "big5hkscs", "cp1252", "mac_roman", "cp850")
# What card books are commonly kept in; of the others a person has to say so.
_USUAL = ("gb18030", "big5", "cp950", "cp1252")
_CHOOSE = "choose one with --encoding {}, or save it as UTF-8"

_IMPLAUSIBLE, _POSSIBLE, _NATURAL = range(3)
_SPANISH = frozenset("áéíóúüñÁÉÍÓÚÜÑ")
_SIGNS = frozenset("ºª°¿¡€“”‘’–—…·«»´®©™\u00a0")
_IN_WORDS = frozenset("’·ºª°")
_WORD = re.compile(r"[A-Za-z\u0080-\uffff]+")
# The lead bytes of Big5 level 1, the ideographs in common use.
_BIG5_COMMON = range(0xA4, 0xC7)

HeaderOf = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text, its encoding, and what a person should know of how it was found, if anything."""

    text: str
    encoding: str
    doubt: str = ""


def legacy(data: bytes, knows: Callable[[str], bool], header_of: HeaderOf) -> Decoded:
    """The text of a file that is not UTF-8. Raises CardBookError where two readings stand."""
    broken = _broken_utf8(data)
    if broken:
        return broken
    line = _first_wrong_line(data)
    readings = {name: text for name in LEGACY if (text := decoded(data, name)) is not None}
    if "cp950" in readings:
        readings.pop("big5hkscs", None)
        # The same text: then the name that more programs know.
        if readings["cp950"] == decoded(data, "big5"):
            readings = {"big5" if name == "cp950" else name: t for name, t in readings.items()}
    headers = {name: header_of(text) for name, text in readings.items()}
    if any(header and "".join(header).isascii() for header in headers.values()):
        return _by_cells(readings, line)
    known = [name for name, header in headers.items() if header and all(map(knows, header))]
    if len(known) == 1:
        return Decoded(readings[known[0]], known[0])
    if known:
        raise _unsure(line, f"it reads as {' and as '.join(known)}", known)
    # Read wrongly, hardly a header is known: the encoding that knows most is worth naming.
    best = max(headers, key=lambda name: sum(map(knows, headers[name])), default=None)
    why = "no other encoding gives headers all known"
    if best and headers[best]:
        unknown = listed((repr(masked(t)) for t in headers[best] if not knows(t)), 3)
        why += f": as {best}, {unknown} would not be"
    raise _unsure(line, why, [best] if best else ["gb18030"])


def decoded(data: bytes, encoding: str) -> str | None:
    """The text, or ``None`` if it is not in this encoding, or that is none."""
    try:
        return data.decode(encoding)
    except (LookupError, ValueError):
        return None


def _broken_utf8(data: bytes) -> Decoded | None:
    """UTF-8 with a few broken bytes: each becomes a mark that no cell may hold, so that only the
    rows that hold one are refused."""
    text = data.decode("utf-8", "surrogateescape")
    broken = [match.start() for match in re.finditer("[\udc80-\udcff]", text)]
    right = sum(map(len, re.findall("[^\x00-\x7f\udc80-\udcff]+", text)))
    if right < 2 or right < 2 * len(broken):
        return None
    lines = dict.fromkeys(text.count("\n", 0, place) + 1 for place in broken[:100])
    return Decoded(
        re.sub("[\udc80-\udcff]+", "\ufffd", text),
        "utf-8",
        f"the file is UTF-8 but for {counted(len(broken), 'byte')} in line "
        f"{listed(map(str, lines), 5)}: cells that hold them are refused",
    )


def _by_cells(readings: dict[str, str], line: int) -> Decoded:
    rated = {name: _plausibility(name, text) for name, text in readings.items()}
    natural = [name for name, rate in rated.items() if rate == _NATURAL]
    possible = [name for name, rate in rated.items() if rate >= _POSSIBLE]
    if len(natural) == 1 and natural[0] in _USUAL:
        name = natural[0]
        told = f"the header does not prove the encoding: {name} fits, in which the cells hold "
        return Decoded(readings[name], name, told + _letters(readings[name]))
    fitting = natural or possible
    if not fitting:
        raise _unsure(line, "its cells make no sense in any other encoding", list(readings)[:1])
    seen = " and ".join(f"{name} ({_letters(readings[name])})" for name in fitting[:3])
    raise _unsure(line, f"its cells read as {seen}", fitting)


def _plausibility(name: str, text: str) -> int:
    words = {word for word in _WORD.findall(text) if not word.isascii()}
    if name in ("gb18030", "big5", "cp950", "big5hkscs"):
        return _as_chinese(name, words)
    return min(map(_as_latin, words), default=_NATURAL)


def _as_chinese(name: str, words: Iterable[str]) -> int:
    every = [letter for word in words for letter in word if not letter.isascii()]
    common = sum(_is_common(name, letter) for letter in every)
    if common >= 0.8 * len(every):
        return _NATURAL
    return _POSSIBLE if common >= 0.5 * len(every) else _IMPLAUSIBLE


def _is_common(name: str, letter: str) -> bool:
    if name == "gb18030":
        return _bytes_of(letter, "gb2312") is not None
    code = _bytes_of(letter, "big5")
    return code is not None and (code[0] in _BIG5_COMMON or code[0] in range(0xA1, 0xA4))


def _bytes_of(letter: str, encoding: str) -> bytes | None:
    """The letter's bytes, ``None`` if the encoding has none for it."""
    try:
        return letter.encode(encoding)
    except UnicodeEncodeError:
        return None


def _as_latin(word: str) -> int:
    rate = _NATURAL
    for place, letter in enumerate(word):
        if letter.isascii():
            continue
        before, after = word[place - 1 : place], word[place + 1 : place + 2]
        if letter.isalpha() and letter not in "ºª":
            if not "\u00c0" <= letter <= "\u017f" or (letter.isupper() and before.islower()):
                return _IMPLAUSIBLE
            rate = rate if letter in _SPANISH else min(rate, _POSSIBLE)
        elif letter not in _SIGNS or (
            before.isalpha() and after.isalpha() and letter not in _IN_WORDS
        ):
            return _IMPLAUSIBLE
        elif letter not in _IN_WORDS and letter not in "¿¡" and (before + after).isalpha():
            rate = min(rate, _POSSIBLE)
    return rate


def _letters(text: str) -> str:
    """Some of the letters that make the difference, in the alphabet's order: no word is shown."""
    return " ".join(sorted({letter for letter in text if not letter.isascii()})[:6])


def _unsure(line: int, why: str, names: Sequence[str]) -> CardBookError:
    return CardBookError(
        f"the file is not UTF-8 (line {line}), and {why}", _CHOOSE.format(" or ".join(names[:3]))
    )


def _first_wrong_line(data: bytes) -> int:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return data.count(b"\n", 0, error.start) + 1
    return 1
