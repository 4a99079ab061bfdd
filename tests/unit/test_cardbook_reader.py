"""A file becomes one sheet with true row numbers, or is refused with the next step."""

import io
import subprocess
import sys
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from worker.cardbook import grid as grid_module
from worker.cardbook import reader as reader_module
from worker.cardbook import source_file, unpack
from worker.cardbook import workbook as workbook_module
from worker.cardbook.options import ReadOptions
from worker.cardbook.reader import Sheet, read_sheet
from worker.errors import CardBookError

KNOWN = {"msisdn", "operator", "kind", "expiry", "手机号", "运营商", "門號", "電信業者", "línea"}
KNOWN |= {"última recarga", "vence"}
HEADER = ["msisdn", "operator", "expiry"]
ROW = ["987654321", "claro", "2026-05-13"]


def knows(text: str) -> str | None:
    return text if text.casefold() in KNOWN else None


def read(path: Path, **options: Any) -> Sheet:
    return read_sheet(path, ReadOptions(**options), knows)


def read_bytes(tmp_path: Path, data: bytes, name: str = "book.csv", **options: Any) -> Sheet:
    path = tmp_path / name
    path.write_bytes(data)
    return read(path, **options)


def workbook(path: Path, sheets: dict[str, list[list[Any]]]) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return book


def refusal(path: Path, **options: Any) -> CardBookError:
    with pytest.raises(CardBookError) as error:
        read(path, **options)
    assert error.value.hint
    return error.value


# Workbooks


