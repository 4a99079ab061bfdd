"""`vigencia messages retry`, `cancel` and `settle`: what a keeper decides about a message."""

from typing import Any

import click

from worker.cli.output import as_json_option, print_json
from worker.core.actor import CLI
from worker.core.reminders import MessageState
from worker.setup.build import build_ready

_message = click.argument("message", type=click.IntRange(1, 2**63 - 1))
_SETTLED = {
    MessageState.SENT: "Its notices count as told.",
    MessageState.RETRYABLE: "It is sent again at the next tick.",
    MessageState.FAILED: "Its notices have lost their use meanwhile: they are missed.",
}


@click.command()
@_message
@as_json_option
def retry(message: int, as_json: bool) -> None:
    """Try MESSAGE (its id) at the next tick instead of at its time.

    Hours of rest, caps, pace and open breakers hold as ever: `vigencia messages show` says for what
    it waits then. Of one that is unknown say first whether it was sent: `vigencia messages settle`.
    """
    app = build_ready()
    state = app.decisions.retry_now(message, app.now(), by=CLI)
    _tell(as_json, f"Message {message} is looked at by the next tick.", message, state)


@click.command()
@_message
@as_json_option
def cancel(message: int, as_json: bool) -> None:
    """Never send MESSAGE (its id), which waits: its notices end, and are not owed again.

    The same notice over the other channel is a message of its own.
    """
    app = build_ready()
    ended = app.decisions.cancel(message, app.now(), by=CLI)
    notices = "1 notice ends" if ended == 1 else f"{ended} notices end"
    said = f"Message {message} is cancelled: {notices} with it."
    _tell(as_json, said, message, MessageState.CANCELLED, reminders=ended)


@click.command()
@_message
@click.option(
    "--sent/--not-sent",
    "was_sent",
    default=None,
    help="What the provider's own console shows of it.",
)
@as_json_option
def settle(message: int, was_sent: bool | None, as_json: bool) -> None:
    """Say of MESSAGE (its id), which is unknown, whether it was sent.

    Look it up in the provider's own console, by its address and time. A wrong --not-sent tells the
    holder twice; a wrong --sent lets a notice be missed that nobody will miss.
    """
    if was_sent is None:
        raise click.UsageError("Say whether it was sent: --sent or --not-sent.")
    app = build_ready()
    state = app.decisions.settle(message, app.now(), was_sent=was_sent, by=CLI)
    _tell(as_json, f"Message {message} is {state}. {_SETTLED[state]}", message, state)


def _tell(as_json: bool, said: str, message: int, state: MessageState, **more: Any) -> None:
    if as_json:
        print_json({"message": message, "state": state, **more})
    else:
        click.echo(said)
