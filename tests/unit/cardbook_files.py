"""The same small card book as every kind of file that is read, each built from its own bytes.

A cell is a text, a number, a date, a truth value, ``None``, or an ``Error``. The builders write
what Excel or LibreOffice write for it, no more: xlsb and ods by hand, since nothing installed does.
"""

import io
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from xml.sax.saxutils import escape

import openpyxl
import xlwt  # type: ignore[import-untyped]
from openpyxl.utils.datetime import CALENDAR_MAC_1904


@dataclass(frozen=True)
class Error:
    """A cell that shows an error value, such as ``#N/A``."""

    text: str


Value = str | float | date | bool | Error | None
Rows = Sequence[Sequence[Value]]
Merge = tuple[int, int, int, int]
"""First row, last row, first column, last column, from 0."""

_EPOCHS = {False: date(1899, 12, 30), True: date(1904, 1, 1)}
_CODES = {"#NULL!": 0, "#DIV/0!": 7, "#VALUE!": 15, "#REF!": 23, "#NAME?": 29, "#NUM!": 36}
_CODES["#N/A"] = 42


def xlsx(rows: Rows, *, epoch_1904: bool = False, merges: Sequence[Merge] = ()) -> bytes:
    """As Excel saves today."""
    book = openpyxl.Workbook()
    if epoch_1904:
        book.epoch = CALENDAR_MAC_1904
    sheet = book.worksheets[0]
    sheet.title = "cards"
    for number, row in enumerate(rows, 1):
        for column, value in enumerate(row, 1):
            # A text that begins with = is no formula here.
            cell = sheet.cell(number, column)
            cell.value = value.text if isinstance(value, Error) else value
            if isinstance(value, str):
                cell.data_type = "s"
    for top, bottom, left, right in merges:
        sheet.merge_cells(None, top + 1, left + 1, bottom + 1, right + 1)
    return _saved(book.save)


def xls(rows: Rows, *, epoch_1904: bool = False, merges: Sequence[Merge] = ()) -> bytes:
    """As Excel saved until 2003 (BIFF8 in a compound file)."""
    book = xlwt.Workbook(encoding="utf-8")
    book.dates_1904 = epoch_1904
    sheet = book.add_sheet("cards")
    day = xlwt.easyxf(num_format_str="yyyy-mm-dd")
    covered: dict[tuple[int, int], Merge] = {merge[::2]: merge for merge in merges}
    for number, row in enumerate(rows):
        for column, value in enumerate(row):
            if merge := covered.get((number, column)):
                sheet.write_merge(*merge, value)
            elif isinstance(value, Error):
                sheet.row(number).set_cell_error(column, _CODES[value.text])
            elif isinstance(value, date):
                # xlwt would count from 1900 whatever the book's epoch is.
                sheet.write(number, column, _serial(value, epoch_1904), day)
            elif value is not None:
                sheet.write(number, column, value)
    return _saved(book.save)


def xlsb(rows: Rows, *, epoch_1904: bool = False, merges: Sequence[Merge] = ()) -> bytes:
    """As Excel saves "binary workbooks" (BIFF12 in a zip): [MS-XLSB] 2.1 to 2.4."""
    width = max(map(len, rows), default=1)
    sheet = [_record(129), _record(148, struct.pack("<4I", 0, len(rows), 0, width)), _record(145)]
    for number, row in enumerate(rows):
        sheet.append(_record(0, struct.pack("<I", number) + bytes(13)))
        sheet += [_cell12(column, value, epoch_1904) for column, value in enumerate(row)]
    sheet.append(_record(146))
    if merges:
        sheet.append(_record(177, struct.pack("<I", len(merges))))
        sheet += [_record(176, struct.pack("<4I", *merge)) for merge in merges]
        sheet.append(_record(178))
    bundle = struct.pack("<2I", 0, 1) + _wide("rId1") + _wide("cards")
    book = [
        _record(131),
        _record(153, struct.pack("<2I", int(epoch_1904), 0) + _wide("")),
        *(_record(143), _record(156, bundle), _record(144), _record(132)),
    ]
    formats = [_record(617, struct.pack("<I", 2))]
    formats += [_record(47, struct.pack("<2H", 0, code) + bytes(12)) for code in (0, 14)]
    styles = [_record(278), *formats, _record(618), _record(279)]
    kinds = ("worksheet", "worksheets/sheet1.bin"), ("styles", "styles.bin")
    return _zip(
        {
            "[Content_Types].xml": "<Types/>",
            "xl/_rels/workbook.bin.rels": _relations(*kinds),
            "xl/workbook.bin": b"".join(book),
            "xl/styles.bin": b"".join(styles),
            "xl/worksheets/sheet1.bin": b"".join([*sheet, _record(130)]),
        }
    )


