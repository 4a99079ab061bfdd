"""The bytes of a card book's file: bounded, and not those of something else."""

import os
import re
import stat
from pathlib import Path

from worker.cardbook.wording import short
from worker.errors import CardBookError

# A million cards as text take some 130 MB. Of a workbook far less is already too much to unpack.
MAX_FILE_BYTES = 256 << 20
MAX_WORKBOOK_BYTES = 64 << 20
_WORKBOOK_NAMES = {".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"}
_MARKUP = re.compile(rb"\s*<(!doctype|html|head|body|table|meta|\?xml|workbook|div)", re.I)
_OTHER_FILES = {b"%PDF": "PDF document", b"\x89PNG": "picture", b"\xff\xd8\xff": "picture"}


def content(path: Path) -> bytes:
    """All of the file. Raises CardBookError if it is none, cannot be read, or is too large."""
    try:
        # A pipe without a writer must not be waited for: what it is decides before it is read.
        with open(path, "rb", opener=_at_once) as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise CardBookError(
                    f"{shown_name(path)} is a pipe or a device, not a file",
                    "save the card book as a file and name that",
                )
            # Never more than the limit, even if the file has grown meanwhile.
            data = b"" if about.st_size > MAX_FILE_BYTES else file.read(MAX_FILE_BYTES + 1)
    except IsADirectoryError as error:
        raise CardBookError(
            f"{shown_name(path)} is a folder", "name one card book in it"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        raise CardBookError(
            f"{shown_name(path)} cannot be read: {reason}", "check the path and your permissions"
        ) from error
    size = max(about.st_size, len(data))
    if size > MAX_FILE_BYTES:
        raise too_large(path, size, MAX_FILE_BYTES, "split the card book")
    if not data.strip():
        raise CardBookError(
            f"{shown_name(path)} is empty", "save the card book again and check its size"
        )
    return data


def too_large(path: Path, size: int, most: int, advice: str) -> CardBookError:
    """The error for a file of ``size`` bytes where ``most`` are allowed."""
    return CardBookError(
        f"{shown_name(path)} has {size >> 20} MB", f"the limit is {most >> 20} MB; {advice}"
    )


def shown_name(path: Path) -> str:
    """The file's name as it is told."""
    # A name is any bytes; a terminal and a JSON document are not to be broken by it.
    return short("".join(letter if letter.isprintable() else "?" for letter in path.name), 60)


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def refuse_disguise(path: Path, data: bytes) -> None:
    """Raises CardBookError for what is known to be neither a workbook nor a text table."""
    for magic, what in _OTHER_FILES.items():
        if data.startswith(magic):
            raise CardBookError(
                f"{shown_name(path)} is a {what}", "export the card book as .xlsx or .csv"
            )
    if _MARKUP.match(data.removeprefix(b"\xef\xbb\xbf")):
        raise CardBookError(
            f"{shown_name(path)} is a web page or XML, which some portals name like a spreadsheet",
            "open it in a spreadsheet program and save it as .xlsx or .csv",
        )
    if path.suffix.lower() in _WORKBOOK_NAMES:
        raise CardBookError(
            f"{shown_name(path)} has the name of a workbook and is none",
            "save it again as .xlsx; if it is a text table, rename it to .csv",
        )
