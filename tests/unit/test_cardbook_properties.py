"""Whatever a file holds, it is read or refused: nothing is lost and nothing else is raised."""

import io
import string
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit import cardbook_files as files
from tests.vocabulary import VOCABULARY
from worker.cardbook import values
from worker.cardbook.cells import Cell, trim
from worker.cardbook.date_columns import examine
from worker.cardbook.examine import RowCells, RowParser
from worker.cardbook.identifiers import identifier_of
from worker.cardbook.mapping import map_columns
from worker.cardbook.options import ReadOptions
from worker.cardbook.parse import read_cardbook
from worker.cardbook.reader import Sheet
from worker.cardbook.record import read_row
from worker.cardbook.rows import CardBook
from worker.errors import CardBookError

HEADER = "celular,iccid,imsi,operador,tipo,plan,vence,última recarga,correo,saldo,color"

PARSERS: list[Callable[[Cell], object]] = [
    values.parse_msisdn,
    values.parse_iccid,
    values.parse_imsi,
    values.parse_contact_phone,
    lambda cell: values.parse_contact_phone(cell, "PE"),
    values.parse_email,
    values.parse_balance,
    values.parse_text,
    values.parse_date,
    lambda cell: values.parse_date(cell, "dmy", 1900),
    lambda cell: values.parse_date(cell, "mdy", 1904),
    lambda cell: values.parse_plan_end(cell, VOCABULARY.no_plan_end),
    lambda cell: values.parse_kind(cell, VOCABULARY.kinds),
    lambda cell: values.parse_operator(cell, VOCABULARY.operators),
    lambda cell: values.parse_language(cell, VOCABULARY.languages),
    lambda cell: values.parse_time_zone(cell, VOCABULARY.time_zones),
]

plausible = st.one_of(
    st.text(string.digits + "+-/. FE年月日,S@='\"\u200e９", max_size=24),
    st.from_regex(r"\A[+]?[0-9]{8,20}F?\Z"),
    st.from_regex(r"\A[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}\Z"),
    st.from_regex(r"\A[a-z.]{1,8}@[a-z]{1,8}[.](com|test|pe)\Z"),
)
any_text = st.one_of(st.text(max_size=60), plausible, st.characters().map(str))
any_cell: st.SearchStrategy[Cell] = st.one_of(
    any_text,
    st.floats(),
    st.integers(-(10**20), 10**20),
    st.booleans(),
    st.dates(),
    st.datetimes(),
    st.none(),
)


def problems(cell: Cell) -> Iterator[values.ValueProblem]:
    for parse in PARSERS:
        try:
            parse(cell)
        except values.ValueProblem as problem:
            yield problem


# The first telephone loads the tables of all countries.
@settings(deadline=None)
@given(any_cell)
@example("\ud800")
@example(float("inf"))
@example(date(1, 1, 1))
@example("+" + "9" * 300)
def test_a_value_is_read_or_is_a_value_problem(cell: Cell) -> None:
    for problem in problems(cell):
        assert problem.code
        assert problem.message
        assert problem.hint
    identifier_of(cell)
    values.plan_days(cell if isinstance(cell, str) else None)


@given(st.text(max_size=12), st.integers(900_000_000, 999_999_999), st.text(max_size=12))
def test_no_message_shows_a_number_or_address_whole(before: str, number: int, after: str) -> None:
    for secret in (str(number), f"secret{number}@example.com"):
        for problem in problems(before + secret + after):
            assert secret not in problem.message + problem.hint


def read(data: bytes, name: str = "book.csv", **options: Any) -> CardBook | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        try:
            return read_cardbook(path, ReadOptions(**options), VOCABULARY)
        except CardBookError:
            return None


def is_whole(book: CardBook) -> bool:
    good = {row.row for row in book.rows}
    bad = {problem.row for problem in book.errors}
    return not good & bad and len(book.rows) == len(good) and len(good | bad) == book.total


