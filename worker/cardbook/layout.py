"""How a card book that we write looks: the order, width and format of its columns, its lists."""

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from worker.cardbook.columns import FIELDS
from worker.cardbook.spreadsheet import MAX_SHEET_ROWS, Cells
from worker.cardbook.titles import Wording

# In characters. A list that is longer than Excel takes in one formula is left out.
_WIDTHS = {
    **{"msisdn": 16, "iccid": 23, "imsi": 18, "operator": 13, "kind": 19, "plan": 26},
    **{"expires": 13, "last_topup": 13, "holder": 24, "email": 30, "contact_phone": 20},
    **{"balance": 10, "language": 19, "time_zone": 19, "note": 40, "state": 20},
}
_LONGEST_LIST = 255


def new_sheet(
    book: Workbook, cells: Cells, name: str, wording: Wording, fields: tuple[str, ...] = FIELDS
) -> Worksheet:
    """A sheet with its header row, and columns into which people can type without loss.

    Whatever is typed into a column stays text but for dates and the balance: a spreadsheet would
    cut a long number short.
    """
    sheet = book.add_worksheet(name)
    cells.head(sheet, [wording.titles[field] for field in fields])
    formats = {"expires": cells.date, "last_topup": cells.date, "balance": cells.amount}
    for column, field in enumerate(fields):
        sheet.set_column(column, column, _WIDTHS[field], formats.get(field, cells.text))
        if words := _list(field, wording):
            # Other words are read too, so nothing is forbidden.
            choice = {"validate": "list", "source": words, "show_error": False}
            sheet.data_validation(1, column, MAX_SHEET_ROWS - 1, column, choice)
    return sheet


def _list(field: str, wording: Wording) -> list[str]:
    """The words to choose from; none where the column is free, or a list cannot hold them."""
    words: dict[str, list[str]] = {
        "kind": [*wording.kinds.values()],
        "operator": [*wording.operators.values()],
        "language": [*wording.languages.values()],
    }
    found = words.get(field, [])
    fits = len(",".join(found)) <= _LONGEST_LIST and not any("," in word for word in found)
    return found if fits else []
