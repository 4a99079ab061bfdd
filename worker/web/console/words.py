"""What the program calls by a code, in words for a person; days and hours as people say them."""

import gettext
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import pass_context
from jinja2.runtime import Context

from worker.core.console_languages import Tongue
from worker.web.console.catalogs import marked as _
from worker.web.console.catalogs import marked_many as many
from worker.web.console.vocabulary import WORDS

_LOCALES: Final = {Tongue.EN: "en_GB", Tongue.ES: "es_PE", Tongue.ZH: "zh_Hans_CN"}

_DISTANCES: Final = {
    "-": many("%(num)d day before", "%(num)d days before"),
    "+": many("%(num)d day after", "%(num)d days after"),
}
# How windows are called that a keeper, or a holder, has asked for.
_AGAIN: Final = "again-"
_COMING: Final = many("in %(num)d day", "in %(num)d days")
_GONE: Final = many("%(num)d day ago", "%(num)d days ago")
_NEAR: Final = {0: _("today"), 1: _("tomorrow"), -1: _("yesterday")}


def filters(
    tongue: Tongue, translations: gettext.NullTranslations
) -> Mapping[str, Callable[..., Any]]:
    """The filters of all pages that speak ``tongue``."""
    return {
        "word": partial(word, translations),
        "window": partial(window, translations),
        "in_days": partial(in_days, translations),
        "day": partial(day, _LOCALES[tongue]),
        "instant": pass_context(partial(_instant, _LOCALES[tongue], "%H:%M")),
        "moment": pass_context(partial(_instant, _LOCALES[tongue], "%H:%M:%S")),
        "number": partial(_number, _LOCALES[tongue]),
    }


def word(translations: gettext.NullTranslations, code: Any, group: str) -> str:
    """What ``code`` of a ``group`` of words is called. One that has no word is shown as it is: a
    reason may name a provider's own code."""
    text = WORDS[group].get(str(code))
    return str(code).replace("_", " ") if text is None else translations.gettext(text)


def window(translations: gettext.NullTranslations, name: str) -> str:
    """How far a window is from its deadline, such as ``7 days before``; ``plan_end-7d`` is one."""
    for sign, texts in _DISTANCES.items():
        _deadline, found, days = name.rpartition(sign)
        if found and days.endswith("d") and days[:-1].isdecimal():
            return _number_of(translations, texts, int(days[:-1]), _("on the day"))
    if name.startswith(_AGAIN):
        return translations.gettext(_("told again"))
    return word(translations, name, "window")


def in_days(translations: gettext.NullTranslations, on: date, today: date) -> str:
    """How far ``on`` is from ``today``."""
    number = (on - today).days
    if number in _NEAR:
        return translations.gettext(_NEAR[number])
    texts = _COMING if number > 0 else _GONE
    return _number_of(translations, texts, abs(number), "")


def _number_of(
    translations: gettext.NullTranslations, texts: tuple[str, str], number: int, none: str
) -> str:
    if not number:
        return translations.gettext(none)
    return translations.ngettext(*texts, number) % {"num": number}


def day(locale: str, value: date, today: date | None = None) -> str:
    """``12 Dec``, with its year where that is not the year of ``today``."""
    from babel.dates import format_skeleton

    skeleton = "MMMd" if today is not None and value.year == today.year else "yMMMd"
    return format_skeleton(skeleton, value, locale=locale)


def _instant(locale: str, clock: str, context: Context, value: datetime) -> str:
    """Day and minute, or second, in the time zone of who looks."""
    local = value.astimezone(ZoneInfo(context["zone"]))
    return f"{day(locale, local.date(), context['today'])} {local:{clock}}"


def _number(locale: str, value: int) -> str:
    from babel.numbers import format_decimal

    return str(format_decimal(value, locale=locale))
