"""Dates in words, as each language's readers write them."""

import re
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from babel.core import get_global
from babel.dates import format_date

from worker.content.languages import SPEECH
from worker.core.cards import Language

# Zones that show the time of another, by whose place readers name it.
_SAME_TIME: Final = {
    **dict.fromkeys(("Asia/Chongqing", "Asia/Chungking", "Asia/Harbin", "PRC"), "Asia/Shanghai"),
    **{"ROC": "Asia/Taipei", "Hongkong": "Asia/Hong_Kong", "Asia/Macao": "Asia/Macau"},
}
# Etc/GMT+5 is five hours behind UTC: in these names POSIX counts towards the west.
_OFFSET: Final = re.compile(r"(?:Etc/)?GMT(?P<sign>[+-])(?P<hours>[1-9]\d?)")


def short_date(day: date, language: Language) -> str:
    """6月12日, 12/06 or 12 Jun: all an SMS has room for. Every character but 月 and 日 is GSM-7."""
    own = SPEECH[language]
    return own.short_date.format(day=day.day, month=day.month, name=own.months[day.month - 1])


@lru_cache(maxsize=4096)
def long_date(day: date, language: Language) -> str:
    """12 June 2026."""
    return format_date(day, "long", locale=SPEECH[language].locale)


@lru_cache(maxsize=4096)
def full_date(day: date, language: Language) -> str:
    """Friday 12 June 2026."""
    return format_date(day, SPEECH[language].full_date, locale=SPEECH[language].locale)


def days_later(day: date, days: int) -> date:
    """Return the date ``days`` after ``day``."""
    return day + timedelta(days=days)


@lru_cache(maxsize=4096)
def deadline_words(at: datetime, zone: str, language: Language, reader: str | None = None) -> str:
    """Say the minute ``at`` on the clock of ``reader``, and then on that of the card's ``zone``
    (IANA names) where it shows another time: 2026年6月13日 12:59 in Beijing, 12日 23:59 in Lima.

    A plan lasts to the end of its day; 23:59 says so without a doubt, where 24:00 or 00:00 can be
    read as either of two days.
    """
    speech = SPEECH[language]
    there = at.astimezone(ZoneInfo(zone))
    own = at.astimezone(ZoneInfo(reader or zone))
    words = {"day": full_date(own.date(), language), "clock": f"{own:%H:%M}"}
    if own.utcoffset() == there.utcoffset():
        return speech.one_clock.format(**words, city=city_of(zone, language))
    same_day = own.date() == there.date()
    card_day = format_date(there.date(), speech.day_before_hour, locale=speech.locale)
    return speech.two_clocks.format(
        **words,
        city=city_of(reader or zone, language),
        card_city=city_of(zone, language),
        card_day="" if same_day else card_day,
        card_clock=f"{there:%H:%M}",
    )


@lru_cache(maxsize=4096)
def city_of(zone: str, language: Language) -> str:
    """The place that names the time of a ``zone`` in ``language``: 北京, Beijing."""
    if place := SPEECH[language].places.get(_SAME_TIME.get(zone, zone)):
        return place
    if offset := _OFFSET.fullmatch(zone):
        return "UTC" + ("+" if offset["sign"] == "-" else "-") + offset["hours"]
    known = SPEECH[language].locale.time_zones
    cities = (known.get(name, {}).get("city") for name in _names_of(zone))
    found = next((str(city) for city in cities if city), None)
    return found or _names_of(zone)[0].rpartition("/")[2].replace("_", " ")


def _names_of(zone: str) -> list[str]:
    """All names of a zone, today's first: CLDR keeps its cities under the name that a zone had at
    first, such as Asia/Katmandu."""
    todays = get_global("zone_aliases")
    name = str(todays.get(zone, zone))
    return [name, *sorted(former for former, today in todays.items() if today == name)]
