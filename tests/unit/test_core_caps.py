"""Caps and what a message costs; prices that a cap needs."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from worker.core.caps import Cap, Caps, Tariff, next_day
from worker.core.cards import Channel
from worker.core.prices import Price, Prices
from worker.errors import ConfigError
from worker.setup.load_prices import load_tariff

SET = """
[sms."+51"]
price = "0.04"
currency = "USD"
source = "a price list"
checked_on = 2026-01-31
"""
UNSET = '[sms."+86"]\nprice = ""\n'


def prices(tmp_path: Path, text: str) -> Path:
    (tmp_path / "prices.toml").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_cap_is_met_by_the_message_that_would_pass_it() -> None:
    caps = Caps(per_book=2, spend=Decimal("0.10"))
    zero, cost = Decimal(0), Decimal("0.04")
    assert caps.met(1, zero, cost) is None
    assert caps.met(2, zero, cost) is Cap.BOOK
    assert caps.met(0, Decimal("0.06"), cost) is None
    assert caps.met(0, Decimal("0.07"), cost) is Cap.SPEND
    assert caps.met(0, Decimal("9"), zero) is None, "what costs nothing breaks no bound on money"


def test_a_message_costs_by_its_route_and_segments() -> None:
    tariff = Tariff(
        Prices(
            {
                "+51": Price(Decimal("0.04"), "USD"),
                "+86": Price(Decimal("0.05"), "USD"),
                "+1": None,
                "email": None,
            }
        )
    )
    assert tariff.cost(Channel.SMS, "+51987654321", 2) == Decimal("0.08")
    assert tariff.cost(Channel.EMAIL, "rosa@example.com", 0) == 0
    assert tariff.cost(Channel.SMS, "+15005550006", 1) == 0, "a price that is not set is no guess"
    assert tariff.cost(Channel.SMS, "+447700900000", 1) == Decimal("0.05"), "the dearest"


def test_an_email_and_a_number_elsewhere_cost_too() -> None:
    sms, email = Price(Decimal("0.05"), "USD"), Price(Decimal("0.001"), "USD")
    tariff = Tariff(Prices({"+86": sms, "email": email}))
    assert tariff.cost(Channel.EMAIL, "rosa@example.com", 0) == Decimal("0.001")
    assert tariff.cost(Channel.SMS, "+447700900000", 3) == Decimal("0.15")


def test_the_sums_of_one_currency_are_one_sum() -> None:
    prices = Prices({"+51": Price(Decimal("0.04"), "USD"), "email": Price(Decimal("0.01"), "USD")})
    assert prices.cost({"+51": 2, "email": 3}) == ({"USD": "0.11"}, None)


def test_without_prices_nothing_is_spent() -> None:
    assert Tariff().cost(Channel.SMS, "+51987654321", 3) == 0


def test_a_cap_on_spending_needs_every_price_in_one_currency(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"needs prices.*: all"):
        load_tariff(prices(tmp_path, ""), needed=True)
    with pytest.raises(ConfigError, match=r"needs prices.*: sms\.\+86"):
        load_tariff(prices(tmp_path, SET + UNSET), needed=True)
    other = SET.replace("+51", "+1").replace("USD", "PEN")
    with pytest.raises(ConfigError, match=r"in one currency.*PEN, USD"):
        load_tariff(prices(tmp_path, SET + other), needed=True)
    found = load_tariff(prices(tmp_path, SET), needed=True)
    assert found.cost(Channel.SMS, "+51987654321", 1) == Decimal("0.04")


def test_without_a_cap_prices_may_be_missing(tmp_path: Path) -> None:
    for directory in (prices(tmp_path, UNSET), tmp_path / "nowhere"):
        tariff = load_tariff(directory, needed=False)
        assert tariff.cost(Channel.SMS, "+51987654321", 1) == 0


def test_a_day_ends_at_midnight_utc() -> None:
    day = datetime(2026, 6, 12, 23, 59, 58, 7, tzinfo=UTC)
    assert next_day(day) == datetime(2026, 6, 13, tzinfo=UTC)
