"""What an import did or would do, as a document for programs."""

from collections import defaultdict
from typing import Any

from worker.cardbook.cells import Cell
from worker.cardbook.changes import Action
from worker.cardbook.importer import Result
from worker.cardbook.rows import CardBook, ColumnReading, Problem

_MOST_MISSING = 1_000
# Of the refused rows a page shows so many; all of them are in the spreadsheet beside it.
_MOST_ROWS = 50
_LONGEST_CELL = 80
_CELL = ("column", "code", "message", "hint")


def as_document(result: Result) -> dict[str, Any]:
    """The result for programs; long lists are bounded and have their total beside them."""
    book = result.book
    return {
        "file": book.file,
        "encoding": book.encoding,
        "sheet": book.sheet,
        "columns": book.columns,
        "applied": result.applied,
        "created": result.created,
        "changed": result.changed,
        "unchanged": result.unchanged,
        "refused": result.refused,
        "refused_file": str(result.refused_file) if result.refused_file else None,
        "actions": {action.value: result.actions.get(action, 0) for action in Action},
        "changes_total": result.created + result.changed,
        "changes": [
            {"row": c.row, "card": c.card, "action": c.action, "fields": list(c.fields)}
            for c in result.changes
        ],
        "reading": [_column(column) for column in book.reading],
        "zones": [
            {"zone": zone, "from": why.name.lower(), "why": str(why), "rows": count}
            for (zone, why), count in sorted(result.zones.items())
        ],
        "kept": len(result.kept),
        "kept_cards": [
            {"row": k.row, "card": k.card, "fields": list(k.fields)}
            for k in result.kept[:_MOST_MISSING]
        ],
        "in_other_books": len(result.elsewhere),
        "in_other_books_rows": [
            {"row": e.row, "book": e.book} for e in result.elsewhere[:_MOST_MISSING]
        ],
        "told": result.told,
        "missing": len(result.missing),
        "missing_cards": [
            {"id": m.id, "card": f"{m.operator} {m.number}"} for m in result.missing[:_MOST_MISSING]
        ],
        "warnings": [_problem(p) for p in book.warnings],
        "errors": [_problem(p) for p in book.errors],
    }


def _problem(problem: Problem) -> dict[str, Any]:
    names = ("row", "column", "code", "message", "hint")
    rows = {"rows": list(problem.rows)} if problem.rows else {}
    return {name: getattr(problem, name) for name in names} | rows


def _column(column: ColumnReading) -> dict[str, Any]:
    return {
        "column": column.column,
        "header": column.header,
        "field": column.holds,
        "cells": column.cells,
        "blank": column.blank,
        "forms": dict(column.forms),
        "lowest": column.lowest,
        "highest": column.highest,
        "examples": list(column.examples),
    }


def refused_rows(book: CardBook) -> dict[str, Any]:
    """The first rows that were refused, as they stand in the file, for whoever is to correct them:
    the header, and for each row its cells with what is wrong by column."""
    wrong: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for problem in book.errors:
        for row in problem.rows or (problem.row,):
            wrong[row].append({name: getattr(problem, name) for name in _CELL})
    return {
        "header": [shown(title) for title in book.header],
        "refused": [
            {"row": row, "cells": [shown(cell) for cell in cells], "problems": wrong[row]}
            for row, cells in book.refused[:_MOST_ROWS]
        ],
        "more": max(0, len(book.refused) - _MOST_ROWS),
    }


def shown(cell: Cell) -> str:
    """A cell as its owner knows it, in one line of bounded length."""
    text = "" if cell is None else " ".join(str(cell).split())
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…"
