"""An empty card book to fill in, with a second sheet that explains its columns."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xlsxwriter import Workbook

from worker.cardbook.columns import FIELDS
from worker.cardbook.layout import new_sheet
from worker.cardbook.new_file import new_file
from worker.cardbook.spreadsheet import Cells, new_workbook
from worker.cardbook.titles import Wording
from worker.core.cards import Language
from worker.errors import ConfigError
from worker.paths import read_toml

_TEXTS = ("sheet", "explanations", "column", "meaning", "needed", "example", "advice_title")


@dataclass(frozen=True, slots=True)
class ColumnHelp:
    """What one column means, whether it is needed, and an example of a cell."""

    meaning: str
    needed: str
    example: str


@dataclass(frozen=True, slots=True)
class Help:
    """One language's explanations: the sheets' names, the headings, the columns, the advice."""

    texts: Mapping[str, str]
    columns: Mapping[str, ColumnHelp]
    advice: tuple[str, ...]


def load_help(path: Path) -> dict[Language, Help]:
    """The explanations of every language. Raises ConfigError with the file and the key."""
    tables = read_toml(path)
    return {language: _help(path, tables.get(language), language) for language in Language}


def write_template(path: Path, wording: Wording, texts: Help, *, overwrite: bool = False) -> None:
    """Write an empty card book: an .xlsx with explanations, else a .csv of the header alone.

    Raises CardBookError if the file exists and ``overwrite`` is not set, or cannot be written.
    """
    if path.suffix.lower() != ".xlsx":
        with (
            new_file(path, overwrite=overwrite) as temporary,
            temporary.open("w", encoding="utf-8-sig", newline="") as file,
        ):
            csv.writer(file).writerow([wording.titles[field] for field in FIELDS])
        return
    with new_workbook(path, overwrite=overwrite) as book:
        cells = Cells(book)
        new_sheet(book, cells, texts.texts["sheet"], wording)
        _explain(book, cells, wording, texts)


def _explain(book: Workbook, cells: Cells, wording: Wording, texts: Help) -> None:
    sheet = book.add_worksheet(texts.texts["explanations"])
    wrapped = book.add_format({"text_wrap": True, "valign": "top", "num_format": "@"})
    cells.head(sheet, [texts.texts[name] for name in ("column", "needed", "meaning", "example")])
    for column, width in enumerate((22, 22, 70, 26)):
        sheet.set_column(column, column, width)
    row = 0
    for row, field in enumerate(FIELDS, 1):
        told = texts.columns[field]
        for column, text in enumerate(
            (wording.titles[field], told.needed, told.meaning, told.example)
        ):
            sheet.write_string(row, column, text, wrapped)
    sheet.write_string(row + 2, 0, texts.texts["advice_title"], cells.title)
    for place, advice in enumerate(texts.advice, row + 3):
        # In the column that is wide: merged cells could not be written row by row.
        sheet.write_string(place, 2, advice, wrapped)


def _help(path: Path, content: Any, language: str) -> Help:
    table = _table(path, content, language)
    columns = _table(path, table.get("columns"), f"{language}.columns")
    for key in table.keys() - {*_TEXTS, "columns", "advice"}:
        raise _wrong(path, f"{language}.{key}", "unknown key")
    for key in columns.keys() - {*FIELDS}:
        raise _wrong(path, f"{language}.columns.{key}", "there is no such column")
    advice = table.get("advice")
    if not isinstance(advice, list) or not all(isinstance(one, str) and one for one in advice):
        raise _wrong(path, f"{language}.advice", "a list of texts is expected")
    return Help(
        texts={key: _text(path, table, key, language) for key in _TEXTS},
        columns={field: _column(path, columns, field, language) for field in FIELDS},
        advice=tuple(advice),
    )


def _column(path: Path, columns: Mapping[str, Any], field: str, language: str) -> ColumnHelp:
    where = f"{language}.columns.{field}"
    table = _table(path, columns.get(field), where)
    names = ("meaning", "needed", "example")
    for key in table.keys() - {*names}:
        raise _wrong(path, f"{where}.{key}", "unknown key")
    return ColumnHelp(*(_text(path, table, name, where) for name in names))


def _table(path: Path, content: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise _wrong(path, where, "the table is missing")
    return content


def _text(path: Path, table: Mapping[str, Any], key: str, where: str) -> str:
    text = table.get(key)
    if not isinstance(text, str) or not text.strip():
        raise _wrong(path, f"{where}.{key}", "a text is expected")
    return text


def _wrong(path: Path, key: str, message: str) -> ConfigError:
    return ConfigError(f"{path}: {key}: {message}", "see the comments in config/template.toml")
