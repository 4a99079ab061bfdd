"""Files made to harm, or harmed themselves: one clear error, and no waiting for it."""

import os
import struct
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.unit import cardbook_files as files
from tests.unit.cardbook_files import Error
from tests.vocabulary import VOCABULARY
from worker.cardbook import calamine_gaps, source_file
from worker.cardbook import reader as reader_module
from worker.cardbook import text as text_module
from worker.cardbook.parse import ReadOptions, read_cardbook
from worker.cardbook.rows import CardBook
from worker.cardbook.workbook import guard
from worker.errors import CardBookError

HEADER = ["celular", "operador", "tipo", "vence"]
ROWS: files.Rows = [HEADER, ["987654321", "claro", "datos", "2026-05-13"]]
TEXT = files.delimited(ROWS) + b"\r\n"


def read(path: Path, **options: Any) -> CardBook:
    return read_cardbook(path, ReadOptions(**options), VOCABULARY)


def refusal(path: Path, data: bytes | None = None) -> CardBookError:
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(CardBookError) as error:
        read(path)
    assert error.value.hint
    return error.value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "book.csv"


# What is no file


def test_a_pipe_nobody_writes_to_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    assert "is a pipe or a device" in refusal(path).message


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/stdin"])
def test_a_device_is_no_card_book(device: str) -> None:
    if not Path(device).exists():
        pytest.skip("this system has no such device")
    error = refusal(Path(device))
    assert "is a pipe or a device" in error.message or "cannot be read" in error.message


def test_a_link_to_nothing_says_so(path: Path) -> None:
    path.symlink_to(path.with_name("gone.csv"))
    assert "No such file" in refusal(path).message
    path.with_name("gone.csv").write_bytes(TEXT)
    assert read(path).total == 1


def test_a_link_to_itself_says_so(path: Path) -> None:
    path.symlink_to(path)
    assert "cannot be read" in refusal(path).message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_so(path: Path) -> None:
    path.write_bytes(TEXT)
    path.chmod(0)
    assert "Permission denied" in refusal(path).message


# Size


def test_two_gigabytes_are_refused_unread(path: Path) -> None:
    path.touch()
    os.truncate(path, 2 << 30)
    assert "has 2048 MB" in refusal(path).message


def test_a_file_that_grows_while_it_is_opened_is_read_to_the_limit_only(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_file, "MAX_FILE_BYTES", len(TEXT))
    path.write_bytes(TEXT)
    real = os.fstat

    def grown(descriptor: int) -> os.stat_result:
        about = real(descriptor)
        with path.open("ab") as file:
            file.write(TEXT * 1000)
        return about

    monkeypatch.setattr(os, "fstat", grown)
    assert "the limit is" in refusal(path).hint


def test_one_line_of_commas_is_refused_before_it_is_parted(path: Path) -> None:
    error = refusal(path, TEXT + b"," * (text_module.MAX_LINE_CHARS + 1))
    assert "line 3 is longer than 1,000,000 characters" in error.message


def test_millions_of_blank_lines_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "MAX_LINES", 1000)
    path.write_bytes(TEXT + b"\n" * 998)
    assert read(path).total == 1
    assert "more than 1,000 lines" in refusal(path, TEXT + b"\n" * 999).message


def test_ten_thousand_columns_are_refused(path: Path) -> None:
    assert "row 3 has 10000 columns" in refusal(path, TEXT + b",".join([b"x"] * 10_000)).message
    path = path.with_suffix(".xlsx")
    wide = [*ROWS, ["x"] * 10_000]
    assert "row 3 has 10000 columns" in refusal(path, files.xlsx(wide)).message


@pytest.mark.parametrize("cell", [b"x" * (1 << 20), b'"' + b"x\n" * (1 << 19) + b'"'])
def test_a_cell_of_a_megabyte_is_refused(path: Path, cell: bytes) -> None:
    assert "line " in refusal(path, TEXT + cell).message


def test_a_cell_of_a_megabyte_in_a_workbook_is_refused(path: Path) -> None:
    long = files.raw_row(2, *['<c r="@" t="s"><v>0</v></c>'] * 4)
    strings = f"<si><t>{'x' * (1 << 20)}</t></si>"
    data = files.raw_xlsx(files.raw_row(1, *HEADER) + long, strings=strings)
    assert "row 2, column A: a cell of 1048576" in refusal(path, data).message


# Bytes


def test_nul_bytes_are_told(path: Path) -> None:
    assert "is binary" in refusal(path, TEXT.replace(b"claro", b"cl\0ro")).message
    path.write_bytes(TEXT.replace(b"claro", b"cl\0ro"))
    (error,) = read(path, encoding="cp1252").errors
    assert (error.column, error.code) == ("operador", "control_character")


@pytest.mark.parametrize("start", [b"\x7fELF\2\1\1\0", b"\x1f\x8b\x08\0", b"SQLite format 3\0"])
def test_a_binary_file_with_the_name_of_a_text_is_refused(path: Path, start: bytes) -> None:
    assert "is binary" in refusal(path, start + bytes(range(256)) * 40).message


# Workbooks


def test_a_bomb_is_refused_and_one_that_lies_about_its_size_too(path: Path) -> None:
    assert "unpacks to 40 MB" in refusal(path, files.bomb(40)).message
    assert "not a workbook that can be read" in refusal(path, files.bomb(40, 4000)).message


