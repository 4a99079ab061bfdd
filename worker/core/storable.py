"""Which texts every database takes, and every page can show."""


def is_storable(text: str) -> bool:
    """Is ``text`` without NUL, which PostgreSQL refuses, and without halves of surrogate pairs,
    which no UTF-8 has? JSON and some charsets can bring both."""
    return not any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in text)
