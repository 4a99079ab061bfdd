"""One row of cells made into one card, or into the errors that forbid it."""

import re
from typing import Any

from worker.cardbook import values
from worker.cardbook.cells import ValueProblem
from worker.cardbook.examine import RowCells
from worker.cardbook.grid import MAX_CELL_CHARS, column_letter
from worker.cardbook.rows import CardRow, Problem

_NUMBERS = ("msisdn", "iccid")
_NEEDED = ("msisdn", "iccid", "operator", "kind", "expires", "last_topup")
# "Total: 25 chips" and the year in a title have digits, and no number of a card.
_FEW_DIGITS = 4
_HARDLY_ANY = 2


def _no_card(row: int) -> Problem:
    """One error tells of a row that is no card better than four."""
    return Problem(
        row,
        "",
        "no_number",
        "the row has no number, and hardly anything else of a card",
        "delete the row if it is no card (a title, a total, a note); else give the card's number",
    )


def read_row(row: RowCells, header_width: int | None) -> CardRow | None:
    """The card, or ``None`` if the row has errors. ``header_width`` is set for a text file."""
    take, parser = row.take, row.parser
    if _is_no_card(row):
        row.errors.append(_no_card(row.number))
        return None
    row.msisdn = take("msisdn", values.parse_msisdn)
    row.iccid = take("iccid", values.parse_iccid)
    plan = take("plan", values.parse_name)
    found: dict[str, Any] = {
        "msisdn": row.msisdn,
        "iccid": row.iccid,
        "imsi": take("imsi", values.parse_imsi),
        "operator": take("operator", parser.operator) or parser.default_operator,
        "kind": take("kind", parser.kind) or parser.default_kind,
        "plan": plan,
        "plan_days": parser.plan_days(plan),
        "plan_end": take("expires", parser.plan_end),
        "last_topup": take("last_topup", parser.date),
        "balance": take("balance", parser.balance),
        "holder": take("holder", values.parse_name) or "",
        "email": take("email", parser.email),
        "contact_phone": take("contact_phone", parser.phone),
        "language": take("language", parser.language),
        "time_zone": take("time_zone", parser.time_zone),
        "note": _note(row),
    }
    _whole(row, header_width)
    _complete(row, found)
    _doubts(row, found)
    return None if row.errors else CardRow(row=row.number, **found)


def _is_no_card(row: RowCells) -> bool:
    """A group's name, a total, a remark: no number, and hardly anything else of a card."""
    places = row.parser.columns.places
    for name in _NUMBERS:
        if row.holds(name) and len(re.findall("[0-9]", str(row.cells[places[name]]))) > _FEW_DIGITS:
            return False
    return sum(map(row.holds, _NEEDED)) <= _HARDLY_ANY


def _note(row: RowCells) -> str | None:
    notes = [row.take("note", values.parse_text) or ""]
    for place, name in row.parser.columns.extras:
        if place < len(row.cells) and row.cells[place] is not None:
            try:
                notes.append(f"{name}: {values.parse_text(row.cells[place])}")
            except ValueProblem as problem:
                row.errors.append(
                    Problem(row.number, name, problem.code, problem.message, problem.hint)
                )
    try:
        # One cell must hold it when the book is written again.
        return values.bounded("; ".join(filter(None, notes)), MAX_CELL_CHARS) or None
    except ValueProblem as problem:
        row.errors.append(row.problem("note", problem))
        return None


def _whole(row: RowCells, header_width: int | None) -> None:
    """A text row longer than its header was cut at the wrong place: its cells have shifted."""
    if header_width is not None and len(row.cells) > header_width:
        row.errors.append(
            Problem(
                row.number,
                column_letter(header_width + 1),
                "extra_cells",
                f"the row has {len(row.cells)} cells under {header_width} headers",
                'put a cell that holds the delimiter between quotes (")',
            )
        )


def _complete(row: RowCells, found: dict[str, Any]) -> None:
    """What a card cannot be watched without."""
    row.require(
        ("msisdn", "iccid"),
        bool(found["msisdn"] or found["iccid"]),
        ValueProblem(
            "no_number",
            "the card has no number",
            "give its mobile number or ICCID; delete the row if it is no card (a total, a note)",
        ),
    )
    for field in ("operator", "kind"):
        missing = ValueProblem(f"no_{field}", f"the card has no {field}", "fill in the cell")
        row.require((field,), found[field] is not None, missing)
    row.require(
        ("last_topup", "expires"),
        bool(found["plan_end"] or found["last_topup"]),
        ValueProblem(
            "no_date",
            "a card whose plan has no end needs the date of its last top-up",
            "fill in one of the two dates: else no deadline is known",
        ),
    )


def _doubts(row: RowCells, found: dict[str, Any]) -> None:
    if found["iccid"]:
        row.doubt("iccid", values.iccid_doubt(found["iccid"]))
    if found["imsi"]:
        row.doubt("imsi", values.imsi_doubt(found["imsi"]))
    if found["last_topup"] and row.is_blank("expires"):
        blank = "the plan's end is blank: only the loss of the line is watched"
        row.doubt("expires", ValueProblem("no_plan_end", blank, "write its date, or indefinido"))
    if found["contact_phone"] and found["contact_phone"] == found["msisdn"]:
        same = "the contact phone is the card itself, which cannot be reached once it is cut"
        row.doubt("contact_phone", ValueProblem("contact_is_card", same, "give another contact"))
