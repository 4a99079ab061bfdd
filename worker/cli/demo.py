"""`vigencia demo`: a sample card book and 45 days, in under a minute."""

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from worker.cli.demo_progress import Bar, DayTable
from worker.cli.output import as_json_option, print_json

if TYPE_CHECKING:
    from worker.demo.stage import Stage

_DAYS = 45


@click.command()
@click.option("--days", type=click.IntRange(1, 365), default=_DAYS, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True, help="Which calls fail.")
@click.option(
    "--file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Another card book, from today on (default: the Chinese sample, its dates moved to "
    "today).",
)
@click.option("--dir", "directory", type=click.Path(path_type=Path, file_okay=False),
              help="Keep the demo's database and queue in this new directory.")  # fmt: skip
@click.option(
    "--keep",
    is_flag=True,
    help="At the end leave all running, with a link to the console, until Ctrl-C.",
)
@click.option("--redis-url", help="Use this queue server instead of an embedded one.")
@as_json_option
def demo(
    days: int,
    seed: int,
    file: Path | None,
    directory: Path | None,
    redis_url: str | None,
    keep: bool,
    as_json: bool,
) -> None:
    """Watch 45 days of reminders for a sample card book.

    A spreadsheet of 300 cards goes in; the real scheduler, queue, worker processes and provider
    SDKs run 45 days in under a minute against a sandbox that fails a tenth of the calls. At the
    end the sandbox's own record is compared with the ledger: nothing may be lost or doubled.
    """
    started = time.monotonic()
    click.echo(f"Starting a sandbox, a queue and workers, for {days} days from today ...", err=True)
    from worker.processes.queue_faults import QueueFaults
    from worker.setup.log import configure

    configure("CRITICAL", "auto", filters=[QueueFaults()])
    with tempfile.TemporaryDirectory(prefix="vigencia-demo-") as scratch:

        def tell(told: dict[str, Any]) -> None:
            told["seconds"] = round(time.monotonic() - started, 1)
            if as_json:
                print_json(told)
                sys.stdout.flush()
            else:
                _tell(told)

        told = _run(
            directory or Path(scratch), days, seed, file, redis_url, as_json, tell, keep=keep
        )
    sys.exit(1 if told["lost"] or told["duplicates"] else 0)


def _run(
    directory: Path,
    days: int,
    seed: int,
    file: Path | None,
    redis_url: str | None,
    as_json: bool,
    tell: Callable[[dict[str, Any]], None],
    *,
    keep: bool,
) -> dict[str, Any]:
    from worker.cardbook.sample import sample_file
    from worker.demo.audit import audit
    from worker.demo.book import import_into, read_book
    from worker.demo.play import play
    from worker.demo.stage import stage
    from worker.demo.summary import samples, totals
    from worker.store.engine import reading

    today = datetime.now(UTC).date()
    start = datetime(today.year, today.month, today.day, 13, tzinfo=UTC)  # 08:00 in Lima
    end = start + timedelta(days=days)
    file = file or sample_file()
    book = read_book(file, today)
    with stage(directory, start, seed, redis_url) as here:
        import_into(here.app, book, file, start)
        with Bar(start, days) if as_json else DayTable(here.app.engine, start) as progress:
            play(here, start, end, progress.reached)
        result = audit(here.app, here.sandbox_url, start, end)
        with reading(here.app.engine) as conn:
            told = totals(conn) | {"lost": result.lost, "duplicates": result.duplicates}
            told |= {"samples": samples(conn, here.app.rules.routes)}
        told = {"cards": told.pop("cards"), "days": days, **told}
        tell(told)
        if keep:
            _keep(here)
    return told


def _keep(here: "Stage") -> None:
    """Let the console be looked at; the clock stands at the end of the last day."""
    from worker.cli.console import own_link
    from worker.cli.run import stop_on_signals
    from worker.processes.supervise import Web
    from worker.setup.listening import address_of, listen

    stopping = stop_on_signals()
    with listen("127.0.0.1", 0) as probe:
        url = address_of(probe)
    link = own_link(here.app, url)

    def opens() -> None:
        click.secho(f"The console, once: {link}\nCtrl-C ends it all.", bold=True, err=True)

    with Web(here.app, url, here.queue_url, opens):
        stopping.wait()


def _tell(told: dict[str, Any]) -> None:
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
