"""Files that can be read in two ways, or that others read wrongly: each as the program left it that
wrote it, with its right reading or its right refusal."""

import io
import struct
import subprocess
import sys
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import xlwt  # type: ignore[import-untyped]

from tests.unit import cardbook_files as files
from tests.vocabulary import VOCABULARY
from worker.cardbook import unpack
from worker.cardbook.parse import ReadOptions, read_cardbook
from worker.cardbook.rows import CardBook, Problem
from worker.errors import CardBookError

ROOT = Path(__file__).parents[2]
HARD = ROOT / "tests" / "data" / "hard"


def hard(name: str, **options: Any) -> CardBook:
    return read_cardbook(HARD / name, ReadOptions(**options), VOCABULARY)


def refusal(name: str, **options: Any) -> CardBookError:
    with pytest.raises(CardBookError) as error:
        hard(name, **options)
    return error.value


def write(tmp_path: Path, text: str | bytes, **options: Any) -> CardBook:
    path = tmp_path / "book.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_cardbook(path, ReadOptions(**options), VOCABULARY)


def codes(problems: tuple[Problem, ...]) -> list[tuple[int, str]]:
    return [(problem.row, problem.code) for problem in problems]


def ends(book: CardBook) -> list[tuple[int, date | None]]:
    return [(row.row, row.plan_end) for row in book.rows]


def test_a_list_that_a_spreadsheet_read_month_first_is_refused_with_both_readings() -> None:
    book = hard("F01_us_excel_swapped.xlsx")
    [problem] = book.errors
    assert (problem.code, problem.column, problem.rows) == ("two_readings", "vencimiento", (2, 3))
    assert "2026-05-06" in problem.message
    assert "2026-06-05" in problem.message
    assert "--date-order" in problem.hint
    assert book.rows == ()
    # Both rows stand in the file of the refused ones: one alone would not show the doubt.
    assert [number for number, _ in book.refused] == [2, 3]


@pytest.mark.parametrize(("order", "month", "day"), [("dmy", 6, 5), ("mdy", 5, 6)])
def test_the_order_of_dates_settles_it(order: str, month: int, day: int) -> None:
    book = hard("F01_us_excel_swapped.xlsx", date_order=order)
    assert book.errors == ()
    assert ends(book) == [(2, date(2026, month, day)), (3, date(2026, 6, 13))]


def test_a_month_alone_is_refused_whether_it_is_a_text_or_a_formatted_cell() -> None:
    assert codes(hard("F02_month_only.xlsx").errors) == [(2, "no_day"), (3, "no_day")]
    assert codes(hard("F02_month_only_text.csv").errors) == [(2, "no_day")]


@pytest.mark.parametrize(
    ("name", "encoding"), [("F03a_macroman.csv", "mac_roman"), ("F03b_cp850.csv", "cp850")]
)
def test_an_encoding_that_few_use_is_named_and_asked_for(name: str, encoding: str) -> None:
    error = refusal(name)
    assert encoding in error.message
    assert f"--encoding {encoding}" in error.hint
    [row] = hard(name, encoding=encoding).rows
    assert row.holder == "José Muñoz"


def test_a_contact_phone_of_another_region_is_not_taken_for_one_of_this() -> None:
    book = hard("F04_contact_region.csv", contact_region="CN")
    assert [(row.row, row.contact_phone) for row in book.rows] == [(2, "+8613800138000")]
    assert codes(book.errors) == [(3, "two_regions"), (4, "two_regions")]
    assert "PE" in book.errors[0].message
    book = hard("F04_contact_region.csv", contact_region="PE")
    assert codes(book.errors) == [(2, "two_regions")]
    assert [row.contact_phone for row in book.rows] == ["+51987000001", "+51987000002"]
    assert "lost the +" in hard("F04_contact_region.csv").errors[2].message


