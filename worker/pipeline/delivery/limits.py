"""What bounds sending: the senders, their breakers and pace, and the caps of a day."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import Any

import phonenumbers

from worker.core.breaker import BreakerPolicy, Sender
from worker.core.caps import Caps, Tariff
from worker.core.cards import Channel
from worker.core.pace import Budget, Pace
from worker.core.senders import SenderPool
from worker.providers.base import Provider
from worker.providers.choice import members


@dataclass(frozen=True, slots=True)
class Limits:
    """``rates``: tokens a second by channel; a channel that is not in it has no bound.
    ``gather``: how long the first notice to a guardian waits for others, so that they go in one
    digest a day; ``None``: each goes at once."""

    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    caps: Caps = field(default_factory=Caps)
    tariff: Tariff = field(default_factory=Tariff)
    pace: Pace | None = None
    rates: Mapping[Channel, float] = field(default_factory=dict)
    gather: timedelta | None = None

    def budget(self, pool: SenderPool, channel: Channel, wanted: int) -> Budget:
        """What may go out now. Asks Redis: never inside a transaction."""
        rate = self.rates.get(channel, 0)
        if not rate or self.pace is None or not wanted:
            return Budget()
        return Budget(rate, wanted, self.pace.take(pool.name, rate, wanted))

    def settle(self, pool: SenderPool, budget: Budget) -> None:
        """Give back what the batch did not use."""
        if self.pace and budget.rate and (budget.unused or budget.unqueued):
            self.pace.settle(pool.name, budget.rate, budget.unused, budget.unqueued)


def senders_of(providers: Mapping[Channel, Provider[Any]]) -> dict[Channel, SenderPool]:
    """The senders of each channel."""
    found: dict[Channel, SenderPool] = {}
    for channel, provider in providers.items():
        several = members(provider)
        senders = tuple(Sender(channel, one.name, one.sender[:100]) for one, _ in several)
        found[channel] = SenderPool(senders, tuple(weight for _, weight in several))
    return found


def load_countries() -> None:
    """Load what is known of every country's numbers now. Later each would be loaded on its first
    use, under a lock that the library does not give back if that fails (no file can be opened, no
    memory is left): whoever asks next waits for ever, perhaps with a transaction open."""
    phonenumbers.PhoneMetadata.load_all()


def calling_code(address: str) -> str:
    """How all E.164 numbers of the country begin (``+51``)."""
    try:
        return f"+{phonenumbers.parse(address).country_code}"
    except phonenumbers.NumberParseException:
        return address


@lru_cache(maxsize=4096)
def country_of(address: str) -> str | None:
    """The country of an E.164 number as ISO 3166 names it, or its calling code (``+1``) where
    several share one and the number does not tell; ``None`` for an email address."""
    if "@" in address:
        return None
    try:
        number = phonenumbers.parse(address)
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.region_code_for_number(number) or f"+{number.country_code}"
