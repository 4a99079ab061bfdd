"""Policies: which windows a kind of card has, and when a holder may be disturbed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from worker.core.cards import Channel, Kind
from worker.core.deadlines import GRAVITY, DeadlineKind
from worker.core.hours import Hours
from worker.core.life import LifeNotice
from worker.core.wording import EVENTS

# The number may be reassigned 90 days after the line is lost (OSIPTEL): nothing is owed later.
_LATEST = 90
# How long the answer may take whether a reported renewal works, counted from the report: a day for
# the top-up to show, and some time after the question.
_ANSWER_WITHIN = timedelta(hours=72)
_LEAST_ANSWER, _MOST_ANSWER = timedelta(hours=30), timedelta(days=14)
_SPAN = re.compile(r"(?P<number>\d{1,3})(?P<unit>[hd])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1)}
_WINDOW = re.compile(r"(?P<deadline>[a-z_]+)(?P<offset>[+-]\d{1,3})d")


@dataclass(frozen=True, slots=True)
class Window:
    """``offset`` days from a deadline's day (negative before it), and the channels to use; one
    that ``closes`` has none: the card is closed then."""

    name: str
    deadline: DeadlineKind
    offset: int
    channels: tuple[Channel, ...]
    closes: bool = False

    @property
    def urgency(self) -> tuple[int, int]:
        """Sort key, most urgent first: the gravest loss, then the latest window."""
        return GRAVITY.index(self.deadline), -self.offset


@dataclass(frozen=True, slots=True)
class Policy:
    """How one kind of card is watched; ``windows`` of a deadline are in order of time.

    ``useful_days``: how long a notice after a deadline is still worth sending. ``answer_within``:
    how long after the report of a renewal its former dates rest, if nobody says whether it works.
    """

    kind: Kind
    windows: tuple[Window, ...]
    hours: Hours
    useful_days: int
    answer_within: timedelta = _ANSWER_WITHIN


def parse_policies(data: Mapping[str, Any]) -> tuple[dict[Kind, Policy], list[str]]:
    """Read all policies from their TOML ``data``; returns those that are right, and all errors.

    Errors read ``key: what is wrong``, ready to be shown after the file's name.
    """
    errors: list[str] = []
    known = {"hours", "useful_days", "events", "tolerance", "renewal", *Kind}
    errors += [
        f"{key}: not known here; known are {', '.join(sorted(known))}"
        for key in data.keys() - known
    ]
    hours = _hours(data.get("hours", {}), errors)
    useful = data.get("useful_days", 7)
    if isinstance(useful, bool) or not isinstance(useful, int) or not 1 <= useful <= 90:
        errors.append(f"useful_days: {useful!r} is not a whole number of days from 1 to 90")
        useful = 7
    answer = _answer_within(data.get("renewal", {}), errors)
    policies = {}
    for kind in Kind:
        if kind not in data:
            errors.append(f"{kind}: the policy for this kind of card is missing")
            continue
        policies[kind] = Policy(kind, _windows(kind, data[kind], errors), hours, useful, answer)
    return policies, errors


def parse_events(
    data: Mapping[str, Any],
) -> tuple[dict[LifeNotice, tuple[Channel, ...]], list[str]]:
    """The channels of each life notice, from ``[events]`` of the policies; and all errors."""
    errors: list[str] = []
    table = data.get("events", {})
    if not isinstance(table, dict):
        return {}, ['events: write [events] and below it notices such as suspended = "email"']
    errors += [f"events.{key}: unknown event" for key in table.keys() - set(LifeNotice)]
    found = {}
    for notice in LifeNotice:
        channels = _channels(table.get(notice))
        if channels is None:
            errors.append(f"events.{notice}: {table.get(notice)!r} is not a list of channels")
        else:
            found[notice] = channels
    return found, errors


def _channels(value: Any) -> tuple[Channel, ...] | None:
    """``"sms, email"`` as channels; ``None`` if it is no such list."""
    names = [part.strip() for part in value.split(",")] if isinstance(value, str) else []
    if not names or any(n not in set(Channel) for n in names) or len(set(names)) < len(names):
        return None
    return tuple(Channel(name) for name in names)


def _windows(kind: Kind, data: Any, errors: list[str]) -> tuple[Window, ...]:
    if not isinstance(data, dict) or not data:
        errors.append(f'{kind}: write windows such as "plan_end-7d" = "sms, email"')
        return ()
    windows = [w for name, value in data.items() if (w := _window(kind, name, value, errors))]
    seen: dict[tuple[DeadlineKind, int], str] = {}
    for window in windows:
        twin = seen.setdefault((window.deadline, window.offset), window.name)
        if twin != window.name:
            errors.append(f"{kind}.{window.name}: the same day as {twin}")
    return tuple(sorted(windows, key=lambda w: (w.deadline, w.offset)))


def _window(kind: Kind, name: str, value: Any, errors: list[str]) -> Window | None:
    where = f"{kind}.{name}"
    match = _WINDOW.fullmatch(name)
    if match is None:
        errors.append(f"{where}: not a window; write one like plan_end-7d or line_loss+1d")
        return None
    deadline, offset = match["deadline"], int(match["offset"])
    if deadline not in set(DeadlineKind):
        errors.append(f"{where}: unknown deadline; known are {', '.join(DeadlineKind)}")
        return None
    if deadline not in EVENTS:
        errors.append(f"{where}: no text tells of this deadline; there are {', '.join(EVENTS)}")
        return None
    if offset > _LATEST:
        errors.append(f"{where}: {offset} days after its deadline there is nothing left to say")
        return None
    if value == "close" and offset > 0:
        return Window(name, DeadlineKind(deadline), offset, (), closes=True)
    channels = _channels(value)
    if channels is None:
        errors.append(f'{where}: {value!r} is not a list of channels; write "sms, email"')
        return None
    return Window(name, DeadlineKind(deadline), offset, channels)


def _hours(data: Any, errors: list[str]) -> Hours:
    default = Hours(time(9), time(20))
    if not isinstance(data, dict):
        errors.append('hours: write open = "09:00" and close = "20:00"')
        return default
    errors += [f"hours.{key}: not known here" for key in data.keys() - {"open", "close"}]
    opens = _time("hours.open", data.get("open", "09:00"), errors) or default.opens
    closes = _time("hours.close", data.get("close", "20:00"), errors) or default.closes
    if opens >= closes:
        errors.append("hours: open must be earlier than close")
        return default
    return Hours(opens, closes)


def _answer_within(data: Any, errors: list[str]) -> timedelta:
    """``answer_within`` of ``[renewal]``: whole hours or days."""
    if not isinstance(data, dict):
        errors.append('renewal: write [renewal] and below it answer_within = "72h"')
        return _ANSWER_WITHIN
    errors += [f"renewal.{key}: not known here" for key in data.keys() - {"answer_within"}]
    value = data.get("answer_within", "72h")
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if match is not None:
        span = int(match["number"]) * _UNITS[match["unit"]]
        if _LEAST_ANSWER <= span <= _MOST_ANSWER:
            return span
    errors.append(
        f"renewal.answer_within: {value!r} is no time like 72h or 3d, from 30h (the holder is "
        "asked after 24) to 14d"
    )
    return _ANSWER_WITHIN


def _time(key: str, value: Any, errors: list[str]) -> time | None:
    try:
        return datetime.strptime(value, "%H:%M").time()  # noqa: DTZ007 - an hour of any day, anywhere
    except (TypeError, ValueError):
        errors.append(f'{key}: {value!r} is not an hour like "09:00"')
        return None
