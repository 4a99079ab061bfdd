"""`vigencia saves`: cards that were renewed after a notice had arrived."""

from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

import click
from sqlalchemy import Connection

from worker.cli.output import as_json_option, print_json, print_table
from worker.cli.period import DayOrInstant, book_called, period
from worker.core.holdout import WINDOW, compare
from worker.setup.app import App
from worker.setup.build import build_ready
from worker.store import saves as store
from worker.store.books import find
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
    renewed without any. What turned out to have had no effect is left out. Where early notices are
    held back from a share of holders (`[holdout]`), the two groups stand beside each other.
    """
    app = build_ready()
    begin, end = period(app, since, until, app.now(), _USUAL)
    book_id = book_called(app, book)
    with reading(app.engine) as conn:
        rows = [dict(row._mapping) for row in store.counted(conn, begin, end, book_id)]
        held = _compared(conn, app, begin, end, book_id)
    total = sum(row["renewed_after"] for row in rows)
    if as_json:
        told = {"from": begin, "to": end, "book": book, "renewed_after": total}
        print_json({**told, "by": rows, "hold_out": held})
        return
    cards = "1 card was" if total == 1 else f"{total} cards were"
    click.echo(f"{cards} renewed after a notice had arrived, before its deadline.")
    if rows:
        print_table(
            ("window", "channel", "language", "renewed after"),
            [(r["window"], r["channel"], r["language"], r["renewed_after"]) for r in rows],
        )
    for group, words in (("told", "were told"), ("held_out", "were not told")) if held else ():
        click.echo(f"Of holders who {words} a week before: {_share(held[group])}")


def _compared(
    conn: Connection, app: App, begin: datetime, end: datetime, book_id: int | None
) -> dict[str, Any]:
    """The two groups of the book in which it is tried whether early notices help."""
    name = app.settings.holdout.book
    tried = find(conn, name) if name else None
    if tried is None or book_id not in (None, tried):
        return {}
    told, held_out = compare(store.tried(conn, tried, begin, end), app.now())
    return {"book": name, "window": WINDOW, "told": asdict(told), "held_out": asdict(held_out)}


def _share(arm: dict[str, Any]) -> str:
    if arm["between"] is None:
        return "no plan has ended yet."
    low, high = arm["between"]
    plans = f"{arm['renewed']} of {arm['plans']} plans renewed in time"
    return f"{plans} (with 95 % of confidence {low:.1%} to {high:.1%})."
