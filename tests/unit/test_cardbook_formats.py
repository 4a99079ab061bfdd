"""The same book reads the same, whatever kind of file it is in."""

from dataclasses import astuple
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.unit import cardbook_files as files
from tests.unit.cardbook_files import Error, Rows
from tests.vocabulary import VOCABULARY
from worker.cardbook.parse import ReadOptions, read_cardbook
from worker.cardbook.rows import CardBook
from worker.errors import CardBookError

ICCIDS = ("8951177763170669077", "8951681241586834493")
WORKBOOKS = sorted(files.WORKBOOKS)

ZH_HANS: Rows = [
    ["手机号", "SIM卡号", "运营商", "卡类型", "套餐", "到期日", "上次充值", "客户", "余额", "备注"],
    [
        *("987654321", ICCIDS[0], "Claro", "保号卡", "保号 180天", date(2026, 7, 6)),
        *(date(2026, 2, 5), "孙悦", 12.5, "VIP, 朋友"),
    ],
    [],
    [
        *(987654322.0, ICCIDS[1], "Entel", "流量卡", "15天 5GB", "2026年5月13日"),
        *(None, None, 3.0, None),
    ],
    ["+51 987 654 323", None, "Bitel", "4G卡", None, "长期", "2026/2/5", None, None, None],
]
ZH_HANT: Rows = [
    ["門號", "電信業者", "卡種", "效期", "上次儲值", "電郵"],
    ["987654321", "Claro", "保號卡", date(2026, 7, 6), "2026-02-05", "mei@example.com"],
    ["987654322", "Movistar", "上網卡", "永久", date(2026, 2, 5), None],
]
ES: Rows = [
    ["Línea", "Operadora", "Tipo", "Vence", "Última recarga", "Titular"],
    ["987654321", "Claro", "datos", "13/05/2026", date(2026, 2, 25), "Peña; Muñoz, Ñusta"],
    ["987654322", "Bitel", "eSIM", date(2026, 7, 26), None, '"La Señora"'],
]


def read(tmp_path: Path, data: bytes, kind: str = "csv", **options: Any) -> CardBook:
    path = tmp_path / f"book.{kind}"
    path.write_bytes(data)
    return read_cardbook(path, ReadOptions(**options), VOCABULARY)


def told(book: CardBook) -> tuple[list[tuple[Any, ...]], list[tuple[int, str, str]]]:
    """The cards and the codes, but for what only says which kind of file it was."""
    problems = [*book.errors, *book.warnings]
    return [astuple(row) for row in book.rows], [(p.row, p.column, p.code) for p in problems]


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("utf8")
    return {
        name: told(read(folder, files.delimited(rows)))
        for name, rows in (("zh-Hans", ZH_HANS), ("zh-Hant", ZH_HANT), ("es", ES))
    }


def test_the_books_are_read_as_written(exact: dict[str, Any]) -> None:
    cards, problems = exact["zh-Hans"]
    assert [(card[0], card[1], card[2], card[4]) for card in cards] == [
        (2, "+51987654321", ICCIDS[0], "claro"),
        (4, "+51987654322", ICCIDS[1], "entel"),
        (5, "+51987654323", None, "bitel"),
    ]
    days = [(card[8], card[9]) for card in cards]
    assert days == [
        (date(2026, 7, 6), date(2026, 2, 5)),
        (date(2026, 5, 13), None),
        (None, date(2026, 2, 5)),
    ]
    assert problems == exact["zh-Hant"][1] == exact["es"][1] == []
    assert exact["es"][0][0][11] == "Peña; Muñoz, Ñusta"


@pytest.mark.parametrize("epoch_1904", [False, True], ids=["1900", "1904"])
@pytest.mark.parametrize("kind", WORKBOOKS)
def test_a_workbook_reads_like_the_text(
    tmp_path: Path, exact: dict[str, Any], kind: str, epoch_1904: bool
) -> None:
    for name, rows in (("zh-Hans", ZH_HANS), ("zh-Hant", ZH_HANT), ("es", ES)):
        book = read(tmp_path, files.WORKBOOKS[kind](rows, epoch_1904=epoch_1904), kind)
        assert told(book) == exact[name]
        assert (book.sheet, book.encoding) == ("cards", None)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("name", "rows", "encoding"),
    [
        *(("zh-Hans", ZH_HANS, code) for code in ("utf-8", "utf-8-sig", "utf-16", "gb18030")),
        *(("zh-Hant", ZH_HANT, code) for code in ("utf-8-sig", "utf-16", "big5")),
        *(("es", ES, code) for code in ("utf-8", "utf-16", "cp1252")),
    ],
)
def test_a_text_reads_alike_in_each_encoding_and_with_each_delimiter(
    tmp_path: Path, exact: dict[str, Any], name: str, rows: Rows, encoding: str, delimiter: str
) -> None:
    book = read(tmp_path, files.delimited(rows, delimiter, encoding))
    assert told(book) == exact[name]
    assert book.encoding == encoding


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_either_utf_16_is_told_by_its_mark(
    tmp_path: Path, exact: dict[str, Any], mark: bytes
) -> None:
    code = "utf-16-le" if mark == b"\xff\xfe" else "utf-16-be"
    assert told(read(tmp_path, mark + files.delimited(ES, encoding=code))) == exact["es"]


