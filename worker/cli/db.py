"""`vigencia db`: prepare the database, back it up, and start again from a backup."""

import asyncio
from datetime import datetime
from pathlib import Path

import click

from worker.cli.output import InstantParam, as_json_option, print_json
from worker.setup.app import App
from worker.setup.build import build, build_ready
from worker.store import cards as card_store
from worker.store import quarantine as quarantine_store
from worker.store.backup import back_up
from worker.store.engine import writing
from worker.store.migrate import upgrade as migrate

_now_option = click.option("--now", type=InstantParam(), help="As of this instant (default: now).")


@click.group()
def db() -> None:
    """Prepare the database, back it up, and start again from a backup."""


@db.command()
@as_json_option
def upgrade(as_json: bool) -> None:
    """Create or update the tables; does nothing if they are up to date.

    Run it once before the first start on PostgreSQL and after every update. A new SQLite file is
    prepared by itself.
    """
    app = build()
    before, after = migrate(app.engine)
    if as_json:
        print_json({"before": before, "after": after})
    elif before == after:
        click.echo(f"The database is up to date (revision {after}).")
    else:
        click.echo(f"The database is now at revision {after}.")


@db.command()
@click.argument("copy", type=click.Path(dir_okay=False, path_type=Path))
@as_json_option
def backup(copy: Path, as_json: bool) -> None:
    """Copy an SQLite database into the new file COPY, while everything runs.

    Keep the time that it tells: `vigencia db quarantine` asks for it after the copy was restored.
    PostgreSQL has pg_dump and continuous archiving.
    """
    app = build_ready()
    since = app.now()  # before the copy: what is sent meanwhile may not be in it
    back_up(app.engine, copy)
    if as_json:
        print_json({"copy": str(copy), "since": since})
    else:
        click.echo(f"Copied to {copy}. After restoring it: db quarantine --since {since:%FT%TZ}")


@db.command()
@click.option("--since", type=InstantParam(), required=True, help="When the backup was made.")
@_now_option
@as_json_option
def quarantine(since: datetime, now: datetime | None, as_json: bool) -> None:
    """Send nothing until `vigencia db release`: after a backup was restored, before the start.

    A restored database does not know what was sent since its backup was made, nor who has said
    STOP since.
    """
    app = build_ready()
    with writing(app.engine) as conn:
        kept_free = quarantine_store.begin(conn, since, now or app.now())
    if as_json:
        print_json({"since": since, "links_hold": kept_free})
        return
    click.echo("Nothing is sent from now on. Next: vigencia db release")
    if not kept_free:
        click.echo(
            "This backup knows no message yet. Set a new SECRET_KEY before the start: links in "
            "what was sent since would act for others."
        )


@db.command()
@_now_option
@as_json_option
def release(now: datetime | None, as_json: bool) -> None:
    """Ask what was sent and said since the backup, write it down, and send again.

    SMS that are in their provider's list count as sent; STOP and START that are in it are heard.
    Of emails there is no list: with unknown.email = "resend_once" those due since are sent, perhaps
    a second time; with "hold" they are missed. Exit code 1 if a provider cannot tell now: then
    nothing has changed.
    """
    app = build_ready()
    counts = asyncio.run(_release(app, now or app.now()))
    if as_json:
        print_json(counts)
        return
    told = ", ".join(f"{count} {what}" for what, count in counts.items()) or "nothing waited"
    click.echo(f"The quarantine is over: {told}.")


async def _release(app: App, now: datetime) -> dict[str, int]:
    await asyncio.to_thread(_check_all, app, now)
    try:
        return dict(await app.release.run(now))
    finally:
        await app.close()


def _check_all(app: App, now: datetime) -> None:
    """What the backup does not know yet must be owed before it can be found to have been sent."""
    while True:
        with writing(app.engine) as conn:
            due = card_store.claim_due(conn, now, 500, app.unchecked)
        if not due:
            return
        app.checks.run([one.card for one in due], now)
