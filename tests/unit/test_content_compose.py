"""From a card and what happened to it to the values a text shows."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from tests.unit.core_helpers import (
    CHECKED,
    LIMA,
    LOS_ANGELES,
    RULES,
    T,
    a_card,
    a_holder,
    at,
    balance,
)
from worker.content.compose import compose
from worker.content.letter import Letter
from worker.core.cards import Channel
from worker.core.life import LifeNotice
from worker.core.operators import Fact, OperatorPack, Way
from worker.core.recheck import Item
from worker.core.reminders import ReminderKey
from worker.core.rules import Rules

NOW = at("2026-06-10 12:00")


def told(notice: LifeNotice, on: date, now: Any = NOW, zone: str = LIMA, **card: Any) -> Letter:
    key = ReminderKey(notice, on, notice.value, Channel.SMS)
    item = Item(1, key, now, now, a_card(**card))
    return compose((item,), a_holder(time_zone=zone), "S", RULES, now)


def test_an_event_is_told_with_the_plans_end_and_the_balance() -> None:
    letter = told(LifeNotice.LOW_BALANCE, date(2026, 6, 10), balance=balance("2"))
    [notice] = letter.notices
    assert (notice.event, notice.days) == ("low_balance", 0)
    assert (notice.ends_on, notice.balance) == (T, "S/ 2.00")


def test_what_has_happened_is_never_told_as_coming() -> None:
    """In Los Angeles it is still the 9th when it happens on the 10th in Lima."""
    now = at("2026-06-10 00:30")
    [notice] = told(LifeNotice.SUSPENDED, date(2026, 6, 10), now, LOS_ANGELES).notices
    assert notice.days == 0
    [later] = told(LifeNotice.SUSPENDED, date(2026, 6, 8)).notices
    assert later.days == -2


@pytest.mark.parametrize("event", [LifeNotice.LOW_BALANCE, LifeNotice.LOW_DATA])
def test_a_plan_that_is_over_is_no_day_until_which_anything_is_valid(event: LifeNotice) -> None:
    [last] = told(event, T, at("2026-06-12 23:00")).notices
    [over] = told(event, T, at("2026-06-13 00:30")).notices
    assert (last.ends_on, over.ends_on) == (T, None)


def test_a_guide_carries_all_that_a_pack_knows() -> None:
    def fact(value: str) -> Fact:
        return Fact(value, "a source", CHECKED)

    pack = OperatorPack(
        "claro",
        "Claro",
        {},
        {"app": fact("The App"), "hotline": fact("123")},
        {Way.ONLINE: (fact("a"), fact("b")), Way.ABROAD: (fact("c"),)},
    )
    rules = Rules({"claro": pack}, RULES.policies)
    key = ReminderKey(LifeNotice.SUSPENDED, T, "suspended", Channel.EMAIL)
    letter = compose((Item(1, key, NOW, NOW, a_card()),), a_holder(), "S", rules, NOW)
    [guide] = letter.guides
    assert (guide.app, guide.hotline, guide.website) == ("The App", "123", None)
    assert (guide.online, guide.in_person, guide.abroad) == (("a", "b"), (), ("c",))
    assert guide == replace(guide, name="Claro", checked_on=CHECKED)
    # Other rules may know the operator otherwise: what was told before is not told again.
    other = Rules({"claro": replace(pack, contacts={"hotline": fact("456")})}, RULES.policies)
    again = compose((Item(1, key, NOW, NOW, a_card()),), a_holder(), "S", other, NOW)
    assert [(guide.app, guide.hotline) for guide in again.guides] == [(None, "456")]
