"""`vigencia suppressions`: addresses that are not written to, why, and by whose word."""

from collections.abc import Mapping
from typing import Any

import click
from sqlalchemy import Connection, Row

from worker.cardbook.values import ValueProblem, parse_contact_phone, parse_email
from worker.cli.life import hint_without_file, now_option
from worker.cli.output import as_json_option, print_json, print_table
from worker.cli.times import local
from worker.core.addressing import address_of
from worker.core.cards import Channel
from worker.core.masking import masked_address
from worker.errors import CardBookError, VigenciaError
from worker.setup.app import App
from worker.setup.build import build_ready
from worker.store import cards as card_store
from worker.store import recipients, views
from worker.store import suppressions as store
from worker.store.books import find
from worker.store.engine import reading

_CHANNELS = click.Choice([Channel.SMS.value, Channel.EMAIL.value])
_channel = click.option("--channel", type=_CHANNELS, required=True, help="What must not be used.")
_address = click.option("--address", help="A phone with + and country code, or an email address.")
_card = click.option("--card", help="Only about this card (its id, number or ICCID).")
_reason = click.option("--reason", required=True, help="Why; it is kept as proof.")
_HINT = "List them with: vigencia suppressions list"


@click.group()
def suppressions() -> None:
    """Show and change which addresses are not written to."""


@suppressions.command(name="list")
@click.option("--channel", type=_CHANNELS, help="Only this channel.")
@_address
@_card
@click.option("--book", help="Only addresses of this card book.")
@click.option("--lifted", is_flag=True, help="Those that hold no longer, too.")
@click.option("--full", is_flag=True, help="Show whole addresses.")
@as_json_option
def list_(
    channel: str | None,
    address: str | None,
    card: str | None,
    book: str | None,
    lifted: bool,
    full: bool,
    as_json: bool,
) -> None:
    """List addresses that are not written to, each with the cards that are silent by it."""
    app = build_ready()
    with reading(app.engine) as conn:
        wanted = Channel(channel) if channel else None
        rows = store.listed(conn, wanted, lifted=lifted)
        rows = [row for row in rows if not address or row.address == address]
        book_id = _book(conn, book)
        one = _card_id(conn, card) if card else None
        there = {row.address for row in rows}
        serves = recipients.served_by(conn, there, book_id=book_id, card_id=one)
    told = [_told(row, serves, full) for row in rows]
    if book or card:
        told = [each for each in told if each["cards"]]
    if as_json:
        print_json(told)
        return
    print_table(
        ("channel", "address", "about", "cards", "why", "said by", "since", "until", "lifted"),
        [
            (t["channel"], t["address"], t["card"] or "everything",
             " ".join(map(str, t["cards"][:8])) or None, t["reason"], t["source"],
             local(t["since"], app.settings.book.time_zone),
             t["until"] and f"{t['until']:%Y-%m-%d}", t["lifted_reason"])
            for t in told
        ],
    )  # fmt: skip


@suppressions.command()
@_channel
@_address
@_card
@_reason
@now_option
@as_json_option
def add(
    channel: str, address: str | None, card: str | None, reason: str, now: Any, as_json: bool
) -> None:
    """Write nothing more to an address, or about one card; what waits for it is not sent."""
    app = build_ready()
    way, where, about = _target(app, channel, address, card)
    new = app.consent.opt_out(
        way, where, now or app.now(), source="guardian", reason=reason[:100], card_id=about
    )
    if as_json:
        print_json({"added": new, "channel": way, "address": masked_address(where), "card": about})
    else:
        done = "Nothing more is sent to" if new else "Nothing was sent any more already to"
        click.echo(
            f"{done} {masked_address(where)} by {way}{f' about card {about}' if about else ''}."
        )


@suppressions.command()
@_channel
@_address
@_card
@_reason
@now_option
@as_json_option
def remove(
    channel: str, address: str | None, card: str | None, reason: str, now: Any, as_json: bool
) -> None:
    """Write to an address again; who had stopped it is told, and the reason is kept.

    What a holder has stopped should be undone only because the holder asked for it.
    """
    app = build_ready()
    way, where, about = _target(app, channel, address, card)
    said = app.consent.lift(way, where, now or app.now(), reason=reason, card_id=about)
    if not said:
        raise VigenciaError(f"{masked_address(where)} is not suppressed for {way}.", _HINT)
    if as_json:
        print_json({"removed": len(said), "address": masked_address(where), "said_by": said})
        return
    for source in said:
        who = f"the holder ({source})" if source in store.HOLDERS else source
        click.echo(f"{masked_address(where)} is written to again by {way}; stopped by: {who}.")


def _told(row: Row[Any], serves: Mapping[tuple[str, str], list[int]], full: bool) -> dict[str, Any]:
    cards = serves.get((row.channel, row.address), [])
    return {
        "channel": row.channel,
        "address": row.address if full else masked_address(row.address),
        "card": row.card_id,
        "cards": [c for c in cards if row.card_id in (store.EVERYTHING, c)],
        "reason": row.reason,
        "source": row.source,
        "since": row.created_at,
        "until": row.expires_at,
        "lifted_at": row.lifted_at,
        "lifted_reason": row.lifted_reason,
    }


def _target(
    app: App, channel: str, address: str | None, card: str | None
) -> tuple[Channel, str, int | None]:
    """Channel, address and card (``None``: all) that were meant; a card alone stands for its
    address."""
    way = Channel(channel)
    if address is None and card is None:
        raise click.UsageError("Name an --address or a --card.")
    about = None
    if card is not None:
        with reading(app.engine) as conn:
            about = _card_id(conn, card)
            watched = card_store.load(conn, [about])[about]
        address = address or address_of(watched.card, watched.holder, way)
    if address is None:
        raise VigenciaError(f"Card {about} has no address for {way}.", _HINT)
    try:
        whole = parse_email(address) if way is Channel.EMAIL else parse_contact_phone(address, None)
    except ValueProblem as problem:
        raise VigenciaError(problem.message, hint_without_file(problem)) from None
    return way, whole or address, about


def _card_id(conn: Connection, card: str) -> int:
    found = views.show_card(conn, card)
    if found is None:
        raise CardBookError("There is no such card.", "List them with: vigencia cards list")
    return int(found["id"])


def _book(conn: Connection, book: str | None) -> int | None:
    book_id = find(conn, book) if book else None
    if book and book_id is None:
        raise CardBookError(f"There is no card book {book!r}.", "Import one first.")
    return book_id