def ods(rows: Rows, *, epoch_1904: bool = False, merges: Sequence[Merge] = ()) -> bytes:
    """As LibreOffice saves: dates are written out, so an epoch changes nothing."""
    del epoch_1904
    spans = {merge[::2]: merge for merge in merges}
    covered = {
        (row, column)
        for top, bottom, left, right in merges
        for row in range(top, bottom + 1)
        for column in range(left, right + 1)
        if (row, column) != (top, left)
    }
    lines = []
    for number, row in enumerate(rows):
        cells = (
            "<table:covered-table-cell/>"
            if (number, column) in covered
            else _ods_cell(value, spans.get((number, column)))
            for column, value in enumerate(row)
        )
        # LibreOffice ends each row, and the sheet, with cells repeated to its edge.
        edge = '<table:table-cell table:number-columns-repeated="16300"/>'
        lines.append(f"<table:table-row>{''.join(cells)}{edge}</table:table-row>")
    lines.append(
        '<table:table-row table:number-rows-repeated="1048000">'
        '<table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
    )
    return ods_of(f'<table:table table:name="cards">{"".join(lines)}</table:table>')


def ods_of(tables: str) -> bytes:
    """An ods with these tables."""
    names = "office table text calcext"
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in names.split()
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    return _zip(
        {
            "mimetype": kind,
            "META-INF/manifest.xml": "<manifest:manifest "
            'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
            f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
            "</manifest:manifest>",
            "content.xml": f"<office:document-content {spaces}><office:body><office:spreadsheet>"
            f"{tables}</office:spreadsheet></office:body></office:document-content>",
        }
    )


def delimited(rows: Rows, delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    """As "save as text": what the cells show, ISO dates, quoted where the delimiter stands."""
    lines = (delimiter.join(_shown(value, delimiter) for value in row) for row in rows)
    return "\r\n".join(lines).encode(encoding)


WORKBOOKS: dict[str, Callable[..., bytes]] = {"xlsx": xlsx, "xls": xls, "xlsb": xlsb, "ods": ods}


def raw_xlsx(
    sheet_data: str, *, strings: str = "", formats: str = "", sheets: Sequence[str] = ("cards",)
) -> bytes:
    """An xlsx whose ``<sheetData>`` is written out; ``formats`` are number formats 164, 165, …"""
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    rel = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
    codes = [code for code in formats.split("\n") if code]
    numbered = [
        f'<numFmt numFmtId="{164 + n}" formatCode="{escape(code, {chr(34): "&quot;"})}"/>'
        for n, code in enumerate(codes)
    ]
    xfs = [f'<xf numFmtId="{n}"/>' for n in (0, 14, *range(164, 164 + len(codes)))]
    listed = (
        f'<sheet name="{escape(name)}" sheetId="{n}" r:id="rId{n}"/>'
        for n, name in enumerate(sheets, 1)
    )
    kinds = [("worksheet", f"worksheets/sheet{n}.xml") for n, _ in enumerate(sheets, 1)]
    return _zip(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": _relations(("officeDocument", "xl/workbook.xml")),
            "xl/_rels/workbook.xml.rels": _relations(
                *kinds, ("styles", "styles.xml"), ("sharedStrings", "sharedStrings.xml")
            ),
            "xl/workbook.xml": f"<workbook {main} {rel}><sheets>{''.join(listed)}</sheets>"
            "</workbook>",
            "xl/styles.xml": f"<styleSheet {main}><numFmts>{''.join(numbered)}</numFmts>"
            f"<cellXfs>{''.join(xfs)}</cellXfs></styleSheet>",
            "xl/sharedStrings.xml": f"<sst {main}>{strings}</sst>",
            **{
                f"xl/{target}": f"<worksheet {main}><sheetData>{sheet_data}</sheetData></worksheet>"
                for _, target in kinds
            },
        }
    )


def raw_row(number: int, *cells: str) -> str:
    """A ``<row>`` of texts, or of whole ``<c>`` elements, whose ``@`` is their reference."""
    return f'<row r="{number}">' + "".join(_raw_cells(number, cells)) + "</row>"


def _raw_cells(number: int, cells: Sequence[str]) -> Iterator[str]:
    for column, cell in zip("ABCDEFGHIJ", cells, strict=False):
        reference = f"{column}{number}"
        if cell.startswith("<c"):
            yield cell.replace("@", reference)
        else:
            yield f'<c r="{reference}" t="inlineStr"><is><t>{escape(cell)}</t></is></c>'


def bomb(megabytes: int, claimed: int | None = None) -> bytes:
    """A workbook whose list of texts unpacks to this size, and claims another (in bytes)."""
    small, target = raw_xlsx(raw_row(1, "celular", "operador")), io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(small)) as source,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as copy,
    ):
        for name in source.namelist():
            with copy.open(name, "w") as part:
                for _ in range(megabytes if "shared" in name else 0):
                    part.write(bytes(1 << 20))
                if "shared" not in name:
                    part.write(source.read(name))
    data = target.getvalue()
    if claimed is None:
        return data
    return data.replace(*_both(megabytes << 20, claimed))


