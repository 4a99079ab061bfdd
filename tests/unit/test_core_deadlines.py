"""The ladder against dates worked out by hand from the operators' days."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.unit.core_helpers import (
    LIMA,
    LOS_ANGELES,
    NEW_YORK,
    RULES,
    SHANGHAI,
    a_card,
    a_pack,
    balance,
)
from worker.core.cards import Card, Kind
from worker.core.deadlines import GRAVITY, DeadlineKind, end_of_day, ladder, last_known_topup

TOPUP = date(2026, 1, 1)
PLAN_END, OUTGOING_BLOCK = DeadlineKind.PLAN_END, DeadlineKind.OUTGOING_BLOCK
BALANCE_LOSS, LINE_LOSS = DeadlineKind.BALANCE_LOSS, DeadlineKind.LINE_LOSS
REASSIGNMENT = DeadlineKind.REASSIGNMENT


def days_after_topup(operator: str, **changes: Any) -> dict[DeadlineKind, int]:
    card = a_card(**{"operator": operator, "plan_end": None, "last_topup": TOPUP, **changes})
    return {kind: (step.on - TOPUP).days for kind, step in RULES.ladder(card).items()}


def line_loss(card: Card) -> date | None:
    step = RULES.ladder(card).get(LINE_LOSS)
    return step.on if step else None


@pytest.mark.parametrize(
    ("time_zone", "day", "instant"),
    [
        (LIMA, date(2026, 6, 12), datetime(2026, 6, 13, 5, tzinfo=UTC)),
        (LIMA, date(2026, 12, 31), datetime(2027, 1, 1, 5, tzinfo=UTC)),
        (SHANGHAI, date(2026, 6, 12), datetime(2026, 6, 12, 16, tzinfo=UTC)),
        (NEW_YORK, date(2026, 3, 7), datetime(2026, 3, 8, 5, tzinfo=UTC)),
        (NEW_YORK, date(2026, 3, 8), datetime(2026, 3, 9, 4, tzinfo=UTC)),
        (LOS_ANGELES, date(2026, 11, 1), datetime(2026, 11, 2, 8, tzinfo=UTC)),
    ],
)
def test_a_date_means_the_end_of_that_day_in_the_cards_zone(
    time_zone: str, day: date, instant: datetime
) -> None:
    assert end_of_day(day, time_zone) == instant
    card = a_card(plan_end=day, time_zone=time_zone)
    assert RULES.ladder(card)[PLAN_END].at == instant
    assert RULES.ladder(card)[PLAN_END].on == day


@pytest.mark.parametrize(
    ("operator", "left", "expected"),
    [
        (
            "claro",
            "0",
            {OUTGOING_BLOCK: 60, BALANCE_LOSS: 210, LINE_LOSS: 270, REASSIGNMENT: 360},
        ),
        (
            "claro",
            "5.50",
            {OUTGOING_BLOCK: 60, BALANCE_LOSS: 210, LINE_LOSS: 270, REASSIGNMENT: 360},
        ),
        ("movistar", "0", {LINE_LOSS: 210, REASSIGNMENT: 300}),
        ("movistar", "5.50", {LINE_LOSS: 210, REASSIGNMENT: 300}),
        ("entel", "0", {LINE_LOSS: 60, REASSIGNMENT: 150}),
        ("entel", "5.50", {LINE_LOSS: 210, REASSIGNMENT: 300}),
        (
            "bitel",
            "0",
            {OUTGOING_BLOCK: 90, BALANCE_LOSS: 240, LINE_LOSS: 240, REASSIGNMENT: 330},
        ),
        (
            "bitel",
            "5.50",
            {OUTGOING_BLOCK: 90, BALANCE_LOSS: 240, LINE_LOSS: 240, REASSIGNMENT: 330},
        ),
    ],
)
def test_each_operator_takes_what_its_pack_says(
    operator: str, left: str, expected: dict[DeadlineKind, int]
) -> None:
    assert days_after_topup(operator, balance=balance(left)) == expected


def test_a_balance_nobody_knows_does_not_prolong_the_line() -> None:
    assert days_after_topup("entel", balance=None)[LINE_LOSS] == 60


def test_every_balance_prolongs_the_line_and_none_the_line_of_another_card() -> None:
    lost = [
        days_after_topup("entel", balance=balance(left))[LINE_LOSS]
        for left in ("0", "0.10", "1", "0")
    ]
    assert lost == [60, 210, 210, 60]


def test_of_conflicting_sources_the_earlier_date_warns() -> None:
    for days in ((255, 240), (240, 255)):
        steps = ladder(a_card(plan_end=None, last_topup=TOPUP), a_pack(line_loss=days))
        assert steps[LINE_LOSS].on == TOPUP + timedelta(days=240)


def test_what_is_unknown_stays_unknown() -> None:
    assert days_after_topup("an operator without a pack") == {}
    assert RULES.ladder(a_card(plan_end=None, last_topup=None)) == {}
    assert set(RULES.ladder(a_card(last_topup=None))) == {PLAN_END}
    no_line_loss = a_pack(reassignment=90, balance_loss=30)
    assert set(ladder(a_card(plan_end=None, last_topup=TOPUP), no_line_loss)) == {BALANCE_LOSS}
    # A plan that outlives it proves a later top-up than the book tells.
    assert set(ladder(a_card(last_topup=TOPUP), no_line_loss)) == {PLAN_END}


def test_a_running_plan_moves_the_lines_clock() -> None:
    """A plan of 30 days that ends on 12 June was paid for on 13 May at the earliest."""
    card = a_card(operator="entel", plan_end=date(2026, 6, 12), plan_days=30, last_topup=TOPUP)
    assert last_known_topup(card) == date(2026, 5, 13)
    assert line_loss(card) == date(2026, 7, 12)


def test_a_later_topup_counts_more_than_the_plans_start() -> None:
    card = a_card(
        operator="entel", plan_end=date(2026, 6, 12), plan_days=30, last_topup=date(2026, 6, 1)
    )
    assert line_loss(card) == date(2026, 7, 31)


def test_a_plan_of_known_length_tells_the_topup_that_the_book_does_not() -> None:
    card = a_card(operator="movistar", plan_end=date(2026, 6, 12), plan_days=30, last_topup=None)
    assert line_loss(card) == date(2026, 5, 13) + timedelta(days=210)


def test_a_plan_of_unknown_length_that_outlives_the_line_leaves_no_line_loss() -> None:
    """Entel takes the line 60 days after 1 January, on 2 March; a plan runs on: so it does not."""
    for plan_end, expected in [
        (date(2026, 3, 1), date(2026, 3, 2)),
        (date(2026, 3, 2), date(2026, 3, 2)),
        (date(2026, 3, 3), None),
    ]:
        card = a_card(operator="entel", plan_end=plan_end, last_topup=TOPUP)
        assert line_loss(card) == expected
        assert (REASSIGNMENT in RULES.ladder(card)) is (expected is not None)


def test_calls_are_blocked_only_on_a_day_on_which_no_plan_runs() -> None:
    blocked = TOPUP + timedelta(days=60)  # Claro
    for plan_end, known in ((blocked - timedelta(days=1), True), (blocked, False)):
        card = a_card(operator="claro", plan_end=plan_end, last_topup=TOPUP)
        assert (OUTGOING_BLOCK in RULES.ladder(card)) is known


def test_an_esim_without_a_peruvian_number_has_no_line_to_lose() -> None:
    esim = {"kind": Kind.ESIM, "operator": "movistar", "plan_end": None, "last_topup": TOPUP}
    assert LINE_LOSS in RULES.ladder(a_card(**esim))
    without = RULES.ladder(a_card(**esim, msisdn=None))
    assert LINE_LOSS not in without
    assert REASSIGNMENT not in without


def test_a_line_nobody_tops_up_is_graver_than_a_plan_that_ends() -> None:
    assert set(GRAVITY) == set(DeadlineKind)
    assert GRAVITY.index(LINE_LOSS) == 0
    assert GRAVITY.index(PLAN_END) == len(GRAVITY) - 1
