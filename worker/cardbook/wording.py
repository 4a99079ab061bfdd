"""Messages that are read to the end: bounded, and lists that say how much they leave out."""

from collections.abc import Iterable

LONGEST_MESSAGE = 300


def short(text: str, most: int = LONGEST_MESSAGE) -> str:
    """``text`` of at most ``most`` characters; what is cut off is marked."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def listed(words: Iterable[str], most: int) -> str:
    """The first ``most`` words, and how many more there are."""
    every = list(words)
    more = len(every) - most
    return ", ".join(every[:most]) + (f" and {more} more" if more > 0 else "")


def rows_named(rows: Iterable[int], most: int = 5) -> str:
    """``row 7``, or ``rows 3, 5, 9 and 12 more``."""
    every = sorted(rows)
    return f"row{'s' if len(every) > 1 else ''} {listed(map(str, every), most)}"


def counted(number: int, what: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
