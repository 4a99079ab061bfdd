"""`vigencia demo`: a sample card book and 45 days, in under a minute."""

import shlex
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from worker.cli.output import as_json_option, print_json, print_table

# The day the sample books were written for; their dates move to the day the demo runs.
_BOOK_DAY = date(2026, 6, 5)
_DAYS = 45


@click.command()
@click.option("--days", type=click.IntRange(1, 365), default=_DAYS, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True, help="Which calls fail.")
@click.option(
    "--file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Another card book (default: the Chinese sample).",
)
@click.option("--dir", "directory", type=click.Path(path_type=Path, file_okay=False),
              help="Keep the demo's database and queue in this new directory.")  # fmt: skip
@click.option("--redis-url", help="Use this queue server instead of an embedded one.")
@as_json_option
def demo(
    days: int,
    seed: int,
    file: Path | None,
    directory: Path | None,
    redis_url: str | None,
    as_json: bool,
) -> None:
    """Watch 45 days of reminders for a sample card book.

    A spreadsheet of 300 cards goes in; the real scheduler, queue, worker processes and provider
    SDKs run 45 days in under a minute against a sandbox that fails a tenth of the calls. At the
    end the sandbox's own record is compared with the ledger: nothing may be lost or doubled.
    """
    from worker.log import configure

    configure("CRITICAL", "auto")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="vigencia-demo-") as scratch:
        told = _run(directory or Path(scratch), days, seed, file or _sample(), redis_url, as_json)
    days_table = told.pop("by_day")
    told["seconds"] = round(time.monotonic() - started, 1)
    if as_json:
        print_json(told)
    else:
        _tell(told, days_table)
    sys.exit(1 if told["lost"] or told["duplicates"] else 0)


def _sample() -> Path:
    from worker.paths import shipped

    return shipped("examples") / "cardbook-zh.xlsx"


def _run(
    directory: Path, days: int, seed: int, file: Path, redis_url: str | None, quiet: bool
) -> dict[str, Any]:
    from worker.demo.audit import audit
    from worker.demo.play import play
    from worker.demo.stage import stage
    from worker.demo.summary import by_day, samples, totals
    from worker.store.engine import reading

    today = datetime.now(UTC).date()
    start = datetime(today.year, today.month, today.day, 13, tzinfo=UTC)  # 08:00 in Lima
    end = start + timedelta(days=days)
    with stage(directory, start, seed, redis_url) as here:
        _import(here.app, file, today - _BOOK_DAY, start)
        bar = click.progressbar(
            length=days, label=f"{days} days", file=sys.stderr, hidden=quiet or not _terminal()
        )
        with bar:
            shown = 0

            def progress(now: datetime) -> None:
                nonlocal shown
                gone = min((now - start).days, days)
                bar.update(gone - shown)
                shown = gone

            play(here, start, end, progress)
        result = audit(here.app, here.sandbox_url, start, end)
        with reading(here.app.engine) as conn:
            told = totals(conn) | {"lost": result.lost, "duplicates": result.duplicates}
            told |= {"samples": samples(conn, here.app.rules.routes), "by_day": by_day(conn)}
    return {"cards": told.pop("cards"), "days": days, **told}


def _import(app: Any, file: Path, shift: timedelta, now: datetime) -> None:
    """The same import as `vigencia cards import --apply`, with the dates moved to today."""
    from worker.cardbook.importer import import_book
    from worker.cardbook.parse import ReadOptions, read_cardbook
    from worker.errors import CardBookError
    from worker.paths import config_dir
    from worker.rules import load_vocabulary

    def moved(day: date | None) -> date | None:
        return None if day is None else day + shift

    book = read_cardbook(file, ReadOptions(), load_vocabulary(config_dir(), app.rules))
    rows = tuple(
        replace(row, plan_end=moved(row.plan_end), last_topup=moved(row.last_topup))
        for row in book.rows
    )
    own = app.settings.book
    wanted = {
        "signature": own.signature,
        "language": own.language,
        "time_zone": own.time_zone,
        "guardian_email": "guardian@example.com",
    }
    moved_book = replace(book, rows=rows)
    result = import_book(app.engine, moved_book, "demo", wanted, now, rules=app.rules, apply=True)
    if result.refused:
        # All rows are written or none: there is nothing to play.
        first = book.errors[0]
        where = f"row {first.row}" + (f", column {first.column}" if first.column else "")
        raise CardBookError(
            f"{result.refused} of {book.total} rows were refused, so the demo has no cards; "
            f"{where}: {first.message}",
            f"see every reason: vigencia cards import {shlex.quote(str(file))} --book demo "
            "--new-book",
        )


def _terminal() -> bool:
    return sys.stderr.isatty()


def _tell(told: dict[str, Any], days: Any) -> None:
    print_table(
        ("day", "SMS", "email", "calls that failed first"),
        [(d.day, d.sms, d.email, d.troubled or "") for d in days],
    )
    click.echo()
    for sample in told["samples"]:
        if sample["channel"] == "sms":
            click.echo(f"{sample['language']:8} {sample['text']}")
        else:
            click.echo(f"{'':8} {sample['subject']}")
    ended = told["reminders"]
    click.echo(
        f"\n{told['cards']} cards, {told['days']} days: {told['messages']} messages, "
        f"{told['attempts']} attempts, {told['retries']} of them retries."
    )
    click.echo("Reminders: " + ", ".join(f"{n} {state}" for state, n in ended.items() if n) + ".")
    good = not told["lost"] and not told["duplicates"]
    click.secho(
        f"Lost: {told['lost']}. Duplicates: {told['duplicates']}. ({told['seconds']} s)",
        fg="green" if good else "red",
        bold=True,
    )
