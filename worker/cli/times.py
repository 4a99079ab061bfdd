"""Instants as a person reads them: in the zone of the card book, which is named."""

from datetime import datetime
from zoneinfo import ZoneInfo


def local(instant: datetime | None, time_zone: str) -> str | None:
    """Such as "2026-06-12 10:00 Lima"; ``None`` stays ``None``."""
    if instant is None:
        return None
    return f"{instant.astimezone(ZoneInfo(time_zone)):%Y-%m-%d %H:%M} {place(time_zone)}"


def local_for(instant: datetime, time_zone: str, reader_zone: str) -> str:
    """``local``, and the reader's own time where it is another: "… 20:00 Lima, 09:00 Shanghai"."""
    told = f"{local(instant, time_zone)}"
    there = instant.astimezone(ZoneInfo(reader_zone))
    if there.utcoffset() == instant.astimezone(ZoneInfo(time_zone)).utcoffset():
        return told
    return f"{told}, {there:%H:%M} {place(reader_zone)}"


def place(time_zone: str) -> str:
    """What people call a zone: "Lima" for America/Lima, "Buenos Aires", "UTC"."""
    return time_zone.rpartition("/")[2].replace("_", " ")