@pytest.mark.parametrize("kind", WORKBOOKS)
def test_titles_blank_rows_and_blank_columns_before_the_table_change_no_number(
    tmp_path: Path, kind: str
) -> None:
    shifted = [["Claro, Entel 2026"], [], *([None, None, *row] for row in ES)]
    book = read(tmp_path, files.WORKBOOKS[kind](shifted, merges=[(0, 0, 0, 7)]), kind)
    assert [row.row for row in book.rows] == [4, 5]
    assert book.errors == book.warnings == ()


@pytest.mark.parametrize("kind", WORKBOOKS)
def test_a_cell_merged_over_rows_stands_in_each_of_them(tmp_path: Path, kind: str) -> None:
    rows: Rows = [
        ["titular", "celular", "operador", "tipo", "vence"],
        ["Ana", "987654321", "claro", "datos", "2026-05-13"],
        [None, "987654322", "claro", "datos", "2026-05-13"],
        [None, "987654323", "claro", "datos", "2026-05-13"],
        ["Eva", "987654324", "claro", "datos", "2026-05-13"],
        [None, None, None, None, None],
    ]
    merges = [(1, 3, 0, 0), (4, 5, 0, 0)]
    book = read(tmp_path, files.WORKBOOKS[kind](rows, merges=merges), kind)
    assert [row.holder for row in book.rows] == ["Ana", "Ana", "Ana", "Eva"]
    assert (book.total, book.errors) == (4, ())


@pytest.mark.parametrize("text", ["#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!"])
@pytest.mark.parametrize("kind", [*WORKBOOKS, "csv"])
def test_an_error_value_is_never_a_blank(tmp_path: Path, kind: str, text: str) -> None:
    rows: Rows = [
        ["celular", "operador", "tipo", "vence", "última recarga", "correo"],
        ["987654321", "claro", "datos", Error(text), date(2026, 2, 5), Error(text)],
    ]
    build = files.WORKBOOKS.get(kind, files.delimited)
    book = read(tmp_path, build(rows), kind)
    assert [(p.row, p.column, p.code) for p in book.errors] == [
        (2, "vence", "formula_error"),
        (2, "correo", "formula_error"),
    ]
    assert text in book.errors[0].message


@pytest.mark.parametrize("shown", ["#N/D", "#¡VALOR!", "#¿NOMBRE?", "#¡REF!", "Err:502"])
def test_an_error_value_is_known_in_spanish_and_from_libreoffice(
    tmp_path: Path, shown: str
) -> None:
    text = f"celular,operador,tipo,vence,titular\n987654321,claro,datos,2026-05-13,{shown}\n"
    (error,) = read(tmp_path, text.encode()).errors
    assert (error.column, error.code) == ("titular", "formula_error")


@pytest.mark.parametrize("kind", WORKBOOKS)
def test_a_number_that_lost_its_digits_is_refused_wherever_numbers_are_kept(
    tmp_path: Path, kind: str
) -> None:
    rows: Rows = [
        ["iccid", "operador", "tipo", "vence"],
        [8951177763170669077.0, "claro", "datos", "2026-05-13"],
        [ICCIDS[1], "claro", "datos", 46155.0],
        [True, "claro", "datos", date(2026, 5, 13)],
    ]
    book = read(tmp_path, files.WORKBOOKS[kind](rows), kind)
    assert [(p.row, p.code) for p in book.errors] == [
        (2, "precision_lost"),
        (3, "bare_serial"),
        (4, "wrong_type"),
    ]


HEADER = files.raw_row(1, "celular", "operador", "tipo", "vence", "última recarga")


def raw(tmp_path: Path, cell: str, formats: str = "", strings: str = "") -> CardBook:
    """A book of one card, whose plan end is this ``<c>``."""
    row = files.raw_row(2, "987654321", "claro", "datos", cell, "2026-02-05")
    return read(tmp_path, files.raw_xlsx(HEADER + row, formats=formats, strings=strings), "xlsx")


