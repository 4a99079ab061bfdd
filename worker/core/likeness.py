"""Is a text in a provider's list one of ours? Providers change texts on their way.

They replace characters that would make an SMS longer by ones of GSM 03.38, shorten links, and add
words; or their list shows no text at all. What one of them alone does is undone by its own package.
"""

import difflib
import hashlib
import re
import unicodedata
from enum import StrEnum
from typing import Final

# As much of two texts in common makes one of them perhaps the other, changed on its way.
_ALIKE: Final = 0.6
# Shorter ones say too little to be found inside others.
_TELLING: Final = 12
_PLAIN: Final = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u2035\u00b4`", "'"),
        **dict.fromkeys("\u00ab\u00bb\u201c\u201d\u201e\u201f\u2033\u2036", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
    }
)
_LINK: Final = re.compile(r"(?:https?://)?[\w.-]+\.[a-z]{2,}/\S+")


class Likeness(StrEnum):
    """``SAME``: ours but for what a provider does to texts. ``HIDDEN``: the list does not show
    enough to tell. ``ALIKE``: perhaps ours. ``OTHER``: another text."""

    SAME = "same"
    HIDDEN = "hidden"
    ALIKE = "alike"
    OTHER = "other"


def likeness(digest: str, text: str | None, seen: str) -> Likeness:
    """How ``seen``, in a provider's list, is like what was handed over: a text whose SHA-256 is
    ``digest`` (empty where a registered text went out), ``text`` where it is still kept. An empty
    ``seen`` is a text that the list does not show."""
    if not digest or not seen.strip():
        return Likeness.HIDDEN
    if hashlib.sha256(seen.encode()).hexdigest() == digest:
        return Likeness.SAME
    if text is None:
        # Only texts as they are can be compared with a digest: a changed one may be ours.
        return Likeness.ALIKE
    own, theirs = _essence(text), _essence(seen)
    if own == theirs or (len(own) >= _TELLING and own in theirs):
        return Likeness.SAME
    ratio = difflib.SequenceMatcher(None, own, theirs, autojunk=False).ratio()
    return Likeness.ALIKE if ratio >= _ALIKE else Likeness.OTHER


def _essence(text: str) -> str:
    """What is left of a text on any way: letters without accents, marks in one form, one case, no
    links (they are shortened) and no white space."""
    plain = unicodedata.normalize("NFKD", text.translate(_PLAIN)).casefold()
    kept = "".join(c for c in plain if unicodedata.category(c) not in ("Mn", "Cf"))
    return "".join(_LINK.sub("/", kept).split())
