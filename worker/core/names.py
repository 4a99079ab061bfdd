"""Names that are one name to a person, however they were typed."""

import unicodedata


def same_name(text: str) -> str:
    """One form for names that differ in case, width, Unicode form or spaces only: ``tienda sur``
    for ``TIENDA  Sur``."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())
