"""Columns are found by their headers, in four languages, or refused together."""

import re
from pathlib import Path

import pytest

from tests.vocabulary import COLUMNS, VOCABULARY, columns_with
from worker.cardbook.cells import Cell
from worker.cardbook.column_file import load_columns
from worker.cardbook.mapping import ColumnMap, map_columns
from worker.cardbook.options import ReadOptions
from worker.cardbook.reader import Sheet
from worker.errors import CardBookError, ConfigError

ICCID = "8951177763170669077"
REST = ("运营商", "卡类型", "到期日")

# The accepted headers, written out apart from the configuration.
ACCEPTED = {
    "msisdn": "手机号, 手机号码, 号码, 电话, 门号, 門號, 號碼, 手機號碼, número, celular, línea, "
    "teléfono, msisdn, phone, mobile",
    "iccid": "ICCID, SIM卡号, 卡板号, SIM卡號, serie del chip",
    "imsi": "IMSI, IMSI卡号",
    "expires": "到期日, 到期时间, 到期日期, 有效期, 有效期至, 截止日期, 到期時間, 效期, "
    "vencimiento, fecha de vencimiento, vence, vigencia hasta, expiry, valid until",
    "last_topup": "上次充值, 充值日期, 最近续费, 上次儲值, última recarga",
    "operator": "运营商, 网络, 電信業者, 營運商, operador, operadora, carrier",
    "kind": "卡类型, 类型, 卡種, tipo",
    "plan": "套餐, 套餐名称, 资费, 方案, 資費, paquete, plan",
    "holder": "客户, 姓名, 用户, titular, cliente",
    "email": "邮箱, 郵箱, 電郵, correo",
    "contact_phone": "联系电话, 聯絡電話, teléfono de contacto",
    "balance": "余额, 餘額, saldo",
    "language": "语言, 語言, idioma",
    "time_zone": "时区, 時區, zona horaria",
    "note": "备注, 備註, observaciones, notas",
}


def sheet(header: tuple[str, ...], *rows: list[Cell], name: str | None = "cards") -> Sheet:
    numbered = tuple((number, list(row)) for number, row in enumerate(rows, 2))
    return Sheet("book.xlsx", None, name, 1, 1, header, numbered)


def mapped(found: Sheet, options: ReadOptions | None = None) -> ColumnMap:
    return map_columns(found, VOCABULARY, options or ReadOptions())


@pytest.mark.parametrize(("field", "names"), ACCEPTED.items())
def test_every_accepted_header_is_known(field: str, names: str) -> None:
    for name in names.split(", "):
        assert VOCABULARY.field_of(name) == field, name
    assert VOCABULARY.field_of("colour") is None


@pytest.mark.parametrize(
    "header",
    ["Fecha de Vencimiento", "FECHA_DE_VENCIMIENTO", "fecha  de-vencimiento:", "ｖｅｎｃｅ"],
)
def test_headers_are_folded(header: str) -> None:
    assert VOCABULARY.field_of(header) == "expires"


def test_accents_make_no_difference() -> None:
    for name in ("Última recarga", "ultima recarga", "U\u0301LTIMA RECARGA"):
        assert VOCABULARY.field_of(name) == "last_topup"


def test_fields_are_found_with_their_headers_as_written() -> None:
    found = mapped(sheet(("手机号", "OPERADORA", "Tipo", "vence"), ["987654321"]))
    assert found.places == {"msisdn": 0, "operator": 1, "kind": 2, "expires": 3}
    assert found.headers["operator"] == "OPERADORA"
    assert found.warnings == ()


def test_two_columns_for_one_field_are_refused() -> None:
    with pytest.raises(CardBookError, match="columns A and E are both msisdn"):
        mapped(sheet(("手机号", *REST, "celular")))


def test_missing_columns_are_named_together_with_what_is_accepted() -> None:
    with pytest.raises(CardBookError) as error:
        mapped(sheet(("姓名", "邮箱")))
    message = error.value.message
    for words in (
        "msisdn or iccid",
        "operator (--operator",
        "kind (--kind",
        "expires or last_topup",
    ):
        assert f"no column for {words}" in message
    assert "手机号" in error.value.hint
    assert "columns.toml" in error.value.hint
    assert len(message) <= 300 >= len(error.value.hint)


def test_one_number_and_one_date_are_enough() -> None:
    found = mapped(sheet(("iccid", "运营商", "卡类型", "上次充值")))
    assert set(found.places) == {"iccid", "operator", "kind", "last_topup"}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        (["987654321", "+51 987 654 322"], "msisdn"),
        (["716104391500080", "716104391500081"], "imsi"),
        ([ICCID, ICCID + "F", ICCID[:18]], "iccid"),
    ],
)
@pytest.mark.parametrize("header", ["卡号", "卡號", "Card Number", "Número de chip"])
def test_an_ambiguous_header_is_resolved_by_content(
    header: str, values: list[str], field: str
) -> None:
    other = "手机号" if field != "msisdn" else "iccid"
    rows: list[list[Cell]] = [[value] for value in values]
    found = mapped(sheet((header, *REST, other), *rows, [None]))
    assert found.places[field] == 0
    assert found.headers[field] == header


