"""How much may go out in a day, whatever is owed: against runaways and against bills."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from worker.core.cards import Channel
from worker.core.prices import EMAIL, Prices


class Cap(StrEnum):
    """Which bound a message met; also the reason that people are told."""

    ROUTE = "daily_cap"  # a route's own bound for one number
    ADDRESS = "cap:address"
    BOOK = "cap:book"
    SPEND = "cap:spend"


@dataclass(frozen=True, slots=True)
class Caps:
    """``per_address``: attempts in 24 hours. ``per_book`` and ``spend``: messages and money of
    one book in one UTC day. ``None``: no bound."""

    per_address: int | None = None
    per_book: int | None = None
    spend: Decimal | None = None

    @property
    def of_books(self) -> bool:
        """Must be known what a book used today?"""
        return self.per_book is not None or self.spend is not None

    def met(self, messages: int, spent: Decimal, cost: Decimal) -> Cap | None:
        """The bound that one more message of ``cost`` would break."""
        if self.per_book is not None and messages >= self.per_book:
            return Cap.BOOK
        # What costs nothing breaks no bound on money.
        if self.spend is not None and cost and spent + cost > self.spend:
            return Cap.SPEND
        return None


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a message costs, in the one currency of ``prices``."""

    prices: Prices = field(default_factory=lambda: Prices({}))

    def cost(self, channel: Channel, address: str, segments: int) -> Decimal:
        """The cost of a message; 0 where no price is set. A number that no prefix fits counts at
        the dearest price: a bound must not be passed because nobody knows."""
        prices = self.prices.by_route
        if channel is not Channel.SMS:
            email = prices.get(EMAIL)
            return email.amount if email else Decimal(0)
        route = self.prices.route_of(address)
        if route in prices:
            price = prices[route]
            return price.amount * segments if price else Decimal(0)
        sms = [price.amount for route, price in prices.items() if price and route != EMAIL]
        return max(sms, default=Decimal(0)) * segments


def next_day(now: datetime) -> datetime:
    """When a new UTC day begins."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=1)