def test_a_second_table_is_named_and_none_of_its_rows_is_read() -> None:
    book = hard("F05_stacked.csv")
    [problem] = book.errors
    assert (problem.row, problem.code, problem.rows) == (3, "second_table", (3, 4))
    assert ends(book) == [(2, date(2026, 12, 31))]
    assert (book.total, len(book.refused)) == (3, 2)
    assert codes(hard("F05_stacked.refused.xlsx").errors) == [(2, "second_table")]


@pytest.mark.parametrize("name", ["F06_log.csv", "dup.csv"])
def test_of_rows_that_contradict_each_other_none_is_written(name: str) -> None:
    book = hard(name)
    assert codes(book.errors) == [(2, "duplicate"), (3, "duplicate")]
    assert "plan end" in book.errors[0].message
    assert book.rows == ()
    assert [number for number, _ in book.refused] == [2, 3]


def test_a_file_of_refused_rows_is_read_back() -> None:
    assert ends(hard("F06_log.refused.xlsx")) == [(2, date(2026, 12, 28))]


def test_dates_that_are_written_as_text_in_a_workbook_are_dates() -> None:
    book = hard("F07_sheetjs_cellDates.xlsx")
    assert book.errors == ()
    assert ends(book) == [
        (2, date(2026, 5, 13)),
        (3, date(2026, 5, 12)),
        (4, date(2026, 5, 13)),
    ]
    # Seven in the evening is midnight in another zone: the day may be the next one.
    assert codes(book.warnings) == [(3, "time_of_day")]


def test_an_ods_with_white_space_between_its_tags_is_whole() -> None:
    book = hard("F08a_gnumeric.ods")
    assert codes(book.errors) == [(6, "no_country_code")]
    assert [row.row for row in book.rows] == [2, 3, 4, 5, 7]
    first = book.rows[0]
    assert (first.plan_end, first.last_topup) == (date(2026, 5, 13), date(2026, 4, 13))
    assert (first.holder, first.email, str(first.balance)) == (
        "Ana Pérez",
        "ana@example.com",
        "12.50",
    )
    assert codes(book.warnings) == [(3, "hidden_rows")]


def test_what_windows_writes_in_taiwan_is_read_by_its_headers() -> None:
    book = hard("F09_cp950.csv")
    assert (book.encoding, book.errors) == ("cp950", ())
    assert book.rows[0].plan_end == date(2026, 12, 5)
    assert book.columns["msisdn"] == "門號"


def test_a_block_above_the_table_is_not_its_header() -> None:
    book = hard("F10_block_above.csv")
    assert ends(book) == [(4, date(2026, 12, 5))]
    assert book.header == ("celular", "operador", "tipo", "vencimiento")


def test_no_customer_is_named_where_there_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(CardBookError) as error:
        write(
            tmp_path, "Cliente,Sol SAC,Correo,a@example.com\n\nCliente,Sol SAC\n987654321,claro\n"
        )
    assert "Sol SAC" not in error.value.message
    assert "example.com" not in error.value.message


def test_a_text_behind_an_equals_sign_is_the_text() -> None:
    [row] = hard("F12_formula_text_name.csv").rows
    assert (row.msisdn, row.holder) == ("+51987650001", "Ana")


def test_formats_that_another_program_numbers_in_its_own_way_make_no_dates() -> None:
    book = hard("F13_gnumeric_redefined_format.xls")
    [row] = book.rows
    assert (row.plan, row.holder, row.note) == ("30", "1234", "77")
    assert row.plan_end == date(2026, 5, 13)


def test_words_that_stand_for_nothing_are_blank_and_told() -> None:
    book = hard("W01_placeholders.csv")
    assert [(row.holder, row.plan) for row in book.rows] == [("", None), ("", None)]
    assert codes(book.warnings) == [(0, "placeholder")]
    for word in ("nan (2)", "NULL (1)", "- (1)"):
        assert word in book.warnings[0].message


def test_somebody_may_be_called_nan(tmp_path: Path) -> None:
    header = "celular,operador,tipo,vence,titular\n"
    [row] = write(tmp_path, header + "987654321,claro,datos,2026-12-05,Nan\n").rows
    assert row.holder == "Nan"