def test_an_ambiguous_column_must_agree_throughout() -> None:
    found = sheet(("卡号", *REST), ["987654321"], [None], [ICCID], ["716104391500080"])
    with pytest.raises(CardBookError) as error:
        mapped(found)
    assert "row 2 holds an MSISDN, row 4 an ICCID" in error.value.message
    assert "--card-column" in error.value.hint
    assert ICCID not in error.value.message
    assert mapped(found, ReadOptions(card_column="iccid")).places["iccid"] == 0


def test_an_ambiguous_cell_that_is_nothing_known_is_named() -> None:
    # A foreign IMSI is 15 digits too, but nothing proves it.
    for cell in ("460001234567890", "8.95E+18", "card"):
        with pytest.raises(CardBookError, match="row 2 none of them"):
            mapped(sheet(("卡号", *REST), [cell]))


def test_an_ambiguous_column_may_not_double_a_clear_one() -> None:
    with pytest.raises(CardBookError, match="columns A and E are both msisdn"):
        mapped(sheet(("手机号", *REST, "卡号"), ["987654321", None, None, None, "987654322"]))


def test_a_blank_ambiguous_column_is_nothing() -> None:
    found = mapped(sheet(("手机号", *REST, "卡号"), ["987654321"]))
    assert set(found.places) == {"msisdn", "operator", "kind", "expires"}
    assert found.warnings == ()


def test_unknown_columns_are_kept_with_a_warning() -> None:
    found = mapped(sheet(("手机号", *REST, "颜色", ""), ["1", None, None, None, "红", "x", "y"]))
    assert found.extras == ((4, "颜色"), (5, "column F"), (6, "column G"))
    assert [warning.code for warning in found.warnings] == ["unknown_column"] * 3
    assert (found.warnings[0].row, found.warnings[0].column) == (1, "颜色")


def test_an_unknown_column_without_content_is_not_worth_a_warning() -> None:
    assert mapped(sheet(("手机号", *REST, "颜色"), ["1"])).warnings == ()


# config/columns.toml


def test_a_user_adds_a_name_by_writing_it_down(tmp_path: Path) -> None:
    columns = columns_with(tmp_path, 'imsi = ["IMSI",', 'imsi = ["Subscriber ID", "IMSI",')
    assert columns.field_of("SUBSCRIBER ID") == "imsi"
    columns = columns_with(tmp_path, "[operators]", '[operators]\ncuy = ["Cuy Móvil"]')
    assert columns.operators["cuymovil"] == "cuy"


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("[headers]\nmsisdn", "[headers]\ncolour", "headers.colour"),
        ("[kinds]\ndata", "[kinds]\n5g", "kinds.5g"),
        ("zh-Hant = [", "zh = [", "languages.zh"),
        ('"Asia/Taipei"', '"Asia/Nowhere"', "time_zones.Asia/Nowhere"),
        ("[ambiguous]\nheaders", "[ambiguous]\nnames", "ambiguous.names"),
        ("[no_plan_end]", "[endless]", "endless"),
        ('imsi = ["IMSI",', 'imsi = ["Celular",', "headers.imsi"),
        ('headers = ["卡号",', 'headers = ["手机号",', "ambiguous.headers"),
        ('claro = ["claro", "Claro Perú"]', 'claro = "claro"', "operators.claro"),
        ('claro = ["claro", "Claro Perú"]', "claro = []", "operators.claro"),
        ('claro = ["claro",', 'claro = ["--",', "operators.claro"),
        ('claro = ["claro",', "claro = [5,", "operators.claro"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_key(
    tmp_path: Path, old: str, new: str, key: str
) -> None:
    with pytest.raises(ConfigError) as error:
        columns_with(tmp_path, old, new)
    assert re.search(rf"columns\.toml(, line \d+)?: {re.escape(key)}: ", error.value.message)


def test_a_table_may_not_be_missing(tmp_path: Path) -> None:
    text = COLUMNS.read_text(encoding="utf-8")
    path = tmp_path / "columns.toml"
    path.write_text(text[: text.index("[time_zones]")], encoding="utf-8")
    with pytest.raises(ConfigError, match="time_zones: the table is missing"):
        load_columns(path)


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"There is no configuration file .*columns\.toml"):
        load_columns(tmp_path / "columns.toml")
    for content, what in ((b"[headers", "is not valid TOML"), (b"\xff\xfe", "cannot be read")):
        (tmp_path / "columns.toml").write_bytes(content)
        with pytest.raises(ConfigError, match=rf"columns\.toml {what}"):
            load_columns(tmp_path / "columns.toml")
