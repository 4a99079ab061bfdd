"""What `vigencia cards import` tells: as one document, or as text that fits a screen."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from worker.cardbook.changes import Action, Change
from worker.cardbook.importer import Result
from worker.cardbook.last_read import KeptCard
from worker.cardbook.rows import Problem
from worker.cardbook.wording import listed, rows_named
from worker.cli.import_reading import tell_reading
from worker.cli.output import print_table

_SHOWN_PROBLEMS = 50
_SHOWN_ROWS = 5
# Whose message differs from card to card, so that one of them does not stand for the others.
_BY_MESSAGE = ("duplicate", "unknown_column")
_SHOWN_CHANGES = 20
_SHOWN_MISSING = 5


def tell(result: Result, file: Path, book: str, *, wrote: bool, skip_bad: bool) -> None:
    """The result for people; ``wrote``: --apply was given. The last line is the next step."""
    _problems("warning", result.book.warnings)
    _problems("error", result.book.errors)
    if not result.applied:
        tell_reading(result)
    click.echo(_counts(result))
    if not result.applied:
        _changes(result)
    _kept(result)
    _elsewhere(result)
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
    groups = _grouped(problems)
    print_table(
        ("row", "column", "code", "what is wrong", "what to do"),
        [
            (
                _rows_of(group),
                group[0].column or "-",
                group[0].code,
                group[0].message,
                group[0].hint,
            )
            for group in groups[:_SHOWN_PROBLEMS]
        ],
        err=True,
    )
    if len(groups) > _SHOWN_PROBLEMS:
        more = sum(map(len, groups[_SHOWN_PROBLEMS:]))
        click.echo(f"… and {more} more {kind}s; --json lists all.", err=True)


def _grouped(problems: Sequence[Problem]) -> list[list[Problem]]:
    """One group for each mistake: the same code in one column, told by its first message."""
    found: dict[tuple[str, ...], list[Problem]] = {}
    for one in problems:
        # What tells of several rows already, such as the rows of one card, stays by itself.
        own = one.message if one.code in _BY_MESSAGE else ""
        found.setdefault((one.code, one.column, one.hint, own), []).append(one)
    return list(found.values())


def _rows_of(group: Sequence[Problem]) -> str:
    rows = sorted({row for one in group for row in (one.rows or (one.row,)) if row})
    if not rows:
        return "-"
    shown = listed(map(str, rows), _SHOWN_ROWS)
    return shown if len(rows) <= _SHOWN_ROWS else f"{shown} ({len(rows)} rows)"


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


def _kept(result: Result) -> None:
    """Where the file is older than what was entered since."""
    if not result.kept:
        return
    keeps = "keeps" if result.applied else "would keep"
    shown = [_older(one) for one in result.kept[:_SHOWN_MISSING]]
    more = len(result.kept) - len(shown)
    click.echo(
        f"Of {len(result.kept)} cards the book {keeps} what was entered since this file was last "
        f"read: {'; '.join(shown)}{f' and {more} more' if more else ''}."
    )


def _older(one: KeptCard) -> str:
    if one.plan_end:
        told, stored = (day or "none" for day in one.plan_end)
        return f"row {one.row} ({one.card}): plan end {stored}, in the file still {told}"
    return f"row {one.row} ({one.card}): {', '.join(one.fields)}"


def _elsewhere(result: Result) -> None:
    """Cards whose holders another book tells as well."""
    if not result.elsewhere:
        return
    books = listed(dict.fromkeys(repr(one.book) for one in result.elsewhere), _SHOWN_MISSING)
    rows = rows_named(dict.fromkeys(one.row for one in result.elsewhere), _SHOWN_MISSING)
    click.echo(
        f"Cards that are also in another book ({books}), so that their holders are told twice: "
        f"{rows}."
    )


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
