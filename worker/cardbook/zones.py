"""The time zone a phone number lives in, and why it is that one."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


class Why(StrEnum):
    """What a holder's time zone comes from."""

    ROW = "the row says so"
    PREFIX = "the phone's prefix lies there"
    COUNTRY = "the main zone of the phone's country, whose numbers do not tell"
    BOOK = "the book's default"


@dataclass(frozen=True, slots=True)
class Zone:
    """An IANA zone, and why."""

    name: str
    why: Why


# Of a country with several zones the one of its capital, or (AU, BR, CA, NZ, US …) of most of its
# people: a text at 09:00 there disturbs the fewest. The names are those of CLDR's primary zones
# (https://github.com/unicode-org/cldr, metaZones.xml) and of zone.tab, which lists the most
# populous first.
_MAIN: Final = {
    **{"AR": "America/Argentina/Buenos_Aires", "AU": "Australia/Sydney"},
    **{"BR": "America/Sao_Paulo", "CA": "America/Toronto", "CD": "Africa/Kinshasa"},
    **{"CL": "America/Santiago", "CN": "Asia/Shanghai", "CY": "Asia/Nicosia"},
    **{"DE": "Europe/Berlin", "EC": "America/Guayaquil", "ES": "Europe/Madrid"},
    **{"FM": "Pacific/Pohnpei", "GB": "Europe/London", "GL": "America/Nuuk"},
    **{"ID": "Asia/Jakarta", "IL": "Asia/Jerusalem", "KI": "Pacific/Tarawa"},
    **{"KZ": "Asia/Almaty", "MH": "Pacific/Majuro", "MN": "Asia/Ulaanbaatar"},
    **{"MX": "America/Mexico_City", "MY": "Asia/Kuala_Lumpur", "NZ": "Pacific/Auckland"},
    **{"PF": "Pacific/Tahiti", "PG": "Pacific/Port_Moresby", "PS": "Asia/Gaza"},
    **{"PT": "Europe/Lisbon", "RU": "Europe/Moscow", "UA": "Europe/Kyiv"},
    **{"US": "America/New_York", "UZ": "Asia/Tashkent", "VN": "Asia/Ho_Chi_Minh"},
    **{"XK": "Europe/Belgrade", "AC": "Atlantic/St_Helena", "TA": "Atlantic/St_Helena"},
}
_NOWHERE: Final = "Etc/Unknown"


@lru_cache(maxsize=10_000)
def zone_of(number: str) -> str | None:
    """The IANA zone of an E.164 ``number``; ``None`` where not even its country is known."""
    found = zone_with_reason(number)
    return found.name if found else None


@lru_cache(maxsize=10_000)
def zone_with_reason(number: str) -> Zone | None:
    """The zone of an E.164 ``number``: where its prefix lies, if that has one clock; else its
    country's main one, which names a clock that both share, too (London and not Guernsey).

    Source: the number-to-time-zone data of libphonenumber.
    """
    import phonenumbers
    from phonenumbers import timezone

    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return None
    region = phonenumbers.region_code_for_number(parsed)
    # Of a number in no known range (new ones open, tables follow) the country code still tells.
    region = region or phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    main = main_zone(region)
    zones = [zone for zone in timezone.time_zones_for_number(parsed) if zone != _NOWHERE]
    clocks = {_clock(zone) for zone in zones}
    if None in clocks or len(clocks) != 1:
        return Zone(main, Why.COUNTRY) if main else None
    same = main is not None and _clock(main) in clocks
    return Zone(main if same and main else zones[0], Why.PREFIX)


def main_zone(region: str) -> str | None:
    """The zone in which most people of ``region`` (ISO 3166) live, if it is a country."""
    if region in _MAIN:
        return _MAIN[region]
    from babel.core import get_global

    found = get_global("territory_zones").get(region, [])
    return str(found[0]) if len(found) == 1 else None


@lru_cache(maxsize=1_000)
def _clock(zone: str) -> tuple[timedelta | None, timedelta | None] | None:
    """The offsets in winter and summer, ``None`` of a zone that this system does not know: zones
    that agree on both are one to us."""
    try:
        own = ZoneInfo(zone)
    except ZoneInfoNotFoundError:
        return None
    winter, summer = (datetime(2026, month, 15, tzinfo=UTC).astimezone(own) for month in (1, 7))
    return winter.utcoffset(), summer.utcoffset()