def test_hidden_rows_are_read_and_told() -> None:
    book = hard("W02_filtered_out_row.xlsx")
    assert [row.row for row in book.rows] == [2, 3]
    assert book.warnings[0].code == "hidden_rows"
    assert book.warnings[0].rows == (3,)


def test_hyphens_and_brackets_in_numbers_are_no_digits() -> None:
    assert hard("W03_hyphen.csv").rows[0].msisdn == "+51987650001"
    assert hard("W04_contact_parentheses.csv").rows[0].contact_phone == "+8613800138000"


def test_marks_and_patterns_beside_a_header_change_nothing() -> None:
    book = hard("W06_header_with_unit.csv")
    assert (book.errors, book.warnings) == ((), ())
    assert set(book.columns) == {"msisdn", "operator", "kind", "expires"}


def test_two_columns_of_phones_are_told_with_what_to_call_one() -> None:
    error = refusal("W07_two_phone_columns.csv")
    assert "columns A and E are both msisdn ('celular' and 'telefono')" in error.message
    assert "Teléfono de contacto" in error.hint
    [row] = hard("W07_two_phone_columns.csv", columns=(("telefono", "contact_phone"),)).rows
    assert row.contact_phone == "+51987000001"


def test_a_repeated_header_in_other_letters_is_told_once() -> None:
    book = hard("W08_page_header_other_case.csv")
    assert [row.row for row in book.rows] == [2, 4]
    assert (book.total, codes(book.warnings)) == (2, [(3, "repeated_header")])


def test_columns_may_be_parted_by_bars() -> None:
    assert ends(hard("W11_pipe.csv")) == [(2, date(2026, 12, 5))]


def test_cards_on_a_hidden_sheet_are_named_and_read_when_asked_for() -> None:
    error = refusal("W13_cards_on_hidden_sheet.xlsx")
    assert "hidden sheet 'Base'" in error.message
    assert error.hint.endswith("--sheet Base")
    assert ends(hard("W13_cards_on_hidden_sheet.xlsx", sheet="Base")) == [(2, date(2026, 12, 5))]


def test_every_hard_file_has_its_test() -> None:
    tests = Path(__file__).read_text(encoding="utf-8")
    tests += (ROOT / "tests/acceptance/test_import_again.py").read_text(encoding="utf-8")
    assert [path.name for path in HARD.iterdir() if path.name not in tests] == []


# Siblings of the kinds above.


@pytest.mark.parametrize(
    ("header", "field"),
    [
        *(("客户名字", "holder"), ("客户手机", "contact_phone"), ("客户邮箱", "email")),
        *(("最近充值日", "last_topup"), ("客戶電話", "contact_phone"), ("儲值日", "last_topup")),
        *(("Teléfono del cliente", "contact_phone"), ("Correo del titular", "email")),
        *(("Customer's mobile", "contact_phone"), ("Last top up date", "last_topup")),
        *(
            ("联系电话（选填）", "contact_phone"),
            ("手机号(9位)", "msisdn"),
            ("余额（元）", "balance"),
        ),
        *(("celular (contacto)", "contact_phone"), ("手机号（客户）", "contact_phone")),
        *(("Fecha de nacimiento", None), ("客户号", None), ("celular (avisar)", None)),
        *(("到期日(上次充值)", None), ("celular 2", None)),
    ],
)
def test_a_header_is_known_by_what_it_says(header: str, field: str | None) -> None:
    assert VOCABULARY.field_of(header) == field


@pytest.mark.parametrize(
    ("cell", "looks"), [("+8613800138000", "phones"), ("ana@example.com", "emails")]
)
def test_an_unknown_column_of_contacts_is_asked_about(
    tmp_path: Path, cell: str, looks: str
) -> None:
    text = f"celular,operador,tipo,vence,aviso\n987654321,claro,datos,2026-12-05,{cell}\n"
    with pytest.raises(CardBookError) as error:
        write(tmp_path, text)
    assert f"holds {looks}" in error.value.message
    assert cell not in error.value.message + error.value.hint
    field = "email" if looks == "emails" else "contact_phone"
    assert f"--column 'aviso={field}'" in error.value.hint
    [row] = write(tmp_path, text, columns=(("Aviso", field),)).rows
    assert getattr(row, field) == cell
    [row] = write(tmp_path, text, columns=(("aviso", "ignore"),)).rows
    assert (row.note, row.email, row.contact_phone) == (None, None, None)


