"""Days, prices, totals and the document: what is told of a simulation beside the notices."""

import io
import json
import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.core_helpers import CONFIG, RULES
from worker.core.cards import Destination, Language
from worker.core.deadlines import DeadlineKind
from worker.core.prices import ELSEWHERE, EMAIL, Price, Prices
from worker.errors import ConfigError
from worker.setup.load_prices import load_prices
from worker.simulation.chunks import Side
from worker.simulation.document import Document
from worker.simulation.notices import SimulatedEnding, SimulatedNotice
from worker.simulation.period import MOST_DAYS, Period, PeriodError
from worker.simulation.policies import with_policies
from worker.simulation.totals import Totals

_JUNE_5 = date(2026, 6, 5)
START = datetime(2026, 6, 1, 5, tzinfo=UTC)  # midnight in Lima
JUNE = Period.of(date(2026, 6, 1), date(2026, 6, 30), START)


def _notice(at: datetime, to: Destination = Destination.SMS, **changes: Any) -> SimulatedNotice:
    values: dict[str, Any] = {
        "at": at,
        "card": 1,
        "holder": "Li",
        "deadline": DeadlineKind.PLAN_END,
        "deadline_on": date(2026, 6, 12),
        "window": "plan_end-7d",
        "to": to,
        "language": Language.ZH_HANS,
        "outcome": SimulatedEnding.SEND,
    }
    return SimulatedNotice(**{**values, **changes})


# Days


def test_today_begins_now_a_day_to_come_is_reached_from_now_a_past_one_from_its_midnight() -> None:
    now = datetime(2026, 6, 5, 20, tzinfo=UTC)
    midnight = datetime(2026, 6, 5, 5, tzinfo=UTC)  # in Lima
    today = Period.of(_JUNE_5, _JUNE_5, now)
    assert (today.begin, today.opens, today.ends) == (now, midnight, midnight + timedelta(days=1))
    assert Period.of(date(2026, 7, 1), date(2026, 7, 2), now).begin == now
    past = Period.of(date(2026, 6, 1), _JUNE_5, now)
    assert past.begin == past.opens == datetime(2026, 6, 1, 5, tzinfo=UTC)


def test_today_is_the_day_it_is_in_lima() -> None:
    late = datetime(2026, 6, 6, 3, tzinfo=UTC)  # 22:00 on 5 June in Lima
    assert Period.of(_JUNE_5, _JUNE_5, late).begin == late


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        (_JUNE_5, date(2026, 6, 4), "--to 2026-06-04 is before --from 2026-06-05"),
        (_JUNE_5, _JUNE_5 + timedelta(days=MOST_DAYS), "401 days are too many"),
        (date.max - timedelta(days=1), date.max, "cannot be simulated"),
        (date.min, date.min, "cannot be simulated"),
    ],
)
def test_days_that_make_no_sense_are_refused(first: date, last: date, told: str) -> None:
    with pytest.raises(PeriodError, match=told):
        Period.of(first, last, START)


def test_four_hundred_days_are_allowed() -> None:
    assert len(Period.of(_JUNE_5, _JUNE_5 + timedelta(days=399), START).days) == 400


# Prices


def _prices(tmp_path: Path, text: str) -> Prices:
    (tmp_path / "prices.toml").write_text(text)
    return load_prices(tmp_path)


_SET = 'price = "0.05"\ncurrency = "USD"\nsource = "a page"\nchecked_on = 2026-01-31\n'


def test_the_table_that_comes_with_the_program_sets_no_price() -> None:
    prices = load_prices(CONFIG)
    assert set(prices.by_route) == {EMAIL, "+51", "+86", "+1"}
    assert prices.cost({"+51": 3, EMAIL: 1}) == (None, "not set in prices.toml: +51, email")


def test_a_configuration_without_a_table_has_no_price(tmp_path: Path) -> None:
    assert load_prices(tmp_path).cost({"other": 1}) == (None, "not set in prices.toml: other")


@pytest.mark.parametrize("blank", ['""', "0", "0.0", '"0"'])
def test_blank_and_zero_mean_not_set(tmp_path: Path, blank: str) -> None:
    assert _prices(tmp_path, f"[email]\nprice = {blank}\n").by_route[EMAIL] is None


def test_the_longest_prefix_counts() -> None:
    price = Price(Decimal("0.1"), "USD")
    prices = Prices({"+1": price, "+1787": price, "+51": price})
    routes = ("+17875550100", "+12125550100", "+51987654321", "+447700900000")
    assert [prices.route_of(n) for n in routes] == ["+1787", "+1", "+51", ELSEWHERE]


def test_a_cost_is_exact_and_by_currency(tmp_path: Path) -> None:
    text = f'[email]\n{_SET}[sms."+51"]\n{_SET.replace("USD", "PEN")}[sms."+86"]\nprice = 0\n'
    prices = _prices(tmp_path, text)
    assert prices.cost({"+51": 3, EMAIL: 2}) == ({"PEN": "0.15", "USD": "0.10"}, None)
    assert prices.cost({"+51": 3, "+86": 0}) == ({"PEN": "0.15"}, None)
    assert prices.cost({"+51": 3, "+86": 1}) == (None, "not set in prices.toml: +86")
    assert prices.cost({}) == ({}, None)


