"""What messages cost, from ``config/prices.toml``; a price nobody verified is never made up."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from worker.core.cards import Channel
from worker.errors import ConfigError
from worker.paths import read_toml

EMAIL = Channel.EMAIL.value
# A number whose prefix the table does not have.
ELSEWHERE = "other"

_PREFIX = re.compile(r"\+[1-9]\d{0,6}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_KEYS = frozenset({"price", "currency", "source", "checked_on"})


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


def load_prices(directory: Path) -> Prices:
    """Read ``prices.toml``; a configuration without one has no price set.

    Raises ``ConfigError`` that lists everything that is wrong.
    """
    path = directory / "prices.toml"
    if not path.exists():
        return Prices({})
    data = read_toml(path)
    errors = [
        f"{key}: not known here; known are email, sms" for key in data.keys() - {EMAIL, "sms"}
    ]
    prices = {EMAIL: _price(EMAIL, data.get(EMAIL, {}), errors)}
    routes = data.get("sms", {})
    if not isinstance(routes, dict):
        errors.append('sms: write it as [sms."+51"] with price, currency, source and checked_on')
        routes = {}
    for prefix, entry in routes.items():
        if not _PREFIX.fullmatch(prefix):
            errors.append(f'sms.{prefix}: not a prefix; write one like [sms."+51"]')
        prices[prefix] = _price(f"sms.{prefix}", entry, errors)
    if errors:
        told = "\n  ".join(["The prices are wrong:", *(f"{path}: {error}" for error in errors)])
        raise ConfigError(told, "Correct these keys and try again.")
    return Prices(prices)


def _price(key: str, entry: Any, errors: list[str]) -> Price | None:
    """One price, ``None`` if it is blank or zero: both mean that it is not set."""
    if not isinstance(entry, dict):
        errors.append(f"{key}: write it as a table with price, currency, source and checked_on")
        return None
    errors += [f"{key}.{name}: not known here" for name in entry.keys() - _KEYS]
    amount = _amount(f"{key}.price", entry.get("price", ""), errors)
    if not amount:
        return None
    currency, source, checked = (entry.get(k) for k in ("currency", "source", "checked_on"))
    wrong = []
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        wrong.append(f"{key}.currency: {currency!r} is not a currency like USD")
    if not isinstance(source, str) or not source.strip():
        wrong.append(f"{key}.source: say where the price comes from")
    if not isinstance(checked, date) or isinstance(checked, datetime):
        wrong.append(f"{key}.checked_on: a date like 2026-01-31 is missing")
    errors += wrong
    return None if wrong else Price(amount, str(currency))


def _amount(key: str, value: Any, errors: list[str]) -> Decimal:
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise InvalidOperation
        amount = Decimal(str(value).strip() or 0)
        if not amount.is_finite() or amount < 0:
            raise InvalidOperation
    except InvalidOperation:
        errors.append(f'{key}: {value!r} is not a price like 0.0425, or "" while it is not set')
        return Decimal(0)
    return amount
