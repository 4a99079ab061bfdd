"""A card book written as a file that is imported back without a change."""

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from worker.cardbook.cells import Cell
from worker.cardbook.columns import FIELDS
from worker.cardbook.layout import new_sheet
from worker.cardbook.new_file import new_file
from worker.cardbook.spreadsheet import MAX_SHEET_ROWS, Cells, new_workbook
from worker.cardbook.titles import Wording
from worker.cardbook.values import FORMULA_STARTS
from worker.core.cards import CardState, Kind, Language
from worker.errors import CardBookError
from worker.store import views

WRITTEN = (*FIELDS, "state")

_FREE = ("plan", "holder", "note")
# A spreadsheet that opens a text file cuts a long number short, unless an apostrophe says "text".
_NUMBERS = ("msisdn", "iccid", "imsi", "contact_phone")
_FORMULA = re.compile(rf"'*[{FORMULA_STARTS}\t\r\n]")
_ALREADY_MARKED = re.compile(rf"'+[{FORMULA_STARTS}]")

Put = Callable[[Mapping[str, Cell | Decimal]], None]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the number of cards, and how many mobile numbers stand in several rows
    (such a file is refused at import until one of the rows is deleted)."""

    cards: int
    shared_numbers: int


def export_book(
    conn: Connection,
    book: str,
    path: Path,
    wording: Wording,
    *,
    overwrite: bool = False,
    on_row: Callable[[], object] = lambda: None,
) -> Exported:
    """Write all cards of ``book``, in the order of import, to ``path`` (.xlsx or .csv).

    The file holds personal data and is readable for its owner alone (mode 0600). ``on_row`` is
    called after each card. Memory does not grow with the book. Raises CardBookError if the file
    exists and ``overwrite`` is not set, cannot be written, or cannot hold so many rows.
    """
    cards, shared = views.count_cards(conn, book)
    is_workbook = path.suffix.lower() == ".xlsx"
    if is_workbook and cards >= MAX_SHEET_ROWS:
        raise CardBookError(
            f"{cards:,} cards do not fit into one sheet of {MAX_SHEET_ROWS:,} rows",
            "export to a .csv file",
        )
    written = 0
    with (_workbook if is_workbook else _text)(path, wording, overwrite) as put:
        for card in views.each_card(conn, book):
            put(_row(dict(card), wording))
            on_row()
            written += 1
    return Exported(written, shared)


def _row(card: Mapping[str, Any], wording: Wording) -> dict[str, Cell | Decimal]:
    """A card's cells by field."""
    return {
        **{name: card[name] for name in ("msisdn", "iccid", "imsi", "plan", "last_topup")},
        **{name: card[name] for name in ("holder", "email", "contact_phone", "balance", "note")},
        "operator": wording.operators.get(card["operator"], card["operator"]),
        "kind": wording.kinds[Kind(card["kind"])],
        "expires": card["plan_end"] or wording.no_plan_end,
        "language": wording.languages[Language(card["language"])],
        "time_zone": card["holder_time_zone"],
        "state": wording.states[CardState(card["state"])],
    }


@contextmanager
def _workbook(path: Path, wording: Wording, overwrite: bool) -> Iterator[Put]:
    with new_workbook(path, overwrite=overwrite) as book:
        cells = Cells(book)
        # The sheet's name is only seen: a title every language has.
        sheet = new_sheet(book, cells, "SIM", wording, WRITTEN)
        place = 0

        def put(row: Mapping[str, Cell | Decimal]) -> None:
            nonlocal place
            place += 1
            for column, field in enumerate(WRITTEN):
                cell = row[field]
                # Text cells are no formulas; what reading would take off is all that is marked.
                if field in _FREE and isinstance(cell, str) and _ALREADY_MARKED.match(cell):
                    cell = "'" + cell
                cells.write(sheet, place, column, cell)

        yield put


@contextmanager
def _text(path: Path, wording: Wording, overwrite: bool) -> Iterator[Put]:
    """UTF-8 with a mark and CRLF, as Excel wants it."""
    with (
        new_file(path, overwrite=overwrite) as temporary,
        temporary.open("w", encoding="utf-8-sig", newline="") as file,
    ):
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow([wording.titles[field] for field in WRITTEN])
        yield lambda row: writer.writerow([_plain(field, row[field]) for field in WRITTEN])


def _plain(field: str, cell: Cell | Decimal) -> str:
    if cell is None:
        return ""
    text = cell.isoformat() if isinstance(cell, date) else str(cell)
    return "'" + text if text and field in _NUMBERS else as_text(text)


def as_text(text: str) -> str:
    """``text`` for a cell of a text file; what a spreadsheet would compute is marked as text."""
    return "'" + text if _FORMULA.match(text) else text
