"""`vigencia preview`: a text as a holder would read it, and a gallery of all texts."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from worker.cli.output import as_json_option, print_json
from worker.content.compose import compose
from worker.content.events import parts_of
from worker.content.gallery import cost, gallery
from worker.content.letter import Letter
from worker.content.render import Content, RenderedEmail, RenderedSms
from worker.content.samples import sample_letter
from worker.core.cards import Channel, Language
from worker.core.life import LifeNotice
from worker.core.recheck import Item
from worker.core.reminders import ReminderKey
from worker.core.rules import Rules
from worker.core.wording import ALL_EVENTS, GUARDIAN_EVENT, LIFE_EVENTS, event_for, kind_of, read
from worker.errors import VigenciaError
from worker.paths import templates_dir
from worker.pipeline.delivery.mailing import CALENDAR_FILE, Mailing
from worker.setup.bounded import bounded
from worker.setup.build import build_ready
from worker.setup.settings import load
from worker.store import cards as card_store
from worker.store.cards import Watched
from worker.store.engine import reading

# No text is true further away from its deadline than this, in days.
_AROUND = 400


@click.command()
@click.argument("event", required=False, type=click.Choice(ALL_EVENTS), metavar="EVENT")
@click.option(
    "--language",
    type=click.Choice([each.value for each in Language]),
    help="Default: the holder's.",
)
@click.option(
    "--channel",
    type=click.Choice([Channel.SMS.value, Channel.EMAIL.value]),
    help="Default: sms, where there is one.",
)
@click.option("--card", type=click.IntRange(1), help="The text for this card of the database.")
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Write the HTML here."
)
@click.option(
    "--calendar",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the calendar file here that goes with an email about --card.",
)
@click.option("--gallery", "pages", type=click.Path(file_okay=False, path_type=Path),
              help="Write a page of all texts for each language into this directory.")  # fmt: skip
@as_json_option
def preview(
    event: str | None,
    language: str | None,
    channel: str | None,
    card: int | None,
    html: Path | None,
    calendar: Path | None,
    pages: Path | None,
    as_json: bool,
) -> None:
    """Show the text of EVENT for a sample card, or for a card of yours; nothing is sent.

    Events are the folders of the templates, such as plan_end_near or low_balance.
    """
    if pages:
        _write_pages(bounded(lambda: gallery(_content())), pages, as_json)
        return
    if event is None:
        raise click.UsageError(f"Name an event: {', '.join(ALL_EVENTS)}")
    if calendar and not card:
        raise click.UsageError("A calendar file is about a card of yours: name it with --card")
    way = _channel(event, channel, html or calendar)
    spoken = Language(language) if language else None
    entries = None
    if card:
        letter, entries = _of_card(event, card, spoken, way)
    else:
        letter = _sample(event, spoken)
    if way is Channel.SMS:
        _show_sms(bounded(lambda: _content().sms(letter)), as_json)
    else:
        email = bounded(lambda: _content().email(letter))
        _show_email(email, html, entries, calendar, as_json)


def _content() -> Content:
    """The templates; what is wrong only with other letters does not matter here."""
    content, errors = Content.collect(templates_dir())
    for error in errors:
        raise error
    return content


def _channel(event: str, wanted: str | None, file: Path | None) -> Channel:
    """The channel that was asked for, else the one the rest of the question fits."""
    has_sms = "sms.txt" in parts_of(event)
    channel = Channel(wanted) if wanted else Channel.EMAIL if file or not has_sms else Channel.SMS
    if channel is Channel.SMS and (file or not has_sms):
        what = "An SMS is text alone" if file else f"{event} goes by email only"
        raise click.UsageError(f"{what}: use --channel email")
    return channel


def _write_pages(texts: Mapping[str, str], directory: Path, as_json: bool) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, page in texts.items():
        (directory / name).write_text(page, encoding="utf-8")
    if as_json:
        print_json({"written": [str(directory / name) for name in texts]})
    else:
        click.echo(f"Wrote {len(Language)} pages to {directory}")


def _show_sms(sms: RenderedSms, as_json: bool) -> None:
    if as_json:
        print_json({"channel": "sms", "text": sms.text, **asdict(sms.segments)})
        return
    click.echo(sms.text)
    click.echo(f"\n({cost(sms)})")


def _show_email(
    email: RenderedEmail,
    html: Path | None,
    entries: str | None,
    calendar: Path | None,
    as_json: bool,
) -> None:
    """Show ``email``; its HTML and its calendar ``entries`` go to files where these are named."""
    if html:
        html.write_text(email.html, encoding="utf-8")
    if calendar and entries is None:
        raise VigenciaError(
            "No calendar file goes with this email.", "One goes with a deadline that is ahead."
        )
    if calendar and entries:
        calendar.write_bytes(entries.encode())
    if as_json:
        print_json({"channel": "email", "subject": email.subject, "text": email.text,
                    "html": str(html) if html else None, "calendar": entries})  # fmt: skip
        return
    click.echo(f"Subject: {email.subject}\n\n{email.text}", nl=False)
    if entries:
        click.echo(f"\n(attached: {CALENDAR_FILE}{f', also in {calendar}' if calendar else ''})")
    if html:
        click.echo(f"\n(the HTML is in {html})")


def _sample(event: str, language: Language | None) -> Letter:
    book = load().book
    return replace(sample_letter(event, language or book.language), signature=book.signature)


def _of_card(
    event: str, card: int, language: Language | None, channel: Channel
) -> tuple[Letter, str | None]:
    """The letter about one card, on a day on which ``event`` is true of it, and the calendar file
    that goes with it by email."""
    if event == GUARDIAN_EVENT:
        raise click.UsageError(f"{event} is about several cards: leave out --card")
    app = build_ready()
    with reading(app.engine) as conn:
        watched = card_store.load(conn, [card]).get(card)
    if watched is None:
        raise VigenciaError("There is no such card.", "List them with: vigencia cards list")
    now = app.now()
    key, moment = _key(event, watched, app.rules, channel, now)
    item = Item(0, key, moment, moment, watched.card)
    holder = replace(watched.holder, language=language or watched.holder.language)
    told = (item,), holder, watched.signature, app.rules, moment
    files = Mailing(app.gateways.sender(Channel.EMAIL)).files(*told)
    return compose(*told), files[0].content.decode() if files else None


def _key(
    event: str, watched: Watched, rules: Rules, channel: Channel, now: datetime
) -> tuple[ReminderKey, datetime]:
    """What the letter is about, and the day nearest to ``now`` on which ``event`` is its text."""
    zone = watched.holder.time_zone
    if event in LIFE_EVENTS:
        today = now.astimezone(ZoneInfo(watched.card.time_zone)).date()
        return ReminderKey(LifeNotice(event), today, event, channel), now
    kind = kind_of(event)
    deadline = rules.ladder(watched.card).get(kind)
    if deadline is None:
        raise VigenciaError(
            f"Nobody knows the {kind} of card {watched.card.id}, so {event} is never sent for it.",
            f"Look at it with: vigencia cards show {watched.card.id}",
        )
    # Noon of the day nearest to today on which this text is the true one.
    noons = (
        datetime.combine(deadline.on + timedelta(days=day), time(hour), ZoneInfo(zone))
        for day in range(-_AROUND, _AROUND + 1)
        for hour in (12, 9)
    )
    fitting = [at for at in noons if event_for(kind, read(deadline, at, zone)) == event]
    moment = min(fitting, key=lambda at: abs(at - now)).astimezone(UTC)
    return ReminderKey(kind, deadline.on, event, channel), moment
