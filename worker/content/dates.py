"""Dates in words, as each language's readers write them."""

import re
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.core import get_global
from babel.dates import format_date

from worker.core.cards import Language

LOCALES: Final = {
    Language.ZH_HANS: Locale("zh", "CN", script="Hans"),
    Language.ZH_HANT: Locale("zh", "TW", script="Hant"),
    Language.ES_PE: Locale("es", "PE"),
    Language.EN: Locale("en", "GB"),
}
_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
# CLDR's full Spanish and English dates carry commas that a sentence does not want.
_FULL: Final = {
    Language.ZH_HANS: "y年M月d日EEEE",
    Language.ZH_HANT: "y年M月d日EEEE",
    Language.ES_PE: "EEEE d 'de' MMMM 'de' y",
    Language.EN: "EEEE d MMMM y",
}
# Time zones by the names that readers use. CLDR names a city for each zone, which is an identifier:
# nobody in the Mainland says 上海时间, the official time there is 北京时间.
_CITIES: Final = {
    "Asia/Shanghai": ("北京", "北京", "Beijing", "Beijing"),
    "Asia/Taipei": ("台北", "台北", "Taipéi", "Taipei"),
    "Asia/Hong_Kong": ("香港", "香港", "Hong Kong", "Hong Kong"),
    "Asia/Macau": ("澳门", "澳門", "Macao", "Macao"),
    "America/Lima": ("利马", "利馬", "Lima", "Lima"),
}
_SAME_TIME: Final = {
    **dict.fromkeys(("Asia/Chongqing", "Asia/Chungking", "Asia/Harbin", "PRC"), "Asia/Shanghai"),
    **{"ROC": "Asia/Taipei", "Hongkong": "Asia/Hong_Kong", "Asia/Macao": "Asia/Macau"},
}
# Etc/GMT+5 is five hours behind UTC: in these names POSIX counts towards the west.
_OFFSET: Final = re.compile(r"(?:Etc/)?GMT(?P<sign>[+-])(?P<hours>[1-9]\d?)")
_LANGUAGES: Final = (Language.ZH_HANS, Language.ZH_HANT, Language.ES_PE, Language.EN)
# On one clock, and on the reader's first with the card's in brackets.
_ONE_CLOCK: Final = {
    Language.ZH_HANS: "{day} {clock}（{city}时间）",
    Language.ZH_HANT: "{day} {clock}（{city}時間）",
    Language.ES_PE: "{day}, {clock} (hora de {city})",
    Language.EN: "{day}, {clock} ({city} time)",
}
_TWO_CLOCKS: Final = {
    Language.ZH_HANS: "{city}时间{day} {clock}（{card_city}时间{card_day}{card_clock}）",
    Language.ZH_HANT: "{city}時間{day} {clock}（{card_city}時間{card_day}{card_clock}）",
    Language.ES_PE: "{day}, {clock} (hora de {city}; en {card_city}: {card_day}{card_clock})",
    Language.EN: "{day}, {clock} {city} time ({card_city}: {card_day}{card_clock})",
}
_DAY: Final = {
    Language.ZH_HANS: "M月d日 ",
    Language.ZH_HANT: "M月d日 ",
    Language.ES_PE: "d 'de' MMMM, ",
    Language.EN: "d MMMM, ",
}


def short_date(day: date, language: Language) -> str:
    """6月12日, 12/06 or 12 Jun: all an SMS has room for. Every character but 月 and 日 is GSM-7."""
    match language:
        case Language.ZH_HANS | Language.ZH_HANT:
            return f"{day.month}月{day.day}日"
        case Language.ES_PE:
            return f"{day.day:02}/{day.month:02}"
        case Language.EN:
            return f"{day.day} {_MONTHS[day.month - 1]}"


@lru_cache(maxsize=4096)
def long_date(day: date, language: Language) -> str:
    """12 June 2026."""
    return format_date(day, "long", locale=LOCALES[language])


@lru_cache(maxsize=4096)
def full_date(day: date, language: Language) -> str:
    """Friday 12 June 2026."""
    return format_date(day, _FULL[language], locale=LOCALES[language])


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
    there = at.astimezone(ZoneInfo(zone))
    own = at.astimezone(ZoneInfo(reader or zone))
    words = {"day": full_date(own.date(), language), "clock": f"{own:%H:%M}"}
    if own.utcoffset() == there.utcoffset():
        return _ONE_CLOCK[language].format(**words, city=city_of(zone, language))
    same_day = own.date() == there.date()
    card_day = "" if same_day else format_date(there.date(), _DAY[language], LOCALES[language])
    return _TWO_CLOCKS[language].format(
        **words,
        city=city_of(reader or zone, language),
        card_city=city_of(zone, language),
        card_day=card_day,
        card_clock=f"{there:%H:%M}",
    )


@lru_cache(maxsize=4096)
def city_of(zone: str, language: Language) -> str:
    """The place that names the time of a ``zone`` in ``language``: 北京, Beijing."""
    names = _CITIES.get(_SAME_TIME.get(zone, zone))
    if names:
        return names[_LANGUAGES.index(language)]
    if offset := _OFFSET.fullmatch(zone):
        return "UTC" + ("+" if offset["sign"] == "-" else "-") + offset["hours"]
    known = LOCALES[language].time_zones
    cities = (known.get(name, {}).get("city") for name in _names_of(zone))
    found = next((str(city) for city in cities if city), None)
    return found or _names_of(zone)[0].rpartition("/")[2].replace("_", " ")


def _names_of(zone: str) -> list[str]:
    """All names of a zone, today's first: CLDR keeps its cities under the name that a zone had at
    first, such as Asia/Katmandu."""
    todays = get_global("zone_aliases")
    name = str(todays.get(zone, zone))
    return [name, *sorted(former for former, today in todays.items() if today == name)]