@pytest.mark.parametrize(
    "cell",
    [
        '<c r="@"><f>B1</f></c>',
        '<c r="@" s="1"><f>TODAY()</f><v></v></c>',
        '<c r="@"><f t="shared" si="0"/><v/></c>',
        '<c r="@" t="str"><f>B1&amp;"x"</f></c>',
        '<c r="@" t="n"> <f>B1</f> <v /> </c>',
    ],
)
def test_a_formula_that_was_never_calculated_is_no_blank(tmp_path: Path, cell: str) -> None:
    (error,) = raw(tmp_path, cell).errors
    assert (error.row, error.column, error.code) == (2, "vence", "formula_error")
    assert "never calculated" in error.message


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        ('<c r="@" s="1"><f>TODAY()</f><v>46155</v></c>', date(2026, 5, 13)),
        ('<c r="@" t="str"><f>IF(1,"","x")</f><v></v></c>', None),
        ('<c r="@" t="str"><f>"长"&amp;"期"</f><v>长期</v></c>', None),
        ('<c r="@" t="d"><v>2026-05-13T00:00:00</v></c>', date(2026, 5, 13)),
        ('<c r="@" t="s"><v>0</v></c>', None),
    ],
)
def test_a_formula_with_its_value_and_rich_text_are_read(
    tmp_path: Path, cell: str, day: date | None
) -> None:
    rich = '<si><r><t>长</t></r><r><t>期</t></r><rPh sb="0" eb="2"><t>CHANG</t></rPh></si>'
    book = raw(tmp_path, cell, strings=rich)
    assert book.errors == ()
    assert book.rows[0].plan_end == day


def test_a_formula_without_its_value_is_no_blank_in_an_ods_either(tmp_path: Path) -> None:
    texts = ("987654321", "claro", "datos")
    cells = "".join(
        f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'
        for text in texts
    )
    header = cells
    for old, new in zip(texts, ("celular", "operador", "tipo"), strict=True):
        header = header.replace(f">{old}<", f">{new}<")
    more = header.split("</table:table-cell>")[0] + "</table:table-cell>"
    header += more.replace("celular", "vence")
    formula = '<table:table-cell table:formula="of:=[.A1]"/>'
    data = files.ods_of(
        f'<table:table table:name="cards"><table:table-row>{header}</table:table-row>'
        f"<table:table-row>{cells}{formula}</table:table-row></table:table>"
    )
    (error,) = read(tmp_path, data, "ods").errors
    assert (error.column, error.code) == ("vence", "formula_error")


@pytest.mark.parametrize(
    "code",
    [
        *("dd/mm/yyyy hh:mm:ss", 'yyyy"年"m"月"d"日";@', "[$-404]e/m/d", 'm"月"d"日"'),
        *("[$-F800]dddd, mmmm dd, yyyy", "[DBNum1][$-804]yyyy年m月d日"),
    ],
)
def test_a_day_is_a_day_in_each_countrys_format(tmp_path: Path, code: str) -> None:
    assert raw(tmp_path, '<c r="@" s="2"><v>46155</v></c>', code).rows[0].plan_end == date(
        2026, 5, 13
    )


@pytest.mark.parametrize(
    "code", ['"S/ "#,##0.00', "[$S/-280A] #,##0.00", '0" días"', "000-000-000", "@", "0_d"]
)
def test_a_number_is_no_day_for_the_letters_in_its_format(tmp_path: Path, code: str) -> None:
    (error,) = raw(tmp_path, '<c r="@" s="2"><v>46155</v></c>', code).errors
    assert error.code == "bare_serial"


# Where the table is


def test_a_header_in_two_lines_is_read_by_the_one_that_names_more(tmp_path: Path) -> None:
    rows: Rows = [
        ["秘鲁手机卡台账"],
        ["手机号", "卡信息", None, "客户", "有效期"],
        [None, "运营商", "卡类型", None, "到期日"],
        ["987654321", "claro", "保号卡", "孙悦", "2026-05-13"],
    ]
    merges = [(0, 0, 0, 4), (1, 2, 0, 0), (1, 1, 1, 2), (1, 2, 3, 3)]
    for kind in WORKBOOKS:
        book = read(tmp_path, files.WORKBOOKS[kind](rows, merges=merges), kind)
        assert book.errors == book.warnings == ()
        assert [(row.row, row.holder) for row in book.rows] == [(4, "孙悦")]


