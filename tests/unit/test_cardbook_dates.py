"""A date is read in one way only."""

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.cardbook.cells import Cell
from worker.cardbook.folding import fold
from worker.cardbook.options import DateOrder, ExcelEpoch
from worker.cardbook.values import ValueProblem, parse_date, parse_plan_end

DAY = date(2026, 5, 13)


@pytest.mark.parametrize(
    "cell",
    [
        "2026-05-13",
        "2026/5/13",
        "2026.5.13",
        "2026年5月13日",
        "2026 年 05 月 13 日",
        "2026年5月13號",
        "20260513",
        20260513.0,
        "13/05/2026",
        "13-5-2026",
        "13.05.2026",
        "05/13/2026",
        "２０２６／５／１３",
        "2026-05-13 00:00:00",
        "2026-05-13T23:59",
        "2026-05-13T00:00:00",
        "13/05/2026 0:00",
        "5/13/2026 2:30:00 PM",
        "13/05/2026 02:30 p. m.",
        "2026/5/13 下午2:30",
        "2026年5月13日 上午 10:05:00",
        "'2026-05-13",
        DAY,
        datetime(2026, 5, 13, 15, 30),  # noqa: DTZ001 - a cell has no time zone
    ],
)
def test_every_clear_form_names_the_day(cell: Cell) -> None:
    assert parse_date(cell) == DAY


def test_a_date_that_has_two_readings_is_refused_and_shows_both() -> None:
    with pytest.raises(ValueProblem) as problem:
        parse_date("05/06/2026")
    assert problem.value.code == "ambiguous_date"
    assert "2026-06-05" in problem.value.message
    assert "2026-05-06" in problem.value.message
    assert "--date-order" in problem.value.hint


def test_the_date_order_settles_it() -> None:
    assert parse_date("05/06/2026", "dmy") == date(2026, 6, 5)
    assert parse_date("05/06/2026", "mdy") == date(2026, 5, 6)
    # Both readings are the same day.
    assert parse_date("05/05/2026") == date(2026, 5, 5)


@pytest.mark.parametrize(
    ("text", "order"), [("05/13/2026", "dmy"), ("13/05/2026", "mdy"), ("31/04/2026", None)]
)
def test_a_chosen_order_is_never_set_aside(text: str, order: DateOrder | None) -> None:
    with pytest.raises(ValueProblem) as problem:
        parse_date(text, order)
    assert problem.value.code == "impossible_date"


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("13/05/26", "two_digit_year"),
        ("26-05-13", "two_digit_year"),
        ("26年5月13日", "two_digit_year"),
        ("2026-05", "no_day"),
        ("2026年5月", "no_day"),
        ("05/2026", "no_day"),
        ("2026-02-30", "impossible_date"),
        ("20261305", "impossible_date"),
        ("2026-0-1", "impossible_date"),
        ("1926-05-13", "date_out_of_range"),
        ("9999-12-31", "date_out_of_range"),
        (date(1900, 1, 5), "date_out_of_range"),
        ("115/05/13", "bad_date"),
        ("2026-05/13", "bad_date"),
        ("13 may", "no_year"),
        ("13/05", "no_year"),
        ("5月13日", "no_year"),
        ("13-may-26", "two_digit_year"),
        ("mayo 2026", "no_day"),
        ("may-26", "no_day"),
        ("31 de junio de 2026", "impossible_date"),
        ("13 mei 2026", "bad_date"),
        ("2026-05-13T10:00Z", "utc_time"),
        ("2026-05-12T16:00:00.000Z", "utc_time"),
        ("soon", "bad_date"),
        (True, "wrong_type"),
        (float("nan"), "bad_date"),
        ("#REF!", "formula_error"),
        ("46155", "bare_serial"),
        (46155.0, "bare_serial"),
        (46155.5, "bare_serial"),
    ],
)
def test_anything_else_is_refused(cell: Cell, code: str) -> None:
    with pytest.raises(ValueProblem) as problem:
        parse_date(cell)
    assert problem.value.code == code


@pytest.mark.parametrize(("epoch", "serial"), [(1900, 46155), (1904, 46155 - 1462)])
def test_a_bare_serial_needs_its_epoch(epoch: ExcelEpoch, serial: int) -> None:
    for cell in (str(serial), float(serial), f"{serial}.75", serial + 0.75):
        assert parse_date(cell, None, epoch) == DAY


@pytest.mark.parametrize("word", ["长期", "永久", "Indefinido", "SIN  VENCIMIENTO", "unlimited"])
def test_a_plan_without_end_is_said_in_words(word: str) -> None:
    words = {
        fold(known) for known in ("长期", "永久", "indefinido", "sin vencimiento", "unlimited")
    }
    assert parse_plan_end(word, words) is None
    with pytest.raises(ValueProblem):
        parse_date(word)


def test_a_plan_end_is_else_a_date() -> None:
    assert parse_plan_end("05/06/2026", (), "dmy") == date(2026, 6, 5)
    with pytest.raises(ValueProblem):
        parse_plan_end("someday", {"长期"})


def test_a_number_in_the_wrong_column_is_masked() -> None:
    with pytest.raises(ValueProblem) as problem:
        parse_date("+51 987654321")
    assert "98765" not in problem.value.message


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)))
def test_a_date_reads_back_from_each_form(day: date) -> None:
    chinese = f"{day.year}年{day.month}月{day.day}日"
    for text in (day.isoformat(), f"{day:%Y/%m/%d}", f"{day:%Y%m%d}", chinese):
        assert parse_date(text) == day
    assert parse_date(f"{day:%d/%m/%Y}", "dmy") == day
    assert parse_date(f"{day:%m/%d/%Y}", "mdy") == day
