"""`vigencia users`: who may look at the console, and what each may do there."""

import sys
from typing import Any

import click

from worker.cli.console import link_for
from worker.cli.output import as_json_option, print_json, print_table
from worker.core.viewer import Role
from worker.pipeline.accounts.accounts import LINK_LIFE
from worker.pipeline.accounts.people import People
from worker.setup.build import build_ready
from worker.store.accounts.users import User

_ROLES = click.Choice([role.value for role in Role])
_book = click.option(
    "--book", "books", multiple=True, help="Only in this card book; may be given several times."
)


@click.group()
def users() -> None:
    """Say who may look at the console, and what each may do there.

    A viewer looks at cards, with numbers masked. An operator also records what happened, and
    decides about messages. An admin also does what cannot be undone.
    """


@users.command()
@click.argument("name")
@click.option("--role", type=_ROLES, required=True, help="What the user may do.")
@_book
@as_json_option
def add(name: str, role: str, books: tuple[str, ...], as_json: bool) -> None:
    """Make the user NAME, and print a link that signs in once, within 15 minutes.

    Without --book the role holds in every card book, those to come too.
    """
    app = build_ready()
    user = app.people.add(name, Role(role), books, app.now())
    link = link_for(app, user)
    if as_json:
        print_json({**_told(user, app.people), "link": link})
        return
    click.echo(f"Made {user.name}. This link signs in once, within {_MINUTES} minutes:\n{link}")
    click.echo(f"A password: vigencia users password {user.name}")


@users.command(name="list")
@as_json_option
def list_(as_json: bool) -> None:
    """List all users with what they may do."""
    app = build_ready()
    told = [
        {**_about(user), "books": {book: role.value for book, role in roles.items()}}
        for user, roles in app.people.everybody()
    ]
    if as_json:
        print_json(told)
        return
    print_table(
        ("name", "in all books", "in single books", "password", "may sign in"),
        [
            (
                t["name"],
                t["role"],
                ", ".join(f"{book}: {role}" for book, role in t["books"].items()) or None,
                "set" if t["password"] else "none: links only",
                "no" if t["disabled"] else "yes",
            )
            for t in told
        ],
    )


@users.command()
@click.argument("name")
@click.argument("role", type=click.Choice([*(role.value for role in Role), "none"]))
@_book
@as_json_option
def role(name: str, role: str, books: tuple[str, ...], as_json: bool) -> None:
    """Let ROLE hold for NAME from the next request on; none takes it away.

    Without --book it is the role in every card book; beside it the greater one holds.
    """
    app = build_ready()
    user = app.people.set_role(name, None if role == "none" else Role(role), books, app.now())
    _tell(user, app.people, as_json, f"{user.name} has it from now on.")


@users.command()
@click.argument("name")
@click.option("--enable", is_flag=True, help="Let the user sign in again.")
@as_json_option
def disable(name: str, enable: bool, as_json: bool) -> None:
    """Let nobody sign in as NAME any more, and end all sessions of that user at once."""
    app = build_ready()
    user = app.people.disable(name, app.now(), off=not enable)
    told = "may sign in again." if enable else "is signed out everywhere, and may not sign in."
    _tell(user, app.people, as_json, f"{user.name} {told}")


@users.command()
@click.argument("name")
@as_json_option
def password(name: str, as_json: bool) -> None:
    """Set the password of NAME, and end all sessions of that user.

    It is asked for twice; where there is no terminal it is the first line of stdin.
    """
    app = build_ready()
    user = app.people.named(name)
    if sys.stdin.isatty():
        given = click.prompt("New password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        given = sys.stdin.readline().rstrip("\n")
    ended = app.people.set_password(user.name, given, app.now())
    if as_json:
        print_json({"name": user.name, "sessions_ended": ended})
        return
    click.echo(f"The password of {user.name} is set; sessions that ended: {ended}.")


_MINUTES = int(LINK_LIFE.total_seconds() // 60)


def _tell(user: User, people: People, as_json: bool, text: str) -> None:
    if as_json:
        print_json(_told(user, people))
    else:
        click.echo(text)


def _told(user: User, people: People) -> dict[str, Any]:
    roles = next(roles for one, roles in people.everybody() if one.id == user.id)
    return {**_about(user), "books": {book: role.value for book, role in roles.items()}}


def _about(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "role": user.role.value if user.role else None,
        "password": user.password is not None,
        "disabled": user.disabled,
    }
