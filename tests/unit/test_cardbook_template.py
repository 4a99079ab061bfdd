"""The empty card book: what it says can be done in it, is done by the reader without a doubt."""

from pathlib import Path

import openpyxl
import pytest

from tests.vocabulary import VOCABULARY
from worker.cardbook.columns import FIELDS
from worker.cardbook.parse import ReadOptions, read_cardbook
from worker.cardbook.template import load_help, write_template
from worker.core.cards import Language
from worker.errors import CardBookError, ConfigError

CONFIG = Path(__file__).parents[2] / "config"
TEXTS = load_help(CONFIG / "template.toml")


def template(tmp_path: Path, language: Language, name: str = "t.xlsx") -> Path:
    path = tmp_path / name
    write_template(path, VOCABULARY.wordings[language], TEXTS[language])
    return path


@pytest.mark.parametrize("language", list(Language))
def test_filled_in_with_its_own_examples_it_is_read_without_a_doubt(
    tmp_path: Path, language: Language
) -> None:
    path = template(tmp_path, language)
    workbook = openpyxl.load_workbook(path)
    sheet = workbook.worksheets[0]
    for column, field in enumerate(FIELDS, 1):
        sheet.cell(2, column).value = TEXTS[language].columns[field].example
    workbook.save(path)
    book = read_cardbook(path, ReadOptions(), VOCABULARY)
    assert (book.errors, book.warnings) == ((), ())
    assert book.sheet == TEXTS[language].texts["sheet"]
    [card] = book.rows
    assert card.plan_days == 30
    assert card.language is language
    assert all(getattr(card, field, "") is not None for field in FIELDS)


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("name", ["t.xlsx", "t.csv"])
def test_empty_it_is_refused_for_having_no_rows(
    tmp_path: Path, language: Language, name: str
) -> None:
    path = template(tmp_path, language, name)
    with pytest.raises(CardBookError, match=f"{name} has no rows under its header in row 1"):
        read_cardbook(path, ReadOptions(), VOCABULARY)


@pytest.mark.parametrize("language", list(Language))
def test_its_columns_keep_numbers_whole_and_offer_the_words_that_are_read(
    tmp_path: Path, language: Language
) -> None:
    sheet = openpyxl.load_workbook(template(tmp_path, language)).worksheets[0]
    formats = {
        FIELDS[place - 1]: about.number_format
        for about in sheet.column_dimensions.values()
        for place in range(about.min or 0, (about.max or 0) + 1)
    }
    for field in ("msisdn", "iccid", "imsi", "contact_phone"):
        assert formats[field] == "@"
    assert formats["expires"] == formats["last_topup"] == "yyyy-mm-dd"
    wording = VOCABULARY.wordings[language]
    lists = {str(v.sqref): v.formula1 for v in sheet.data_validations.dataValidation}
    for column, words in (
        ("D", wording.operators.values()),
        ("E", wording.kinds.values()),
        ("M", wording.languages.values()),
    ):
        assert lists[f"{column}2:{column}1048576"] == f'"{",".join(words)}"'
    assert sheet.freeze_panes == "A2"


@pytest.mark.parametrize("language", list(Language))
def test_its_second_sheet_explains_every_column(tmp_path: Path, language: Language) -> None:
    sheet = openpyxl.load_workbook(template(tmp_path, language)).worksheets[1]
    told = [cell.value for cell in sheet["A"]]
    titles = VOCABULARY.wordings[language].titles
    assert told[1 : len(FIELDS) + 1] == [titles[field] for field in FIELDS]
    written = {cell.value for row in sheet.iter_rows() for cell in row}
    assert {*TEXTS[language].advice} <= written


@pytest.mark.parametrize("language", list(Language))
def test_its_explanations_speak_of_words_that_are_read(language: Language) -> None:
    wording, texts = VOCABULARY.wordings[language], TEXTS[language]
    for word in wording.kinds.values():
        assert word in texts.columns["kind"].meaning
    assert wording.no_plan_end in texts.columns["expires"].meaning
    assert any(wording.no_plan_end in advice for advice in texts.advice)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("[en]", "[english]", "en"),
        ('sheet = "Cards"', "", "en.sheet"),
        ('sheet = "Cards"', 'sheet = "Cards"\ncolour = "red"', "en.colour"),
        ("[en.columns]\nmsisdn", "[en.columns]\ncolour", "en.columns.colour"),
        ('example = "main line"', 'example = ""', "en.columns.note.example"),
        ('example = "main line"', 'sample = ""', "en.columns.note.sample"),
    ],
)
def test_a_mistake_in_the_texts_is_named(tmp_path: Path, old: str, new: str, key: str) -> None:
    text = (CONFIG / "template.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "template.toml"
    path.write_text(
        text.replace(old, new, 1).replace("[en.columns]", "[english.columns]", key == "en")
    )
    with pytest.raises(ConfigError, match=f"template.toml: {key}:"):
        load_help(path)
