"""Instants as a person reads them: in the zone of the card book, which is named."""

from datetime import datetime
from zoneinfo import ZoneInfo


def local(instant: datetime | None, time_zone: str) -> str | None:
    """Such as "2026-06-12 10:00 Lima"; ``None`` stays ``None``."""
    if instant is None:
        return None
    return f"{instant.astimezone(ZoneInfo(time_zone)):%Y-%m-%d %H:%M} {place(time_zone)}"


def place(time_zone: str) -> str:
    """What people call a zone: "Lima" for America/Lima, "Buenos Aires", "UTC"."""
    return time_zone.rpartition("/")[2].replace("_", " ")
