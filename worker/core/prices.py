"""What messages cost; a price nobody verified is never made up."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from worker.core.cards import Channel

EMAIL = Channel.EMAIL.value
# A number whose prefix the table does not have.
ELSEWHERE = "other"


@dataclass(frozen=True, slots=True)
class Price:
    """``amount`` of ``currency`` (ISO 4217) for one SMS segment or one email."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices by route: an E.164 prefix, or ``email``; ``None`` where a price is not set."""

    by_route: Mapping[str, Price | None]

    def route_of(self, number: str) -> str:
        """The longest prefix of the E.164 ``number`` in the table, ``ELSEWHERE`` if none fits."""
        for length in range(min(len(number), 8), 1, -1):
            if number[:length] in self.by_route:
                return number[:length]
        return ELSEWHERE

    def cost(self, units: Mapping[str, int]) -> tuple[dict[str, str] | None, str | None]:
        """What ``units`` by route cost, by currency; or ``None`` and a note why nobody knows."""
        unset = sorted(r for r, count in units.items() if count and not self.by_route.get(r))
        if unset:
            return None, f"not set in prices.toml: {', '.join(unset)}"
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for route, count in units.items():
            if price := self.by_route.get(route):
                sums[price.currency] += price.amount * count
        return {currency: str(amount) for currency, amount in sorted(sums.items())}, None
