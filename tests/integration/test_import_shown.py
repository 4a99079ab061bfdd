"""Whatever a file holds, nothing is stored that its dry run did not show."""

import itertools
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, Row, select

from tests.integration.helpers import NOW, WANTED
from tests.unit import cardbook_files as files
from tests.vocabulary import VOCABULARY
from worker.cardbook.columns import FIELDS
from worker.cardbook.importer import import_book
from worker.cardbook.options import ReadOptions
from worker.cardbook.parse import read_cardbook
from worker.cardbook.rows import ColumnReading
from worker.core.rules import Rules
from worker.errors import CardBookError
from worker.store.engine import open_engine, reading
from worker.store.tables import books, cards, holders

_NAMES = itertools.count()
# Headers of each kind, known and unknown, and cells that fit and that do not.
_HEADERS: dict[str, list[Any]] = {
    "celular": ["987650001", "987650002", "987‑650‑003", 987650004.0, "x", "-"],
    "运营商（必填）": ["Claro", "entel", "Vodafone", None],
    "tipo": ["datos", "esim", "保号卡"],
    "vence (dd/mm/aaaa)": [
        *("2026-12-05", "13/06/2026", "05/06/2026", date(2026, 6, 5), date(2026, 6, 13)),
        *("13 de mayo de 2026", "长期", None, "2026-05"),
    ],
    "Última recarga": [None, "2026-05-01", date(2026, 5, 4), "nan"],
    "Nombre del cliente": ["Ana", "ANA", "José Muñoz", "陈静", '="Eva"', "NULL", None],
    "correo": ["ana@example.com", None, "N/A"],
    "联系电话": ["+8613800138000", "987000001", "(+51)987000002", None],
    "idioma": [None, "es", "中文"],
    "余额": [None, 12.5, "3"],
    "color": [None, "rojo"],
    "aviso": [None, "+51987000009"],
}


@st.composite
def _table(draw: st.DrawFn) -> list[list[Any]]:
    header = list(_HEADERS)[:4] + draw(st.lists(st.sampled_from(list(_HEADERS)[4:]), unique=True))
    rows = draw(
        st.lists(
            st.tuples(*(st.sampled_from(_HEADERS[name]) for name in header)), min_size=1, max_size=6
        )
    )
    extra = draw(st.sampled_from([[], [[name.upper() for name in header]], [header[::-1]]]))
    return [header, *map(list, rows), *extra]


@pytest.fixture(scope="module")
def store(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    path = tmp_path_factory.mktemp("shown") / "vigencia.db"
    shutil.copy(migrated_sqlite, path)
    engine = open_engine(f"sqlite:///{path}")
    yield engine
    engine.dispose()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    table=_table(),
    kind=st.sampled_from(["csv", "csv", "xlsx"]),
    order=st.sampled_from([None, "dmy"]),
    region=st.sampled_from([None, "PE", "CN"]),
)
def test_nothing_is_stored_that_the_dry_run_did_not_show(
    store: Engine,
    tmp_path_factory: pytest.TempPathFactory,
    rules: Rules,
    table: list[list[Any]],
    kind: str,
    order: Any,
    region: str | None,
) -> None:
    path = tmp_path_factory.mktemp("file") / f"book.{kind}"
    path.write_bytes(files.delimited(table) if kind == "csv" else files.xlsx(table))
    try:
        book = read_cardbook(path, ReadOptions(date_order=order, contact_region=region), VOCABULARY)
    except CardBookError:
        event("refused as a whole")
        return
    name = f"book {next(_NAMES)}"
    told: dict[str, Any] = {"rules": rules, "keep_refused": lambda _: Path("kept.xlsx")}
    dry = import_book(store, book, name, WANTED, NOW, apply=False, **told)
    import_book(store, book, name, WANTED, NOW, apply=True, **told)
    found = _stored(store, name)
    event(f"stored: {bool(found)}, refused: {bool(book.refused)}")
    assert len(found) == dry.created
    shown = {column.holds: column for column in dry.book.reading}
    for field in FIELDS:
        if field not in ("language", "time_zone"):
            _is_shown(field, [row[field] for row in found], shown.get(field), book)
    assert Counter(row["time_zone"] for row in found) == _zones(dry.zones)
    for problem in (*book.errors, *book.warnings):
        assert len(problem.message) <= 300 >= len(problem.hint)


def _is_shown(field: str, values: list[Any], column: ColumnReading | None, book: Any) -> None:
    kept = [value for value in values if value not in (None, "")]
    noted = any(one.holds == "note" and one.header != "note" for one in book.reading)
    if column is None or (field == "note" and noted):
        # What is written without a column of its own is a note of a column that is shown.
        assert kept == [] or (field == "note" and noted)
        return
    assert column.cells == len(kept)
    if column.lowest is not None and kept:
        assert (column.lowest, column.highest) == (str(min(kept)), str(max(kept)))
    if field in ("operator", "kind"):
        assert column.forms == Counter(map(str, kept))


def _zones(zones: Any) -> Counter[str]:
    found: Counter[str] = Counter()
    for (zone, _), count in zones.items():
        found[zone] += count
    return found


def _stored(engine: Engine, name: str) -> list[dict[str, Any]]:
    query = (
        select(
            *(cards.c[one] for one in ("msisdn", "iccid", "imsi", "operator", "kind", "plan")),
            *(cards.c[one] for one in ("last_topup", "balance", "note")),
            cards.c.plan_end.label("expires"),
            holders.c.name.label("holder"),
            *(holders.c[one] for one in ("email", "contact_phone", "language", "time_zone")),
        )
        .join(holders, holders.c.id == cards.c.holder_id)
        .join(books, books.c.id == cards.c.book_id)
        .where(books.c.name == name)
    )
    with reading(engine) as conn:
        rows: list[Row[Any]] = list(conn.execute(query))
    return [dict(row._mapping) for row in rows]
