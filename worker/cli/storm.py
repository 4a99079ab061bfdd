"""`vigencia storm`: the promise under faults."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from benchmarks.storm.play import StormResult

from worker.cli.output import as_json_option, print_json, print_table
from worker.cli.source_tree import require_source_tree

_ROWS = ("due", "accepted", "lost", "duplicates", "sent_after_renewal", "sent_after_opt_out",
         "still_open", "unexplained", "kills", "faults", "late_p99_s")  # fmt: skip


@click.command()
@click.option("--database", type=click.Choice(["sqlite", "postgresql", "both"]), default="both",
              show_default=True, help="What the ledger is kept in.")  # fmt: skip
@click.option("--seconds", type=click.FloatRange(10, 1800), default=130.0, show_default=True,
              help="Real time in which a day is played; more on a slow machine.")  # fmt: skip
@click.option("--cards", type=click.IntRange(1, 100_000), default=1500, show_default=True,
              help="In the large book; beside it are books of 1, 3 and 20.")  # fmt: skip
@click.option("--due", type=click.IntRange(1), default=1000, show_default=True,
              help="Play until so many notices have fallen due,")  # fmt: skip
@click.option("--kills", type=click.IntRange(0), default=100, show_default=True,
              help="so many processes were killed,")  # fmt: skip
@click.option("--faults", type=click.IntRange(0), default=100, show_default=True,
              help="and so many answers of the providers were spoiled.")  # fmt: skip
@click.option("--limit", type=click.FloatRange(1), default=3600.0, show_default=True,
              help="Give up after so many seconds: then it proves nothing.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Repeats a storm.")
@click.option("--dir", "directory", type=click.Path(path_type=Path, file_okay=False),
              help="Keep databases and logs here.")  # fmt: skip
@as_json_option
def storm(
    database: str,
    seconds: float,
    cards: int,
    due: int,
    kills: int,
    faults: int,
    limit: float,
    seed: int,
    directory: Path | None,
    as_json: bool,
) -> None:
    """Play reminders while everything is killed, frozen, cut, delayed and refused.

    Brings its own database, queue and sandbox; nothing configured is used, and nothing leaves this
    machine. It plays until enough has happened; afterwards what the sandbox received is compared
    with the ledger. Exit code 1 if a notice was lost, came twice, came after a renewal or an
    opt-out, or is unexplained, and also if not enough has happened to say so.
    """
    require_source_tree("storm")
    from benchmarks.storm.enough import Enough
    from benchmarks.storm.play import storm as play
    from worker.setup.log import configure

    configure("CRITICAL", "auto")
    enough = Enough(due, kills, faults, limit)
    wanted = ["sqlite", "postgresql"] if database == "both" else [database]
    outcomes = []
    for name in wanted:
        kept = directory / name if directory else Path(tempfile.mkdtemp(prefix="vigencia-storm-"))
        try:
            with _bar(f"{name:10} seed {seed}", as_json) as progress:
                outcomes.append(play(kept, name, seed, seconds, cards, enough, progress))
        finally:
            if directory is None:
                shutil.rmtree(kept, ignore_errors=True)
    documents = [outcome.as_json() for outcome in outcomes]
    held = all(outcome.held for outcome in outcomes)
    if as_json:
        print_json(documents if database == "both" else documents[0])
    else:
        print_table(("", *wanted), [(row, *(d[row] for d in documents)) for row in _ROWS])
        for outcome in outcomes:
            _tell(outcome)
    sys.exit(0 if held else 1)


def _tell(outcome: "StormResult") -> None:
    """What the figures of one database mean."""
    if not outcome.kept:
        told = "the promise was not kept: see above."
    elif outcome.missing:
        told = f"not enough has happened, so nothing is proven: {', '.join(outcome.missing)}."
    else:
        told = "every notice owed was sent once, or its absence is explained."
    color = "green" if outcome.held else "red"
    click.secho(f"{outcome.database}: {told}", fg=color, bold=True)


class _bar:  # noqa: N801 - used like a function
    """A progress bar on a terminal; nothing elsewhere."""

    def __init__(self, label: str, as_json: bool) -> None:
        hidden = as_json or not sys.stderr.isatty()
        self._bar = click.progressbar(length=1000, label=label, file=sys.stderr, hidden=hidden)

    def __enter__(self) -> Any:
        self._bar.__enter__()
        return self._progress

    def __exit__(self, *error: Any) -> None:
        self._bar.__exit__(*error)

    def _progress(self, phase: str, share: float) -> None:
        if phase == "storm":
            self._bar.update(int(min(share, 1.0) * 1000) - self._bar.pos)
