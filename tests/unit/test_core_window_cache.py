"""What is worked out once for many cards."""

from itertools import count

from tests.unit.core_helpers import SHANGHAI, T, a_card, a_holder, balance
from worker.core.cards import Kind
from worker.core.window_cache import Cache, of_ladder, of_table


def test_each_thing_is_worked_out_once() -> None:
    known, numbers = Cache[int](), count(1)
    found = [known.of(key, lambda: next(numbers)) for key in ("a", "b", "a", "b", "c")]
    assert found == [1, 2, 1, 2, 3]


def test_cards_share_a_ladder_where_nothing_tells_their_dates_apart() -> None:
    card = a_card(balance=balance("0.50"))
    assert of_ladder(card) == of_ladder(a_card(id=2, holder_id=2, balance=balance("12")))
    for other in (
        a_card(balance=balance("0")),
        a_card(balance=None),
        a_card(balance=balance("0.50"), msisdn=None),
        a_card(balance=balance("0.50"), last_topup=T),
        a_card(balance=balance("0.50"), plan_days=30),
        a_card(balance=balance("0.50"), plan_end=None),
        a_card(balance=balance("0.50"), operator="entel"),
        a_card(balance=balance("0.50"), time_zone=SHANGHAI),
    ):
        assert of_ladder(card) != of_ladder(other)


def test_windows_depend_on_the_kind_and_the_holders_clock_too() -> None:
    windows = of_table(a_card(), a_holder())
    assert windows == of_table(a_card(id=2), a_holder(id=2, email=None))
    assert windows != of_table(a_card(kind=Kind.ESIM), a_holder())
    assert windows != of_table(a_card(), a_holder(time_zone=SHANGHAI))