def test_a_second_table_below_the_first_loses_no_row_of_it(tmp_path: Path) -> None:
    rows: Rows = [
        ["celular", "operador", "tipo", "vence"],
        ["987654321", "claro", "datos", "2026-05-13"],
        ["celular", "operador", "tipo", "vence", "titular"],
        ["987654322", "claro", "datos", "2026-05-13", "Ana"],
    ]
    book = read(tmp_path, files.xlsx(rows), "xlsx")
    assert book.rows[0].msisdn == "+51987654321"
    assert {p.row for p in book.errors} == {3}


def test_a_header_repeated_for_each_page_is_no_card(tmp_path: Path) -> None:
    rows: Rows = [*ES[:2], [], ES[0], ES[2]]
    book = read(tmp_path, files.xlsx(rows), "xlsx")
    assert [row.row for row in book.rows] == [2, 5]
    assert (book.total, book.errors) == (2, ())


def two_sheets(path: Path, hidden: bool = False) -> CardBook:
    import openpyxl

    book = openpyxl.Workbook()
    for name, title in (("notes", None), ("Claro", "987654321"), ("Entel", "987654322")):
        sheet = book.create_sheet(name)
        sheet.append(["read me", "first"])
        if title:
            sheet.append(ES[0])
            sheet.append([title, *ES[1][1:]])
    book.remove(book.worksheets[0])
    book["Entel"].sheet_state = "hidden" if hidden else "visible"
    book.save(path / "book.xlsx")
    return read_cardbook(path / "book.xlsx", ReadOptions(), VOCABULARY)


def test_further_sheets_that_hold_cards_are_named(tmp_path: Path) -> None:
    book = two_sheets(tmp_path)
    assert (book.sheet, book.total) == ("Claro", 1)
    (warning,) = book.warnings
    assert (warning.row, warning.column, warning.code) == (0, "sheet Entel", "other_sheet")
    assert "--sheet 'Entel'" in warning.hint
    assert two_sheets(tmp_path, hidden=True).warnings == ()
    chosen = read_cardbook(tmp_path / "book.xlsx", ReadOptions(sheet="Claro"), VOCABULARY)
    assert chosen.warnings == ()


def test_a_further_sheet_that_cannot_be_read_is_told_and_refuses_nothing(tmp_path: Path) -> None:
    import openpyxl

    two_sheets(tmp_path, hidden=True)
    book = openpyxl.load_workbook(tmp_path / "book.xlsx")
    book["Entel"].sheet_state = "visible"
    book["Entel"]["KZ1"] = "stray"
    book.save(tmp_path / "book.xlsx")
    read_book = read_cardbook(tmp_path / "book.xlsx", ReadOptions(), VOCABULARY)
    assert len(read_book.rows) == 1
    (warning,) = read_book.warnings
    assert warning.code == "other_sheet"
    assert "312 columns" in warning.message


# What a person is told


def refusal(tmp_path: Path, data: bytes, kind: str = "csv") -> CardBookError:
    with pytest.raises(CardBookError) as error:
        read(tmp_path, data, kind)
    return error.value


def test_the_row_that_comes_closest_to_a_header_is_shown_with_what_is_known(
    tmp_path: Path,
) -> None:
    data = "Relación de chips\nNúm;Cía;Clase;Vence\n987654321;claro;x;2026-05-13\n".encode()
    message = refusal(tmp_path, data).message
    assert "row 2 comes closest ('Núm', 'Cía', 'Clase', 'Vence'), and only 'Vence'" in message


def test_no_row_of_data_is_shown_as_a_header(tmp_path: Path) -> None:
    message = refusal(tmp_path, b"987654321,Ana Quispe,ana@example.com\n").message
    assert "Ana" not in message
    assert "ana" not in message


def test_names_that_are_not_known_are_told_where_a_column_is_missing(tmp_path: Path) -> None:
    hint = refusal(tmp_path, b"celular,operador,Clase,vence\n1,2,3,4\n").hint
    assert "not known are 'Clase'" in hint


def test_a_legacy_encoding_is_refused_with_the_names_that_prove_nothing(tmp_path: Path) -> None:
    data = "Línea;Operadora;Tipo;Vence;Señas\n".encode("cp1252")
    error = refusal(tmp_path, b"sep=;\n" + data)
    assert "not UTF-8 (line 2)" in error.message
    assert "as cp1252, 'Señas' would not be" in error.message
    assert "--encoding" in error.hint


def test_a_row_that_is_no_card_has_one_error_that_says_so(tmp_path: Path) -> None:
    text = "saldo,celular,operador,tipo,vence\n1,987654321,claro,datos,2026-05-13\n2,,,,\n"
    (error,) = read(tmp_path, text.encode()).errors
    assert (error.row, error.code) == (3, "no_number")
    assert "a total, a note" in error.hint
