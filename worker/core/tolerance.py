"""How late a notice may be and still count as on time."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from worker.core.cards import Kind

# A window this many days before its deadline, or more, is far from it.
_FAR = 7
_WINDOW = re.compile(r"[a-z_]+(?P<offset>[+-]\d{1,3})d")
_SPAN = re.compile(r"(?P<number>\d{1,3})(?P<unit>[mhd])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_LONGEST = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """From the instant a notice is owed until a provider takes it; ``own``: of single windows."""

    far: timedelta = timedelta(days=1)
    near: timedelta = timedelta(hours=6)
    event: timedelta = timedelta(hours=1)
    own: Mapping[str, timedelta] = field(default_factory=dict)

    def of(self, window: str) -> timedelta:
        """The tolerance of a reminder's ``window``; what is none of the policies' is an event."""
        if window in self.own:
            return self.own[window]
        match = _WINDOW.fullmatch(window)
        if match is None:
            return self.event
        return self.far if int(match["offset"]) <= -_FAR else self.near


def parse_tolerance(data: Mapping[str, Any]) -> tuple[Tolerance, list[str]]:
    """Read ``[tolerance]`` of the policies' TOML ``data``; also all errors, as ``key: what``."""
    table = data.get("tolerance", {})
    if not isinstance(table, dict):
        return Tolerance(), ['tolerance: write [tolerance] and below it far = "1d"']
    errors: list[str] = []
    windows = {name for kind in Kind if isinstance(data.get(kind), dict) for name in data[kind]}
    found: dict[str, timedelta] = {}
    for key, value in table.items():
        span = _span(value)
        if key not in {"far", "near", "event", *windows}:
            errors.append(f"tolerance.{key}: neither far, near, event nor a window of a policy")
        elif span is None:
            errors.append(f"tolerance.{key}: {value!r} is no time like 30m, 6h or 1d, up to 7d")
        else:
            found[key] = span
    base = Tolerance()
    own = {name: span for name, span in found.items() if name in windows}
    far, near, event = (
        found.get(name, default)
        for name, default in (("far", base.far), ("near", base.near), ("event", base.event))
    )
    return Tolerance(far, near, event, own), errors


def _span(value: Any) -> timedelta | None:
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    span = int(match["number"]) * _UNITS[match["unit"]] if match else timedelta()
    return span if timedelta() < span <= _LONGEST else None