def test_a_workbooks_rows_keep_the_spreadsheets_numbers(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet["C3"] = "Card book 2026"
    for column, title in zip("CDE", HEADER, strict=True):
        sheet[f"{column}5"] = title
        sheet[f"{column}9"] = title.upper()
    sheet["C7"] = 987654321
    sheet["D7"] = True
    sheet["E7"] = datetime(2026, 5, 13)  # noqa: DTZ001 - a cell has no time zone
    book.save(tmp_path / "book.xlsx")

    found = read(tmp_path / "book.xlsx")

    assert (found.header_row, found.first_column) == (5, 3)
    assert found.header == tuple(HEADER)
    # The header once more, in capitals, is no row.
    assert found.rows == ((7, [987654321.0, True, date(2026, 5, 13)]),)
    assert found.name == "Sheet"
    assert found.encoding is None


def test_dates_follow_the_workbooks_epoch(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    book.worksheets[0].append(HEADER)
    book.worksheets[0].append(["987654321", "claro", date(2026, 5, 13)])
    book.save(tmp_path / "book.xlsx")
    assert read(tmp_path / "book.xlsx").rows[0][1][2] == date(2026, 5, 13)


def test_the_first_visible_sheet_with_a_header_is_read(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    sheets = {"empty": [], "about": [["read me"]], "old": [HEADER, ROW], "cards": [HEADER, ROW]}
    book = workbook(path, sheets)
    book["old"].sheet_state = "hidden"
    book.save(path)
    assert read(path).name == "cards"
    assert read(path, sheet="old").name == "old"


def test_a_sheet_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    workbook(tmp_path / "book.xlsx", {"cards": [HEADER, ROW]})
    error = refusal(tmp_path / "book.xlsx", sheet="SIM")
    assert "'SIM'" in error.message
    assert "'cards'" in error.hint


def test_an_error_value_stays_visible(tmp_path: Path) -> None:
    workbook(tmp_path / "book.xlsx", {"cards": [HEADER, ["987654321", "claro", "#N/A"]]})
    assert read(tmp_path / "book.xlsx").rows[0][1] == ["987654321", "claro", "#N/A"]


def test_a_cell_merged_over_rows_counts_for_each(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    rows: list[list[Any]] = [
        ["Title", None, None],
        HEADER,
        *([["987654321", "claro", n] for n in "abcd"]),
    ]
    book = workbook(path, {"cards": rows})
    book["cards"].merge_cells("A1:C1")
    book["cards"].merge_cells("B4:B6")
    book.save(path)
    found = read(path)
    assert [cells[1] for _, cells in found.rows] == ["claro"] * 4
    assert [number for number, _ in found.rows] == [3, 4, 5, 6]


def test_an_ods_is_a_workbook_too(tmp_path: Path) -> None:
    def row(cells: list[str]) -> str:
        texts = "".join(
            f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p>'
            "</table:table-cell>"
            for cell in cells
        )
        return f"<table:table-row>{texts}</table:table-row>"

    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text")
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    with zipfile.ZipFile(tmp_path / "book.ods", "w") as archive:
        archive.writestr("mimetype", kind)
        archive.writestr(
            "META-INF/manifest.xml",
            "<manifest:manifest "
            'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
            f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
            "</manifest:manifest>",
        )
        archive.writestr(
            "content.xml",
            f"<office:document-content {spaces}><office:body><office:spreadsheet>"
            f'<table:table table:name="cards">{row(HEADER)}{row(ROW)}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    found = read(tmp_path / "book.ods")
    assert found.name == "cards"
    assert found.rows == ((2, ROW),)


def test_a_workbook_under_another_name_is_still_a_workbook(tmp_path: Path) -> None:
    workbook(tmp_path / "book.xlsx", {"cards": [HEADER, ROW]})
    (tmp_path / "book.xlsx").rename(tmp_path / "book.csv")
    assert read(tmp_path / "book.csv").rows == ((2, ROW),)


def test_a_stray_cell_in_the_last_corner_does_not_end_the_program(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    book = workbook(path, {"cards": [HEADER, ROW]})
    book["cards"]["XFD1048576"] = "x"
    book.save(path)
    assert "stray cell" in refusal(path).message


def test_a_workbook_is_unpacked_within_limits() -> None:
    # In a process of its own: a limit cannot be taken back.
    script = "import resource as r; from worker.cardbook import unpack; unpack.limit(); "
    script += "print(r.getrlimit(r.RLIMIT_AS)[0], r.getrlimit(r.RLIMIT_CPU)[0])"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert shown.stdout.split() == [b"%d" % (2 << 30), b"120"]


def test_too_many_columns_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    book = workbook(path, {"cards": [HEADER, ROW]})
    book["cards"].cell(2, 256).value = "x"
    book.save(path)
    assert len(read(path).rows[0][1]) == 256
    book["cards"].cell(2, 257).value = "x"
    book.save(path)
    assert "row 2 has 257 columns" in refusal(path).message


def test_a_protected_workbook_says_so(tmp_path: Path) -> None:
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1024)
    path = tmp_path / "book.xlsx"
    path.write_bytes(ole + "EncryptedPackage".encode("utf-16-le") + bytes(512))
    assert "password" in refusal(path).message
    path.write_bytes(ole)
    assert "not a workbook" in refusal(path).message


def test_a_container_that_holds_no_workbook_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    path.write_bytes(b"PK\x03\x04 and no more")
    assert "damaged" in refusal(path).message
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    assert "not a workbook" in refusal(path).message


def test_a_workbook_that_unpacks_too_far_is_never_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", bytes(33 << 20))
    (tmp_path / "book.xlsx").write_bytes(bomb.getvalue())
    child, mark = tmp_path / "child.py", tmp_path / "mark"
    child.write_text(f"open({str(mark)!r}, 'w')")
    monkeypatch.setattr(unpack, "__file__", str(child))
    assert "unpacks to 33 MB" in refusal(tmp_path / "book.xlsx").message
    # Below the ratio, the plain sum is held against its own limit.
    monkeypatch.setattr(workbook_module, "MAX_RATIO", 10**9)
    monkeypatch.setattr(workbook_module, "MAX_UNPACKED_BYTES", 32 << 20)
    assert "the limit is 32 MB" in refusal(tmp_path / "book.xlsx").hint
    assert not mark.exists()


# Files that are no card book


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "none.csv").message
    assert "is a folder" in refusal(tmp_path).message
    assert refusal(Path("book\0.csv")).message


@pytest.mark.parametrize("content", [b"", b" \r\n\t\n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "book.csv").write_bytes(content)
    assert "is empty" in refusal(tmp_path / "book.csv").message


def test_an_empty_sheet_is_refused(tmp_path: Path) -> None:
    workbook(tmp_path / "book.xlsx", {"cards": []})
    assert "has no data" in refusal(tmp_path / "book.xlsx").message
    (tmp_path / "book.csv").write_bytes(b",,\n,,\n")
    assert "has no data" in refusal(tmp_path / "book.csv").message


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("book.csv", b"%PDF-1.7\n%\xe2\xe3", "PDF document"),
        ("book.csv", b"\x89PNG\r\n\x1a\n\0\0", "picture"),
        ("book.csv", b"\x7fELF\x02\x01\x01\0\0\0", "binary"),
        ("book.csv", "msisdn,operator".encode("utf-16-le"), "binary"),
        ("book.xls", b"\n<html><table><tr><td>msisdn</td></tr></table>", "web page"),
        ("book.xls", b"\xef\xbb\xbf<?xml version='1.0'?><Workbook/>", "web page"),
        ("book.xlsx", b"msisdn,operator\n987654321,claro\n", "name of a workbook"),
        ("book.csv", b"name,colour\nx,y\n", "no header row"),
    ],
)
def test_what_is_no_card_book_is_refused(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    assert words in refusal(tmp_path / name).message


def test_a_file_past_the_size_limit_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_file, "MAX_FILE_BYTES", 1 << 20)
    (tmp_path / "book.csv").write_bytes(b"x" * ((1 << 20) + 1))
    assert "has 1 MB" in refusal(tmp_path / "book.csv").message


def test_a_workbook_has_a_lower_limit_than_a_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "MAX_WORKBOOK_BYTES", 16)
    (tmp_path / "book.xlsx").write_bytes(b"PK\x03\x04" + bytes(16))
    assert "save it as .csv" in refusal(tmp_path / "book.xlsx").hint
    (tmp_path / "book.csv").write_text(",".join(HEADER) + "\n" + ",".join(ROW))
    assert len(read(tmp_path / "book.csv").rows) == 1


def test_rows_and_cells_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid_module, "MAX_ROWS", 3)
    rows = [",".join(HEADER), *([",".join(ROW)] * 3)]
    (tmp_path / "book.csv").write_text("\n".join(rows))
    assert len(read(tmp_path / "book.csv").rows) == 3
    (tmp_path / "book.csv").write_text("\n".join([*rows, rows[-1]]))
    assert "more than 3 rows" in refusal(tmp_path / "book.csv").message
    (tmp_path / "book.csv").write_text(",".join(HEADER) + "\nx,y," + "z" * 10_001)
    assert "row 2, column C: a cell of 10001" in refusal(tmp_path / "book.csv").message


# Text


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_the_one_that_yields_headers(tmp_path: Path, delimiter: str) -> None:
    # The title holds more of the other delimiters than the table has of its own.
    lines = ["Cards, one; two, three; four\tfive\tsix; seven, eight", "", delimiter.join(HEADER)]
    found = read_bytes(tmp_path, "\n".join([*lines, delimiter.join(ROW)]).encode())
    assert found.header == tuple(HEADER)
    assert found.header_row == 3
    assert found.rows == ((4, ROW),)


def test_excels_separator_line_is_obeyed_and_is_no_row(tmp_path: Path) -> None:
    found = read_bytes(tmp_path, b"sep=;\r\nmsisdn;operator\r\n987654321;claro\r\n")
    assert found.header_row == 1
    assert found.rows == ((2, ["987654321", "claro"]),)


def test_a_quoted_cell_may_hold_delimiters_quotes_and_lines(tmp_path: Path) -> None:
    data = b'msisdn,operator,expiry\n"a, ""b""\nc",claro,x\n\n987654321,entel,y\n'
    found = read_bytes(tmp_path, data)
    assert found.rows == ((2, ['a, "b"\nc', "claro", "x"]), (4, ["987654321", "entel", "y"]))


def test_a_stray_quote_never_swallows_rows(tmp_path: Path) -> None:
    header = "msisdn,operator,expiry\n"
    row = "987654321,claro,x\n"
    (tmp_path / "book.csv").write_text(header + '987654320,claro,"x\n' + row * 3)
    assert "line 5" in refusal(tmp_path / "book.csv").message
    (tmp_path / "book.csv").write_text(header + '987654320,claro,"x\n' + row * 3 + '987654322",b,c')
    assert "one cell holds whole rows" in refusal(tmp_path / "book.csv").message


def test_blank_rows_do_not_count_but_keep_their_numbers(tmp_path: Path) -> None:
    data = ",".join(HEADER) + "\n\n, ,\u3000\u200e\n" + ",".join(ROW)
    assert read_bytes(tmp_path, data.encode()).rows == ((4, ROW),)


def test_lines_end_as_any_system_ends_them(tmp_path: Path) -> None:
    for end in ("\n", "\r\n", "\r"):
        found = read_bytes(tmp_path, end.join([",".join(HEADER), ",".join(ROW)]).encode())
        assert found.rows == ((2, ROW),)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-8"])
def test_unicode_is_told_by_its_mark_or_is_utf8(tmp_path: Path, encoding: str) -> None:
    found = read_bytes(tmp_path, "手机号,运营商\n987654321,克拉罗\n".encode(encoding))
    assert found.header == ("手机号", "运营商")
    assert found.rows == ((2, ["987654321", "克拉罗"]),)
    assert found.encoding == encoding


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("gb18030", "手机号,运营商\n987654321,克拉罗\n"),
        ("big5", "門號,電信業者\n987654321,臺灣\n"),
        ("cp1252", "Línea;Última recarga;vence\n987654321;Peña;Muñoz\n"),
    ],
)
def test_a_legacy_encoding_is_proved_by_its_headers(
    tmp_path: Path, encoding: str, text: str
) -> None:
    found = read_bytes(tmp_path, text.encode(encoding))
    assert found.encoding == encoding
    assert found.header == tuple(text.split("\n")[0].replace(",", ";").split(";"))


