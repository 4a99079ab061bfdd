"""What the terminal can show: which characters, colours, and how many columns."""

import os
import sys
from collections.abc import Mapping
from typing import IO, TextIO


def write_anything() -> None:
    """Let no character stop the program: what a terminal of another alphabet (latin-1, cp1252)
    cannot show is written as a question mark."""
    for stream in (sys.stdout, sys.stderr):
        if (change := getattr(stream, "reconfigure", None)) is not None:
            change(errors="replace")


def shows_all_letters(stream: TextIO) -> bool:
    """Can the stream carry every character as it is?"""
    return (stream.encoding or "").lower().replace("-", "").startswith("utf")


def in_colour(stream: IO[str], environ: Mapping[str, str] = os.environ) -> bool:
    """Are colours wanted: on a terminal that has them, unless NO_COLOR (no-color.org) says no."""
    plain = environ.get("NO_COLOR") or environ.get("TERM") == "dumb"
    return stream.isatty() and not plain


def columns(stream: IO[str], environ: Mapping[str, str] = os.environ) -> int | None:
    """How wide a line may be: as COLUMNS or the terminal says; ``None`` where nothing bounds it."""
    told = environ.get("COLUMNS", "")
    if told.isascii() and told.isdigit() and int(told) > 0:
        return int(told)
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):  # no terminal
        return None
