"""What a fault of our own configuration closes, or a provider that is down, and for how long: keys
and pauses of breakers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.core.cards import Channel
from worker.core.hours import Hours
from worker.core.outcomes import ALONE, Row, Scope

# The reason that people are told of what waits behind a breaker is this and the provider's code. An
# attempt that was not made, since its breaker had just opened, has this code.
PREFIX = "breaker:"
# Something is handed to the other channel this long before it would be too late there.
_MARGIN = timedelta(minutes=10)
# How soon, and how rarely at most, a provider that is down is tried.
_DOWN_PROBE, _DOWN_LONGEST = timedelta(seconds=30), timedelta(minutes=5)
_ANY = "*"
# How the code of a provider that is down ends.
_DOWN = ":down"


@dataclass(frozen=True, slots=True)
class Sender:
    """One provider with one address or number that messages come from:
    what faults, paces and attempts are counted for."""

    channel: Channel
    provider: str
    address: str

    @property
    def masked(self) -> str:
        """The sender so that a person knows which one it is."""
        if "@" in self.address:
            return f"{self.address[0]}…@{self.address.rpartition('@')[2]}"[:60]
        return f"{self.address[:2]}…{self.address[-4:]}" if len(self.address) > 6 else self.address

    @property
    def name(self) -> str:
        """Names the sender in Redis: two senders never share it."""
        return f"{self.channel}/{self.provider}/{self.address}"

    def key(self, code: str, row: Row, country: str) -> str:
        """The breaker that a fault ``code``, of which ``row`` tells, opens on the way to
        ``country``. One text that a carrier filters has met its fate; where the rate rises, the
        route is closed."""
        if is_down(code):
            return self._down
        scope = Scope.ROUTE if row.filtered else row.scope
        return self._key(
            country if scope in (Scope.COUNTRY, Scope.ROUTE) else _ANY,
            self.masked if scope in (Scope.SENDER, Scope.ROUTE) else _ANY,
        )

    def keys(self, country: str | None) -> tuple[str, ...]:
        """The breakers that stop a message to ``country`` (``None``: whatever the country)."""
        found = (self._key(_ANY, _ANY), self._key(_ANY, self.masked), self._down)
        if country is None:
            return found
        return (*found, self._key(country, _ANY), self._key(country, self.masked))

    @property
    def down(self) -> str:
        """The code of this sender's provider answering nobody."""
        return self.provider + _DOWN

    @property
    def _down(self) -> str:
        # Not the key of the account's faults: the one may end while the other lasts.
        return f"{self.channel}/{self.provider}/down"

    def _key(self, country: str, sender: str) -> str:
        return f"{self.channel}/{self.provider}/{country}/{sender}"


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """After ``probe`` one message is tried; each failure doubles the pause up to ``longest``.

    A fault that receipts showed is not over with a call that is accepted, but once that message
    is delivered, or nothing bad was heard of it for ``probe``. ``filtered_share``: how much of the
    last ``filtered_of`` texts of a route carriers may filter.
    """

    probe: timedelta = timedelta(minutes=5)
    longest: timedelta = timedelta(hours=1)
    filtered_of: int = 20
    filtered_share: float = 0.2

    def of(self, code: str) -> "BreakerPolicy":
        """The pauses for ``code``: a provider that is down comes back by itself."""
        if not is_down(code):
            return self
        return BreakerPolicy(min(self.probe, _DOWN_PROBE), min(self.longest, _DOWN_LONGEST))

    def pause(self, failures: int) -> timedelta:
        """How long nothing is sent after ``failures`` (from 1) in a row."""
        doubled: timedelta = self.probe * 2 ** min(failures - 1, 20)
        return max(self.probe, min(doubled, self.longest))

    def sooner(self, probe_at: datetime, failures: int) -> datetime:
        """When one may be tried that the fault has not met yet, where the others are tried again
        at ``probe_at``: what refuses one need not refuse the next, so that one waits for no
        doubled pause."""
        return probe_at - self.pause(failures) + self.probe

    def filters(self, filtered: Sequence[bool]) -> bool:
        """Does what became of the last texts of a route show a filter, and not single fates?"""
        enough = len(filtered) >= self.filtered_of
        return enough and sum(filtered) > self.filtered_share * len(filtered)


def rests_alone(code: str, row: Row) -> bool:
    """Does the fault ``code``, of which ``row`` tells, concern one message or recipient only? Then
    no breaker opens."""
    return not is_down(code) and row.scope in ALONE


def is_down(code: str) -> bool:
    """Does this code say that a provider answers nobody?"""
    return code.endswith(_DOWN)


def can_wait(useful_until: datetime, at: datetime, hours: Hours, time_zone: str) -> bool:
    """Could a notice still be told when it is looked at again at ``at``?"""
    return hours.next_open(at, time_zone) < useful_until


def rest(
    useful_until: datetime, looks: Iterable[datetime], hours: Hours, time_zone: str
) -> datetime | None:
    """The first of ``looks`` after which there is still time for the other channel to take over;
    ``None`` if after each of them there is not."""
    for at in looks:
        if can_wait(useful_until, at + _MARGIN, hours, time_zone):
            return at
    return None
