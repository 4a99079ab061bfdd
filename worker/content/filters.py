"""What templates can do to a value. The language of a text is the folder it stands in."""

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from worker.content import dates
from worker.content.languages import SPEECH
from worker.core.cards import Kind, Language


def _language(context: Context) -> Language:
    return language_of(str(context.name))


@lru_cache(maxsize=1024)  # more than there are templates
def language_of(name: str) -> Language:
    """``plan_ended/es-PE/sms.txt.j2`` and ``shared/es-PE/words.j2`` speak es-PE."""
    return Language(name.split("/")[1])


@pass_context
def short_date(context: Context, day: date) -> str:
    """6月12日, 12/06, 12 Jun."""
    return dates.short_date(day, _language(context))


@pass_context
def long_date(context: Context, day: date) -> str:
    """12 June 2026."""
    return dates.long_date(day, _language(context))


@pass_context
def full_date(context: Context, day: date) -> str:
    """Friday 12 June 2026."""
    return dates.full_date(day, _language(context))


@pass_context
def kind_name(context: Context, kind: Kind) -> str:
    """What a kind of card is called."""
    return SPEECH[_language(context)].kinds[kind]


def strong_html(value: object) -> Markup:
    """Emphasis, where there is any: the plain text has none and gets the value as it is."""
    return Markup(f"<strong>{escape(value)}</strong>")  # noqa: S704 - escaped


def strong_text(value: object) -> str:
    """The same for plain text."""
    return str(value)


def is_weblink(value: object) -> bool:
    """Whether a link may lead there: never to ``javascript:`` or into a file."""
    return str(value).lower().startswith(("https://", "http://"))


def filters(html: bool) -> dict[str, Callable[..., Any]]:
    """All filters by the name templates use."""
    return {
        "short_date": short_date,
        "long_date": long_date,
        "full_date": full_date,
        "days_later": dates.days_later,
        "kind_name": kind_name,
        "strong": strong_html if html else strong_text,
    }
