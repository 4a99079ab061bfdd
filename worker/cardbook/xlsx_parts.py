"""What the library of workbooks does not tell of an xlsx: formats of dates, hidden rows, and dates
that are written as text (``t="d"``). Source: ECMA-376 part 1 18.3.1.4, 18.3.1.73, 18.8.45."""

import re
import zipfile
from collections.abc import Collection, Iterator
from functools import partial
from posixpath import join
from xml.etree import ElementTree

from worker.cardbook.date_formats import hides_day, month_of

_SPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_STRICT = "{http://purl.oclc.org/ooxml/spreadsheetml/main}"
_NUMBER = re.compile(
    rb"""<((?:\w+:)?)c\s([^>]*?)>((?:<\1f[^>]*/>|<\1f[^>]*>[^<]*</\1f>)?)"""
    rb"""<\1v>\s*([0-9.eE+\-]+)\s*</\1v></\1c>"""
)
_STYLE = re.compile(rb"""(?:^|\s)s=(["'])([0-9]+)\1""")
_TYPE = re.compile(rb"""(?:^|\s)t=(["'])(\w+)\1""")
# A date cell holds the day and hour of its reader; the Z that some programs add says nothing.
_ISO_DATE = re.compile(
    rb"""(<(?:\w+:)?c\s[^>]*?\bt=)(["'])d\2([^>]*>\s*<(?:\w+:)?v>)"""
    rb"""\s*([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T([0-9]{2}:[0-9]{2}:[0-9]{2})[0-9.]*)?Z?\s*<"""
)
_HIDDEN_ROW = re.compile(
    rb"""<(?:\w+:)?row\s(?=[^>]*\bhidden=["'](?:1|true)["'])[^>]*?\br=["'](\d+)"""
)

Styles = Collection[int]


def month_styles(archive: zipfile.ZipFile) -> frozenset[int]:
    """The cell styles whose format shows a month and no day."""
    names = set(archive.namelist())
    if "xl/styles.xml" not in names:
        return frozenset()
    root = ElementTree.fromstring(archive.read("xl/styles.xml"))  # noqa: S314 - within limits
    space = _STRICT if root.tag.startswith(_STRICT) else _SPACE
    codes = {
        int(own.get("numFmtId", -1)): own.get("formatCode", "")
        for own in root.iterfind(f"{space}numFmts/{space}numFmt")
    }
    numbers = (
        int(about.get("numFmtId", 0)) for about in root.iterfind(f"{space}cellXfs/{space}xf")
    )
    return frozenset(
        style for style, number in enumerate(numbers) if hides_day(number, codes.get(number))
    )


def is_1904(archive: zipfile.ZipFile) -> bool:
    """Whether the workbook counts its days from 1904."""
    return bool(re.search(rb"""\bdate1904=["'](1|true)""", archive.read("xl/workbook.xml")))


def dates_as_shown(part: bytes, styles: Styles, *, epoch_1904: bool) -> bytes:
    """A sheet in which a date whose day is not shown is the text that is shown."""
    part = _ISO_DATE.sub(_iso, part)
    if not styles:
        return part
    return _NUMBER.sub(partial(_shown, styles=styles, epoch_1904=epoch_1904), part)


def _iso(cell: re.Match[bytes]) -> bytes:
    start, quote, middle, day, time = cell.groups()
    # The library gives a time of midnight and a day alone as one and the same.
    return b"%b%bd%b%b%b%b<" % (start, quote, quote, middle, day, b"T" + (time or b"00:00:00"))


def _shown(cell: re.Match[bytes], styles: Styles, *, epoch_1904: bool) -> bytes:
    prefix, attributes, formula, value = cell.groups()
    style, kind = _STYLE.search(attributes), _TYPE.search(attributes)
    if style is None or int(style[2]) not in styles or (kind and kind[2] != b"n"):
        return cell[0]
    try:
        text = month_of(float(value), epoch_1904=epoch_1904)
    except ValueError:
        return cell[0]
    if text is None:
        return cell[0]
    return b'<%bc %b t="str">%b<%bv>%b</%bv></%bc>' % (
        *(prefix, _TYPE.sub(b"", attributes), formula),
        *(prefix, text.encode(), prefix, prefix),
    )


def hidden_rows(archive: zipfile.ZipFile) -> Iterator[list[int]]:
    """The numbers of each sheet's hidden rows, from 1, in the workbook's order."""
    relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314
    targets = {relation.get("Id"): relation.get("Target", "") for relation in relations}
    book = ElementTree.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314
    names = set(archive.namelist())
    for sheet in (element for element in book.iter() if element.tag.endswith("}sheet")):
        ids = [value for name, value in sheet.items() if name.endswith("}id")]
        part = join("/xl", targets.get(ids[0], "") if ids else "")[1:]
        rows = _HIDDEN_ROW.findall(archive.read(part)) if part in names else []
        yield [int(row) for row in rows]
