"""A reader of calendar files that forgives nothing: RFC 5545's lines, values and nesting, and what
RFC 5546 (3.2.1) asks of an event that is published. It shares no code with what writes them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

_NAME = r"[A-Za-z0-9-]+"
_VALUE = r'"[^"\x00-\x08\x0a-\x1f\x7f]*"|[^";:,\x00-\x08\x0a-\x1f\x7f]*'
_LINE = re.compile(rf"({_NAME})((?:;{_NAME}=(?:{_VALUE}))*):(.*)", re.S)
_PARAMETER = re.compile(rf";({_NAME})=({_VALUE})")
_ONCE = {"UID", "DTSTAMP", "DTSTART", "SEQUENCE", "STATUS", "SUMMARY", "ORGANIZER"}
_ESCAPE = re.compile(r"\\(.)", re.S)


@dataclass
class Property:
    """A line: its value as it stands there, and its parameters without their quotes."""

    value: str
    parameters: Mapping[str, str]

    @property
    def text(self) -> str:
        """The value of a TEXT, unescaped."""
        assert not re.search(r"(?<!\\)(?:\\\\)*[;,]", self.value), self.value
        found = _ESCAPE.sub(lambda hit: {"n": "\n", "N": "\n"}.get(hit[1], hit[1]), self.value)
        assert set(_ESCAPE.findall(self.value)) <= set("\\;,nN"), self.value
        return found

    @property
    def instant(self) -> datetime:
        """The value of a DATE-TIME in UTC."""
        assert re.fullmatch(r"\d{8}T\d{6}Z", self.value), self.value
        return datetime.strptime(self.value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


@dataclass
class Component:
    """``BEGIN`` to ``END``, with what stands between."""

    name: str
    properties: list[tuple[str, Property]] = field(default_factory=list)
    components: list["Component"] = field(default_factory=list)

    def one(self, name: str) -> Property:
        """The only property of this name."""
        [found] = [prop for key, prop in self.properties if key == name]
        return found


@dataclass(frozen=True)
class Event:
    """What a calendar takes over. ``alarm``: when it rings."""

    uid: str
    sequence: int
    at: datetime
    summary: str
    language: str
    stamp: datetime
    organizer: str
    organizer_name: str
    cancelled: bool
    alarm: datetime | None


def events(raw: bytes) -> list[Event]:
    """The events of a calendar file, each checked."""
    calendar = read(raw)
    assert calendar.one("VERSION").value == "2.0"
    assert calendar.one("PRODID").text
    assert calendar.one("METHOD").value == "PUBLISH"
    found = [_event(component) for component in calendar.components]
    assert found, "a calendar without an event is none"
    assert len({event.uid for event in found}) == len(found)
    return found


def read(raw: bytes) -> Component:
    """The one VCALENDAR of a file."""
    root = Component("")
    open_ones = [root]
    for line in _unfolded(raw):
        hit = _LINE.fullmatch(line)
        assert hit, line
        name, parameters, value = hit[1].upper(), hit[2], hit[3]
        if name == "BEGIN":
            component = Component(value)
            open_ones[-1].components.append(component)
            open_ones.append(component)
        elif name == "END":
            assert open_ones.pop().name == value
        else:
            found = {k.upper(): v.strip('"') for k, v in _PARAMETER.findall(parameters)}
            open_ones[-1].properties.append((name, Property(value, found)))
    assert open_ones == [root]
    [calendar] = root.components
    assert (calendar.name, root.properties) == ("VCALENDAR", [])
    return calendar


def _unfolded(raw: bytes) -> Iterator[str]:
    assert raw.endswith(b"\r\n")
    assert raw.count(b"\n") == raw.count(b"\r") == raw.count(b"\r\n")
    whole = ""
    for number, line in enumerate(raw[:-2].split(b"\r\n")):
        assert 0 < len(line) <= 75, line
        text = line.decode("utf-8")  # each by itself: no character is torn apart
        if number and text[0] in " \t":
            whole += text[1:]
            continue
        if whole:
            yield whole
        whole = text
    yield whole


def _event(component: Component) -> Event:
    assert component.name == "VEVENT"
    names = [name for name, _ in component.properties]
    assert set(names) >= _ONCE
    assert len(set(names)) == len(names)
    assert "ATTENDEE" not in names, "published events have none"
    organizer, summary = component.one("ORGANIZER"), component.one("SUMMARY")
    assert organizer.value.startswith("mailto:")
    assert organizer.value.isascii()
    assert component.one("STATUS").value in ("CONFIRMED", "CANCELLED")
    at = component.one("DTSTART").instant
    alarms = [_alarm(alarm, at) for alarm in component.components]
    return Event(
        uid=component.one("UID").text,
        sequence=_integer(component.one("SEQUENCE").value),
        at=at,
        summary=summary.text,
        language=summary.parameters["LANGUAGE"],
        stamp=component.one("DTSTAMP").instant,
        organizer=organizer.value.removeprefix("mailto:"),
        organizer_name=organizer.parameters["CN"],
        cancelled=component.one("STATUS").value == "CANCELLED",
        alarm=alarms[0] if alarms else None,
    )


def _alarm(component: Component, at: datetime) -> datetime:
    assert component.name == "VALARM"
    assert component.one("ACTION").value == "DISPLAY"
    assert component.one("DESCRIPTION").text
    hit = re.fullmatch(r"-PT(\d+)M", component.one("TRIGGER").value)
    assert hit
    return at - timedelta(minutes=int(hit[1]))


def _integer(value: str) -> int:
    assert re.fullmatch(r"\d+", value)
    assert int(value) < 2**31
    return int(value)
