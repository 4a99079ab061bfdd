"""How late a notice may be and still count as on time."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

# A window this many days before its deadline, or more, is far from it.
_FAR = 7
_WINDOW = re.compile(r"[a-z_]+(?P<offset>[+-]\d{1,3})d")


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
