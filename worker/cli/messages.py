"""`vigencia messages`: what was sent, what waits, and why."""

import click

from worker.cli.again import again
from worker.cli.decisions import cancel, retry, settle
from worker.cli.output import as_json_option, print_json, print_table
from worker.cli.times import local
from worker.cli.waiting import why, with_wait
from worker.core.reminders import MessageState
from worker.core.tokens import without_tokens
from worker.errors import VigenciaError
from worker.setup.build import build_ready
from worker.setup.log import mask
from worker.store import views
from worker.store.engine import reading


@click.group()
def messages() -> None:
    """Show messages and how they ended, and decide about those that have not."""


for _command in (retry, cancel, settle, again):
    messages.add_command(_command)


@messages.command(name="list")
@click.option(
    "--state",
    type=click.Choice([state.value for state in MessageState]),
    help="Only those in this state.",
)
@click.option("--book", help="Only this card book.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@as_json_option
def list_(state: str | None, book: str | None, limit: int, as_json: bool) -> None:
    """List messages, latest first: of each that waits, for what and until when.

    Times are those of the book's zone, and UTC with --json.
    """
    app = build_ready()
    with reading(app.engine) as conn:
        rows = [with_wait(app, dict(row)) for row in views.list_messages(conn, state, book, limit)]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("id", "channel", "state", "holder", "language", "tries", "created", "sent", "delivered",
         "why"),
        [
            (r["id"], r["channel"], r["state"], r["holder"], r["language"], r["attempts"],
             *(local(r[f"{what}_at"], r["book_time_zone"])
               for what in ("created", "sent", "delivered")), why(r))
            for r in rows
        ],
    )  # fmt: skip


@messages.command()
@click.argument("message", type=int)
@as_json_option
def show(message: int, as_json: bool) -> None:
    """Show MESSAGE (its id): the text, the reminders in it, every attempt.

    Of a link its signed part is hidden: whoever has that can act for the holder.
    """
    app = build_ready()
    with reading(app.engine) as conn:
        found = views.show_message(conn, message)
    if found is None:
        raise VigenciaError("There is no such message.", "List them with: vigencia messages list")
    found = with_wait(app, found)
    for attempt in found["tries"]:
        attempt["id"] = str(attempt["id"])
        attempt["address"] = mask(attempt["address"]) or None
    for part in ("subject", "body"):
        found[part] = without_tokens(found[part]) if found[part] else None
    if as_json:
        print_json(found)
        return
    zone = found["book_time_zone"]
    if found["waits_for"]:
        found["reason"] = why(found)
    for name in ("book", "holder", "channel", "state", "reason", "segments", "provider_id"):
        click.echo(f"{name.replace('_', ' '):12} {found[name] if found[name] is not None else '-'}")
    print_table(
        ("window", "deadline on", "state", "reason"),
        [(r["window"], r["deadline_on"], r["state"], r["reason"]) for r in found["reminders"]],
    )
    print_table(
        ("attempt", "to", "outcome", "code"),
        [
            (local(t["started_at"], zone), t["address"], t["outcome"], t["code"])
            for t in found["tries"]
        ],
    )
    if found["reports"]:
        print_table(
            ("reported", "by", "status", "code"),
            [
                (local(r["received_at"], zone), r["provider"], r["status"], r["code"])
                for r in found["reports"]
            ],
        )
    if found["subject"]:
        click.echo(f"\n{found['subject']}")
    # An attempt is committed with its text: where one is without, that was erased.
    missing = "(erased after its time)" if found["tries"] else "(not rendered yet)"
    click.echo(f"\n{found['body'] or missing}")
