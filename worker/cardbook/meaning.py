"""Headers by what they say: 客户手机 and "teléfono del cliente" are both a customer's phone.

A header is first looked up as a whole. Then what stands in brackets is set aside if it cannot
change the meaning (必填, yyyy-mm-dd, S/), and at last the header is taken apart into words, of
which each must be known: a word nobody knows may turn the meaning round.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from worker.cardbook.folding import fold

# fmt: off
Part = Literal[
    "person", "phone", "email", "name", "last", "topup", "end", "day", "card", "number", "plan",
    "filler",
]
# fmt: on
# What a header means whose words are all of these sorts; a phone that is no person's is the card's.
_MEANINGS: tuple[tuple[frozenset[str], str], ...] = tuple(
    (frozenset(sorts.split()), meaning)
    for sorts, meaning in (
        ("person phone", "contact_phone"),
        ("person phone number", "contact_phone"),
        ("email", "email"),
        ("person email", "email"),
        ("name", "holder"),
        ("person name", "holder"),
        ("phone number", "msisdn"),
        ("card phone", "msisdn"),
        ("card phone number", "msisdn"),
        ("last topup", "last_topup"),
        ("topup day", "last_topup"),
        ("last topup day", "last_topup"),
        ("end day", "expires"),
        ("end plan", "expires"),
        ("end plan day", "expires"),
        ("end card", "expires"),
        ("end card day", "expires"),
        ("plan name", "plan"),
    )
)
# Of these an unknown remark can make another column: "celular (contacto)".
_EASILY_TURNED = frozenset(("msisdn", "iccid", "imsi", "holder", "email", "contact_phone"))
_BRACKETS = re.compile(r"[(\[{（【［〔<《].*?[)\]}）】］〕>》]")
_PATTERN = re.compile(r"(?:y{2,4}|a{2,4}|m{1,3}|d{1,2}|h{1,2}|s{1,2}|[年月日0-9])+")
_SHORTEST_EXAMPLE = 6
_WORDS = re.compile(r"[^\W\d_]+|[0-9]+")
_CJK = re.compile(r"([\u3400-\u9fff]+)")


@dataclass(frozen=True)
class HeaderWords:
    """``whole`` headers and what they are, ``parts`` their words by sort, ``notes`` that change
    nothing; every key is folded."""

    whole: Mapping[str, str]
    parts: Mapping[str, str] = field(default_factory=dict)
    notes: frozenset[str] = frozenset()
    _met: dict[str, str | None] = field(default_factory=dict, compare=False)

    def meaning(self, title: str) -> str | None:
        """The field that a column with this header holds; ``None`` if that is not clear."""
        if title not in self._met:
            self._met[title] = self._find(title)
        return self._met[title]

    def _find(self, title: str) -> str | None:
        if found := self.whole.get(fold(title)):
            return found
        bare, notes = _BRACKETS.sub(" ", title), _BRACKETS.findall(title)
        bare = self._unmarked(bare)
        found = self.whole.get(fold(bare)) or self._by_parts(bare)
        if found and all(self._changes_nothing(note, found) for note in notes):
            return found
        return self._by_parts(title)

    def _unmarked(self, title: str) -> str:
        """Without the remarks that some write before or after a header, such as 必填."""
        kept = [word for word in re.split(r"[\s*:：/,，;；]+", title) if not self._is_note(word)]
        text = " ".join(kept)
        for note in self.notes:
            if len(note) > 1 and not note.isascii():
                text = text.removeprefix(note).removesuffix(note)
        return text

    def _changes_nothing(self, note: str, meaning: str) -> bool:
        if self._is_note(note):
            return True
        if meaning in _EASILY_TURNED:
            return False
        # 到期日(上次充值) says two things.
        return self.whole.get(fold(note)) is None and not any(map(self._sorts, [note]))

    def _is_note(self, note: str) -> bool:
        folded = fold(note)
        # A short number tells a second column of its kind: "celular 2" is another telephone.
        without = folded.strip("0123456789")
        if not without:
            return len(folded) >= _SHORTEST_EXAMPLE or not folded
        return without in self.notes or bool(_PATTERN.fullmatch(folded))

    def _by_parts(self, title: str) -> str | None:
        sorts = self._sorts(title)
        if sorts is None:
            return None
        return next((meaning for one, meaning in _MEANINGS if one == sorts), None)

    def _sorts(self, title: str) -> frozenset[str] | None:
        """The sorts of a header's words, ``None`` if one of them is not known."""
        found: set[str] = set()
        for word in _words(title):
            sort = self.parts.get(fold(word))
            several = [sort] if sort else self._of_characters(word)
            if several is None:
                return None
            found.update(several)
        return frozenset(found - {"filler"})

    def _of_characters(self, word: str) -> list[str] | None:
        """The sorts of a word written without spaces, always the longest word first."""
        folded, sorts = fold(word), []
        while folded:
            length = next((n for n in range(len(folded), 0, -1) if folded[:n] in self.parts), 0)
            if not length or folded.isascii():
                return None
            sorts.append(self.parts[folded[:length]])
            folded = folded[length:]
        return sorts


def _words(title: str) -> Iterator[str]:
    """Its words; Chinese ones are told from Latin ones that stand beside them."""
    composed = unicodedata.normalize("NFKC", title)
    for word in _WORDS.findall(composed):
        yield from filter(None, _CJK.split(word))
