"""Calendar files (RFC 5545) as a mail program opens them: text from entries, and nothing else.

The method is PUBLISH (RFC 5546, 3.2.1): a calendar takes such an entry over without an answer. One
that it has under the same UID gives way to a higher SEQUENCE, or to a later DTSTAMP of the same.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

METHOD: Final = "PUBLISH"
_LONGEST: Final = 75  # octets of a line without its end (RFC 5545, 3.1)
_LARGEST: Final = 2**31 - 1  # of an INTEGER (RFC 5545, 3.3.8)
# The last ones are no ends of lines by RFC 5545, but are to many who read lines.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """A moment in somebody's calendar, ``at``, without a duration. ``sequence`` grows whenever the
    entry ``uid`` changes; ``alarm`` is how long before ``at`` the calendar rings, if it is to;
    ``cancelled``: the entry is to go away."""

    uid: str
    sequence: int
    at: datetime
    summary: str
    alarm: timedelta | None = None
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who publishes the entries: a name for people and an email address."""

    name: str
    address: str


def publish(entries: Sequence[Entry], by: Publisher, language: str, now: datetime) -> str:
    """One calendar with ``entries``, of which there must be one at least, as of ``now``.

    Lines end with CRLF and are folded; ``language`` is that of the summaries (BCP 47).
    """
    lines = [
        "BEGIN:VCALENDAR",
        "PRODID:-//Vigencia//Vigencia//EN",
        "VERSION:2.0",
        "CALSCALE:GREGORIAN",
        f"METHOD:{METHOD}",
    ]
    for entry in entries:
        lines += _event(entry, by, language, now)
    lines.append("END:VCALENDAR")
    return "".join(_folded(lines))


def _event(entry: Entry, by: Publisher, language: str, now: datetime) -> Iterator[str]:
    summary = _text(entry.summary)
    yield "BEGIN:VEVENT"
    yield f"UID:{_text(entry.uid)}"
    yield f"DTSTAMP:{_instant(now)}"
    yield f"DTSTART:{_instant(entry.at)}"
    yield f"SEQUENCE:{min(max(entry.sequence, 0), _LARGEST)}"
    yield f"STATUS:{'CANCELLED' if entry.cancelled else 'CONFIRMED'}"
    yield f"SUMMARY;LANGUAGE={language}:{summary}"
    yield f"ORGANIZER;CN={_parameter(by.name)}:mailto:{quote(by.address, safe='@+')}"
    # It marks a moment: nobody is busy then, and nobody else needs to see whose number it is.
    yield "TRANSP:TRANSPARENT"
    yield "CLASS:PRIVATE"
    if entry.alarm is not None and not entry.cancelled:
        yield "BEGIN:VALARM"
        yield "ACTION:DISPLAY"
        yield f"DESCRIPTION;LANGUAGE={language}:{summary}"
        yield f"TRIGGER:-PT{entry.alarm // timedelta(minutes=1)}M"
        yield "END:VALARM"
    yield "END:VEVENT"


def _instant(at: datetime) -> str:
    """In UTC, so that no calendar needs to know a time zone by our name."""
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(value: str) -> str:
    """A TEXT value (RFC 5545, 3.3.11) on one line."""
    plain = _CONTROL.sub(" ", value).strip()
    return re.sub(r"([\\;,])", r"\\\1", plain)


def _parameter(value: str) -> str:
    """A quoted parameter value: it can hold neither quotes nor controls (RFC 5545, 3.2)."""
    return f'"{_CONTROL.sub(" ", value).strip().replace(chr(34), chr(39))}"'


def _folded(lines: Iterable[str]) -> Iterator[str]:
    """Each line with its end; one that is too long goes on behind a space, and no character is
    torn apart."""
    for line in lines:
        if len(line.encode()) <= _LONGEST:
            yield line + "\r\n"
            continue
        part, size = "", 0
        for character in line:
            width = len(character.encode())
            if size + width > _LONGEST:
                yield part + "\r\n"
                part, size = " ", 1
            part += character
            size += width
        yield part + "\r\n"
