"""A reported renewal is a question: when it is asked, how long it is open, and what it may cost."""

import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core_helpers import (
    CONFIG,
    LIMA,
    RULES,
    SHANGHAI,
    a_card,
    a_holder,
    a_pack,
    a_policy,
    at,
)
from worker.core.cards import Card, CardState, Channel, Kind
from worker.core.deadlines import DeadlineKind, end_of_day, ladder
from worker.core.life import Happening, ImpossibleError, LifeEvent, LifeNotice
from worker.core.life_effects import happen
from worker.core.reminders import Known, ReminderKey, ReminderState
from worker.core.renewal import OpenRenewal, before_renewal, question, spaced
from worker.core.windows import Decision
from worker.paths import read_toml
from worker.setup.policy_file import PolicyFile
from worker.tables import read

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REPORTED = at("2026-06-10 10:00")
POLICY = RULES.policies[Kind.DATA]


def reported(card: Card, when: datetime = REPORTED, **told: Any) -> Card:
    what = Happening(LifeEvent.RENEWED, plan_end=card.plan_end and date(2026, 9, 1), **told)
    return happened(card, what, when)


def happened(card: Card, what: Happening, when: datetime) -> Card:
    changes = happen(card, what, when).changes
    return replace(card, **{k: v for k, v in changes.items() if k in Card.__slots__})  # type: ignore[arg-type]


def asked(card: Card, when: datetime) -> Card:
    return happened(card, Happening(LifeEvent.RENEWAL_NOT_EFFECTIVE), when)


def of(card: Card, *, days: int | None = None, zone: str = LIMA, **policy: Any) -> OpenRenewal:
    pack = a_pack() if days is None else a_pack(line_loss=days)
    former = ladder(before_renewal(card), pack)
    found = question(card, former, replace(POLICY, **policy), zone)
    assert found is not None
    return found


def test_a_card_without_a_reported_renewal_stands_under_no_question() -> None:
    assert question(a_card(), {}, POLICY, LIMA) is None
    for state in (CardState.RECYCLED, CardState.CLOSED):
        assert question(replace(reported(a_card()), state=state), {}, POLICY, LIMA) is None


def test_it_is_asked_after_a_day_and_open_as_long_as_the_policy_says() -> None:
    card = reported(a_card())
    found = of(card)
    assert (found.asks_at, found.answer_by) == (REPORTED + DAY, REPORTED + 3 * DAY)
    assert found.turns_at == found.asks_at
    after = of(asked(card, REPORTED + DAY), answer_within=5 * DAY)
    assert (after.answer_by, after.turns_at) == (REPORTED + 5 * DAY, REPORTED + 5 * DAY)


def test_who_is_asked_late_still_has_time_to_answer_before_any_window() -> None:
    """After days without a scheduler, too; and a question of the night is told in the morning."""
    late = asked(reported(a_card()), REPORTED + 9 * DAY)
    assert of(late).answer_by == REPORTED + 9 * DAY + 6 * HOUR
    night = asked(reported(a_card()), at("2026-06-19 22:00"))
    assert of(night).answer_by == at("2026-06-20 15:00")
    assert of(night, zone=SHANGHAI).answer_by == at("2026-06-20 04:00")  # 11:00 there: it is day


@pytest.mark.parametrize(
    ("left", "asks", "answers"),
    [  # hours from the report: until the line is lost, to the question, until the windows hold
        (24 * 9, 24, 72),
        (108, 24, 72),
        (96, 24, 60),
        (66, 24, 30),
        (54, 12, 18),
        (48, 6, 12),
        (36, 6, 12),
        (10, 6, 12),
    ],
)
def test_a_line_that_is_lost_sooner_brings_the_question_and_the_windows_forward(
    left: int, asks: int, answers: int
) -> None:
    lost = end_of_day(date(2026, 6, 19), LIMA)  # from then on the loss of the 20th can happen
    before = a_card(plan_end=None, last_topup=date(2026, 4, 21))  # 60 days before 20 June
    found = of(reported(before, lost - left * HOUR), days=60)
    begin = lost - left * HOUR
    assert (found.asks_at - begin, found.answer_by - begin) == (asks * HOUR, answers * HOUR)


