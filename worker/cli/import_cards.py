"""`vigencia cards import`: a card book goes in, or every reason why not comes out."""

import sys
from pathlib import Path
from typing import Any

import click

from worker.app import build_ready
from worker.cardbook.importer import Result, import_book
from worker.cardbook.options import ReadOptions
from worker.cardbook.parse import read_cardbook
from worker.cardbook.rows import Problem
from worker.cli.output import LANGUAGES, as_json_option, print_json
from worker.paths import config_dir
from worker.rules import load_vocabulary
from worker.settings import Settings

_SHOWN_PROBLEMS = 50


@click.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--book", required=True, help="The card book this file belongs to.")
@click.option("--apply", "apply_", is_flag=True, help="Write. Without it nothing is changed.")
@click.option("--signature", help="How the book's messages are signed (kept with the book).")
@click.option("--language", type=click.Choice(LANGUAGES), help="The book's default language.")
@click.option("--time-zone", help="The book's default time zone, such as America/Lima.")
@click.option("--guardian-email", help="Who keeps the book: told of holders out of reach.")
@click.option("--encoding", help="Encoding of a text file, if it cannot be told.")
@click.option("--date-order", type=click.Choice(["dmy", "mdy"]), help="How 05/06/2026 is read.")
@click.option("--card-column", type=click.Choice(["msisdn", "iccid", "imsi"]),
              help="What a column called 卡号 holds.")  # fmt: skip
@click.option("--excel-dates", type=click.Choice(["1900", "1904"]), help="Epoch of bare serials.")
@click.option("--contact-region", help="Country of contact phones without +, such as PE or CN.")
@click.option("--sheet", help="The sheet of a workbook.")
@as_json_option
def import_(file: Path, book: str, apply_: bool, as_json: bool, **options: Any) -> None:
    """Read a card book FILE (xlsx, xls, ods, csv, tsv) and upsert its cards.

    Without --apply this is a dry run. Every problem is told at once, with its row and column; if
    there is one, nothing is written and the exit code is 1.
    """
    app = build_ready()
    wanted = _book_values(app.settings, options)
    epoch = options.pop("excel_dates")
    read = ReadOptions(**options, excel_dates=int(epoch) if epoch else None)  # type: ignore[arg-type]
    parsed = read_cardbook(file, read, load_vocabulary(config_dir(), app.rules))
    result = import_book(app.engine, parsed, book, wanted, app.now(), apply=apply_)
    if as_json:
        print_json(_import_json(result))
    else:
        _tell(result, apply_, book)
    sys.exit(1 if result.refused else 0)


def _book_values(settings: Settings, options: dict[str, Any]) -> dict[str, Any]:
    """The defaults for a new book, and what the command line sets for any."""
    own = settings.book
    return {
        "signature": own.signature,
        "language": own.language,
        "time_zone": own.time_zone,
        "set_signature": options.pop("signature"),
        "set_language": options.pop("language"),
        "set_time_zone": _zone(options.pop("time_zone")),
        "set_guardian_email": _email(options.pop("guardian_email")),
    }


def _email(address: str | None) -> str | None:
    from worker.cardbook.values import ValueProblem, parse_email

    try:
        return parse_email(address) if address else None
    except ValueProblem as problem:
        raise click.BadParameter(problem.message, param_hint="--guardian-email") from None


def _zone(name: str | None) -> str | None:
    from zoneinfo import available_timezones

    if name and name not in available_timezones():
        raise click.BadParameter(f"{name} is not a time zone", param_hint="--time-zone")
    return name


def _import_json(result: Result) -> dict[str, Any]:
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
        "warnings": [_problem_json(p) for p in book.warnings],
        "errors": [_problem_json(p) for p in book.errors],
    }


def _problem_json(problem: Problem) -> dict[str, Any]:
    names = ("row", "column", "code", "message", "hint")
    return {name: getattr(problem, name) for name in names}


def _tell(result: Result, apply_: bool, book: str) -> None:
    for kind, problems in (("warning", result.book.warnings), ("error", result.book.errors)):
        for p in problems[:_SHOWN_PROBLEMS]:
            where = f"row {p.row}, {p.column}" if p.row else p.column or "file"
            click.echo(f"{kind}: {where}: {p.message}; {p.hint}", err=True)
        if len(problems) > _SHOWN_PROBLEMS:
            more = len(problems) - _SHOWN_PROBLEMS
            click.echo(f"… and {more} more {kind}s; --json lists all.", err=True)
    verb = "" if result.applied else "would be "
    click.echo(
        f"{result.book.total} rows: {result.created} {verb}created, "
        f"{result.changed} {verb}changed, {result.unchanged} unchanged, {result.refused} refused."
    )
    if result.refused:
        click.echo("Nothing was written. Correct the rows above and import the file again.")
    elif apply_:
        click.echo(f"Written to the book {book!r}. Next: vigencia up")
    else:
        click.echo("Nothing was written: this was a dry run. Add --apply to write.")
