"""Dates in words, as each language's readers write them."""

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, get_timezone_location

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
_DEADLINE: Final = {
    Language.ZH_HANS: "{day} {clock}（{city}时间，{offset}）",
    Language.ZH_HANT: "{day} {clock}（{city}時間，{offset}）",
    Language.ES_PE: "{day}, {clock} (hora de {city}, {offset})",
    Language.EN: "{day}, {clock} ({city} time, {offset})",
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
def deadline_words(day: date, zone: str, language: Language, reader: str | None = None) -> str:
    """Say when ``day`` ends in ``zone`` (an IANA name), the way ``Notice.deadline_at`` wants it,
    and on the clock of ``reader``'s zone too where that shows another time.

    A date alone is the end of that day in the card's zone; 23:59 says so without a doubt, where
    24:00 or 00:00 can be read as either of two days.
    """
    end = datetime.combine(day, time(23, 59), ZoneInfo(zone))
    there = _instant_words(end, zone, language)
    own = end.astimezone(ZoneInfo(reader or zone))
    if reader is None or own.utcoffset() == end.utcoffset():
        return there
    return f"{there} = {_instant_words(own, reader, language)}"


def _instant_words(at: datetime, zone: str, language: Language) -> str:
    city = get_timezone_location(ZoneInfo(zone), locale=LOCALES[language], return_city=True)
    day = full_date(at.date(), language)
    return _DEADLINE[language].format(day=day, clock=f"{at:%H:%M}", city=city, offset=_offset(at))


def _offset(instant: datetime) -> str:
    minutes = int((instant.utcoffset() or timedelta()).total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    sign = "-" if minutes < 0 else "+"
    return f"UTC{sign}{hours}" + (f":{rest:02}" if rest else "")