@pytest.mark.parametrize(
    ("entered", "asks"),
    [  # the line is lost on the 20th; the report is told of at 9:00
        ("2026-06-19 03:30", "2026-06-19 09:00"),  # in one message with the question
        ("2026-06-19 02:45", "2026-06-19 08:45"),  # the same: nobody is written to before nine
        ("2026-06-19 08:00", "2026-06-19 15:00"),  # the windows hold on the next morning anyway
        ("2026-06-19 06:30", "2026-06-19 12:30"),  # at 15:00 they would hold a morning later
        ("2026-06-19 06:00", "2026-06-19 12:00"),  # three hours after nine are no heels
        ("2026-06-19 10:00", "2026-06-19 16:00"),
    ],
)
def test_a_question_does_not_follow_at_the_heels_of_the_message_before_it(
    entered: str, asks: str
) -> None:
    before = a_card(plan_end=None, last_topup=date(2026, 4, 21))  # 60 days before 20 June
    found = of(reported(before, at(entered)), days=60)
    assert found.asks_at == at(asks)
    assert found.asks_at + 6 * HOUR <= found.answer_by


def test_what_was_told_late_is_asked_about_later_still_if_no_window_waits_for_it() -> None:
    hours = POLICY.hours
    near, far = at("2026-06-11 18:00"), at("2026-06-13 10:00")
    asks, told = at("2026-06-11 12:00"), at("2026-06-11 11:50")
    assert spaced(asks, far, told, hours, LIMA) == told + 6 * HOUR
    assert spaced(asks, near, told, hours, LIMA) == asks, "the windows would wait for the night"
    assert spaced(asks, near, asks - 7 * HOUR, hours, LIMA) == asks


@pytest.mark.parametrize("told", ["2026-06-11 09:50", "2026-06-11 10:00"])
def test_a_message_that_has_only_just_gone_puts_the_question_off(told: str) -> None:
    card, asks_at = reported(a_card()), at("2026-06-11 10:00")
    key = ReminderKey(LifeNotice.RENEWAL_RECORDED, REPORTED.date(), "event", Channel.EMAIL)
    went = Known(1, key, ReminderState.SENT, REPORTED, ended_at=at(told))
    waits = RULES.evaluate(card, a_holder(), asks_at, [went])
    assert waits == Decision((), (), at(told) + 6 * HOUR)
    arrived = replace(went, state=ReminderState.DELIVERED)
    assert RULES.evaluate(card, a_holder(), asks_at, [arrived]) == waits
    for other in (
        replace(went, state=ReminderState.SUPERSEDED),
        replace(went, ended_at=at("2026-06-11 03:00")),
        replace(went, ended_at=None),
        replace(went, ended_at=REPORTED - HOUR),  # of the renewal before
        replace(went, key=replace(key, deadline=LifeNotice.LOW_DATA)),
    ):
        decision = RULES.evaluate(card, a_holder(), asks_at, [other])
        assert decision == Decision((), (), asks_at, asks=True)


def test_the_former_dates_are_both_those_of_the_card_before() -> None:
    card = a_card(last_topup=date(2026, 5, 13))
    back = before_renewal(reported(card))
    assert (back.plan_end, back.last_topup) == (card.plan_end, card.last_topup)


def test_the_end_of_a_plan_and_what_no_window_tells_of_bring_nothing_forward() -> None:
    card = reported(a_card(plan_end=date(2026, 6, 10)))
    assert of(card).answer_by == REPORTED + 3 * DAY
    line = reported(a_card(plan_end=None, last_topup=date(2026, 4, 13)))  # lost on 12 June
    assert of(line, days=60).answer_by < REPORTED + 3 * DAY
    plans = a_policy({"plan_end-1d": "sms"}).windows
    assert of(line, days=60, windows=plans).answer_by == REPORTED + 3 * DAY


@given(
    st.integers(0, 24 * 200),
    st.sampled_from([LIMA, SHANGHAI, "Europe/Madrid", "Pacific/Auckland", "America/New_York"]),
    st.sampled_from(list(Kind)),
    st.integers(30, 24 * 14),
)
def test_a_near_loss_of_the_line_is_never_slept_through(
    hours: int, zone: str, kind: Kind, within: int
) -> None:
    """Whenever it is reported: it is asked before a window opens, never within 6 hours of one, and
    wherever two days are left or more the former windows hold while there is time to act."""
    policy = replace(RULES.policies[kind], answer_within=within * HOUR)
    lost = end_of_day(date(2026, 6, 19), LIMA)  # from then on the loss of the 20th can happen
    begin = lost - hours * HOUR
    card = reported(a_card(kind=kind, plan_end=None, last_topup=date(2026, 4, 21)), begin)
    former = ladder(before_renewal(card), a_pack(line_loss=60))
    first = question(card, former, policy, zone)
    assert first is not None
    told = asked(card, first.asks_at)
    then = question(told, former, policy, zone)
    assert then is not None
    assert then.asked
    told_at = policy.hours.next_open(first.asks_at, zone)
    assert begin < first.asks_at <= begin + DAY
    assert told_at + 6 * HOUR <= then.answer_by
    holds = policy.hours.next_open(then.answer_by, zone)
    assert told_at.astimezone(ZoneInfo(zone)) < holds
    if hours >= 48:
        assert first.answer_by <= lost - 36 * HOUR
        assert then.answer_by <= lost - 17 * HOUR  # the question had to wait for the morning


