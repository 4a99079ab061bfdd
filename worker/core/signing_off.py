"""How a book signs: a name on one line, of characters that everybody sees."""

import unicodedata

# What makes emoji of several, and joins letters in some scripts, is seen by its effect.
_JOINERS = frozenset("\u200c\u200d\ufe0f")


def signature(text: str) -> str:
    """``text`` without space around it. Raises ``ValueError`` that says what is wrong: a line end
    would begin a line of its own in an SMS, and what nobody sees makes it longer or turns it
    around."""
    clean = text.strip()
    if not clean:
        raise ValueError("a signature has a character that can be seen")
    for character in clean:
        kind = unicodedata.category(character)
        if kind in ("Zl", "Zp") or (kind[0] == "C" and character not in _JOINERS):
            name = unicodedata.name(character, f"U+{ord(character):04X}")
            raise ValueError(f"a signature is one line of visible characters, without {name}")
    return clean
