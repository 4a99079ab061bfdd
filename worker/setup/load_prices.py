"""Reads what messages cost from ``config/prices.toml``."""

import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from worker.core.caps import Tariff
from worker.core.prices import EMAIL, Price, Prices
from worker.errors import ConfigError
from worker.paths import read_toml

_PREFIX = re.compile(r"\+[1-9]\d{0,6}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_KEYS = frozenset({"price", "currency", "source", "checked_on"})


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


def load_tariff(directory: Path, *, needed: bool) -> Tariff:
    """The prices for what is spent; raises ``ConfigError`` if a cap on it needs them (``needed``)
    and an SMS price is not set, or they are in several currencies."""
    prices = load_prices(directory)
    unset = [r for r, price in prices.by_route.items() if price is None and r != EMAIL]
    found = {price.currency for price in prices.by_route.values() if price}
    if not needed:
        return Tariff(prices if len(found) == 1 else Prices({}))
    path, hint = directory / "prices.toml", "Set the prices, or remove caps.spend_per_day."
    if unset or not found:
        missing = ", ".join(f"sms.{route}" for route in sorted(unset)) or "all"
        raise ConfigError(f"caps.spend_per_day needs prices, not set in {path}: {missing}", hint)
    if len(found) > 1:
        raise ConfigError(
            f"caps.spend_per_day is in one currency, {path} in {', '.join(sorted(found))}", hint
        )
    return Tariff(prices)


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
