"""What `vigencia cards import` tells: as one document, or as text that fits a screen."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from worker.cardbook.changes import Action, Change
from worker.cardbook.importer import Result
from worker.cardbook.rows import Problem
from worker.cli.output import print_table

_SHOWN_PROBLEMS = 50
_SHOWN_CHANGES = 20
_SHOWN_MISSING = 5
_MOST_MISSING = 1_000


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
        "told": result.told,
        "time_zones": [
            {"zone": zone, "why": why.name.lower(), "rows": count}
            for zone, why, count in result.zones
        ],
        "missing": len(result.missing),
        "missing_cards": [
            {"id": m.id, "card": f"{m.operator} {m.number}"} for m in result.missing[:_MOST_MISSING]
        ],
        "warnings": [_problem(p) for p in book.warnings],
        "errors": [_problem(p) for p in book.errors],
    }


def _problem(problem: Problem) -> dict[str, Any]:
    names = ("row", "column", "code", "message", "hint")
    return {name: getattr(problem, name) for name in names}


def tell(result: Result, file: Path, book: str, *, wrote: bool, skip_bad: bool) -> None:
    """The result for people; ``wrote``: --apply was given. The last line is the next step."""
    _problems("warning", result.book.warnings)
    _problems("error", result.book.errors)
    click.echo(_counts(result))
    if not result.applied:
        _changes(result)
        for zone, why, count in result.zones:
            click.echo(f"Hours of {zone} for {count} row{'' if count == 1 else 's'}: {why}.")
    if result.told:
        done = "are" if result.applied else "would be"
        click.echo(f"Holders {done} told of renewed cards: {result.told} (renewal_recorded).")
    _missing(result)
    click.echo(_next(result, file, book, wrote=wrote, skip_bad=skip_bad))


def _problems(kind: str, problems: Sequence[Problem]) -> None:
    if not problems:
        return
    plural = "" if len(problems) == 1 else "s"
    click.echo(f"{len(problems)} {kind}{plural}:", err=True)
    print_table(
        ("row", "column", "code", "what is wrong", "what to do"),
        [
            (p.row or "-", p.column or "-", p.code, p.message, p.hint)
            for p in problems[:_SHOWN_PROBLEMS]
        ],
        err=True,
    )
    if len(problems) > _SHOWN_PROBLEMS:
        more = len(problems) - _SHOWN_PROBLEMS
        click.echo(f"… and {more} more {kind}s; --json lists all.", err=True)


def _counts(result: Result) -> str:
    verb = "" if result.applied else "would be "
    several = ", ".join(
        f"{result.actions[action]} {_WORDS[action]}"
        for action in Action
        if action is not Action.CREATED and result.actions.get(action)
    )
    return (
        f"{result.book.total} rows: {result.created} {verb}created, {result.changed} {verb}changed"
        f"{f' ({several})' if several else ''}, {result.unchanged} unchanged, "
        f"{result.refused} refused."
    )


_WORDS = {
    Action.REASSIGNED: "to another holder",
    Action.RENEWED: "renewed",
    Action.CONTACT_CHANGED: "with other contacts",
    Action.CHANGED: "in other fields",
}


def _changes(result: Result) -> None:
    shown = result.changes[:_SHOWN_CHANGES]
    if not shown:
        return
    print_table(("row", "card", "change"), [(c.row, c.card, _words(c)) for c in shown])
    more = result.created + result.changed - len(shown)
    if more:
        click.echo(f"… and {more} more; --json lists the first {len(result.changes)}.")


def _words(change: Change) -> str:
    names = [name for name in change.fields if name not in ("holder", "plan_end")]
    if change.plan_end:
        old, new = (day or "none" for day in change.plan_end)
        names.insert(0, f"plan end {old} -> {new}")
    if "holder" in change.fields and change.action in (Action.RENEWED, Action.CHANGED):
        names.append("contact")
    what = {
        Action.REASSIGNED: "holder changed",
        Action.CONTACT_CHANGED: "contact changed",
    }.get(change.action, change.action.value)
    return f"{what}: {', '.join(names)}" if names else what


def _missing(result: Result) -> None:
    if not result.missing:
        return
    shown = [f"card {m.id} ({m.operator} {m.number})" for m in result.missing[:_SHOWN_MISSING]]
    more = len(result.missing) - len(shown)
    click.echo(
        f"Cards of the book that are not in this file, and still watched: {len(result.missing)}: "
        f"{', '.join(shown)}{f' and {more} more' if more else ''}."
    )
    click.echo(f"  To send nothing for one of them: vigencia cards pause {result.missing[0].id}")


def _next(result: Result, file: Path, book: str, *, wrote: bool, skip_bad: bool) -> str:
    command = f"vigencia cards import {shlex.quote(str(file))} --book {shlex.quote(book)}"
    if result.refused_file:
        again = command.replace(shlex.quote(str(file)), shlex.quote(str(result.refused_file)), 1)
        return (
            f"Written to the book {book!r}. The {result.refused} refused rows are in "
            f"{result.refused_file}.\nCorrect them there, then: {again} --apply"
        )
    if result.applied:
        return f"Written to the book {book!r}. Next: vigencia up"
    if result.refused and not skip_bad:
        return (
            "Nothing was written. Correct the rows above and import the file again, or import the "
            "good rows without them: --skip-bad --apply"
        )
    if result.refused:
        return (
            "Nothing was written: this was a dry run. With --apply the good rows are written, and "
            f"the {result.refused} refused ones go to a new spreadsheet beside the file."
        )
    return "Nothing was written: this was a dry run. Add --apply to write."
