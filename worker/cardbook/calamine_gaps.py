"""What the library of workbooks leaves out of a sheet, or reads as something else.

Error values (#N/A) of all but xlsx, cells merged over rows in xlsb and ods, formulas never
calculated; days that a cell does not show, and which rows are hidden. A blank may be a right
answer, so each is put back: an error as its text, which reaches the person who can repair it.
Sources: [MS-XLS] 2.4, [MS-XLSB] 2.4, ECMA-376 part 1 18.3.1.4, OpenDocument 1.3 part 3, 19.
"""

import io
import re
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from posixpath import join
from typing import Any
from xml.etree import ElementTree

from worker.cardbook import xls_numbers, xlsb_numbers, xlsx_parts
from worker.cardbook.biff import xls_records, xls_stream, xlsb_records
from worker.cardbook.ods_parts import tidy
from worker.cardbook.xlsx_parts import Styles

Place = tuple[int, int]
"""A cell's row and column, from 0."""

_ERRORS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!"}
_ERRORS[42] = "#N/A"
NEVER_CALCULATED = b"#CALC! (never calculated)"

_XLSX_ERROR = re.compile(rb"""(<(?:\w+:)?c\s[^>]*?\bt=)(["'])e\2""")
_XLSX_FORMULA = re.compile(
    rb"<((?:\w+:)?)c((?:\s[^>]*[^/>])?)>\s*(<\1f(?:\s[^>]*)?(?:/>|>[^<]*</\1f>))\s*"
    rb"(<\1v\s*/>|<\1v(?:\s[^>]*)?>\s*</\1v>)?\s*</\1c>"
)
_XLSX_TYPE = re.compile(rb"""\st=(["'])(\w+)\1""")
_ODS_ERROR = re.compile(rb'<table:table-cell\s[^>]*calcext:value-type="error"[^>]*>')
_ODS_STRING = re.compile(rb'\soffice:string-value="[^"]*"')
_ODS_FORMULA = re.compile(
    rb"<table:table-cell(?=[^>]*\stable:formula=)(?![^>]*\soffice:value-type=)((?:\s[^>]*[^/>])?)"
    rb"\s*(?:/>|></table:table-cell>)"
)
_ODS_HIDDEN = re.compile(rb'table:visibility="(collapse|filter)"')
_ODS_TALL = re.compile(rb'number-rows-spanned="(?!1")')
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"


_MOST_HIDDEN = 100_000


@dataclass(slots=True)
class Lost:
    """Of one sheet: ``cells`` by row and column as they are to be read, ``merges`` as each one's
    first and last cell, ``hidden`` the numbers of hidden rows, from 1."""

    cells: dict[int, dict[int, Any]] = field(default_factory=dict)
    merges: list[tuple[Place, Place]] = field(default_factory=list)
    hidden: list[int] = field(default_factory=list)

    def error(self, place: Place, code: int) -> None:
        """Keep the error value of a cell."""
        self.put(place, _ERRORS.get(code, f"#N/A ({code})"))

    def put(self, place: Place, value: object) -> None:
        """Keep what a cell is to be read as."""
        row, column = place
        self.cells.setdefault(row, {})[column] = value


def is_protected(data: bytes) -> bool:
    """Whether a password protects it: an xls has a FilePass record, an ods says so of its parts."""
    if not data.startswith(b"PK"):
        return any(kind == 0x2F for kind, _ in xls_records(xls_stream(data), 0))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        about = "META-INF/manifest.xml"
        return about in archive.namelist() and b":encryption-data" in archive.read(about)


def in_records(data: bytes) -> list[Lost]:
    """What each sheet of a workbook loses, in the workbook's order."""
    if not data.startswith(b"PK"):
        return list(_xls(xls_stream(data)))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = set(archive.namelist())
        if "xl/workbook.bin" in names:
            return list(_xlsb(archive))
        if "xl/workbook.xml" in names:
            return [Lost(hidden=rows) for rows in xlsx_parts.hidden_rows(archive)]
        return list(_ods(archive.read("content.xml"))) if "content.xml" in names else []


def repaired(name: str, part: bytes, styles: Styles, *, epoch_1904: bool) -> bytes:
    """A part of an xlsx or ods whose errors, formulas without a value, and dates that show no day
    are cells of text. ``styles``: see ``xlsx_parts.month_styles``."""
    if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name):
        shown = _XLSX_FORMULA.sub(_calculated, _XLSX_ERROR.sub(rb"\1\2str\2", part))
        return xlsx_parts.dates_as_shown(shown, styles, epoch_1904=epoch_1904)
    if name == "content.xml":
        shown = _ODS_ERROR.sub(lambda cell: _ODS_STRING.sub(b"", cell[0]), tidy(part))
        return _ODS_FORMULA.sub(
            rb'<table:table-cell\1 office:value-type="string"><text:p>'
            + NEVER_CALCULATED
            + b"</text:p></table:table-cell>",
            shown,
        )
    return part


