"""What a fault of our own configuration closes, and for how long: keys and pauses of breakers."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from worker.core.cards import Channel
from worker.core.hours import Hours

# The reason of what waits behind a breaker is this and the provider's code.
PREFIX = "breaker:"
# Something is handed to the other channel this long before it would be too late there.
_MARGIN = timedelta(minutes=10)
_ANY = "*"


class Scope(StrEnum):
    """Whom a fault concerns."""

    ACCOUNT = "account"
    COUNTRY = "country"
    SENDER = "sender"


# Twilio's error dictionary: a permission is given by country, a number or service has its own
# faults; every other fault of configuration concerns all that the account sends.
_SCOPES = {
    "twilio:21408": Scope.COUNTRY,
    "twilio:21212": Scope.SENDER,
    "twilio:21601": Scope.SENDER,
    "twilio:21606": Scope.SENDER,
    "twilio:21703": Scope.SENDER,
    "twilio:30032": Scope.SENDER,
    "twilio:30034": Scope.SENDER,
}


@dataclass(frozen=True, slots=True)
class Lane:
    """One provider with one sender: what faults, paces and attempts are counted for."""

    channel: Channel
    provider: str
    sender: str

    @property
    def masked(self) -> str:
        """The sender so that a person knows which one it is."""
        if "@" in self.sender:
            return f"{self.sender[0]}…@{self.sender.rpartition('@')[2]}"[:60]
        return f"{self.sender[:2]}…{self.sender[-4:]}" if len(self.sender) > 6 else self.sender

    @property
    def name(self) -> str:
        """Names the lane in Redis: two senders never share it."""
        return f"{self.channel}/{self.provider}/{self.sender}"

    def key(self, code: str, country: str) -> str:
        """The breaker that a fault ``code`` on the way to ``country`` opens."""
        scope = _SCOPES.get(code, Scope.ACCOUNT)
        return self._key(
            country if scope is Scope.COUNTRY else _ANY,
            self.masked if scope is Scope.SENDER else _ANY,
        )

    def keys(self, country: str | None) -> tuple[str, ...]:
        """The breakers that stop a message to ``country`` (``None``: whatever the country)."""
        found = (self._key(_ANY, _ANY), self._key(_ANY, self.masked))
        return found if country is None else (*found, self._key(country, _ANY))

    def _key(self, country: str, sender: str) -> str:
        return f"{self.channel}/{self.provider}/{country}/{sender}"


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """After ``probe`` one message is tried; each failure doubles the pause up to ``longest``."""

    probe: timedelta = timedelta(minutes=5)
    longest: timedelta = timedelta(hours=1)

    def pause(self, failures: int) -> timedelta:
        """How long nothing is sent after ``failures`` (from 1) in a row."""
        doubled: timedelta = self.probe * 2 ** min(failures - 1, 20)
        return max(self.probe, min(doubled, self.longest))


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