def test_the_windows_of_the_line_hold_when_a_day_is_left_and_not_before() -> None:
    """Entel, 60 days: can be lost from 14 June on. Reported on the 12th at noon, asked in the
    evening; silence over night: L-1 goes out in the morning, and the day is left."""
    holder = a_holder(time_zone=LIMA)
    card = a_card(
        kind=Kind.RETENTION, operator="entel", plan_end=None, last_topup=date(2026, 4, 15)
    )
    lost = RULES.ladder(card)[DeadlineKind.LINE_LOSS]
    assert lost.on == date(2026, 6, 14)
    card = reported(card, at("2026-06-12 12:00"))
    assert RULES.evaluate(card, holder, at("2026-06-12 12:00")).planned == ()
    now = RULES.evaluate(card, holder, at("2026-06-12 12:00")).next_check_at
    assert now == at("2026-06-12 18:00")
    assert RULES.evaluate(card, holder, now).asks
    card = asked(card, now)
    now = RULES.evaluate(card, holder, now).next_check_at
    assert now == at("2026-06-13 00:00")
    assert RULES.evaluate(card, holder, now).lapsed
    card = happened(card, Happening(LifeEvent.RENEWAL_UNANSWERED), now)
    windows = [p.key.window for p in RULES.evaluate(card, holder, at("2026-06-13 09:00")).planned]
    assert set(windows) == {"line_loss-1d"}


_STATES = (Path(__file__).parents[2] / "docs/states.md").read_text("utf-8")
_EDGE = re.compile(r"^    (\w+) --> (\w+): (\w+)$", re.MULTILINE)
_EVENTS = (
    LifeEvent.RENEWAL_NOT_EFFECTIVE,
    LifeEvent.CONFIRMED,
    LifeEvent.RENEWAL_UNANSWERED,
    LifeEvent.RENEWAL_FAILED,
)


def test_a_renewal_goes_the_ways_that_the_picture_shows_and_no_other() -> None:
    """Every event is tried in every state of docs/states.md, "## Renewals"."""
    shown = set(
        _EDGE.findall(_STATES[_STATES.index("## Renewals") : _STATES.index("## Reminders")])
    )
    first = a_card(last_topup=date(2026, 5, 13))
    seen, found, waiting = {"open"}, set(), [("open", reported(first))]
    while waiting:
        state, card = waiting.pop()
        for event in _EVENTS:
            try:
                after = happened(card, Happening(event), REPORTED + DAY)
            except ImpossibleError:
                continue
            became = _state(after, first)
            if state not in ("settled", "former"):  # a failure is told of without a renewal too
                found.add((state, became, event.value))
            if became not in seen:
                seen.add(became)
                waiting.append((became, after))
    assert found == shown


def _state(card: Card, first: Card) -> str:
    if card.renewed_at is not None:
        return "open" if card.asked_at is None else "asked"
    if card.is_renewal_open:
        return "unanswered"
    return "former" if card.plan_end == first.plan_end else "settled"


@pytest.mark.parametrize(
    ("value", "hours"), [("72h", 72), ("30h", 30), ("3d", 72), ("14d", 336), (None, 72)]
)
def test_the_policy_says_how_long_the_answer_may_take(value: str | None, hours: int) -> None:
    found, errors = _policies({} if value is None else {"answer_within": value})
    assert not errors
    assert found is not None
    assert {p.answer_within for p in found.policies().values()} == {hours * HOUR}


@pytest.mark.parametrize(
    ("table", "key"),
    [
        *(({"answer_within": v}, "renewal.answer_within") for v in (
            "29h", "1d", "15d", "72", "72 h", "72m", "-72h", "", 72, 72.0, True, ["72h"], "⑦2h")),
        ({"answer_withn": "72h"}, "renewal.answer_withn"),
        ("72h", "renewal"),
    ],
)  # fmt: skip
def test_a_time_that_cannot_be_meant_is_refused_with_its_key_and_the_reason(
    table: Any, key: str
) -> None:
    [error] = _policies(table)[1]
    assert error.startswith(f"{key}:")


def _policies(renewal: Any) -> tuple[PolicyFile | None, list[str]]:
    return read(PolicyFile, read_toml(CONFIG / "policies.toml") | {"renewal": renewal})
