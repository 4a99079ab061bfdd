"""`vigencia saves`: cards that were renewed after a notice had arrived."""

from datetime import date, datetime, timedelta

import click

from worker.cli.output import as_json_option, print_json, print_table
from worker.cli.period import DayOrInstant, book_called, period
from worker.setup.app import build_ready
from worker.store import saves as store
from worker.store.engine import reading

_USUAL = timedelta(days=30)


@click.command()
@click.option("--from", "since", type=DayOrInstant(), help="From here on (default: 30 days ago).")
@click.option("--to", "until", type=DayOrInstant(), help="Up to here (default: now).")
@click.option("--book", help="Only this card book.")
@as_json_option
def saves(
    since: date | datetime | None, until: date | datetime | None, book: str | None, as_json: bool
) -> None:
    """Count the cards that were renewed after a notice had arrived, and before its deadline.

    Counted is what came after what, by the last notice in the 60 days before: some would have been
    renewed without any. What turned out to have had no effect is left out.
    """
    app = build_ready()
    begin, end = period(app, since, until, app.now(), _USUAL)
    book_id = book_called(app, book)
    with reading(app.engine) as conn:
        rows = [dict(row._mapping) for row in store.counted(conn, begin, end, book_id)]
    total = sum(row["renewed_after"] for row in rows)
    if as_json:
        told = {"from": begin, "to": end, "book": book, "renewed_after": total}
        print_json({**told, "by": rows})
        return
    cards = "1 card was" if total == 1 else f"{total} cards were"
    click.echo(f"{cards} renewed after a notice had arrived, before its deadline.")
    if rows:
        print_table(
            ("window", "channel", "language", "renewed after"),
            [(r["window"], r["channel"], r["language"], r["renewed_after"]) for r in rows],
        )
