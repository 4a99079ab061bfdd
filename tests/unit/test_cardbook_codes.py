"""Every code a problem can bear is met in a book, at its row and column; so is every word."""

import ast
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.unit import cardbook_files as files
from tests.vocabulary import VOCABULARY
from worker.cardbook.parse import ReadOptions, read_cardbook
from worker.cardbook.rows import CardBook, Problem

ROOT = Path(__file__).parents[2]
ICCID = "8951177763170669077"
GOOD: dict[str, files.Value] = {
    "celular": "987654321",
    "operador": "claro",
    "tipo": "datos",
    "vence": "2026-05-13",
}

_EVENING = datetime(2026, 5, 12, 19)  # noqa: DTZ001 - a cell has no time zone

# Code, whether it refuses the row, the column that is blamed, and what differs from a good row.
CASES: list[tuple[str, bool, str, dict[str, files.Value]]] = [
    ("bad_msisdn", True, "celular", {"celular": "98765432"}),
    ("scientific", True, "celular", {"celular": "9.87654E+08"}),
    ("scientific", True, "iccid", {"iccid": "8.95118E+18"}),
    ("precision_lost", True, "iccid", {"iccid": 8951177763170669077.0}),
    ("not_whole", True, "celular", {"celular": 98765432.5}),
    ("wrong_type", True, "celular", {"celular": True}),
    ("wrong_type", True, "imsi", {"imsi": date(2026, 5, 13)}),
    ("control_character", True, "titular", {"titular": "a\ufffdb"}),
    ("formula_error", True, "titular", {"titular": files.Error("#REF!")}),
    ("formula_error", True, "color", {"color": files.Error("#REF!")}),
    ("too_long", True, "titular", {"titular": "x" * 9_000}),
    ("bad_iccid", True, "iccid", {"iccid": "8951"}),
    ("bad_imsi", True, "imsi", {"imsi": "7161"}),
    ("foreign_imsi", False, "imsi", {"imsi": "460001234567890"}),
    ("iccid_check_digit", False, "iccid", {"iccid": ICCID[:-1] + "8"}),
    ("iccid_rounded", False, "iccid", {"iccid": "8951177763170660000"}),
    ("unknown_kind", True, "tipo", {"tipo": "5g"}),
    ("unknown_operator", True, "operador", {"operador": "vodafone"}),
    ("unknown_language", True, "idioma", {"idioma": "quechua"}),
    ("unclear_language", True, "idioma", {"idioma": "中文"}),
    ("unknown_time_zone", True, "zona horaria", {"zona horaria": "Marte"}),
    ("ambiguous_date", True, "vence", {"vence": "05/06/2026"}),
    ("impossible_date", True, "vence", {"vence": "2026-02-30"}),
    ("date_out_of_range", True, "vence", {"vence": date(2126, 5, 13)}),
    ("two_digit_year", True, "vence", {"vence": "13/05/26"}),
    ("no_day", True, "vence", {"vence": "2026-05"}),
    ("bare_serial", True, "vence", {"vence": 46155.0}),
    ("bad_date", True, "vence", {"vence": "soon"}),
    ("utc_time", True, "vence", {"vence": "2026-05-13T05:00:00Z"}),
    ("no_year", True, "vence", {"vence": "13/05"}),
    ("time_of_day", False, "vence", {"vence": _EVENING}),
    ("bad_email", True, "correo", {"correo": "ana@example.com, eva@example.com"}),
    ("no_country_code", True, "teléfono de contacto", {"teléfono de contacto": "987654399"}),
    ("not_mobile", True, "teléfono de contacto", {"teléfono de contacto": "+5115551234"}),
    ("bad_contact_phone", True, "teléfono de contacto", {"teléfono de contacto": "+51 12"}),
    (
        *("contact_is_card", False, "teléfono de contacto"),
        {"teléfono de contacto": "+51987654321"},
    ),
    ("bad_balance", True, "saldo", {"saldo": "1,234"}),
    ("no_number", True, "celular", {"celular": None}),
    ("no_operator", True, "operador", {"operador": None}),
    ("no_kind", True, "tipo", {"tipo": None}),
    ("no_date", True, "última recarga", {"vence": "长期", "última recarga": None}),
    ("no_plan_end", False, "vence", {"vence": None, "última recarga": "2026-02-05"}),
]


def read(path: Path, *rows: dict[str, files.Value], **options: Any) -> CardBook:
    header = list(dict.fromkeys(name for row in rows for name in row))
    path /= "book.xlsx"
    path.write_bytes(files.xlsx([header, *([row.get(name) for name in header] for row in rows)]))
    return read_cardbook(path, ReadOptions(**options), VOCABULARY)


def own(problems: tuple[Problem, ...]) -> list[Problem]:
    return [problem for problem in problems if problem.code != "unknown_column"]


@pytest.mark.parametrize(("code", "refused", "column", "change"), CASES)
def test_a_problem_bears_its_code_and_names_its_cell(
    tmp_path: Path, code: str, refused: bool, column: str, change: dict[str, files.Value]
) -> None:
    book = read(tmp_path, GOOD, GOOD | {"celular": "987654321", "x": "1"} | change)
    problems = own(book.errors) if refused else own(book.warnings)
    found = [p for p in problems if p.row == 3 and p.code != "duplicate"]
    assert [(p.row, p.column, p.code) for p in found] == [(3, column, code)]
    assert found[0].message
    assert found[0].hint
    shown = found[0].message + found[0].hint
    value = change.get(column)
    if isinstance(value, str) and sum(map(str.isdigit, value)) > 8 and "date" not in code:
        assert value not in shown


