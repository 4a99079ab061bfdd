"""`vigencia cards`: import a card book, and look at cards."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from worker.cardbook.removal import remove_card
from worker.cli.again import tell_again
from worker.cli.books import apply_option, tell_removal
from worker.cli.export_cards import export, template
from worker.cli.import_cards import import_
from worker.cli.life import LIFE_COMMANDS, now_option
from worker.cli.output import as_json_option, print_json, print_table
from worker.cli.times import local
from worker.cli.undo import undo
from worker.core.masking import masked_address, tail
from worker.errors import CardBookError
from worker.setup.app import App
from worker.setup.build import build_ready
from worker.store import rechecks, views
from worker.store.books import find
from worker.store.cards import Watched
from worker.store.engine import reading, writing

# The names and values of `cards list --json`: the id, and what a reading of a card book holds.
_LISTED = (
    "id",
    "msisdn",
    "iccid",
    "imsi",
    "operator",
    "kind",
    "plan_end",
    "last_topup",
    "email",
    "contact_phone",
    "language",
)

# Shown by their ends, unless somebody asks for them.
_PRIVATE = ("msisdn", "iccid", "imsi", "email", "contact_phone")
_SHOWN = (
    *("id", "book", "holder", *_PRIVATE, "language", "holder_time_zone", "operator", "kind"),
    *("plan", "plan_end", "last_topup", "balance", "state", "next_check_at"),
)


@click.group()
def cards() -> None:
    """Import, show and remove cards."""


for _command in (import_, export, template):
    cards.add_command(_command)
for _command in (*LIFE_COMMANDS, undo, tell_again):
    cards.add_command(_command)


@cards.command()
@click.option("--book", help="Only this card book.")
@click.option("--status", is_flag=True, help="Ask for nothing; tell how far it has come.")
@as_json_option
def recheck(book: str | None, status: bool, as_json: bool) -> None:
    """Have all cards checked again, after policies or operator packs have changed.

    Repeats nothing that was sent: a card that owes nothing new is only looked at. The scheduler
    hands them out little by little, behind everything that is due; asked for again, it begins anew.
    """
    app = build_ready()
    if status:
        _tell_rechecks(app, as_json)
        return
    with writing(app.engine) as conn:
        book_id = find(conn, book) if book else None
        if book and book_id is None:
            raise CardBookError(f"There is no card book {book!r}.", "Import one first.")
        count = rechecks.ask(conn, book_id, app.now())
    if as_json:
        print_json({"cards": count})
    else:
        click.echo(f"{count} cards will be checked, from the next tick on.")


def _tell_rechecks(app: App, as_json: bool) -> None:
    with reading(app.engine) as conn:
        found = rechecks.underway(conn)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    zone = app.settings.book.time_zone
    for one in found:
        since = local(one.asked_at, zone)
        click.echo(f"{one.book or 'all books'}: {one.done:.0%}, asked for {since}")
    if not found:
        click.echo("Every card was handed out; nothing is under way.")


@cards.command(name="list")
@click.option("--book", help="Only this card book.")
@click.option("--limit", type=click.IntRange(1), help="At most this many.")
@as_json_option
def list_(book: str | None, limit: int | None, as_json: bool) -> None:
    """List cards in the order of import."""
    app = build_ready()
    with reading(app.engine) as conn:
        rows = views.list_cards(conn, book, limit)
    if as_json:
        print_json([{name: row[name] for name in _LISTED} for row in rows])
        return
    print_table(
        ("id", "number", "operator", "kind", "plan end", "last top-up", "holder", "language",
         "next check"),
        [
            (r["id"], r["msisdn"] or r["iccid"], r["operator"], r["kind"], r["plan_end"],
             r["last_topup"], r["holder"], r["language"],
             _next_check(r, r["book_time_zone"]))
            for r in rows
        ],
    )  # fmt: skip


@cards.command()
@click.argument("card")
@apply_option
@now_option
@as_json_option
def remove(card: str, apply_: bool, now: datetime | None, as_json: bool) -> None:
    """Take CARD (its id, number or ICCID) away; without --apply this only tells what goes.

    What waits for it is not sent, and its holder is forgotten unless another card is theirs. The
    proof of what was sent stays as long as any (retention.proof_days), without its number.
    """
    app = build_ready()
    with reading(app.engine) as conn:
        found = views.show_card(conn, card)
    if found is None:
        raise CardBookError("There is no such card.", "List them with: vigencia cards list")
    done = remove_card(app.engine, found, now or app.now(), apply=apply_)
    tell_removal(done, f"Card {found['id']}", f"vigencia cards remove {found['id']}", as_json)


@cards.command()
@click.argument("card")
@click.option("--reveal", is_flag=True, help="Show numbers and contacts whole.")
@as_json_option
def show(card: str, reveal: bool, as_json: bool) -> None:
    """Show CARD (its id, number or ICCID): deadlines, reminders, audit trail.

    Numbers and contacts are shown by their ends; times are those of the book's zone, and UTC with
    --json.
    """
    app = build_ready()
    with reading(app.engine) as conn:
        found = views.show_card(conn, card)
        watched = _watched(conn, found)
    if found is None:
        raise CardBookError("There is no such card.", "List them with: vigencia cards list")
    found["ladder"] = [
        {"deadline": step.kind, "on": step.on, "at": step.at}
        for step in app.rules.ladder(watched.card).values()
    ]
    found["renewal"] = renewal = _renewal(app, watched)
    if not reveal:
        found |= {name: _masked(name, found[name]) for name in _PRIVATE}
    if as_json:
        print_json(found)
        return
    zone = found["book_time_zone"]
    found["next_check_at"] = _next_check(found, zone)
    for name in _SHOWN:
        click.echo(f"{name.replace('_', ' '):16} {found[name] if found[name] is not None else '-'}")
    if renewal:
        click.echo(f"{'renewal':16} {_told(renewal, zone)}")
    print_table(("deadline", "on"), [(s["deadline"], s["on"]) for s in found["ladder"]])
    print_table(
        ("window", "channel", "due", "state", "reason"),
        [
            (r["window"], r["channel"], local(r["due_at"], zone), r["state"], r["reason"])
            for r in found["reminders"]
        ],
    )
    print_table(("at", "event"), [(local(e["at"], zone), e["event"]) for e in found["events"]])


def _renewal(app: App, watched: Watched) -> dict[str, Any] | None:
    """The renewal of a card as long as somebody can say whether it works: ``open`` until
    ``answer_by``, then ``unanswered``; ``asks_at`` is when the holder is, or was, asked."""
    card = watched.card
    question = app.rules.question(card, watched.holder)
    if question is not None:
        return {
            "state": "open",
            "reported_at": card.renewed_at,
            "asks_at": card.asked_at or question.asks_at,
            "asked": question.asked,
            "answer_by": question.answer_by,
            "former_plan_end": card.former_plan_end,
            "former_last_topup": card.former_last_topup,
        }
    if card.is_renewal_open:
        return {
            "state": "unanswered",
            "claimed_plan_end": card.claimed_plan_end,
            "claimed_last_topup": card.claimed_last_topup,
        }
    return None


def _told(renewal: dict[str, Any], zone: str) -> str:
    if renewal["state"] == "unanswered":
        return (
            "not answered in time, the former dates hold; still to be settled with "
            "vigencia cards confirm or fail"
        )
    asked = "was asked" if renewal["asked"] else "is asked"
    return (
        f"reported {local(renewal['reported_at'], zone)}, nobody has said yet whether it "
        f"works; the holder {asked} {local(renewal['asks_at'], zone)}, and "
        f"the former dates rest until {local(renewal['answer_by'], zone)}"
    )


def _watched(conn: Any, found: dict[str, Any] | None) -> Any:
    from worker.store.cards import load

    return load(conn, [found["id"]])[found["id"]] if found else None


def _masked(name: str, value: str | None) -> str | None:
    """As far as it must be seen to be told from others."""
    if not value:
        return value
    if name == "email":
        return masked_address(value)
    return tail(value)


def _next_check(card: Mapping[Any, Any], zone: str) -> str | None:
    asked = card["check_asked_at"] is not None
    return "at the next tick" if asked else local(card["next_check_at"], zone)