def _both(size: int, claimed: int) -> tuple[bytes, bytes]:
    return struct.pack("<I", size), struct.pack("<I", claimed)


def encrypted_package() -> bytes:
    """A workbook with a password: a compound file that holds an ``EncryptedPackage`` ([MS-CFB])."""
    end, free = 0xFFFFFFFE, 0xFFFFFFFF
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack("<5H", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<9I", 0, 1, 1, 0, 4096, end, 0, end, 0)
    header += struct.pack("<109I", 0, *[free] * 108)
    fat = struct.pack("<128I", 0xFFFFFFFD, end, *[free] * 126)
    names = (("Root Entry", 5, 1), ("EncryptionInfo", 2, 2), ("EncryptedPackage", 2, free))
    directory = b"".join(_entry(name, kind, child) for name, kind, child in names) + bytes(128)
    return header + fat + directory


def _entry(name: str, kind: int, child: int) -> bytes:
    text = (name + "\0").encode("utf-16-le")
    links = struct.pack("<HBB3I", len(text), kind, 1, 0xFFFFFFFF, 0xFFFFFFFF, child)
    return text.ljust(64, b"\0") + links + bytes(36) + struct.pack("<IQ", 0xFFFFFFFE, 0)


def _saved(save: Callable[[io.BytesIO], None]) -> bytes:
    target = io.BytesIO()
    save(target)
    return target.getvalue()


def _zip(parts: dict[str, str | bytes]) -> bytes:
    def write(target: io.BytesIO) -> None:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in parts.items():
                archive.writestr(name, content)

    return _saved(write)


def _serial(day: date, epoch_1904: bool) -> int:
    return (date(day.year, day.month, day.day) - _EPOCHS[epoch_1904]).days


def _relations(*targets: tuple[str, str]) -> str:
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    lines = (
        f'<Relationship Id="rId{n}" Type="{kind}/{name}" Target="{target}"/>'
        for n, (name, target) in enumerate(targets, 1)
    )
    space = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'
    return f"<Relationships {space}>{''.join(lines)}</Relationships>"


def _record(kind: int, content: bytes = b"") -> bytes:
    head = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size, length = b"", len(content)
    while True:
        length, low = divmod(length, 128)
        size += bytes([low | (0x80 if length else 0)])
        if not length:
            return head + size + content


def _wide(text: str) -> bytes:
    encoded = text.encode("utf-16-le")
    return struct.pack("<I", len(encoded) // 2) + encoded


def _cell12(column: int, value: Value, epoch_1904: bool) -> bytes:
    place = struct.pack("<2I", column, isinstance(value, date))
    if value is None:
        return _record(1, place)
    if isinstance(value, Error):
        return _record(3, place + bytes([_CODES[value.text]]))
    if isinstance(value, bool):
        return _record(4, place + bytes([value]))
    if isinstance(value, date):
        return _record(5, place + struct.pack("<d", _serial(value, epoch_1904)))
    if isinstance(value, int | float):
        return _record(5, place + struct.pack("<d", value))
    return _record(6, place + _wide(value))


def _ods_cell(value: Value, merge: Merge | None) -> str:
    span = ""
    if merge:
        top, bottom, left, right = merge
        span = f' table:number-rows-spanned="{bottom - top + 1}"'
        span += f' table:number-columns-spanned="{right - left + 1}"'
    if value is None:
        return f"<table:table-cell{span}/>"
    if isinstance(value, Error):
        kind = ' office:value-type="string" office:string-value="" calcext:value-type="error"'
        text = value.text
    elif isinstance(value, bool):
        kind = f' office:value-type="boolean" office:boolean-value="{str(value).lower()}"'
        text = str(value).upper()
    elif isinstance(value, date):
        kind, text = f' office:value-type="date" office:date-value="{value}"', f"{value:%d/%m/%y}"
    elif isinstance(value, int | float):
        kind, text = f' office:value-type="float" office:value="{value!r}"', f"{value:,.0f}"
    else:
        kind, text = ' office:value-type="string"', _ods_text(value)
    return f"<table:table-cell{span}{kind}><text:p>{text}</text:p></table:table-cell>"


def _ods_text(text: str) -> str:
    # A run of spaces is an element of its own in an ods.
    runs = ((key, len(list(run))) for key, run in groupby(text))
    return "".join(
        f" <text:s text:c='{length - 1}'/>" if key == " " and length > 1 else escape(key) * length
        for key, length in runs
    )


def _shown(value: Value, delimiter: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = value.text if isinstance(value, Error) else str(value)
    if delimiter in text or '"' in text or "\n" in text:
        return '"' + text.replace('"', '""') + '"'
    return text
