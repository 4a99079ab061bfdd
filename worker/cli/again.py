"""`vigencia cards tell-again` and `vigencia messages again`: a deadline is told once more."""

from datetime import datetime

import click

from worker.cli.life import find_card, now_option
from worker.cli.output import as_json_option, print_json
from worker.core.actor import CLI
from worker.core.cards import Channel
from worker.core.deadlines import DeadlineKind
from worker.pipeline.telling_again import ToldAgain
from worker.setup.build import build_ready


@click.command(name="tell-again")
@click.argument("card")
@click.option(
    "--deadline",
    type=click.Choice([kind.value for kind in DeadlineKind]),
    help="What is lost (default: what was told last).",
)
@click.option(
    "--channel",
    type=click.Choice([channel.value for channel in Channel]),
    help="Only over this one (default: wherever the policy tells of it).",
)
@now_option
@as_json_option
def tell_again(
    card: str, deadline: str | None, channel: str | None, now: datetime | None, as_json: bool
) -> None:
    """Tell the holder of CARD (its id, number or ICCID) once more of a deadline.

    It is one more reminder with the words that are true now, at most 3 a day of a card. It waits
    for the holder's hours, caps, consent and breakers as all do.
    """
    app = build_ready()
    card_id, _ = find_card(app, card)
    told = app.telling_again.card(
        card_id,
        now or app.now(),
        deadline=DeadlineKind(deadline) if deadline else None,
        channel=Channel(channel) if channel else None,
        by=CLI,
    )
    _tell(told, as_json)


@click.command()
@click.argument("message", type=click.IntRange(1, 2**63 - 1))
@now_option
@as_json_option
def again(message: int, now: datetime | None, as_json: bool) -> None:
    """Tell once more what MESSAGE (its id) told of deadlines, with the words that are true now.

    At most 3 a day of a card. Of what is unknown say first whether it was sent: `vigencia messages
    settle`.
    """
    app = build_ready()
    _tell(app.telling_again.message(message, now or app.now(), by=CLI), as_json)


def _tell(told: ToldAgain, as_json: bool) -> None:
    if as_json:
        notices = [
            {
                "card": one.card,
                "deadline": one.deadline,
                "window": one.window,
                "channels": list(one.channels),
            }
            for one in told.notices
        ]
        print_json({"notices": notices, "messages": list(told.messages)})
        return
    for one in told.notices:
        ways = " and ".join(one.channels)
        click.echo(f"Card {one.card}: {one.deadline} is told once more by {ways} ({one.window}).")
    for message in told.messages:
        click.echo(f"Next: vigencia messages show {message}")