def test_an_option_for_a_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    text = "celular,operador,tipo,vence\n987654321,claro,datos,2026-12-05\n"
    with pytest.raises(CardBookError, match="no column 'aviso'"):
        write(tmp_path, text, columns=(("aviso", "email"),))
    with pytest.raises(CardBookError, match="'mail' is no field"):
        write(tmp_path, text, columns=(("tipo", "mail"),))


@pytest.mark.parametrize("header", ["N°", "序号", "#", "No."])
def test_a_count_of_the_rows_is_no_note(tmp_path: Path, header: str) -> None:
    rows = "1,987654321,claro,datos,2026-12-05\n2,987654322,claro,datos,2026-12-05\n"
    book = write(tmp_path, f"{header},celular,operador,tipo,vence\n{rows}")
    assert [row.note for row in book.rows] == [None, None]
    assert book.warnings == ()
    assert (book.reading[0].holds, book.reading[0].header) == ("not read", header)


def test_a_separator_line_that_the_text_denies_is_told(tmp_path: Path) -> None:
    text = "sep=;\ncelular,operador,tipo,vence\n987654321,claro,datos,2026-12-05\n"
    book = write(tmp_path, text)
    assert ends(book) == [(2, date(2026, 12, 5))]
    assert codes(book.warnings) == [(0, "separator")]


def test_group_rows_totals_and_notes_have_one_error_each(tmp_path: Path) -> None:
    rows = ("CLARO,,,", "987654321,claro,datos,2026-12-05", "Total: 1 chip,,,", ",Nota 2026,,")
    book = write(tmp_path, "celular,operador,tipo,vence\n" + "\n".join(rows) + "\n")
    assert codes(book.errors) == [(2, "no_number"), (4, "no_number"), (5, "no_number")]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        *(("13 de mayo de 2026", 13), ("13-may-2026", 13), ("May 3, 2026", 3)),
        *(("3 May 2026", 3), ("3/mayo/2026", 3), ("03 MAYO 2026", 3)),
    ],
)
def test_a_month_by_name_is_a_month(tmp_path: Path, text: str, day: int) -> None:
    book = write(tmp_path, f'celular;operador;tipo;vence\n987654321;claro;datos;"{text}"\n')
    assert ends(book) == [(2, date(2026, 5, day))]


def test_a_language_that_tells_no_script_is_asked_for(tmp_path: Path) -> None:
    text = "celular,operador,tipo,vence,idioma\n987654321,claro,datos,2026-12-05,中文\n"
    [problem] = write(tmp_path, text).errors
    assert problem.hint.startswith("write 简体中文 or 繁體中文, or say it for the book: --language")


@pytest.mark.parametrize("language", ["zh-Hans", "zh-Hant", "es-PE", None])
def test_in_a_book_of_one_chinese_language_chinese_means_that_one(
    tmp_path: Path, language: str | None
) -> None:
    text = "celular,operador,tipo,vence,idioma\n987654321,claro,datos,2026-12-05,中文\n"
    book = write(tmp_path, text, language=language)
    told = [str(row.language) for row in book.rows] or [one.code for one in book.errors]
    assert told == [language if language and language.startswith("zh") else "unclear_language"]