def test_a_legacy_encoding_nothing_proves_must_be_chosen(tmp_path: Path) -> None:
    # Plain headers read right in all, and so does the name, in two of them: é is Ž elsewhere.
    path = tmp_path / "book.csv"
    for encoding in ("mac_roman", "cp850"):
        path.write_bytes("msisdn;operator\n987654321;José Muñoz\n".encode(encoding))
        error = refusal(path)
        assert f"{encoding} (é ñ)" in error.message
        assert f"--encoding {encoding}" in error.hint
        assert read(path, encoding=encoding).rows == ((2, ["987654321", "José Muñoz"]),)


def test_the_cells_prove_an_encoding_that_plain_headers_do_not(tmp_path: Path) -> None:
    for encoding, name in (
        ("cp1252", "Muñoz Peña"),
        ("gb18030", "陈静 孙悦 王小明"),
        ("big5", "陳靜怡 林美玲"),
    ):
        data = f"msisdn;operator\n987654321;{name}\n".encode(encoding)
        found = read_bytes(tmp_path, data)
        assert found.encoding == encoding
        assert found.rows == ((2, ["987654321", name]),)
        assert [warning.code for warning in found.warnings] == ["encoding"]


def test_a_few_broken_bytes_make_no_other_encoding(tmp_path: Path) -> None:
    data = "msisdn;operator\n987654321;José Muñoz\n987654322;Peña\n987654323;X\n".encode()
    found = read_bytes(tmp_path, data.replace(b"X", b"Lu\xeds"))
    assert found.encoding == "utf-8"
    assert found.rows[0] == (2, ["987654321", "José Muñoz"])
    assert found.rows[2][1][1] == "Lu\ufffds"
    assert "line 4" in found.warnings[0].message


