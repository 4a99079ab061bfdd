"""`vigencia console`: a way in for whoever may read the database anyway."""

import click

from worker.cli.output import as_json_option, print_json
from worker.core.hosts import leads_here
from worker.errors import UnreachableError, VigenciaError
from worker.pipeline.accounts.accounts import LINK_LIFE
from worker.setup.app import App
from worker.setup.build import build_ready
from worker.setup.listening import address_at
from worker.store.accounts.users import User


@click.group()
def console() -> None:
    """Open the console, where cards and messages are looked at in a browser."""


@console.command()
@click.option("--user", help="Whom it signs in (default: the first admin of all books).")
@as_json_option
def link(user: str | None, as_json: bool) -> None:
    """Print a link that opens the console signed in: once, within 15 minutes.

    Where nobody has an account yet, an administrator named admin is made, without a password.
    """
    app = build_ready()
    who = app.people.first(app.now()) if user is None else app.people.named(user)
    if who.disabled:
        raise VigenciaError(
            f"{who.name} may not sign in.", f"Run: vigencia users disable {who.name} --enable"
        )
    url = link_for(app, who)
    if as_json:
        print_json({"user": who.name, "link": url, "seconds": int(LINK_LIFE.total_seconds())})
        return
    click.echo(url)
    click.echo(f"Signs {who.name} in: once, within 15 minutes. `vigencia web` must run.", err=True)


def own_link(app: App, url: str) -> str | None:
    """A link for the first administrator, for whoever started the program on this machine; none
    where others reach the console too, since what is printed may end in their logs."""
    public = app.settings.web.public_url
    if not leads_here(url) or (public is not None and not leads_here(public)):
        return None
    try:
        return link_for(app, app.people.first(app.now()), url)
    except UnreachableError:
        raise
    except VigenciaError:  # there are users, and none of them may do everything
        return None


def link_for(app: App, user: User, url: str | None = None) -> str:
    """The address of a new link for ``user``, at ``url`` or where the web process answers."""
    own = app.settings
    port = own.web.port if own.port is None else own.port
    base = url or own.web.public_url or address_at(own.web.host, port)
    return f"{base.rstrip('/')}/sign-in/{app.accounts.link(user, app.now())}"