def test_a_column_is_told_as_it_was_read(tmp_path: Path) -> None:
    text = (
        "celular,operador,tipo,vence,titular,correo,contacto celular\n"
        "987654321,claro,datos,2026-12-05,José Muñoz,ana@example.com,+8613800138000\n"
        "987654322,claro,esim,13/06/2026,陈静,,\n"
    )
    book = write(tmp_path, text)
    reading = {column.holds: column for column in book.reading}
    assert reading["expires"].forms == {"year-month-day": 1, "day/month/year": 1}
    assert (reading["expires"].lowest, reading["expires"].highest) == ("2026-06-13", "2026-12-05")
    assert reading["msisdn"].examples == ("…4321", "…4322")
    assert reading["holder"].examples == ("J**é M*ñ**", "陈*")
    assert reading["email"].examples == ("a***@example.com",)
    assert (reading["email"].cells, reading["email"].blank) == (1, 1)
    assert reading["contact_phone"].forms == {"+86": 1}
    assert reading["kind"].forms == {"data": 1, "esim": 1}
    assert [column.column for column in book.reading] == list("ABCDEFG")


@pytest.mark.parametrize("path", sorted(HARD.iterdir()), ids=lambda path: path.name)
def test_a_message_is_short_enough_to_be_read(path: Path) -> None:
    for options in (ReadOptions(), ReadOptions(contact_region="CN", date_order="mdy")):
        found: list[Any] = []
        try:
            book = read_cardbook(path, options, VOCABULARY)
            found += [*book.errors, *book.warnings]
        except CardBookError as error:
            found.append(error)
        assert [one for one in found if len(one.message) > 300 or len(one.hint) > 300] == []


def _months(kind: str) -> bytes:
    """A book whose only date is formatted as a month, as each program writes it."""
    if kind == "xls":
        book = xlwt.Workbook()
        sheet = book.add_sheet("cards")
        for column, title in enumerate(("celular", "operador", "tipo", "vence")):
            sheet.write(0, column, title)
        for column, cell in enumerate(("987654321", "claro", "datos")):
            sheet.write(1, column, cell)
        sheet.write(1, 3, 46143, xlwt.easyxf(num_format_str="mmm-yy"))
        target = io.BytesIO()
        book.save(target)
        return target.getvalue()
    rows: files.Rows = [
        ["celular", "operador", "tipo", "vence"],
        ["987654321", "claro", "datos", date(2026, 5, 1)],
    ]
    data = files.WORKBOOKS[kind](rows)
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            part = source.read(name)
            if kind == "ods" and name == "content.xml":
                styles = (
                    b'<office:automatic-styles><number:date-style style:name="N9">'
                    b'<number:month number:textual="true"/><number:text>-</number:text>'
                    b'<number:year/></number:date-style><style:style style:name="ce1" '
                    b'style:family="table-cell" style:data-style-name="N9"/>'
                    b"</office:automatic-styles>"
                )
                part = part.replace(b"<office:body>", styles + b"<office:body>").replace(
                    b'<table:table-cell office:value-type="date"',
                    b'<table:table-cell table:style-name="ce1" office:value-type="date"',
                )
                part = part.replace(b"01/05/26", b"may-26")
            if kind == "xlsb" and name == "xl/styles.bin":
                # The built-in format of a day becomes that of a month.
                part = part.replace(struct.pack("<2H", 0, 14), struct.pack("<2H", 0, 17))
            copy.writestr(name, part)
    return target.getvalue()


@pytest.mark.parametrize("kind", ["xls", "xlsb", "ods"])
def test_a_month_is_no_day_in_any_kind_of_workbook(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"book.{kind}"
    path.write_bytes(_months(kind))
    book = read_cardbook(path, ReadOptions(), VOCABULARY)
    assert codes(book.errors) == [(2, "no_day")]


def test_a_file_that_a_limit_stopped_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = tmp_path / "child.py"
    child.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGXCPU)\n")
    monkeypatch.setattr(unpack, "__file__", str(child))
    error = refusal("F01_us_excel_swapped.xlsx")
    assert "was stopped" in error.message
    assert "damaged" not in error.message


def test_a_lower_limit_of_the_system_stops_no_small_file() -> None:
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_CPU, (100, 100));"
        "from pathlib import Path; from worker.cardbook.workbook import workbook_grids;"
        "print(len(next(workbook_grids(Path(sys.argv[1]).read_bytes(), None)).rows))"
    )
    path = HARD / "F01_us_excel_swapped.xlsx"
    ran = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.strip() == "3", ran.stderr