def test_one_unknown_header_is_enough_to_ask_for_the_encoding(tmp_path: Path) -> None:
    path = tmp_path / "book.csv"
    path.write_bytes("手机号,运营商,颜色\n987654321,x,y\n".encode("gb18030"))
    assert "--encoding" in refusal(path).hint
    assert read(path, encoding="gb18030").header == ("手机号", "运营商", "颜色")


@pytest.mark.parametrize("encoding", ["ascii", "no-such", "rot13", "hex"])
def test_a_wrong_encoding_option_is_refused(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "book.csv").write_bytes("手机号,运营商\n".encode())
    assert encoding in refusal(tmp_path / "book.csv", encoding=encoding).message


def test_a_text_file_has_no_sheets(tmp_path: Path) -> None:
    (tmp_path / "book.csv").write_text(",".join(HEADER))
    assert "no sheets" in refusal(tmp_path / "book.csv", sheet="cards").message


def test_the_header_stands_within_the_first_twenty_rows(tmp_path: Path) -> None:
    titles = ["a title"] * 19
    found = read_bytes(tmp_path, "\n".join([*titles, "msisdn,operator", "1,2"]).encode())
    assert found.header_row == 20
    (tmp_path / "book.csv").write_text("\n".join([*titles, "a title", "msisdn,operator", "1,2"]))
    assert "no header row" in refusal(tmp_path / "book.csv").message


def test_one_known_word_in_a_title_makes_no_header(tmp_path: Path) -> None:
    data = "operator,2026\n" + ",".join(HEADER) + "\n" + ",".join(ROW)
    assert read_bytes(tmp_path, data.encode()).header_row == 2
