"""Text card books: their encoding and delimiter found without guessing, their rows read."""

import codecs
import csv
import itertools
import re
from collections.abc import Iterator

from worker.cardbook.encodings import Decoded, decoded, legacy
from worker.cardbook.grid import Grid, KnowsHeader, titles
from worker.cardbook.rows import Problem
from worker.cardbook.wording import short
from worker.errors import CardBookError

DELIMITERS = (",", ";", "\t", "|")
# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Enough for the header rows and the blank ones among them.
_SAMPLE_ROWS = 200
_SAMPLE_CHARS = 100_000
# Blank rows and blank cells count in no other limit, and cost time and memory all the same.
MAX_LINES = 2_000_000
MAX_LINE_CHARS = 1_000_000
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_CHOOSE = "choose one with --encoding, for example gb18030, cp950 or cp1252, or save it as UTF-8"


def text_grid(data: bytes, encoding: str | None, knows: KnowsHeader) -> Grid:
    """The rows of a text file. Raises CardBookError if its encoding or its quotes are not clear."""
    read = decode(data, encoding, knows)
    text, given = _separator_line(read.text)
    delimiter = best_delimiter(text, knows, given)
    grid = Grid(None, read.encoding)
    if read.doubt:
        choose = "compare the names below; if they are wrong, choose another with --encoding"
        grid.warnings.append(Problem(0, "", "encoding", read.doubt, choose))
    if given and given != delimiter:
        told = f"its first line says {given!r}, and its columns are separated by {delimiter!r}"
        grid.warnings.append(Problem(0, "", "separator", told, "nothing to do"))
    reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)
    width = 0
    try:
        for row in reader:
            if any("\n" in cell and _holds_row(cell, delimiter, width) for cell in row):
                raise CardBookError(
                    f"row {grid.next_row}: one cell holds whole rows",
                    'look for a quote (") that is opened and closed in different rows',
                )
            width = max(width, len(row))
            grid.add([*row])
    except csv.Error as error:
        raise CardBookError(
            f"line {reader.line_num} cannot be read: {error}",
            'look for a quote (") that is never closed; a quote inside a cell is doubled',
        ) from error
    return grid


def decode(data: bytes, encoding: str | None, knows: KnowsHeader) -> Decoded:
    """The text and its encoding: as told, by its mark, UTF-8, or the one legacy that reads right.

    Raises CardBookError.
    """
    if encoding:
        return Decoded(_as_told(data, encoding), encoding)
    for mark, name in _MARKS:
        if data.startswith(mark):
            if name == "utf-8-sig" and decoded(data, name) is None:
                return legacy(data.removeprefix(mark), knows, lambda text: _header_of(text, knows))
            return Decoded(_as_told(data, name), name)
    if b"\0" in data:
        raise CardBookError(
            "the file is binary: neither a workbook nor a text table",
            "give it as .xlsx, .xls, .ods or .csv; for UTF-16 without a mark pass --encoding",
        )
    try:
        return Decoded(data.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        return legacy(data, knows, lambda text: _header_of(text, knows))


def best_delimiter(text: str, knows: KnowsHeader, given: str | None = None) -> str:
    """The delimiter that yields most known headers in one row, then the one that the file itself
    names, then most columns."""

    def score(delimiter: str) -> tuple[int, bool, int]:
        rows = _sample(text, delimiter)
        known = (sum(map(knows, titles(row))) for row in rows)
        return max(known, default=0), delimiter == given, max(map(len, rows), default=0)

    return max(DELIMITERS, key=score)


def _as_told(data: bytes, encoding: str) -> str:
    text = decoded(data, encoding)
    if text is None:
        raise CardBookError(
            f"the file is not {short(encoding, 40)}, or that is no encoding", _CHOOSE
        )
    return text.removeprefix("\ufeff")


def _header_of(text: str, knows: KnowsHeader) -> list[str]:
    """The titles of the first row with two known ones; none if there is no such row."""
    rows = (titles(row) for row in _sample(text, best_delimiter(text, knows)))
    return next((list(filter(None, row)) for row in rows if sum(map(knows, row)) >= 2), [])


def _sample(text: str, delimiter: str) -> list[list[str]]:
    source = _lines(_separator_line(text[:_SAMPLE_CHARS])[0])
    try:
        return list(itertools.islice(csv.reader(source, delimiter=delimiter), _SAMPLE_ROWS))
    except csv.Error:
        return []


def _lines(text: str) -> Iterator[str]:
    """The lines with their ends, whichever system's, one at a time."""
    for number, line in enumerate(_LINE.finditer(text), 1):
        if number > MAX_LINES or line.end() - line.start() > MAX_LINE_CHARS:
            raise CardBookError(
                f"line {number} is longer than {MAX_LINE_CHARS:,} characters"
                if number <= MAX_LINES
                else f"more than {MAX_LINES:,} lines",
                "this is no card book, or a damaged one: save it again",
            )
        yield line[0]


def _separator_line(text: str) -> tuple[str, str | None]:
    """Without the line ``sep=;`` that tells Excel the delimiter and is no row to it."""
    first, _, rest = text.partition("\n")
    line = first.strip().strip('"')
    if len(line) in (4, 5) and first.lower().lstrip('"').startswith("sep="):
        given = first.rstrip("\r").strip('"')[4:]
        return (rest, given) if given in DELIMITERS else (text, None)
    return text, None


def _holds_row(cell: str, delimiter: str, width: int) -> bool:
    # A stray quote runs on to the next one and takes whole rows into one cell.
    return width > 2 and any(line.count(delimiter) >= width - 1 for line in cell.split("\n"))