def test_entities_that_multiply_are_refused(path: Path) -> None:
    letters = "abcdefgh"
    entities = '<!ENTITY a "haha">' + "".join(
        f'<!ENTITY {new} "{f"&{old};" * 40}">' for old, new in pairwise(letters)
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<m/>")
        body = '<x number-rows-spanned="2">&h;</x>'
        archive.writestr("content.xml", f"<!DOCTYPE x [{entities}]>{body}")
    assert "not a workbook that can be read" in refusal(path).message


def test_a_directory_of_countless_parts_is_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(20_001):
            archive.writestr(str(number), b"")
    assert "more than 20,000 parts" in refusal(path).message


def test_a_sheet_repeated_to_its_edges_is_refused(path: Path) -> None:
    cell = (
        '<table:table-cell table:number-columns-repeated="16384" office:value-type="string">'
        "<text:p>celular</text:p></table:table-cell>"
    )
    row = f'<table:table-row table:number-rows-repeated="1048576">{cell}</table:table-row>'
    data = files.ods_of(f'<table:table table:name="x">{row}</table:table>')
    assert "stray cell" in refusal(path, data).message


def test_a_stray_cell_far_below_costs_no_rows(path: Path) -> None:
    sheet = files.raw_row(1, *HEADER) + files.raw_row(2, *map(str, ROWS[1]))
    sheet += files.raw_row(1_048_576, "note")
    path.write_bytes(files.raw_xlsx(sheet))
    book = read(path)
    assert [row.row for row in book.rows] == [2]
    assert {error.row for error in book.errors} == {1_048_576}


def test_a_protected_workbook_says_so(path: Path) -> None:
    assert "password" in refusal(path, files.encrypted_package()).message
    data = files.xls(ROWS)
    # Excel 97's own protection: a FilePass record in the place of one that says nothing here.
    place = data.index(struct.pack("<2H", 0x5C, 112))
    protected = data[:place] + struct.pack("<3H", 0x2F, 112, 1) + data[place + 6 :]
    assert "password" in refusal(path, protected).message
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<m:manifest><m:encryption-data/></m:manifest>")
        archive.writestr("content.xml", bytes(range(256)))
    assert "password" in refusal(path).message


@pytest.mark.parametrize("kind", sorted(files.WORKBOOKS))
def test_a_workbook_cut_anywhere_is_refused(path: Path, kind: str) -> None:
    data = files.WORKBOOKS[kind]([*ROWS, *[[f"9{n:08}", *ROWS[1][1:]] for n in range(50)]])
    for part in (1, 3, 5, 7):
        error = refusal(path, data[: len(data) * part // 8])
        assert "damaged" in error.message


def test_what_was_looked_at_is_what_is_read_whatever_happens_to_the_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(files.xlsx(ROWS))

    def removed(data: bytes) -> None:
        guard(data)
        path.unlink()

    monkeypatch.setattr(reader_module, "guard", removed)
    assert read(path).total == 1


def test_a_compound_file_whose_sectors_run_in_a_circle_ends(path: Path) -> None:
    data = bytearray(files.xls([*ROWS, ["987654322", "claro", "datos", Error("#N/A")]]))
    fat = (struct.unpack_from("<I", data, 76)[0] + 1) * 512
    for sector in range(100):
        struct.pack_into("<I", data, fat + 4 * sector, 0)
    path.write_bytes(data)
    with pytest.raises(CardBookError):
        read(path)


def test_errors_are_found_in_a_short_stream_too() -> None:
    """A stream below 4096 bytes lies in the mini stream, which xlwt never writes."""
    records = struct.pack("<2H4s", 0x809, 4, b"\0\6\5\0")
    sheet = records + struct.pack("<2H3H2B", 0x205, 8, 1, 2, 0, 42, 1) + struct.pack("<2H", 0x0A, 0)
    bound = struct.pack("<2HI4s", 0x85, 8, len(records) + 16, b"\0\0\1x")
    stream = records + bound + struct.pack("<2H", 0x0A, 0)
    found = calamine_gaps.in_records(compound(stream + sheet))
    assert [sheet.cells for sheet in found] == [{1: {2: "#N/A"}}]


def compound(stream: bytes) -> bytes:
    """The smallest compound file around a short stream ``Workbook``."""
    end, free = 0xFFFFFFFE, 0xFFFFFFFF
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack("<5H", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<9I", 0, 1, 1, 0, 4096, 2, 1, end, 0)
    header += struct.pack("<109I", 0, *[free] * 108)
    fat = struct.pack("<128I", 0xFFFFFFFD, end, end, end, *[free] * 124)
    mini = struct.pack("<128I", *range(1, 8), end, *[free] * 120)

    def entry(name: str, kind: int, start: int, size: int) -> bytes:
        text = (name + "\0").encode("utf-16-le")
        links = struct.pack("<HBB3I", len(text), kind, 1, free, free, 1)
        return text.ljust(64, b"\0") + links + bytes(36) + struct.pack("<IQ", start, size)

    directory = entry("Root Entry", 5, 3, 512) + entry("Workbook", 2, 0, len(stream)) + bytes(256)
    return header + fat + directory + mini + stream.ljust(512, b"\0")
