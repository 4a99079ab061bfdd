"""`vigencia cards renew`, `suspend`, … : tell Vigencia what happened to a card."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import click

from worker.cli.output import LANGUAGES, DayParam, InstantParam, as_json_option, print_json
from worker.core.actor import CLI
from worker.core.life import Effect, Happening, LifeEvent
from worker.core.undo import UNDOABLE
from worker.errors import VigenciaError
from worker.setup.app import App
from worker.setup.build import build_ready
from worker.store import views
from worker.store.books import HolderValues
from worker.store.engine import reading

if TYPE_CHECKING:
    from worker.cardbook.values import ValueProblem

now_option = click.option("--now", type=InstantParam(), help="When it happened (default: now).")


class DurationParam(click.ParamType[timedelta]):
    """Some seconds or minutes, such as 60s or 2m."""

    name = "duration"

    def convert(self, value: Any, param: Any, ctx: Any) -> timedelta:
        """Parse it."""
        found = re.fullmatch(r"(\d{1,4})([sm])", value)
        if found is None:
            self.fail(f"{value!r} is no duration; write 60s or 2m", param, ctx)
        length = timedelta(seconds=int(found[1]) * (60 if found[2] == "m" else 1))
        if length > _LONGEST:
            self.fail(f"{value!r} is more than {_LONGEST.seconds // 60}m", param, ctx)
        return length


# So long the holder would wait to be told.
_LONGEST = timedelta(minutes=10)
undo_option = click.option(
    "--undo-for",
    type=DurationParam(),
    help="So long (60s, 2m) nobody is told, and `vigencia cards undo` takes it back.",
)


class Amount(click.ParamType[Decimal]):
    """An amount of soles such as 12.50."""

    name = "amount"

    def convert(self, value: Any, param: Any, ctx: Any) -> Decimal:
        """Parse it."""
        try:
            amount = Decimal(value)
        except InvalidOperation:
            self.fail(f"{value!r} is not an amount; write 12.50", param, ctx)
        if not amount.is_finite() or not 0 <= amount < 10**8:
            self.fail(f"{value!r} is not an amount of money on a card", param, ctx)
        return amount


@click.command()
@click.argument("card")
@click.option("--plan-end", type=DayParam(), help="The plan's new last day.")
@click.option(
    "--topup", "last_topup", type=DayParam(), help="The day of the top-up (default: today)."
)
@click.option("--balance", type=Amount(), help="The balance after it, in soles.")
@click.option("--receipt", "receipt_ref", help="What names the receipt.")
@click.option(
    "--correct", is_flag=True, help="Only the dates were wrong; nothing happened, nobody is told."
)
@undo_option
@now_option
@as_json_option
def renew(
    card: str,
    undo_for: timedelta | None,
    now: datetime | None,
    as_json: bool,
    correct: bool,
    **told: Any,
) -> None:
    """CARD was renewed: its deadlines move, older reminders end, the holder gets the checklist.

    Say whether it took effect (`vigencia cards confirm` or `fail`); the holder can say so too, by
    the links of the notice. Until somebody does no reminder of a deadline goes out: after 24 hours
    the holder is asked once, and after the time in policies.toml the former deadlines hold again.

    Entered once more on the same day, while it is open, it corrects what was entered before, and
    nobody is told; --correct does so on any day.
    """
    event = LifeEvent.CORRECTED if correct else LifeEvent.RENEWED
    _record(card, Happening(event, **told), undo_for, now, as_json)


@click.command()
@click.argument("card")
@click.option("--data", is_flag=True, help="Its data is low, not its balance.")
@click.option("--balance", type=Amount(), help="What is left, in soles.")
@undo_option
@now_option
@as_json_option
def low(
    card: str,
    data: bool,
    balance: Decimal | None,
    undo_for: timedelta | None,
    now: datetime | None,
    as_json: bool,
) -> None:
    """CARD is low on balance or data: the holder is told once until the next top-up."""
    event = LifeEvent.LOW_DATA if data else LifeEvent.LOW_BALANCE
    _record(card, Happening(event, balance=balance), undo_for, now, as_json)


@click.command()
@click.argument("card")
@click.option("--resolved", is_flag=True, help="The registration is in order again.")
@undo_option
@now_option
@as_json_option
def registration(
    card: str,
    resolved: bool,
    undo_for: timedelta | None,
    now: datetime | None,
    as_json: bool,
) -> None:
    """The operator doubts in whose name CARD is registered: the holder is told to put it right."""
    event = LifeEvent.REGISTRATION_RESOLVED if resolved else LifeEvent.REGISTRATION_NOTICE
    _record(card, Happening(event), undo_for, now, as_json)


@click.command()
@click.argument("card")
@click.option("--name", required=True, help="The new holder.")
@click.option("--email", help="The new holder's email address.")
@click.option("--phone", "contact_phone", help="A phone with + and country code.")
@click.option("--any-phone", is_flag=True, help="Take it even if its country knows no such mobile.")
@click.option("--language", type=click.Choice(LANGUAGES), help="Default: the book's.")
@click.option("--time-zone", help="Default: the phone's country's, else the book's.")
@now_option
@as_json_option
def reassign(card: str, now: datetime | None, as_json: bool, **person: Any) -> None:
    """CARD belongs to somebody else now: all that waits for the former holder ends."""
    app = build_ready()
    card_id, paused = find_card(app, card)
    effect = app.life.reassign(card_id, _checked(person), now or app.now(), by=CLI)
    _tell(card, effect, paused, as_json)


def _checked(person: dict[str, Any]) -> HolderValues:
    from worker.cardbook.values import (
        ValueProblem,
        parse_contact_phone,
        parse_email,
        parse_name,
        parse_time_zone,
    )
    from worker.cardbook.zones import zone_of

    any_phone = person.pop("any_phone")
    try:
        person["name"] = parse_name(person["name"])
        if person["email"]:
            person["email"] = parse_email(person["email"])
        if person["contact_phone"]:
            person["contact_phone"] = parse_contact_phone(
                person["contact_phone"], None, any_phone=any_phone
            )
        if person["time_zone"]:
            person["time_zone"] = parse_time_zone(person["time_zone"], {})
        elif person["contact_phone"]:
            person["time_zone"] = zone_of(person["contact_phone"])
    except ValueProblem as problem:
        raise VigenciaError(problem.message, hint_without_file(problem)) from None
    return HolderValues(
        name=person["name"],
        language=person["language"],
        time_zone=person["time_zone"],
        contact_phone=person["contact_phone"],
        email=person["email"],
    )


def hint_without_file(problem: "ValueProblem") -> str:
    """What to do about a value that was typed: no option of an import helps here."""
    if problem.code == "no_country_code":
        return "write it with + and the country code, such as +51987654321"
    return problem.hint


def _simple(name: str, event: LifeEvent, text: str) -> click.Command:
    """A command for an event of which there is nothing more to tell."""

    def command(
        card: str, now: datetime | None, as_json: bool, undo_for: timedelta | None = None
    ) -> None:
        _record(card, Happening(event), undo_for, now, as_json)

    decorated: Callable[..., Any] = as_json_option(now_option(click.argument("card")(command)))
    if event in UNDOABLE:
        decorated = undo_option(decorated)
    return click.command(name=name, help=text)(decorated)


LIFE_COMMANDS: tuple[click.Command, ...] = (
    renew,
    _simple("confirm", LifeEvent.CONFIRMED, "The renewal of CARD took effect."),
    _simple(
        "fail",
        LifeEvent.RENEWAL_FAILED,
        "The renewal of CARD failed: the holder gets the steps, the former deadlines hold again.",
    ),
    low,
    _simple(
        "suspend",
        LifeEvent.SUSPENDED,
        "The operator cut CARD off: the holder is told, by SMS only to another phone.",
    ),
    _simple(
        "recycle",
        LifeEvent.RECYCLED,
        "The number of CARD was taken back: it is never contacted again, the holder is told.",
    ),
    registration,
    reassign,
    _simple("pause", LifeEvent.PAUSED, "Send nothing for CARD until it is resumed."),
    _simple("resume", LifeEvent.RESUMED, "Watch CARD again after a pause."),
)


def _record(
    card: str,
    what: Happening,
    undo_for: timedelta | None,
    now: datetime | None,
    as_json: bool,
) -> None:
    app = build_ready()
    card_id, paused = find_card(app, card)
    at = now or app.now()
    effect = app.life.record(card_id, what, at, by=CLI, undo_for=undo_for or timedelta())
    until = at + undo_for if undo_for and effect.reason in UNDOABLE else None
    _tell(card, effect, paused, as_json, until)


def find_card(app: App, card: str) -> tuple[int, bool]:
    """Its id, and whether nobody is told of it at present."""
    with reading(app.engine) as conn:
        found = views.show_card(conn, card)
    if found is None:
        raise VigenciaError("There is no such card.", "List them with: vigencia cards list")
    return int(found["id"]), bool(found["paused"])


def _tell(
    card: str, effect: Effect, paused: bool, as_json: bool, until: datetime | None = None
) -> None:
    notice = None if paused else effect.notice
    changes = {name: value for name, value in effect.changes.items() if name != "holder_id"}
    if as_json:
        undo = {} if until is None else {"undo_until": until}
        print_json({"event": effect.reason, "notice": notice, "changes": changes, **undo})
        return
    told = f" The holder is told: {notice}." if notice else ""
    if paused and effect.notice:
        told = " Nobody is told while the card is paused (vigencia cards resume)."
    if until is not None:
        told += f" Until {until:%H:%M:%S} UTC nobody is, and it can be undone: vigencia cards undo."
    click.echo(f"Recorded: {effect.reason}.{told} Next: vigencia cards show {card}")
