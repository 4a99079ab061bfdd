"""Workbooks (xlsx, xls, xlsb, ods): guarded, then unpacked by a child process."""

import io
import json
import signal
import subprocess
import sys
import zipfile
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from datetime import date, datetime
from typing import Any

from worker.cardbook import unpack
from worker.cardbook.cells import Cell
from worker.cardbook.grid import Grid
from worker.cardbook.wording import short
from worker.errors import CardBookError

OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ZIP_MAGIC = b"PK\x03\x04"
MAX_UNPACKED_BYTES = 512 << 20
# Sheets of repeated text pack 20 to 60 times smaller; small ones may do better and harm nobody.
MAX_RATIO = 200
_RATIO_FROM_BYTES = 32 << 20
# A part of a workbook is a sheet, a picture, a list: the directory of a million costs gigabytes.
MAX_PARTS = 20_000
_PART_MAGIC = b"PK\x01\x02"

# Ended by the limit of processor time, by the system for want of memory, or by the library itself
# when it was given none.
_STOPPED = {-signal.SIGXCPU, -signal.SIGKILL}

_SAVE_AGAIN = "open it in a spreadsheet program and save it again as .xlsx or .csv"


def is_workbook(data: bytes) -> bool:
    """Whether the first bytes are those of a workbook's container."""
    return data.startswith((OLE_MAGIC, ZIP_MAGIC))


def guard(data: bytes) -> None:
    """Raises CardBookError for a protected workbook and for one that unpacks too far."""
    if data.startswith(OLE_MAGIC):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise _protected()
        return
    if data.count(_PART_MAGIC) > MAX_PARTS:
        raise CardBookError(f"the workbook has more than {MAX_PARTS:,} parts", _SAVE_AGAIN)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise CardBookError("the workbook is damaged or cut short", _SAVE_AGAIN) from error
    if unpacked > MAX_UNPACKED_BYTES or (
        unpacked > _RATIO_FROM_BYTES and unpacked > MAX_RATIO * len(data)
    ):
        raise CardBookError(
            f"the workbook unpacks to {unpacked >> 20} MB",
            f"the limit is {MAX_UNPACKED_BYTES >> 20} MB, or {MAX_RATIO} times the file; split it",
        )


def workbook_grids(data: bytes, sheet: str | None) -> Generator[Grid, None, None]:
    """The workbook's visible sheets, or the one named (even hidden), one at a time.

    Raises CardBookError if it is protected, damaged, needs more than the child's limits, or has no
    such sheet.
    """
    with closing(_lines(data, sheet or "")) as lines:
        first = _heading(lines)
        if sheet and sheet not in first["sheets"]:
            raise CardBookError(
                f"the workbook has no sheet {short(repr(sheet), 60)}",
                short("its sheets are " + ", ".join(map(repr, first["sheets"]))),
            )
        grid = Grid(None, None)
        for line in lines:
            if isinstance(line, list):
                grid.add(line)
                continue
            if isinstance(line, int):
                grid.next_row += line
                continue
            if grid.name is not None:
                yield grid
            if not line:
                return
            if "error" in line:
                raise _past_limits()
            hidden = frozenset(line["hidden"])
            grid = Grid(line["sheet"], None, first_column=line["column"], hidden=hidden)
        raise _broken()


def unseen_sheets(data: bytes) -> list[str]:
    """The names of the workbook's hidden sheets. Raises CardBookError as ``workbook_grids``."""
    # A name that no sheet has: none is unpacked.
    with closing(_lines(data, "\n")) as lines:
        unseen: list[str] = _heading(lines)["unseen"]
        return unseen


def _heading(lines: Iterator[Any]) -> dict[str, Any]:
    first = next(lines, None)
    if isinstance(first, dict) and "sheets" in first:
        return first
    error = first.get("error") if isinstance(first, dict) else None
    raise {"password": _protected, "limits": _past_limits}.get(error or "", _broken)()


def _lines(data: bytes, sheet: str) -> Generator[Any, None, None]:
    # By its file and with -P: neither the working directory nor an installed package matters.
    command = [sys.executable, "-P", unpack.__file__, sheet.replace("\0", "")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        assert child.stdin  # noqa: S101 - as asked for above
        try:
            # What was guarded is what is unpacked, even if the file has changed since.
            with suppress(BrokenPipeError), child.stdin:
                child.stdin.write(data)
            for line in child.stdout or ():
                yield json.loads(line, object_hook=_dated)
            # The end of its output is also how a child ends that was stopped.
            if child.wait() in _STOPPED:
                yield {"error": "limits"}
        except json.JSONDecodeError as error:
            raise (_past_limits() if child.wait() in _STOPPED else _broken()) from error
        finally:
            child.kill()


def _dated(found: dict[str, Any]) -> dict[str, Any] | Cell:
    if "date" not in found:
        return found
    text: str = found["date"]
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)


def _protected() -> CardBookError:
    return CardBookError(
        "the workbook is protected by a password", "save it without a password and try again"
    )


def _past_limits() -> CardBookError:
    return CardBookError(
        f"reading the workbook was stopped: it took more than the {unpack.CPU_SECONDS} s of "
        f"processor or {unpack.MEMORY_BYTES >> 30} GB of memory it may take, or than ulimit allows",
        "save it as .csv, which needs far less, or split it",
    )


def _broken() -> CardBookError:
    return CardBookError(
        "the file is not a workbook that can be read: damaged, of another kind, or stretched by a "
        "stray cell far below or to the right",
        _SAVE_AGAIN + ", without empty rows and columns",
    )