@given(
    st.sampled_from([b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", HEADER.encode() + b"\n"]),
    st.binary(max_size=400),
    st.sampled_from([None, "gb18030", "big5", "cp1252", "utf-16-le", "utf-7"]),
)
@settings(max_examples=300)
def test_any_bytes_are_read_or_refused(start: bytes, data: bytes, encoding: str | None) -> None:
    book = read(start + data, encoding=encoding)
    assert book is None or is_whole(book)


@given(
    st.sampled_from([b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"]), st.binary(max_size=999)
)
@settings(max_examples=15, deadline=None)
def test_any_container_is_refused_unless_it_is_a_workbook(magic: bytes, data: bytes) -> None:
    assert read(magic + data) is None


SMALL: files.Rows = [
    HEADER.split(","),
    ["987654321", None, None, "claro", "datos", "30 días", "2026-05-13", None, None, 2.5, None],
    ["987654322", None, None, "entel", "esim", None, date(2026, 5, 13), files.Error("#N/A")],
]
BUILT = {kind: build(SMALL) for kind, build in files.WORKBOOKS.items()}
changes = st.lists(st.tuples(st.integers(4, 1 << 20), st.integers(0, 255)), min_size=1, max_size=8)


def changed(data: bytes, places: list[tuple[int, int]]) -> bytes:
    found = bytearray(data)
    for place, byte in places:
        found[place % len(found)] = byte
    return bytes(found)


@given(st.sampled_from(sorted(BUILT)), changes)
@settings(max_examples=15, deadline=None)
def test_a_damaged_workbook_is_read_or_refused(kind: str, places: list[tuple[int, int]]) -> None:
    book = read(changed(BUILT[kind], places), f"book.{kind}")
    assert book is None or is_whole(book)


@given(st.sampled_from(["xlsx", "xlsb", "ods"]), st.integers(0, 20), changes)
@settings(max_examples=25, deadline=None)
def test_a_workbook_damaged_before_it_was_zipped_is_read_or_refused(
    kind: str, part: int, places: list[tuple[int, int]]
) -> None:
    """No checksum stands between these bytes and whoever parses them."""
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(BUILT[kind])) as source,
        zipfile.ZipFile(target, "w") as copy,
    ):
        names = source.namelist()
        for number, name in enumerate(names):
            data = source.read(name)
            copy.writestr(name, changed(data, places) if number == part % len(names) else data)
    book = read(target.getvalue(), f"book.{kind}")
    assert book is None or is_whole(book)


@given(
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030", "cp1252"]),
    st.sampled_from(",;\t"),
    changes,
    st.integers(0, 1 << 20),
)
def test_a_damaged_text_is_read_or_refused(
    encoding: str, delimiter: str, places: list[tuple[int, int]], cut: int
) -> None:
    data = changed(files.delimited(SMALL, delimiter, encoding), places)
    for found in (data, data[: cut % len(data)]):
        book = read(found)
        assert book is None or is_whole(book)


@given(
    st.lists(st.lists(any_cell, max_size=12), min_size=1, max_size=4),
    st.sampled_from([None, "dmy", "mdy"]),
    st.sampled_from([None, "msisdn", "iccid", "imsi"]),
    st.sampled_from([None, 1900, 1904]),
    st.sampled_from([None, "PE", "CN"]),
)
def test_any_cells_make_a_card_or_errors(
    cells: list[list[Cell]], order: Any, card: Any, epoch: Any, region: str | None
) -> None:
    """What a workbook may hold in any cell, whatever its options are."""
    options = ReadOptions(None, order, card, epoch, region)
    header = ("卡号", *HEADER.split(",")[3:], "teléfono de contacto", "idioma", "tz")
    rows = tuple((number, [trim(cell) for cell in row]) for number, row in enumerate(cells, 2))
    sheet = Sheet("book.xlsx", None, "cards", 1, 1, header, rows)
    try:
        columns = map_columns(sheet, VOCABULARY, options)
    except CardBookError:
        return
    parser = RowParser(columns, VOCABULARY, options, examine(rows, columns.places))
    for number, row in rows:
        examined = RowCells(parser, number, row)
        assert (read_row(examined, None) is None) == bool(examined.errors)


good_cells = [
    st.integers(900_000_000, 900_000_020).map(str),
    st.sampled_from(["", "8951177763170669077", "8951681241586834493", "895"]),
    st.sampled_from(["", "716104391500080", "460001234567890"]),
    st.sampled_from(["claro", "Entel", "", "x"]),
    st.sampled_from(["datos", "esim", "", "5g"]),
    st.sampled_from(["30 días", ""]),
    st.sampled_from(["2026-05-13", "indefinido", "", "05/06/2026"]),
    st.sampled_from(["2026-02-05", ""]),
    st.sampled_from(["mei@example.com", "", "mei"]),
    st.sampled_from(["10", "S/ 2", "", "x"]),
    st.just(""),
]
any_row = st.one_of(
    st.tuples(*good_cells).map(list),
    st.lists(st.one_of(any_text, st.just("")), max_size=13),
    st.just([]),
)


@given(st.lists(any_row, max_size=12), st.sampled_from(",;\t"))
def test_every_row_is_a_card_or_has_an_error(rows: list[list[str]], delimiter: str) -> None:
    quoted = [
        delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row)
        for row in [HEADER.split(","), *rows]
    ]
    book = read("\n".join(quoted).encode("utf-8", "surrogatepass"))
    if book is not None:
        assert is_whole(book)
        seen = [cell for row in rows for cell in row if cell.isprintable() and cell.strip()]
        assert book.total > 0 or not any(map(str.isalnum, "".join(seen)))