def test_everything_that_is_wrong_is_told_with_file_and_key(tmp_path: Path) -> None:
    text = (
        'fax = 1\n[email]\nprice = "0.05"\n[sms.51]\nprice = 0\n[sms."+1"]\nprice = -1\n'
        '[sms."+51"]\nprice = true\n[sms."+86"]\nprize = 2\n'
    )
    with pytest.raises(ConfigError) as raised:
        _prices(tmp_path, text)
    wrong = "fax email.currency email.source email.checked_on sms.51 sms.+1.price sms.+51.price"
    for key in [*wrong.split(), "sms.+86.prize"]:
        assert re.search(rf"prices\.toml(, line \d+)?: {re.escape(key)}: ", raised.value.message)


# Policies


def test_another_policy_replaces_the_policies_and_keeps_the_packs(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text((CONFIG / "policies.toml").read_text().replace("useful_days = 7", ""))
    other = with_policies(RULES, file)
    assert other == RULES
    file.write_text((CONFIG / "policies.toml").read_text().replace('"plan_end+0d" = "sms"\n', ""))
    assert with_policies(RULES, file).policies != RULES.policies


def test_a_policy_that_is_missing_or_wrong_is_told_with_file_and_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"There is no policy file .*none\.toml"):
        with_policies(RULES, tmp_path / "none.toml")
    file = tmp_path / "mine.toml"
    file.write_text('useful_days = 0\n[data]\n"plan_end-7" = "sms"\n')
    with pytest.raises(ConfigError) as raised:
        with_policies(RULES, file)
    for key in ("useful_days", "data.plan_end-7", "retention", "4g", "esim"):
        assert re.search(rf"mine\.toml(, line \d+)?: {re.escape(key)}: ", raised.value.message)


# Totals


def test_totals_count_messages_once_and_days_in_lima() -> None:
    evening = datetime(2026, 6, 6, 1, tzinfo=UTC)  # 09:00 on the 6th in Shanghai, the 5th in Lima
    totals = Totals()
    totals.add(
        [
            _notice(evening, leads=True, segments=2, route="+86"),
            _notice(evening, card=2),
            _notice(evening, Destination.EMAIL, leads=True, route=EMAIL),
            _notice(evening, outcome=SimulatedEnding.SUPPRESSED, reason="no_address"),
        ]
    )
    told = totals.as_json(Period.of(_JUNE_5, date(2026, 6, 6), START), Prices({}))
    counts = {"sms": 1, "email": 1, "sms_notices": 2, "email_notices": 1, "segments": 2}
    guardian = {"guardian": 0, "guardian_notices": 0}
    assert told["by_day"] == [
        {"day": "2026-06-05", **counts, **guardian, "cost": None},
        {"day": "2026-06-06", **dict.fromkeys(counts, 0), **guardian, "cost": {}},
    ]
    assert told["by_channel"] == {
        "sms": {"messages": 1, "notices": 2},
        "email": {"messages": 1, "notices": 1},
        "guardian": {"messages": 0, "notices": 0},
    }
    outcomes = {"send": 3, "suppressed": 1, "superseded": 0, "missed": 0, "guardian": 0}
    assert told["by_outcome"] == outcomes
    assert told["peak_day"] == {"day": "2026-06-05", "messages": 2}
    assert (told["segments"], told["cost"]) == (2, None)
    assert totals.units == Counter({"+86": 2, EMAIL: 1})


def test_the_sum_of_the_parts_is_the_whole() -> None:
    notices = [
        _notice(START + timedelta(days=n), leads=True, segments=1, route="+86") for n in range(4)
    ]
    whole = Totals(cards=4, broken=1)
    whole.add(notices)
    first, second = Totals(cards=3), Totals(cards=1, broken=1)
    first.add(notices[:3])
    second.add(notices[3:])
    first.merge(second)
    assert first == whole
    assert first.as_json(JUNE, Prices({})) == whole.as_json(JUNE, Prices({}))


def test_nothing_has_no_peak_and_costs_nothing() -> None:
    told = Totals().as_json(JUNE, Prices({}))
    assert (told["peak_day"], told["cost"], told["cost_note"]) == (None, {}, None)
    assert len(told["by_day"]) == 30


# The document


def _written(sides: list[list[Side]], heads: list[dict[str, Any]], most: int | None) -> Any:
    out = io.StringIO()
    document = Document(out, heads, most)
    for each in sides:
        document.add(each)
    document.close([{"n": number} for number in range(len(heads))])
    return json.loads(out.getvalue())


def test_one_simulation_is_one_document_however_many_parts_it_comes_in() -> None:
    parts = [[Side(notices=["1", "2"])], [Side()], [Side(notices=["3"])]]
    head = {"from": "2026-06-05", "book": 'a "b"'}
    wanted = {**head, "notices": [1, 2, 3], "totals": {"n": 0}}
    assert _written(parts, [head], None) == wanted
    assert _written(parts, [head], 2)["notices"] == [1, 2]
    assert _written([], [head], None)["notices"] == []


def test_two_simulations_are_one_document_with_their_differences() -> None:
    parts = [
        [Side(notices=["1", "2"], only=["2"]), Side(notices=["1"])],
        [Side(notices=["3"]), Side(notices=["3", "4"], only=["4"])],
    ]
    assert _written(parts, [{"policy": "x"}, {"policy": "y"}], None) == {
        "a": {"policy": "x", "notices": [1, 2, 3], "totals": {"n": 0}},
        "b": {"policy": "y", "notices": [1, 3, 4], "totals": {"n": 1}},
        "only_in_a": [2],
        "only_in_b": [4],
    }
