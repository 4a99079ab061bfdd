"""What is exported imports back unchanged, whatever the cards say."""

import csv
import itertools
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, update

from tests.integration.helpers import NOW, WANTED
from tests.vocabulary import VOCABULARY
from worker.cardbook.columns import FIELDS
from worker.cardbook.exporter import export_book
from worker.cardbook.importer import Result, import_book
from worker.cardbook.options import ReadOptions
from worker.cardbook.parse import read_cardbook
from worker.cardbook.rows import CardBook
from worker.core.cards import CardState, Language
from worker.core.rules import Rules
from worker.errors import CardBookError
from worker.store import views
from worker.store.engine import open_engine, reading, writing
from worker.store.tables import cards, holders

LISTED = (
    *("msisdn", "iccid", "imsi", "operator", "kind", "plan", "plan_days", "plan_end", "last_topup"),
    *("balance", "holder", "email", "contact_phone", "language", "holder_time_zone", "note"),
)
FORMATS = (".xlsx", ".csv")


def source(path: Path, *rows: dict[str, str]) -> CardBook:
    """A card book as the importer reads it; rows that it refuses are left out."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(FIELDS)
        writer.writerows([row.get(field, "") for field in FIELDS] for row in rows)
    found = read_cardbook(path, ReadOptions(), VOCABULARY)
    return replace(found, total=len(found.rows), errors=(), refused=())


def put(engine: Engine, book: CardBook, name: str, rules: Rules) -> Result:
    return import_book(engine, book, name, WANTED, NOW, rules=rules, apply=True)


def export(engine: Engine, name: str, path: Path, language: Language = Language.EN) -> CardBook:
    """Export and read back with no option; nothing may be refused or doubted that was not."""
    with reading(engine) as conn:
        done = export_book(conn, name, path, VOCABULARY.wordings[language], overwrite=True)
    found = read_cardbook(path, ReadOptions(), VOCABULARY)
    assert found.errors == ()
    assert not {w.code for w in found.warnings} & {"unknown_column", "no_plan_end"}
    assert found.total == done.cards
    return found


def listed(engine: Engine, name: str) -> list[dict[str, Any]]:
    with reading(engine) as conn:
        return [{key: row[key] for key in LISTED} for row in views.list_cards(conn, name, None)]


FULL = {
    "msisdn": "987654321",
    "iccid": "8951177763170669077",
    "imsi": "716104391500080",
    "operator": "claro",
    "kind": "data",
    "plan": "=30 dias",
    "expires": "2026-06-12",
    "last_topup": "2026-05-13",
    "holder": "+Rosa  @Quispe",
    "email": "=rosa+chips@example.com",
    "contact_phone": "+86 138 1234 5678",
    "balance": "25.90",
    "language": "zh-Hant",
    "time_zone": "Asia/Taipei",
    "note": '-1; "two"\n\t=three; 🙂',
}
ENDLESS = {"iccid": "8951681241586834493", "operator": "other", "kind": "retention"}
ENDLESS |= {"expires": "indefinido", "last_topup": "2026-05-01", "note": "'=kept"}
PLAIN = {"msisdn": "912345678", "operator": "bitel", "kind": "4g", "expires": "2026-07-01"}


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("language", list(Language))
def test_an_export_imports_back_unchanged(
    engine: Engine, rules: Rules, tmp_path: Path, suffix: str, language: Language
) -> None:
    book = source(tmp_path / "source.csv", FULL, ENDLESS, PLAIN)
    assert put(engine, book, "demo", rules).created == 3
    before = listed(engine, "demo")
    found = export(engine, "demo", tmp_path / f"out{suffix}", language)
    again = put(engine, found, "demo", rules)
    assert (again.created, again.changed, again.unchanged) == (0, 0, 3)
    assert put(engine, found, "copy", rules).created == 3
    assert listed(engine, "copy") == before == listed(engine, "demo")


@pytest.mark.parametrize("suffix", FORMATS)
def test_cards_at_their_end_import_back_unchanged_too(
    engine: Engine, rules: Rules, tmp_path: Path, suffix: str
) -> None:
    put(engine, source(tmp_path / "source.csv", FULL, ENDLESS, PLAIN), "demo", rules)
    with writing(engine) as conn:
        for card, state in enumerate(
            (CardState.CLOSED, CardState.RECYCLED, CardState.SUSPENDED), 1
        ):
            conn.execute(update(cards).where(cards.c.id == card).values(state=state))
    found = export(engine, "demo", tmp_path / f"out{suffix}")
    again = put(engine, found, "demo", rules)
    assert (again.created, again.changed, again.unchanged) == (0, 0, 3)
    with reading(engine) as conn:
        states = [row["state"] for row in views.list_cards(conn, "demo", None)]
    assert states == ["closed", "recycled", "suspended"]


def test_no_text_is_cut_short_to_fit_the_store(
    engine: Engine, rules: Rules, tmp_path: Path
) -> None:
    longest = {**FULL, "holder": "é" * 200, "plan": "卡" * 200, "note": "🙂" * 10_000}
    put(engine, source(tmp_path / "source.csv", longest), "demo", rules)
    again = put(engine, export(engine, "demo", tmp_path / "out.xlsx"), "demo", rules)
    assert (again.created, again.changed, again.unchanged) == (0, 0, 1)
    for field in ("holder", "plan"):
        assert source(tmp_path / "source.csv", {**longest, field: "x" * 201}).rows == ()


def test_cards_whose_holders_were_forgotten_import_back_unchanged(
    engine: Engine, rules: Rules, tmp_path: Path
) -> None:
    put(engine, source(tmp_path / "source.csv", FULL, ENDLESS, PLAIN), "demo", rules)
    nobody = {"name": "", "email": None, "contact_phone": None}
    nobody |= {"language": "en", "time_zone": "America/Lima"}
    with writing(engine) as conn:
        conn.execute(update(holders).values(nobody))
    again = put(engine, export(engine, "demo", tmp_path / "out.csv"), "demo", rules)
    assert (again.created, again.changed, again.unchanged) == (0, 0, 3)


def test_the_cells_of_a_workbook_are_text_and_dates_and_no_formulas(
    engine: Engine, rules: Rules, tmp_path: Path
) -> None:
    put(engine, source(tmp_path / "source.csv", FULL), "demo", rules)
    export(engine, "demo", tmp_path / "out.xlsx", Language.ES_PE)
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx").worksheets[0]
    title, row = ([*cells] for cells in sheet.iter_rows())
    told = dict(zip((cell.value for cell in title), row, strict=True))
    assert {cell.data_type for cell in row} == {"s", "d", "n"}
    assert told["Plan"].value == "=30 dias"
    assert told["Plan"].data_type == told["Celular"].data_type == told["ICCID"].data_type == "s"
    assert told["Celular"].value == "+51987654321"
    assert told["Vencimiento"].data_type == "d"
    assert told["Saldo"].value == 25.9
    assert told["Estado en Vigencia"].value == "activo"


def test_a_text_file_holds_nothing_that_a_spreadsheet_takes_for_a_formula_or_a_number(
    engine: Engine, rules: Rules, tmp_path: Path
) -> None:
    put(engine, source(tmp_path / "source.csv", FULL, ENDLESS, PLAIN), "demo", rules)
    export(engine, "demo", tmp_path / "out.csv")
    data = (tmp_path / "out.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.count(b"\r\n") == data.count(b"\n") == 4
    rows = list(csv.reader(data.decode("utf-8-sig").splitlines()))
    told = dict(zip(rows[0], rows[1], strict=True))
    assert told["Mobile number"] == "'+51987654321"
    assert told["ICCID"] == "'8951177763170669077"
    assert told["Email"] == "'=rosa+chips@example.com"
    assert told["Expiry date"] == "2026-06-12"
    assert not [cell for row in rows for cell in row if cell[:1] and cell[0] in "=+-@\t\r"]


def test_a_number_that_stands_in_two_cards_is_told(
    engine: Engine, rules: Rules, tmp_path: Path
) -> None:
    other = {**PLAIN, "iccid": "8951999622830388369"}
    put(engine, source(tmp_path / "source.csv", FULL, other), "demo", rules)
    with writing(engine) as conn:
        conn.execute(update(cards).values(msisdn="+51987654321"))
    with reading(engine) as conn:
        wording = VOCABULARY.wordings[Language.EN]
        done = export_book(conn, "demo", tmp_path / "out.csv", wording)
    assert (done.cards, done.shared_numbers) == (2, 1)


def test_more_cards_than_a_sheet_has_rows_are_refused_before_anything_is_written(
    engine: Engine, rules: Rules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(engine, source(tmp_path / "source.csv", FULL, PLAIN), "demo", rules)
    monkeypatch.setattr("worker.cardbook.exporter.MAX_SHEET_ROWS", 2)
    with pytest.raises(CardBookError, match="2 cards do not fit into one sheet") as error:
        export(engine, "demo", tmp_path / "out.xlsx")
    assert error.value.hint == "export to a .csv file"
    assert not (tmp_path / "out.xlsx").exists()


def test_an_export_that_fails_leaves_the_former_file_and_nothing_else(
    engine: Engine, rules: Rules, tmp_path: Path
) -> None:
    put(engine, source(tmp_path / "source.csv", FULL, PLAIN), "demo", rules)
    folder = tmp_path / "out"
    folder.mkdir()
    wording = VOCABULARY.wordings[Language.EN]
    for suffix in FORMATS:
        path = folder / f"book{suffix}"
        path.write_text("former")

        def fail() -> None:
            raise OSError(28, "No space left on device")

        with reading(engine) as conn:
            with pytest.raises(CardBookError, match="cannot be written: No space left"):
                export_book(conn, "demo", path, wording, overwrite=True, on_row=fail)
            with pytest.raises(CardBookError, match="exists already"):
                export_book(conn, "demo", path, wording)
        assert path.read_text() == "former"
    assert sorted(p.name for p in folder.iterdir()) == ["book.csv", "book.xlsx"]


# Any cards

NASTY = ["=", "+", "-", "@", "'", '"', ";", "; ", ",", "\n", "\r", "\t", " ", "\u00a0", "\u200f"]
NASTY += ["\u202e", "\u200d", "🙂", "é", "e\u0301", "卡", "＝", "_x0041_", "_x000D_", "\ufffe", "1"]
NASTY += ["'=", "<b>&amp;", "\\", "E+", "\u2028", "#N/A", "sep=;", "null", "0", "{}", "\u0085"]
text = st.lists(st.one_of(st.sampled_from(NASTY), st.text(max_size=4)), max_size=6).map("".join)
days = st.dates(date(2000, 1, 1), date(2099, 12, 31)).map(str)
amounts = st.decimals(0, 999_999_999, places=2).map(str)


@st.composite
def rows_of_cards(draw: st.DrawFn) -> list[dict[str, str]]:
    rows = []
    for number in range(draw(st.integers(1, 4))):
        has_number = draw(st.booleans())
        row = {
            "msisdn": f"9000000{number:02}" if has_number else "",
            "iccid": "" if has_number and draw(st.booleans()) else f"89510000000000000{number:02}",
            "imsi": draw(st.sampled_from(["", f"7161043915000{number:02}"])),
            "operator": draw(st.sampled_from(["claro", "movistar", "entel", "bitel", "other"])),
            "kind": draw(st.sampled_from(["data", "retention", "4g", "esim"])),
            "expires": draw(st.one_of(days, st.just("indefinido"))),
            "last_topup": draw(days),
            "email": draw(st.sampled_from(["", "=a@example.com", "-o'b@Example.COM", "é@例え.jp"])),
            "contact_phone": draw(st.sampled_from(["", "+51 900000000", "0039 06 1234 5678"])),
            "balance": draw(st.one_of(st.just(""), amounts)),
            "language": draw(st.sampled_from(["", "zh-Hans", "zh-Hant", "es-PE", "en"])),
            "time_zone": draw(st.sampled_from(["", "Asia/Shanghai", "Etc/GMT+5", "UTC"])),
        }
        rows.append({**row, **{field: draw(text) for field in ("plan", "holder", "note")}})
    return rows


@pytest.fixture(scope="module")
def one_database(
    migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    path = tmp_path_factory.mktemp("exports") / "vigencia.db"
    shutil.copy(migrated_sqlite, path)
    engine = open_engine(f"sqlite:///{path}")
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


_names = itertools.count()


@pytest.mark.parametrize("suffix", FORMATS)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=rows_of_cards(), language=st.sampled_from(list(Language)))
@example(rows=[PLAIN, {**FULL, "holder": "\ufffe"}], language=Language.EN)
@example(rows=[{**PLAIN, "holder": "''=x", "note": "'", "plan": "'＝"}], language=Language.EN)
def test_any_cards_import_back_unchanged(
    one_database: Engine,
    folder: Path,
    rules: Rules,
    suffix: str,
    rows: list[dict[str, str]],
    language: Language,
) -> None:
    try:
        book = source(folder / "source.csv", *rows)
    except CardBookError:
        assume(False)
    assume(book.rows)
    name = f"book {next(_names)}"
    put(one_database, book, name, rules)
    before = listed(one_database, name)
    found = export(one_database, name, folder / f"out{suffix}", language)
    again = put(one_database, found, name, rules)
    assert (again.created, again.changed, again.unchanged) == (0, 0, len(book.rows))
    put(one_database, found, f"{name} copied", rules)
    assert listed(one_database, f"{name} copied") == before == listed(one_database, name)
