"""A card book is read whole: every row is a card or has an error that names its cell."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.vocabulary import VOCABULARY
from worker.cardbook.parse import ReadOptions, read_cardbook
from worker.cardbook.rows import CardBook, Problem
from worker.core.cards import Kind, Language
from worker.errors import CardBookError

ROOT = Path(__file__).parents[2]
ICCIDS = ("8951177763170669077", "8951681241586834493", "8951999622830388369")
HEADER = "celular;iccid;operador;tipo;vence;última recarga"


def read(tmp_path: Path, *rows: str, header: str = HEADER, **options: Any) -> CardBook:
    path = tmp_path / "book.csv"
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    return read_cardbook(path, ReadOptions(**options), VOCABULARY)


def only(problems: tuple[Problem, ...]) -> Problem:
    assert len(problems) == 1, problems
    return problems[0]


def codes(problems: tuple[Problem, ...]) -> list[tuple[int, str, str]]:
    return [(problem.row, problem.column, problem.code) for problem in problems]


@pytest.mark.parametrize("name", ["cardbook-zh.xlsx", "cardbook-en.tsv"])
def test_the_examples_read_exactly_as_expected(name: str) -> None:
    book = read_cardbook(ROOT / "examples" / name, ReadOptions(), VOCABULARY)
    truth = ROOT / "tests" / "data" / f"{name.split('.')[0]}.expected.json"
    expected = json.loads(truth.read_text(encoding="utf-8"))
    assert book.errors == ()
    assert [
        {field: _plain(getattr(row, field)) for field in truth_row}
        for row, truth_row in zip(book.rows, expected, strict=True)
    ] == expected
    assert book.total == len(expected)
    assert [row.row for row in book.rows] == list(range(2, len(expected) + 2))


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


def test_a_full_row_is_read_field_by_field(tmp_path: Path) -> None:
    header = "手机号,ICCID,IMSI,运营商,卡类型,套餐,到期日,上次充值,客户,邮箱,联系电话,语言,余额,"
    header += "时区,备注"
    row = (
        f"987654321,{ICCIDS[0]},716104391500080,Claro,保号卡,15天 5GB,2026年7月6日,2026/2/5,孙悦,"
        'sun@example.com,+8613800919924,简体中文,S/ 25.90,秘鲁,"VIP, 朋友"'
    )
    book = read(tmp_path, row, header=header)
    assert book.errors == book.warnings == ()
    card = book.rows[0]
    assert (card.row, card.msisdn, card.iccid) == (2, "+51987654321", ICCIDS[0])
    assert (card.imsi, card.operator, card.kind) == ("716104391500080", "claro", Kind.RETENTION)
    assert (card.plan, card.plan_days) == ("15天 5GB", 15)
    assert (card.plan_end, card.last_topup) == (date(2026, 7, 6), date(2026, 2, 5))
    assert (card.balance, card.holder) == (Decimal("25.90"), "孙悦")
    assert (card.email, card.contact_phone) == ("sun@example.com", "+8613800919924")
    assert (card.language, card.time_zone) == (Language.ZH_HANS, "America/Lima")
    assert card.note == "VIP, 朋友"
    assert book.columns["expires"] == "到期日"
    assert (book.file, book.encoding, book.sheet) == ("book.csv", "utf-8", None)


def test_blank_cells_are_none(tmp_path: Path) -> None:
    header = HEADER + ";idioma;zona horaria;correo;saldo;titular;notas;plan"
    card = read(tmp_path, "987654321;;claro;datos;2026-07-06;;; ;;;;;", header=header).rows[0]
    assert (card.iccid, card.last_topup, card.language, card.time_zone) == (None,) * 4
    assert (card.email, card.balance, card.note, card.plan, card.plan_days) == (None,) * 5
    assert card.holder == ""


def test_every_error_of_every_row_is_reported_at_once(tmp_path: Path) -> None:
    book = read(
        tmp_path,
        "98765432;;claro;5g;05/06/2026;2026-02-30",
        "987654321;;claro;datos;2026-07-06;",
        "987654322;89;vodafone;datos;2026-07-06;",
    )
    assert codes(book.errors) == [
        (2, "celular", "bad_msisdn"),
        (2, "tipo", "unknown_kind"),
        (2, "vence", "ambiguous_date"),
        (2, "última recarga", "impossible_date"),
        (4, "iccid", "bad_iccid"),
        (4, "operador", "unknown_operator"),
    ]
    assert [row.row for row in book.rows] == [3]
    assert book.total == 3
    assert all(problem.message and problem.hint for problem in book.errors)


def test_a_card_needs_a_number_an_operator_and_a_kind(tmp_path: Path) -> None:
    book = read(tmp_path, ";;;;2026-07-06;2026-06-06", "x;y;;;2026-07-06;2026-06-06")
    assert codes(book.errors) == [
        (2, "", "no_number"),
        (3, "celular", "bad_msisdn"),
        (3, "iccid", "bad_iccid"),
        (3, "operador", "no_operator"),
        (3, "tipo", "no_kind"),
    ]


def test_an_iccid_alone_is_a_number(tmp_path: Path) -> None:
    assert read(tmp_path, f";{ICCIDS[0]};claro;esim;2026-07-06;").rows[0].msisdn is None


@pytest.mark.parametrize("word", ["indefinido", "长期", ""])
def test_a_plan_without_end_needs_the_last_topup(tmp_path: Path, word: str) -> None:
    error = only(read(tmp_path, f"987654321;;claro;datos;{word};").errors)
    assert (error.column, error.code) == ("última recarga", "no_date")
    card = read(tmp_path, f"987654321;;claro;datos;{word};2026-02-05").rows[0]
    assert (card.plan_end, card.last_topup) == (None, date(2026, 2, 5))


def test_a_refused_date_is_not_also_missing(tmp_path: Path) -> None:
    book = read(tmp_path, "987654321;;claro;datos;indefinido;soon")
    assert only(book.errors).code == "bad_date"


def test_a_blank_plan_end_is_doubtful_and_a_said_one_is_not(tmp_path: Path) -> None:
    book = read(tmp_path, "987654321;;claro;datos;;2026-02-05")
    assert codes(book.warnings) == [(2, "vence", "no_plan_end")]
    assert read(tmp_path, "987654321;;claro;datos;indefinido;2026-02-05").warnings == ()


def test_a_repeated_card_is_refused_and_both_rows_named(tmp_path: Path) -> None:
    book = read(
        tmp_path,
        f"987654321;{ICCIDS[0]};claro;datos;2026-07-06;",
        f"987654322;{ICCIDS[0]}F;claro;datos;2026-08-06;",
        f"+51987654321;{ICCIDS[1]};claro;datos;2026-07-06;",
        "987654323;;claro;datos;2026-07-06;",
        "987654323;;claro;datos;2026-07-06;",
        f"987654321;{ICCIDS[0]};claro;datos;2026-07-06;",
    )
    assert codes(book.errors) == [
        (2, "iccid", "duplicate"),
        (3, "iccid", "duplicate"),
        (4, "celular", "duplicate"),
        (6, "celular", "duplicate"),
        (7, "iccid", "duplicate"),
    ]
    assert "rows 2, 3, 7" in book.errors[0].message
    assert "plan end" in book.errors[0].message
    assert "rows 5, 6" in book.errors[3].message
    assert [row.row for row in book.rows] == [5]


def test_a_card_repeated_from_a_refused_row_is_still_a_repetition(tmp_path: Path) -> None:
    book = read(tmp_path, "987654321;;claro;5g;2026-07-06;", "987654321;;claro;datos;2026-07-06;")
    assert sorted(problem.code for problem in book.errors) == [
        "duplicate",
        "duplicate",
        "unknown_kind",
    ]
    assert book.rows == ()


def test_doubts_are_warnings_and_refuse_nothing(tmp_path: Path) -> None:
    header = HEADER + ";imsi;teléfono de contacto"
    row = f"987654321;{ICCIDS[0][:-1]}8;claro;esim;2026-07-06;;460001234567890;+51987654321"
    book = read(tmp_path, row, header=header)
    assert len(book.rows) == 1
    assert codes(book.warnings) == [
        (2, "iccid", "iccid_check_digit"),
        (2, "imsi", "foreign_imsi"),
        (2, "teléfono de contacto", "contact_is_card"),
    ]


def test_unknown_columns_become_notes(tmp_path: Path) -> None:
    header = HEADER + ";color;notas"
    book = read(tmp_path, "987654321;;claro;datos;2026-07-06;;rojo;vip", header=header)
    assert book.rows[0].note == "vip; color: rojo"
    assert codes(book.warnings) == [(1, "color", "unknown_column")]


def test_a_control_character_is_refused_in_any_column(tmp_path: Path) -> None:
    header = HEADER + ";color;notas;titular;plan"
    row = "987654321;;claro;datos;2026-07-06;;a\x1bb;c\x1bd;e\x7ff;g\x0bh"
    book = read(tmp_path, row, header=header)
    assert {problem.column for problem in book.errors} == {"color", "notas", "titular", "plan"}
    assert {problem.code for problem in book.errors} == {"control_character"}


def test_a_text_row_longer_than_its_header_is_refused(tmp_path: Path) -> None:
    book = read(
        tmp_path, "987654321;;claro;datos;2026-07-06;;vip", "987654322;;claro;datos;2026-07-06"
    )
    assert codes(book.errors) == [(2, "G", "extra_cells")]
    assert [row.row for row in book.rows] == [3]


def test_blank_rows_are_not_data(tmp_path: Path) -> None:
    row = "987654321;;claro;datos;2026-07-06;"
    book = read(tmp_path, "", ";;;;;", row, "  ; \t;;;;")
    assert (book.total, book.errors) == (1, ())
    assert book.rows[0].row == 4


def test_options_answer_what_the_file_leaves_open(tmp_path: Path) -> None:
    header = "卡号;operador;tipo;vence;teléfono de contacto"
    rows = ("987654321;claro;datos;05/06/2026;987654399", "987654322;claro;datos;46155;987654399")
    asked = read(tmp_path, *rows, header=header)
    assert codes(asked.errors) == [
        (2, "vence", "ambiguous_date"),
        (2, "teléfono de contacto", "no_country_code"),
        (3, "vence", "bare_serial"),
        (3, "teléfono de contacto", "no_country_code"),
    ]
    answered = read(
        tmp_path,
        *rows,
        header=header,
        date_order="dmy",
        excel_dates=1900,
        contact_region="PE",
        card_column="msisdn",
    )
    assert answered.errors == ()
    assert [row.plan_end for row in answered.rows] == [date(2026, 6, 5), date(2026, 5, 13)]
    assert answered.rows[0].contact_phone == "+51987654399"


def test_a_region_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CardBookError, match="'Peru' is no region"):
        read(tmp_path, "987654321;;claro;datos;2026-07-06;", contact_region="Peru")


def test_what_a_workbook_has_already_lost_is_refused_cell_by_cell(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(HEADER.split(";"))
    sheet.append([987654321, int(ICCIDS[0]), "claro", "datos", date(2026, 7, 6), None])
    sheet.append([987654322, ICCIDS[1], "claro", "datos", 46155, None])
    sheet.append([987654323, ICCIDS[2], "claro", "datos", "#N/A", date(2026, 2, 5)])
    sheet.append([True, None, "claro", "datos", date(2026, 7, 6), date(2026, 2, 5)])
    book.save(tmp_path / "book.xlsx")
    found = read_cardbook(tmp_path / "book.xlsx", ReadOptions(), VOCABULARY)
    assert codes(found.errors) == [
        (2, "iccid", "precision_lost"),
        (3, "vence", "bare_serial"),
        (4, "vence", "formula_error"),
        (5, "celular", "wrong_type"),
    ]
    assert found.rows == ()
    assert found.sheet == "Sheet"


def test_one_and_true_are_different_cells(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append([*HEADER.split(";"), "saldo"])
    for number, balance in ((987654321, 1), (987654322, True)):
        sheet.append([number, None, "claro", "datos", date(2026, 7, 6), None, balance])
    book.save(tmp_path / "book.xlsx")
    found = read_cardbook(tmp_path / "book.xlsx", ReadOptions(), VOCABULARY)
    assert found.rows[0].balance == Decimal(1)
    assert codes(found.errors) == [(3, "saldo", "wrong_type")]


def test_no_problem_shows_a_number_or_an_address(tmp_path: Path) -> None:
    header = HEADER + ";imsi;correo;teléfono de contacto"
    secrets = ("9876543210", ICCIDS[0][:15], "71610439150008", "juana perez@example.com")
    row = f"{secrets[0]};{secrets[1]};claro;datos;{secrets[0]};;{secrets[2]};{secrets[3]};51987654"
    book = read(tmp_path, row, header=header)
    assert len(book.errors) == 6
    text = " ".join(problem.message + problem.hint for problem in book.errors)
    for secret in (*secrets, "51987654", "juana"):
        assert secret not in text


def test_options_name_the_kind_and_operator_of_a_book_without_those_columns(tmp_path: Path) -> None:
    told = {"kind": "保号卡", "operator": "Claro Perú"}
    [card] = read(tmp_path, "987654321;2026-05-13", header="celular;vence", **told).rows
    assert (card.kind, card.operator) == (Kind.RETENTION, "claro")
    row = "987654321;entel;eSIM;2026-05-13"
    [named] = read(tmp_path, row, header="celular;operador;tipo;vence", **told).rows
    assert (named.kind, named.operator) == (Kind.ESIM, "entel")


def test_an_unknown_word_in_an_option_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CardBookError, match="satellite"):
        read(
            tmp_path,
            "987654321;claro;2026-05-13",
            header="celular;operador;vence",
            kind="satellite",
        )
