"""`vigencia db`: prepare the database."""

import click

from worker.app import build
from worker.cli.output import as_json_option, print_json
from worker.store.migrate import upgrade as migrate


@click.group()
def db() -> None:
    """Prepare the database."""


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
