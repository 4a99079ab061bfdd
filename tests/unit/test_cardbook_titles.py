"""What we write in each language is read back, and a mistake in its words is named."""

import re
from pathlib import Path

import pytest

from tests.vocabulary import COLUMNS, VOCABULARY, columns_with
from worker.cardbook.column_file import load_columns
from worker.cardbook.columns import FIELDS, IGNORED
from worker.cardbook.folding import fold
from worker.cardbook.parse import ReadOptions, read_cardbook
from worker.core.cards import CardState, Kind, Language
from worker.errors import ConfigError


@pytest.mark.parametrize("language", list(Language))
def test_every_field_has_one_title_that_is_read_as_this_field(language: Language) -> None:
    titles = VOCABULARY.wordings[language].titles
    assert [VOCABULARY.field_of(titles[field]) for field in FIELDS] == list(FIELDS)
    assert [VOCABULARY.field_of(titles[name]) for name in ("state", "reason")] == [IGNORED] * 2
    assert len({fold(title) for title in titles.values()}) == len(FIELDS) + 2


@pytest.mark.parametrize("language", list(Language))
def test_every_value_has_one_word_that_is_read_as_this_value(language: Language) -> None:
    words = VOCABULARY.wordings[language]
    assert {VOCABULARY.kinds[fold(word)] for word in words.kinds.values()} == {*Kind}
    assert {VOCABULARY.languages[fold(word)] for word in words.languages.values()} == {*Language}
    operators = {key: VOCABULARY.operators[fold(word)] for key, word in words.operators.items()}
    assert operators == {key: key for key in VOCABULARY.operators.values()}
    assert {*words.states} == {*CardState}
    assert fold(words.no_plan_end) in VOCABULARY.no_plan_end


def test_an_operator_that_a_user_adds_is_written_by_its_first_word(tmp_path: Path) -> None:
    columns = columns_with(tmp_path, "[operators]", '[operators]\ncuy = ["Cuy Móvil", "Cuy"]')
    assert columns.wordings[Language.EN].operators["cuy"] == "Cuy Móvil"


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("[titles.zh-Hant]", "[titles.zh]", "titles.zh"),
        ('msisdn = "門號"\n', 'msisdn = "卡號"\n', "titles.zh-Hant.msisdn"),
        ('msisdn = "門號"\n', "", "titles.zh-Hant.msisdn"),
        ('msisdn = "門號"\n', "msisdn = 5\n", "titles.zh-Hant.msisdn"),
        ('holder = "Titular"', 'holder = "Correo"', "titles.es-PE.holder"),
        ('holder = "Titular"', 'owner = "Titular"', "titles.es-PE.owner"),
        ('state = "Estado en Vigencia"', 'state = "Estado"', "titles.es-PE.state"),
        ('no_plan_end = "長期"', 'no_plan_end = "很久"', "words.zh-Hant.no_plan_end"),
        ('data = "datos"', 'data = "eSIM"', "words.es-PE.kinds.data"),
        ('data = "datos", ', "", "words.es-PE.kinds.data"),
        ('data = "datos"', '5g = "datos"', "words.es-PE.kinds.5g"),
        ('other = "otro" }', 'other = "Claro" }', "words.es-PE.operators.other"),
        ('active = "activo", ', "", "words.es-PE.states.active"),
        ("[words.es-PE]", "[words.es-PE]\ncolours = {}", "words.es-PE.colours"),
        ('"Why refused",', '"Why refused", "Celular",', "ignored.headers"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_key(
    tmp_path: Path, old: str, new: str, key: str
) -> None:
    with pytest.raises(ConfigError) as error:
        columns_with(tmp_path, old, new)
    assert re.search(rf"columns\.toml(, line \d+)?: {re.escape(key)}: ", error.value.message)


@pytest.mark.parametrize("table", ["titles", "words", "ignored"])
def test_a_table_may_not_be_missing(tmp_path: Path, table: str) -> None:
    parts = COLUMNS.read_text(encoding="utf-8").split("\n[")
    path = tmp_path / "columns.toml"
    kept = [part for part in parts if not part.startswith(table)]
    path.write_text("\n[".join(kept), encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"columns\.toml: {table}: the table is missing"):
        load_columns(path)


def test_a_column_that_is_ignored_is_neither_read_nor_noted(tmp_path: Path) -> None:
    path = tmp_path / "book.csv"
    path.write_text(
        "celular,operador,tipo,vence,Why refused,VIGENCIA 状态,nota\n"
        "987654321,claro,datos,2026-06-12,because,在用,mine\n"
        "987654322,claro,datos,2026-06-12,#REF!,,\n",
        encoding="utf-8",
    )
    book = read_cardbook(path, ReadOptions(), VOCABULARY)
    assert (book.errors, book.warnings) == ((), ())
    assert [row.note for row in book.rows] == ["mine", None]


def test_a_text_that_would_be_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "book.csv"
    path.write_text(
        "celular,operador,tipo,vence,titular,nota,color\n"
        f"987654321,claro,datos,2026-06-12,{'x' * 201},,\n"
        f"987654322,claro,datos,2026-06-12,,{'y' * 9_000},{'z' * 1_000}\n",
        encoding="utf-8",
    )
    book = read_cardbook(path, ReadOptions(), VOCABULARY)
    assert [(p.row, p.column, p.code) for p in book.errors] == [
        (2, "titular", "too_long"),
        (3, "nota", "too_long"),
    ]
    assert book.errors[0].message == "the text has 201 characters"
    assert "the limit is 200" in book.errors[0].hint
