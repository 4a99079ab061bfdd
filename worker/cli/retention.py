"""`vigencia retention`: erase what is older than it may be kept."""

import sys
import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime

import click

from worker.cli.output import InstantParam, as_json_option, print_json, print_table
from worker.pipeline.retention import STEPS
from worker.setup.app import App
from worker.setup.build import build_ready

_WHAT: Mapping[str, str] = {
    "contents": "texts of messages emptied",
    "addresses": "addresses of attempts emptied",
    "proofs": "messages deleted, with reminders, attempts, receipts (rows)",
    "unsent": "reminders without a message deleted",
    "receipts": "receipts that nobody claimed deleted",
    "events": "events of cards deleted",
    "inbound": "messages of holders emptied or deleted",
    "usage": "daily counts of books deleted",
    "saves": "counted renewals deleted",
    "undoable": "values of events emptied that can no longer be undone",
    "digests": "marks of past hours deleted",
    "sessions": "sessions and sign-in links of the console deleted",
    "audit": "rows of what people did deleted",
    "jobs": "jobs deleted, with their files",
}

_EMPTIED = ("contents", "addresses")


@click.group()
def retention() -> None:
    """Erase what is older than it may be kept."""


@retention.command()
@click.option("--now", type=InstantParam(), help="As of this instant, not later than now.")
@click.option("--dry-run", is_flag=True, help="Count what would go; --now may be in the future.")
@as_json_option
def run(now: datetime | None, dry_run: bool, as_json: bool) -> None:
    """Erase all that is older than [retention] of the settings allows.

    First the texts of messages that ended, later the addresses they went to, in the end the notice
    as a whole. The proof that something was sent (when, to which provider, its id, a digest of the
    text) stays until then. The scheduler does the same, a little every hour; this does it now, and
    may run beside it. What was erased cannot be brought back, except from a backup.
    """
    app = build_ready()
    if now and now > app.now() and not dry_run:
        raise click.BadParameter(
            "what is not old yet is not erased; add --dry-run to count it", param_hint="--now"
        )
    now = now or app.now()
    if dry_run:
        _count(app, now, as_json)
        return
    began = time.monotonic()
    done = _erase(app, now, quiet=as_json or not sys.stderr.isatty())
    seconds = round(time.monotonic() - began, 3)
    if as_json:
        print_json({"now": now, **{name: done[name] for name in STEPS}, "seconds": seconds})
        return
    print_table(("rows", ""), [(done[name], _WHAT[name]) for name in STEPS])


def _erase(app: App, now: datetime, *, quiet: bool) -> Counter[str]:
    done: Counter[str] = Counter()
    with click.progressbar(length=len(STEPS), file=sys.stderr, hidden=quiet) as bar:
        before = None
        for name, rows in app.retention.batches(now):
            done[name] += rows
            bar.label = f"{name:9} {done[name]:>9}"
            bar.update(int(before is not None and name != before))
            before = name
        bar.update(1)
    return done


def _count(app: App, now: datetime, as_json: bool) -> None:
    found = app.retention.waiting(now)
    if as_json:
        print_json({"now": now, "dry_run": True, **found})
        return
    print_table(
        ("rows", f"as of {now:%Y-%m-%d %H:%MZ}"),
        [
            (number, f"{name} to be {'emptied' if name in _EMPTIED else 'deleted'}")
            for name, number in found.items()
        ],
    )
    click.echo("Nothing was changed.")
