"""The time zone a phone number lives in, where its prefix leaves no doubt."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@lru_cache(maxsize=10_000)
def zone_of(number: str) -> str | None:
    """The IANA zone of an E.164 ``number``, ``None`` if its prefix covers zones that differ.

    Source: the number-to-time-zone data of libphonenumber.
    """
    import phonenumbers
    from phonenumbers import timezone

    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return None
    zones = timezone.time_zones_for_number(parsed)
    try:
        clocks = {(_offset(zone, 1), _offset(zone, 7)) for zone in zones}
    except ZoneInfoNotFoundError:
        return None
    return zones[0] if len(clocks) == 1 and "Etc/Unknown" not in zones else None


def _offset(zone: str, month: int) -> timedelta | None:
    """The offset in winter (month 1) or summer (7): zones that agree on both are one to us."""
    return datetime(2026, month, 15, tzinfo=UTC).astimezone(ZoneInfo(zone)).utcoffset()
