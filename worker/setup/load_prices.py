"""Reads what messages cost from ``config/prices.toml``."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from worker.core.caps import Tariff
from worker.core.prices import EMAIL, Price, Prices
from worker.errors import ConfigError
from worker.tables import Table, Text, located, read_file, wrong


class _Price(Table):
    """Blank and zero both mean that it is not set."""

    price: Decimal = Field(
        default=Decimal(0),
        strict=False,
        ge=0,
        description='{value} is not a price like 0.0425, or "" while it is not set',
    )
    currency: str | None = Field(
        default=None, pattern="^[A-Z]{3}$", description="write a currency like USD"
    )
    source: Text | None = Field(default=None, description="say where the price comes from")
    checked_on: date | None = Field(default=None, description="write a date like 2026-01-31")

    @model_validator(mode="before")
    @classmethod
    def _blanks_are_not_set(cls, data: Any) -> Any:
        return {k: v for k, v in data.items() if v != ""} if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _says_all_or_nothing(self) -> Self:
        if self.price and (unset := [name for name, value in self if value is None]):
            fields = type(self).model_fields
            raise located(((name,), str(fields[name].description)) for name in unset)
        return self

    def of(self) -> Price | None:
        """The price, if it is set."""
        return Price(self.price, self.currency) if self.price and self.currency else None


_Prefix = Annotated[str, Field(pattern=r"^\+[1-9]\d{0,6}$")]


class _PriceFile(Table):
    email: _Price = _Price()
    sms: dict[_Prefix, _Price] = Field(
        {},
        description='write each route as [sms."+51"] with price, currency, source and checked_on',
    )


def load_prices(directory: Path) -> Prices:
    """Read ``prices.toml``; a configuration without one has no price set.

    Raises ``ConfigError`` that lists everything that is wrong.
    """
    path = directory / "prices.toml"
    if not path.exists():
        return Prices({})
    found, errors = read_file(_PriceFile, path)
    if found is None:
        raise wrong("The prices are wrong:", errors)
    return Prices({EMAIL: found.email.of(), **{to: price.of() for to, price in found.sms.items()}})


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
