"""`vigencia cards undo`: what was recorded last was a mistake."""

from datetime import datetime

import click

from worker.cli.life import find_card, now_option
from worker.cli.output import as_json_option, print_json
from worker.core.actor import CLI
from worker.setup.build import build_ready


@click.command()
@click.argument("card")
@now_option
@as_json_option
def undo(card: str, now: datetime | None, as_json: bool) -> None:
    """Take back what was recorded of CARD last, with --undo-for and before its time is over.

    The card is as it was before, nobody is told, and what had ended with it is owed again. What
    somebody was told already, or was followed by something else, stays: record what is true now.
    """
    app = build_ready()
    card_id, _ = find_card(app, card)
    done = app.undoing.undo(card_id, now or app.now(), by=CLI)
    if as_json:
        print_json({"undone": done.event, "waiting": done.waiting})
        return
    again = "1 reminder waits" if done.waiting == 1 else f"{done.waiting} reminders wait"
    click.echo(f"Undone: {done.event}. {again} again. Next: vigencia cards show {card}")