def _calculated(cell: re.Match[bytes]) -> bytes:
    prefix, attributes, formula, value = cell.groups()
    kind = _XLSX_TYPE.search(attributes)
    # The result of ="" is an empty text, and as such it is written.
    if value is not None and kind and kind[2] == b"str":
        return cell[0]
    return b'<%bc%b t="str">%b<%bv>%b</%bv></%bc>' % (
        *(prefix, _XLSX_TYPE.sub(b"", attributes), formula),
        *(prefix, NEVER_CALCULATED, prefix, prefix),
    )


def _xls(stream: bytes) -> Iterator[Lost]:
    about = list(xls_records(stream, 0))
    sheets = [body for kind, body in about if kind == 0x85]
    read_as = xls_numbers.XlsNumbers.of(about)
    for sheet in sheets:
        found = Lost()
        for kind, body in xls_records(stream, struct.unpack_from("<I", sheet)[0]):
            # A BoolErr says which of both it is; a formula's result, where it is no number.
            if kind == 0x205 and body[7]:
                found.error(_place(body), body[6])
            elif kind == 0x06 and body[12:14] == b"\xff\xff" and body[6] == 2:
                found.error(_place(body), body[8])
            elif kind == 0x208 and body[12] & 0x20:
                found.hidden.append(_place(body)[0] + 1)
            for place, value in read_as.cells(kind, body):
                found.put(place, value)
        yield found


def _place(body: bytes) -> Place:
    row, column = struct.unpack_from("<2H", body)
    return row, column


def _xlsb(archive: zipfile.ZipFile) -> Iterator[Lost]:
    relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.bin.rels"))  # noqa: S314
    targets = {relation.get("Id"): relation.get("Target", "") for relation in relations}
    read_as = xlsb_numbers.XlsbNumbers.of(archive)
    for kind, body in xlsb_records(archive.read("xl/workbook.bin")):
        if kind == 156:
            length = struct.unpack_from("<I", body, 8)[0]
            target = targets[body[12 : 12 + 2 * length].decode("utf-16-le")]
            yield _xlsb_sheet(archive.read(join("/xl", target)[1:]), read_as)


def _xlsb_sheet(part: bytes, read_as: xlsb_numbers.XlsbNumbers) -> Lost:
    found, row = Lost(), 0
    for kind, body in xlsb_records(part):
        if kind == 0:
            row = struct.unpack_from("<I", body)[0]
            if body[11] & 0x10:
                found.hidden.append(row + 1)
        elif (value := read_as.cell(kind, body)) is not None:
            found.put((row, struct.unpack_from("<I", body)[0]), value)
        elif kind in (3, 11):
            found.error((row, struct.unpack_from("<I", body)[0]), body[8])
        elif kind == 176:
            top, bottom, left, right = struct.unpack_from("<4I", body)
            found.merges.append(((top, left), (bottom, right)))
    return found


def _ods(content: bytes) -> Iterator[Lost]:
    """Merges and hidden rows: an ods shows its errors as text."""
    if not (_ODS_TALL.search(content) or _ODS_HIDDEN.search(content)):
        return
    found, row, column = Lost(), 0, 0
    # The child that runs this has its limits, and expat one for entities.
    for event, element in ElementTree.iterparse(io.BytesIO(content), ("start", "end")):  # noqa: S314
        tag = element.tag.removeprefix(_TABLE)
        if event == "start":
            if tag == "table":
                found, row = Lost(), 0
        elif tag in ("table-cell", "covered-table-cell"):
            tall, wide = _count(element, "rows-spanned"), _count(element, "columns-spanned")
            if tall > 1:
                found.merges.append(((row, column), (row + tall - 1, column + wide - 1)))
            column += _count(element, "columns-repeated")
        elif tag == "table-row":
            below = row + _count(element, "rows-repeated")
            if element.get(f"{_TABLE}visibility") in ("collapse", "filter"):
                # Blank rows below the last one may be hidden by the million.
                found.hidden += range(row + 1, min(below, row + _MOST_HIDDEN) + 1)
            row, column = below, 0
            element.clear()
        elif tag == "table":
            yield found


def _count(element: ElementTree.Element, what: str) -> int:
    return int(element.get(f"{_TABLE}number-{what}", 1))