def test_the_other_codes_are_met(tmp_path: Path) -> None:
    book = read(tmp_path, GOOD | {"color": "rojo"}, GOOD)
    assert [p.code for p in book.errors] == ["duplicate", "duplicate"]
    assert [p.code for p in book.warnings] == ["unknown_column"]
    path = tmp_path / "book.csv"
    path.write_text("celular,operador,tipo,vence\n987654321,claro,datos,2026-05-13,x\n")
    (error,) = read_cardbook(path, ReadOptions(), VOCABULARY).errors
    assert error.code == "extra_cells"


def test_no_code_is_left_out() -> None:
    met = {case[0] for case in CASES}
    # other_sheet is met in test_cardbook_formats, the others in test_cardbook_hard.
    met |= {"duplicate", "unknown_column", "extra_cells", "other_sheet"}
    met |= {"two_readings", "two_regions", "second_table", "repeated_header", "hidden_rows"}
    met |= {"encoding", "separator", "placeholder"}
    assert {
        code for path in (ROOT / "worker" / "cardbook").glob("*.py") for code in codes(path)
    } == {code for code in met if not code.startswith("unknown_") or code == "unknown_column"} - {
        "no_operator",
        "no_kind",
    }


def codes(path: Path) -> set[str]:
    """The codes a module writes out; ``unknown_…`` and two of ``no_…`` are put together."""
    place = {"ValueProblem": 0, "Problem": 2}
    return {
        str(argument.value)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in place
        and isinstance(argument := node.args[place[node.func.id]], ast.Constant)
    }


# Words


HEADERS = [(field, name) for field, names in VOCABULARY.accepted.items() for name in names]
CELLS: dict[str, str] = {
    "msisdn": "987654321",
    "iccid": ICCID,
    "imsi": "716104391500080",
    "operator": "claro",
    "kind": "datos",
    "plan": "15天",
    "expires": "2026-05-13",
    "last_topup": "2026-02-05",
    "holder": "Ana",
    "email": "ana@example.com",
    "contact_phone": "+14155550822",
    "balance": "2.50",
    "language": "es",
    "time_zone": "Lima",
    "note": "vip",
}
VALUES = {
    "operator": "claro",
    "kind": "data",
    "expires": date(2026, 5, 13),
    "last_topup": date(2026, 2, 5),
    "msisdn": "+51987654321",
    "language": "es-PE",
    "time_zone": "America/Lima",
}
PLAIN = {"msisdn": "celular", "operator": "operador", "kind": "tipo", "expires": "vence"}


def text_book(tmp_path: Path, cells: dict[str, str], **headers: str) -> CardBook:
    """A book of one card; each field has its plain header unless another is given."""
    names = [headers.get(field, PLAIN.get(field, field)) for field in cells]
    path = tmp_path / "book.tsv"
    path.write_text("\n".join(["\t".join(names), "\t".join(cells.values())]), encoding="utf-8")
    return read_cardbook(path, ReadOptions(), VOCABULARY)


def test_every_header_takes_its_cell_to_its_field(tmp_path: Path) -> None:
    needed = {field: CELLS[field] for field in PLAIN}
    for field, header in HEADERS:
        for written in (header, header.upper(), f" {header}_:", _wide(header)):
            book = text_book(tmp_path, needed | {field: CELLS[field]}, **{field: written})
            assert book.errors == book.warnings == (), written
            name = "plan_end" if field == "expires" else field
            found = getattr(book.rows[0], name)
            assert str(found) == str(VALUES.get(field, CELLS[field])), written


def _wide(text: str) -> str:
    return "".join(chr(ord(x) + 0xFEE0) if "!" <= x <= "~" else x for x in text)


@pytest.mark.parametrize("field", ["operator", "kind", "language", "time_zone"])
def test_every_word_of_the_vocabulary_is_read(tmp_path: Path, field: str) -> None:
    import tomllib

    written = tomllib.loads((ROOT / "config" / "columns.toml").read_text(encoding="utf-8"))
    needed = {name: CELLS[name] for name in PLAIN}
    for key, words in written[f"{field}s"].items():
        for word in (key, *words) if field in ("operator", "kind", "language") else words:
            for cell in (word, word.upper(), _wide(word)):
                book = text_book(tmp_path, needed | {field: cell}, language="idioma",
                                 time_zone="zona horaria")  # fmt: skip
                assert book.errors == (), cell
                assert str(getattr(book.rows[0], field)) == key, cell


def test_every_word_for_no_end_needs_the_last_topup(tmp_path: Path) -> None:
    import tomllib

    text = (ROOT / "config" / "columns.toml").read_text(encoding="utf-8")
    for word in tomllib.loads(text)["no_plan_end"]["words"]:
        cells = {field: CELLS[field] for field in PLAIN} | {"expires": word}
        assert [p.code for p in text_book(tmp_path, cells).errors] == ["no_date"], word
        told = text_book(tmp_path, cells | {"last_topup": "2026-02-05"}, last_topup="上次充值")
        assert (told.rows[0].plan_end, told.warnings) == (None, ()), word
