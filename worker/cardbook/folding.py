"""One form for names that are written in many ways."""

import unicodedata


def fold(text: str) -> str:
    """``text`` without case, width, accents, spaces and punctuation: ``Última_recarga`` is
    ``ultimarecarga``."""
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in decomposed if letter.isalnum())
