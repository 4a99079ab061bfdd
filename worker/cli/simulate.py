"""`vigencia simulate`: what will be told on which day, with no message sent."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from worker.cli.output import DayParam, as_json_option, print_table
from worker.cli.simulated import Listing
from worker.core.cards import CARD_TIME_ZONE
from worker.core.hours import local_day

_KEYS = {"sms": "SMS", "email": "emails", "guardian": "alerts"}


@click.command()
@click.option("--from", "first", type=DayParam(), help="The first day, in Lima.")
@click.option("--to", "last", type=DayParam(), help="The last day, in Lima.")
@click.option("--this-week", is_flag=True, help="Today and the six days after it.")
@click.option("--book", help="Only this card book.")
@click.option(
    "--policy",
    "policies",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Use this file in place of policies.toml; give two to compare them.",
)
@click.option(
    "--limit",
    type=click.IntRange(0),
    help="List at most this many notices (default: 100, all with --json).",
)
@as_json_option
def simulate(
    first: date | None,
    last: date | None,
    this_week: bool,
    book: str | None,
    policies: tuple[Path, ...],
    limit: int | None,
    as_json: bool,
) -> None:
    """Replay the days on the cards as they are, sending and changing nothing.

    Tells who is told what on which day, the totals by day and channel with what they cost, the
    peak and the SMS segments; a message that carries several notices is told once for each. What
    the ledger has ended is not told again; what waits in it is. Days to come are reached from now,
    days that are over are replayed from their first midnight, as if every card had been known by
    then. With two policies it tells the difference.
    """
    if len(policies) > 2:
        raise click.UsageError("--policy can be given once or twice")
    from worker.paths import config_dir
    from worker.setup.build import build_ready
    from worker.setup.log import configure
    from worker.simulation.collect import Paper, collect
    from worker.simulation.period import Period
    from worker.simulation.prepare import prepare
    from worker.simulation.processes import run

    app = build_ready()
    configure(app.settings.log_level, app.settings.log_format)
    first, last = _days(first, last, this_week, app.now())
    period = Period.of(first, last, app.now())
    most = 100 if limit is None else limit
    names = not as_json and len(policies) < 2 and most > 0
    plan, spans = prepare(app, period, book, policies, listed=as_json or names)
    app.engine.dispose()
    heads = [
        {"from": str(first), "to": str(last), "book": book, "policy": str(path)}
        for path in policies or (config_dir() / "policies.toml",)
    ]
    listing = Listing(most)
    results = _shown(run(plan, spans), sum(span.cards for span in spans))
    if names:
        results = listing.reading(results)
    paper = Paper(sys.stdout, limit) if as_json else None
    found = collect(results, heads, period, plan.prices, paper)
    if not as_json:
        if names:
            listing.tell()
        _tell(heads, found.totals, found.different)


def _days(first: date | None, last: date | None, week: bool, now: datetime) -> tuple[date, date]:
    """The days that were asked for."""
    if week and (first or last):
        raise click.UsageError("--this-week names the days already: leave out --from and --to")
    if week:
        today = local_day(now, CARD_TIME_ZONE)
        return today, today + timedelta(days=6)
    if first is None or last is None:
        raise click.UsageError("Name the days: --this-week, or --from and --to.")
    return first, last


def _shown(results: Iterable[tuple[Any, Any]], cards: int) -> Iterator[Any]:
    """The results, with a progress bar on a terminal."""
    with click.progressbar(
        length=cards, label="Simulating", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        for span, sides in results:
            bar.update(span.cards)
            yield sides


def _tell(
    heads: Sequence[dict[str, Any]], totals: Sequence[dict[str, Any]], different: Sequence[int]
) -> None:
    two = len(totals) == 2
    names = ("A", "B") if two else ("",)
    header = ["day", *(f"{word} {name}".strip() for word in _KEYS.values() for name in names)]
    header += [f"cost {name}".strip() for name in names]
    rows = []
    for lines in zip(*(one["by_day"] for one in totals), strict=True):
        counts = [line[key] for key in _KEYS for line in lines]
        if any(counts):
            costs = [_sums(line["cost"]) for line in lines]
            rows.append([lines[0]["day"], *(count or "" for count in counts), *costs])
    print_table(header, rows)
    for name, head, one in zip(names, heads, totals, strict=True):
        click.echo(f"\n{name}: {head['policy']}" if two else "")
        _tell_totals(one)
    if two:
        click.secho(
            f"\nNotices only in A: {different[0]}; only in B: {different[1]}."
            + (" Both are the same." if not any(different) else " --json lists them."),
            bold=True,
        )


def _tell_totals(one: dict[str, Any]) -> None:
    channels = one["by_channel"]
    click.echo(
        f"{one['cards']} cards: "
        + ", ".join(f"{channels[key]['messages']} {word}" for key, word in _KEYS.items())
        + f" to guardians, for {sum(channels[key]['notices'] for key in _KEYS)} notices; "
        f"{one['segments']} segments."
    )
    ended = [f"{n} {outcome}" for outcome, n in one["by_outcome"].items() if n]
    click.echo(f"Notices: {', '.join(ended) or 'none'}.")
    if peak := one["peak_day"]:
        click.echo(f"Peak: {peak['day']} with {peak['messages']} messages.")
    if one["cost"] is None:
        click.echo(f"Cost: unknown, {one['cost_note']}.")
    else:
        click.echo(f"Cost: {_sums(one['cost']) or 'nothing'}.")
    if one["unchecked_cards"]:
        click.secho(f"{one['unchecked_cards']} cards could not be checked.", fg="red")


def _sums(cost: dict[str, str] | None) -> str:
    if cost is None:
        return "?"
    return ", ".join(f"{amount} {currency}" for currency, amount in cost.items())
