"""`vigencia bench`: our line beside others, with ratios instead of promises."""

import sys
from dataclasses import replace
from typing import Any

import click

from worker.cli.output import as_json_option, print_json, print_table
from worker.cli.source_tree import require_source_tree

_COLUMNS = ("design", "database", "due", "in_flight", "latency_ms", "seconds", "per_second",
            "cpu_us_per_send", "rss_mb", "lost", "duplicates")  # fmt: skip


@click.command()
@click.option("--quick", is_flag=True, help="A smoke run of less than a minute.")
@click.option("--cards", type=click.IntRange(1_000), help="Cards stored (default 100,000).")
@as_json_option
def bench(quick: bool, cards: int | None, as_json: bool) -> None:
    """Measure from the tick to the last accepted send, side by side with other designs.

    Brings its own PostgreSQL, Valkey and provider stub, all on this machine. Absolute figures move
    with the machine: compare the ratios. Exit code 1 if any of our runs lost or doubled a send.
    """
    require_source_tree("bench")
    from benchmarks.throughput.run import Bench

    wanted = Bench()
    if quick:
        wanted = Bench(
            cards=20_000,
            due=1_000,
            due_wide=0,
            rounds=1,
            baselines=("a3",),
            refused=("postgresql",),
        )
    if cards:
        wanted = replace(wanted, cards=cards)

    def progress(told: str) -> None:
        click.echo(told, err=True)

    told = wanted.run(progress)
    if as_json:
        print_json(told)
    else:
        _tell(told)
    ours = [one for one in told["measured"] if one["design"] == "ours"]
    sys.exit(1 if any(one["lost"] or one["duplicates"] for one in ours) else 0)


def _tell(told: dict[str, Any]) -> None:
    print_table(_COLUMNS, [[one[name] for name in _COLUMNS] for one in told["measured"]])
    click.echo()
    print_table(("ratio", ""), list(told["ratios"].items()))
    click.echo()
    for name in ("checks_per_second", "idle_tick_ms"):
        found = ", ".join(f"{database} {value}" for database, value in told[name].items())
        click.echo(f"{name.replace('_', ' ')}: {found}")
