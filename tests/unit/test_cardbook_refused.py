"""Refused rows become a workbook that reads like their source, plus why."""

import itertools
import math
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vocabulary import VOCABULARY
from worker.cardbook.cells import Cell
from worker.cardbook.grid import Grid
from worker.cardbook.parse import ReadOptions, read_cardbook
from worker.cardbook.refused import write_refused
from worker.cardbook.rows import CardBook, Problem
from worker.core.cards import Language
from worker.errors import CardBookError

HEADER = ("celular", "operador", "tipo", "vence", "color")


def book_of(*rows: tuple[Cell, ...]) -> CardBook:
    refused = tuple(enumerate(rows, 2))
    errors = tuple(Problem(row, "vence", "bad", "it is wrong", "mend it") for row, _ in refused)
    total = len(rows)
    return CardBook("b.csv", "utf-8", None, {}, total, (), errors, (), HEADER, refused)


def read(path: Path) -> CardBook:
    return read_cardbook(path, ReadOptions(), VOCABULARY)


def test_a_refused_row_says_why_and_reads_as_before(tmp_path: Path) -> None:
    path = tmp_path / "book.csv"
    path.write_text(
        "celular,operador,tipo,vence,color\n98765,claro,x,05/06/2026,=1+1\n"
        "987654321,claro,datos,2026-06-05,red\n987654322,claro,datos,soon\n",
        encoding="utf-8",
    )
    book = read(path)
    assert [number for number, _ in book.refused] == [2, 4]
    assert len(book.refused) == book.total - len(book.rows)
    assert book.header == HEADER
    written = write_refused(book, path, Language.ZH_HANT, VOCABULARY)
    assert written == tmp_path / "book.refused.xlsx"
    again = read(written)
    assert again.header == (*HEADER, "未匯入原因")
    assert [cells[:5] for _, cells in again.refused] == [
        ("98765", "claro", "x", "05/06/2026", "=1+1"),
        ("987654322", "claro", "datos", "soon", None),
    ]
    assert [error.code for error in again.errors] == [error.code for error in book.errors]
    reason = str(again.refused[0][1][5])
    assert reason.count(" | ") == 2
    assert "vence: 05/06/2026 is 2026-06-05 (day first)" in reason
    assert "--date-order" in reason


def test_corrected_it_is_imported_without_its_reasons(tmp_path: Path) -> None:
    path = write_refused(
        book_of(("987654321", "claro", "datos", "soon", "red")),
        tmp_path / "b.csv",
        Language.EN,
        VOCABULARY,
    )
    workbook = openpyxl.load_workbook(path)
    workbook.worksheets[0]["D2"] = "2026-06-12"
    workbook.save(path)
    book = read(path)
    assert book.errors == ()
    assert [row.note for row in book.rows] == ["color: red"]


def test_refused_again_it_has_one_column_of_reasons(tmp_path: Path) -> None:
    first = write_refused(book_of(("9",)), tmp_path / "b.csv", Language.EN, VOCABULARY)
    second = write_refused(read(first), first, Language.ES_PE, VOCABULARY)
    assert second.name == "b.refused.refused.xlsx"
    assert read(second).header == (*HEADER, "Motivo del rechazo")


def test_no_file_is_overwritten_and_only_the_owner_can_read(tmp_path: Path) -> None:
    book = book_of(("9",))
    paths = [write_refused(book, tmp_path / "b.csv", Language.EN, VOCABULARY) for _ in range(3)]
    names = ["b.refused.xlsx", "b.refused-2.xlsx", "b.refused-3.xlsx"]
    assert [path.name for path in paths] == names
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file grows beyond ``size`` bytes: as on a full disk, the write fails half-way."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 1000, 5000])
def test_nothing_is_left_behind_where_the_disk_is_full(tmp_path: Path, size: int) -> None:
    book = book_of(*[(f"{n:0500}",) for n in range(2000)])
    with (
        full_disk(size),
        pytest.raises(CardBookError, match=r"b\.refused\.xlsx cannot be written: ") as error,
    ):
        write_refused(book, tmp_path / "b.csv", Language.EN, VOCABULARY)
    assert "disk" in error.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CardBookError, match="cannot be written: No such file or directory"):
        write_refused(book_of(("9",)), tmp_path / "no" / "b.csv", Language.EN, VOCABULARY)


# XML cannot hold these; no card can either.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"))
days = st.dates(date(1900, 3, 1))
moments = st.datetimes(datetime(1900, 3, 1), datetime(9999, 12, 31)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=0)
)
any_cell: st.SearchStrategy[Cell] = st.one_of(
    texts,
    st.sampled_from(["=1+1", "_x0041_", "'=x", "8.95E+18", "\r\n", "http://example.com", "1,5"]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.just(8951177763170669077.0),
    st.booleans(),
    days,
    moments,
    st.none(),
)
_names = itertools.count()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(*[any_cell] * 4), min_size=1, max_size=20))
def test_any_cell_reads_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Cell, ...]]
) -> None:
    source = Grid(None, None, next_row=2)
    for row in rows:
        source.add(["9", *row])
    book = book_of(*(tuple(cells) for _, cells in source.rows))
    folder = tmp_path_factory.mktemp("refused")
    found = read(write_refused(book, folder / "b.csv", Language.EN, VOCABULARY))
    for (_, before), (_, after) in zip(book.refused, found.refused, strict=True):
        padded = [*before, *[None] * (5 - len(before))]
        assert [*map(_as_read, padded)] == [*map(_as_read, after[:5])]


def _as_read(cell: Cell) -> object:
    """A midnight is a day to the reader, and -0.0 is no other number than 0."""
    if isinstance(cell, datetime) and (cell.hour, cell.minute, cell.second) == (0, 0, 0):
        return date, cell.date()
    if isinstance(cell, float) and not math.isnan(cell):
        return float, cell
    return type(cell), cell
