"""How fast a sender may send: a bucket of tokens, and a line for those that find it empty.

A token is one SMS segment or one email. Nobody waits for a token: who gets none is told when to
come back.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from worker.core.hours import Hours


def capacity(rate: float) -> float:
    """What may go out at once: one second's worth."""
    return max(rate, 1.0)


def last_chance(useful_until: datetime, hours: Hours, time_zone: str) -> datetime:
    """The last instant at which a holder may be told what is useful until then."""
    local = useful_until.astimezone(ZoneInfo(time_zone))
    if hours.opens < local.time() <= hours.closes:
        return useful_until
    day = local.date() if local.time() > hours.closes else local.date() - timedelta(days=1)
    return datetime.combine(day, hours.closes, local.tzinfo)


@dataclass(frozen=True, slots=True)
class Grant:
    """``tokens`` to use now; the next one comes in ``soon`` seconds; the line ends in ``line``
    seconds, and the rest of what was wanted was put there."""

    tokens: int
    soon: float
    line: float


class Pace(Protocol):
    """Buckets by name; those of all processes together where it is shared."""

    def take(self, name: str, rate: float, wanted: int) -> Grant:
        """Up to ``wanted`` tokens of a bucket that fills at ``rate`` a second."""
        ...

    def settle(self, name: str, rate: float, unused: int, unqueued: int) -> None:
        """Give back what was not used (negative: more was), and places in the line."""
        ...


@dataclass(slots=True)
class Level:
    """A bucket at the instant ``at`` (seconds of any clock), and where its line ends."""

    tokens: float
    at: float
    line: float

    @classmethod
    def full(cls, rate: float, now: float) -> "Level":
        """A bucket that nobody used."""
        return cls(capacity(rate), now, now)

    def take(self, rate: float, wanted: int, now: float) -> Grant:
        """See ``Pace.take``."""
        self._fill(rate, now)
        granted = min(wanted, max(0, math.floor(self.tokens + 1e-9)))
        self.tokens -= granted
        soon = max(0.0, 1 - self.tokens) / rate
        line = max(self.line - now, soon)
        if wanted > granted:
            self.line = now + line + (wanted - granted) / rate
        return Grant(granted, soon, line)

    def settle(self, rate: float, unused: int, unqueued: int, now: float) -> None:
        """See ``Pace.settle``."""
        self._fill(rate, now)
        self.tokens = min(capacity(rate), self.tokens + unused)
        self.line = max(now, self.line - unqueued / rate)

    def _fill(self, rate: float, now: float) -> None:
        self.tokens = min(capacity(rate), self.tokens + max(0.0, now - self.at) * rate)
        self.at = max(self.at, now)


@dataclass(slots=True)
class Budget:
    """What one batch may send now, and when the rest comes back. ``rate`` 0: all of it."""

    rate: float = 0
    wanted: int = 0
    grant: Grant = field(default_factory=lambda: Grant(0, 0, 0))
    used: int = 0
    queued: int = 0
    returned: int = 0

    @property
    def is_open(self) -> bool:
        """May another message go? The last one may cost more than is left: the next pay."""
        return not self.rate or self.used < self.grant.tokens

    @property
    def unused(self) -> int:
        """Tokens that were taken and not used."""
        return self.grant.tokens - self.used

    @property
    def unqueued(self) -> int:
        """Places in the line that were taken and not used."""
        return self.wanted - self.grant.tokens - self.queued

    def spend(self, cost: int) -> None:
        """A message of ``cost`` tokens goes out."""
        self.used += cost

    def place(self, now: datetime, useful_until: datetime, *, waited: bool) -> datetime:
        """When a message that does not fit comes back: at the end of the line, or with the next
        tokens if it has stood in line already (``waited``) or has no time to."""
        at = now + timedelta(seconds=self.grant.line + self.queued / self.rate)
        if not waited and at < now + (useful_until - now) / 2:
            self.queued += 1
            return at
        self.returned += 1
        return now + timedelta(seconds=self.grant.soon + (self.returned - 1) / self.rate)
