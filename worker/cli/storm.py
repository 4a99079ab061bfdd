"""`vigencia storm`: the promise under faults."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from worker.cli.output import as_json_option, print_json, print_table

_ROWS = ("due", "accepted", "lost", "duplicates", "sent_after_renewal", "sent_after_opt_out",
         "still_open", "unexplained", "kills", "faults", "late_p99_s")  # fmt: skip


@click.command()
@click.option("--database", type=click.Choice(["sqlite", "postgresql", "both"]), default="both",
              show_default=True, help="What the ledger is kept in.")  # fmt: skip
@click.option("--seconds", type=click.FloatRange(10, 1800), default=130.0, show_default=True,
              help="Real time in which a day is played.")  # fmt: skip
@click.option("--cards", type=click.IntRange(10, 100_000), default=1500, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Repeats a storm.")
@click.option("--dir", "directory", type=click.Path(path_type=Path, file_okay=False),
              help="Keep databases and logs here.")  # fmt: skip
@as_json_option
def storm(
    database: str, seconds: float, cards: int, seed: int, directory: Path | None, as_json: bool
) -> None:
    """Play a day of reminders while everything is killed, cut, delayed and refused.

    Brings its own database, queue and sandbox; nothing configured is used, and nothing leaves this
    machine. Afterwards what the sandbox received is compared with the ledger. Exit code 1 if a
    notice was lost, came twice, came after a renewal or an opt-out, or is unexplained.
    """
    from worker.log import configure
    from worker.storm.play import storm as play

    configure("CRITICAL", "auto")
    wanted = ["sqlite", "postgresql"] if database == "both" else [database]
    outcomes = []
    for name in wanted:
        kept = directory / name if directory else Path(tempfile.mkdtemp(prefix="vigencia-storm-"))
        try:
            with _bar(f"{name:10} seed {seed}", as_json) as progress:
                outcomes.append(play(kept, name, seed, seconds, cards, progress))
        finally:
            if directory is None:
                shutil.rmtree(kept, ignore_errors=True)
    documents = [outcome.as_json() for outcome in outcomes]
    held = all(outcome.held for outcome in outcomes)
    if as_json:
        print_json(documents if database == "both" else documents[0])
    else:
        print_table(("", *wanted), [(row, *(d[row] for d in documents)) for row in _ROWS])
        told = "Every notice owed was sent once, or its absence is explained."
        click.secho(told if held else "The promise was not kept: see above.",
                    fg="green" if held else "red", bold=True)  # fmt: skip
    sys.exit(0 if held else 1)


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
