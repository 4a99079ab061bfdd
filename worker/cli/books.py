"""`vigencia books`: whose cards are watched, and how a book is taken away."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from worker.cardbook.removal import Removal, remove_book
from worker.cli.life import now_option
from worker.cli.output import as_json_option, print_json, print_table
from worker.cli.times import local
from worker.errors import CardBookError
from worker.setup.build import build_ready
from worker.store import views
from worker.store.engine import reading
from worker.store.removal import contents

apply_option = click.option(
    "--apply", "apply_", is_flag=True, help="Do it. Without it nothing is changed."
)


@click.group()
def books() -> None:
    """Show card books, and take them away."""


@books.command(name="list")
@as_json_option
def list_(as_json: bool) -> None:
    """List card books with their cards."""
    app = build_ready()
    with reading(app.engine) as conn:
        rows = [_plain(row) for row in views.list_books(conn)]
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo("There is no card book yet. Import one with: vigencia cards import")
        return
    print_table(
        ("book", "cards", "watched", "signature", "language", "time zone", "since", ""),
        [
            (r["book"], r["cards"], r["watched"], r["signature"], r["language"], r["time_zone"],
             local(r["created_at"], r["time_zone"]), "sample" if r["sample"] else "")
            for r in rows
        ],
    )  # fmt: skip


@books.command()
@click.argument("book")
@as_json_option
def show(book: str, as_json: bool) -> None:
    """Show BOOK (its name): its own values, what it holds, what waits."""
    app = build_ready()
    with reading(app.engine) as conn:
        found = [_plain(row) for row in views.list_books(conn, book)]
        if not found:
            raise CardBookError(
                f"There is no card book {book!r}.", "List them with: vigencia books list"
            )
        [one] = found
        inside = contents(conn, book_id=one["id"])
    one |= {"holders": inside.holders, "waiting": inside.waiting, "messages_tried": inside.proof}
    if as_json:
        print_json(one)
        return
    told = {**one, "created_at": local(one["created_at"], one["time_zone"])}
    for name, value in told.items():
        click.echo(f"{name.replace('_', ' '):15} {value if value is not None else '-'}")


@books.command()
@click.argument("book")
@apply_option
@now_option
@as_json_option
def remove(book: str, apply_: bool, now: datetime | None, as_json: bool) -> None:
    """Take BOOK away with all its cards and holders; without --apply this only tells what goes.

    What waits is not sent. If nothing was ever sent for it, and of the sample book, everything is
    deleted. Otherwise the proof stays as long as any (retention.proof_days): when, to which
    address and how each message went, without names and without the cards' numbers. Who must not
    be written to stays known.
    """
    app = build_ready()
    done = remove_book(app.engine, book, now or app.now(), apply=apply_)
    tell_removal(done, f"The card book {book!r}", f"vigencia books remove '{book}'", as_json)


def tell_removal(done: Removal, what: str, command: str, as_json: bool) -> None:
    """Say what goes, what stays and how to go on."""
    if as_json:
        print_json({**asdict(done.contents), "erased": done.erased, "applied": done.applied})
        return
    found = done.contents
    goes = "is gone" if done.applied else "would go"
    click.echo(
        f"{what} {goes}: {found.cards} cards, {found.holders} holders; "
        f"{found.waiting} notices that wait are not sent."
    )
    if done.erased:
        click.echo(f"Proof: {found.proof} messages, deleted with it.")
    else:
        click.echo(
            f"Proof: {found.proof} messages were tried; that they were stays for its time "
            "(retention.proof_days), without names and without the cards' numbers."
        )
    if not done.applied:
        click.echo(f"Nothing was changed. To do it: {command} --apply")


def _plain(row: Any) -> dict[str, Any]:
    return {**row, "sample": bool(row["sample"])}
