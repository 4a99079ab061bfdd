"""The words of card books that come with the program, and files of them with one mistake."""

from pathlib import Path

from worker.cardbook.column_file import load_columns
from worker.cardbook.columns import Columns
from worker.paths import shipped

COLUMNS = shipped("config") / "columns.toml"
VOCABULARY = load_columns(COLUMNS)


def columns_with(folder: Path, old: str, new: str) -> Columns:
    """The vocabulary with ``new`` in place of the first ``old``."""
    text = COLUMNS.read_text(encoding="utf-8")
    assert old in text
    path = folder / "columns.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return load_columns(path)
