"""Policies: what config/policies.toml says, and everything that can be wrong with such a file."""

from datetime import time
from typing import Any

import pytest

from tests.unit.core_helpers import RULES
from worker.core.cards import Destination, Kind
from worker.core.deadlines import DeadlineKind
from worker.core.hours import Hours
from worker.core.life import LifeNotice
from worker.core.policy import Policy
from worker.setup.policy_file import PolicyFile
from worker.tables import read

SMS, EMAIL = Destination.SMS, Destination.EMAIL
S, E, SE = {SMS}, {EMAIL}, {SMS, EMAIL}

LINE_OF_ANY_CARD = {-15: SE, -3: SE}
# Outgoing calls blocked, balance lost, number given away: by email, where the operator's days are
# known.
FURTHER = {DeadlineKind.OUTGOING_BLOCK: {-3: E}, DeadlineKind.BALANCE_LOSS: {-7: E}}
FURTHER_OF_A_KEPT_NUMBER = {
    DeadlineKind.OUTGOING_BLOCK: {-7: E},
    DeadlineKind.BALANCE_LOSS: {-15: E},
    DeadlineKind.REASSIGNMENT: {-15: E},
}
PROMISED = {
    Kind.DATA: (
        {-30: E, -7: SE, -1: SE, 0: S, 3: SE},
        LINE_OF_ANY_CARD,
    ),
    Kind.RETENTION: (
        {-30: E, -7: SE, -1: SE},
        {-60: E, -30: SE, -15: SE, -7: SE, -3: S, -1: SE | {Destination.GUARDIAN}, 1: E, 90: set()},
    ),
    Kind.FOUR_G: (
        {-7: SE, -3: E, -1: SE, 0: S, 1: SE, 7: E},
        LINE_OF_ANY_CARD,
    ),
    Kind.ESIM: (
        {-3: E, -1: SE, 0: S, 1: E},
        LINE_OF_ANY_CARD,
    ),
}


@pytest.mark.parametrize("kind", list(Kind))
def test_the_shipped_policies_are_the_promised_windows(kind: Kind) -> None:
    of_plan, of_line = PROMISED[kind]
    expected = {(DeadlineKind.PLAN_END, offset): channels for offset, channels in of_plan.items()}
    expected |= {(DeadlineKind.LINE_LOSS, offset): channels for offset, channels in of_line.items()}
    further = FURTHER_OF_A_KEPT_NUMBER if kind is Kind.RETENTION else FURTHER
    for deadline, windows in further.items():
        expected |= {(deadline, offset): channels for offset, channels in windows.items()}
    policy = RULES.policies[kind]
    assert policy.kind is kind
    assert {(w.deadline, w.offset): set(w.destinations) for w in policy.windows} == expected
    assert len(policy.windows) == len(expected)
    assert (policy.hours, policy.useful_days) == (Hours(time(9), time(20)), 7)


def whole(**changes: Any) -> dict[str, Any]:
    """A file that is right, with some of its keys changed; ``None`` takes a key out."""
    data: dict[str, Any] = {
        "useful_days": 5,
        "hours": {"open": "08:00", "close": "21:30"},
        "events": dict.fromkeys(map(str, LifeNotice), "email"),
        **{kind.value: {"plan_end-1d": "sms, email"} for kind in Kind},
        **changes,
    }
    return {key: value for key, value in data.items() if value is not None}


def errors(**changes: Any) -> list[str]:
    return read(PolicyFile, whole(**changes))[1]


def policies_of(**changes: Any) -> dict[Kind, Policy]:
    """What a file says that is right."""
    found, problems = read(PolicyFile, whole(**changes))
    assert problems == []
    assert found is not None
    return found.policies()


def test_a_right_file_is_read_without_an_error() -> None:
    policies = policies_of()
    assert set(policies) == set(Kind)
    policy = policies[Kind.DATA]
    assert (policy.hours, policy.useful_days) == (Hours(time(8), time(21, 30)), 5)
    [window] = policy.windows
    assert (window.name, window.deadline) == ("plan_end-1d", DeadlineKind.PLAN_END)
    assert (window.offset, window.destinations) == (-1, (SMS, EMAIL))


def test_hours_and_useful_days_may_be_left_out() -> None:
    policies = policies_of(hours=None, useful_days=None)
    assert policies[Kind.ESIM].hours == Hours(time(9), time(20))
    assert policies[Kind.ESIM].useful_days == 7


def test_midnight_is_an_hour_too() -> None:
    policies = policies_of(hours={"open": "00:00", "close": "23:59"})
    assert policies[Kind.DATA].hours.opens == time(0)


def test_windows_stand_in_order_of_time_however_they_are_written() -> None:
    lines = dict.fromkeys(("plan_end+3d", "plan_end-7d", "plan_end+0d", "plan_end-30d"), "sms")
    policies = policies_of(data=lines)
    assert [w.offset for w in policies[Kind.DATA].windows] == [-30, -7, 0, 3]


def test_the_gravest_loss_is_the_most_urgent_and_then_the_latest_window() -> None:
    lines = dict.fromkeys(("line_loss-15d", "plan_end+3d", "line_loss-1d", "plan_end-7d"), "sms")
    policies = policies_of(data=lines)
    by_urgency = sorted(policies[Kind.DATA].windows, key=lambda w: w.urgency)
    assert [w.name for w in by_urgency] == [
        *("line_loss-1d", "line_loss-15d", "plan_end+3d", "plan_end-7d")
    ]


@pytest.mark.parametrize(
    ("lines", "key", "what"),
    [
        ({"plan_ends-7d": "sms"}, "data.plan_ends-7d", "unknown deadline"),
        ({"plan_end-7": "sms"}, "data.plan_end-7", "not a window"),
        ({"plan_end7d": "sms"}, "data.plan_end7d", "not a window"),
        ({"plan_end-1000d": "sms"}, "data.plan_end-1000d", "not a window"),
        ({"plan_end -7d": "sms"}, "data.plan_end -7d", "not a window"),
        ({"plan_end-7d": "fax"}, "data.plan_end-7d", "not a list of channels"),
        ({"plan_end-7d": "sms; email"}, "data.plan_end-7d", "not a list of channels"),
        ({"plan_end-7d": ""}, "data.plan_end-7d", "not a list of channels"),
        ({"plan_end-7d": "sms, sms"}, "data.plan_end-7d", "not a list of channels"),
        ({"plan_end-7d": "sms,"}, "data.plan_end-7d", "not a list of channels"),
        ({"plan_end-7d": ["sms"]}, "data.plan_end-7d", "not a list of channels"),
        ({"plan_end-7d": 1}, "data.plan_end-7d", "not a list of channels"),
        ({}, "data", "write windows such as"),
        ("plan_end-7d", "data", "write windows such as"),
        (
            {"plan_end+0d": "sms", "plan_end-0d": "email"},
            "data.plan_end-0d",
            "the same day as plan_end+0d",
        ),
        (
            {"plan_end-7d": "sms", "plan_end-07d": "email"},
            "data.plan_end-07d",
            "the same day as plan_end-7d",
        ),
    ],
)
def test_a_wrong_window_is_named_with_its_kind(lines: Any, key: str, what: str) -> None:
    [error] = errors(data=lines)
    assert error.startswith(f"{key}: ")
    assert what in error


def test_the_same_offset_of_two_deadlines_is_no_duplicate() -> None:
    assert errors(data={"plan_end-7d": "sms", "line_loss-7d": "sms"}) == []


@pytest.mark.parametrize(
    ("hours", "key", "what"),
    [
        ({"open": "9 o'clock"}, "hours.open", "not an hour"),
        ({"open": 9}, "hours.open", "not an hour"),
        ({"close": "24:00"}, "hours.close", "not an hour"),
        ({"close": 20.0}, "hours.close", "not an hour"),
        ({"open": "20:00", "close": "09:00"}, "hours", "open must be earlier than close"),
        ({"open": "09:00", "close": "09:00"}, "hours", "open must be earlier than close"),
        ({"opens": "09:00"}, "hours.opens", "not known here"),
        ("09:00-20:00", "hours", "write it as a table with open, close"),
    ],
)
def test_wrong_hours_are_named(hours: Any, key: str, what: str) -> None:
    [error] = errors(hours=hours)
    assert error.startswith(f"{key}: ")
    assert what in error


@pytest.mark.parametrize("useful", [0, -1, 91, 1.5, "7", True])
def test_useful_days_are_a_whole_number_from_1_to_90(useful: Any) -> None:
    [error] = errors(useful_days=useful)
    assert error.startswith("useful_days: ")
    assert errors(useful_days=1) == errors(useful_days=90) == []


def test_an_unknown_kind_and_a_missing_one_are_named() -> None:
    found = errors(esim=None, satellite={"plan_end-1d": "sms"})
    assert any(e.startswith("satellite: not known here") and "retention" in e for e in found)
    assert any(e.startswith("esim: no windows; write windows such as") for e in found)
    assert len(found) == 2


def test_all_errors_come_at_once() -> None:
    found = errors(
        satellite={},
        retention=None,
        useful_days=0,
        hours={"open": "x", "close": "y", "lunch": "z"},
        data={"plan_end-7d": "fax", "tomorrow": "sms", "nothing-1d": "sms"},
    )
    assert {error.partition(": ")[0] for error in found} == {
        *("satellite", "retention", "useful_days", "hours.open", "hours.close", "hours.lunch"),
        *("data.plan_end-7d", "data.tomorrow", "data.nothing-1d"),
    }
    assert len(found) == 9


def test_a_window_past_its_use_is_refused() -> None:
    for window in ("line_loss+91d", "plan_end+365d"):
        [error] = errors(data={window: "email"})
        assert error.startswith(f"data.{window}: ")
    [window_that_closes] = policies_of(data={"line_loss+90d": "close"})[Kind.DATA].windows
    assert window_that_closes.closes
    assert errors(data={"line_loss-1d": "close"}) == [
        "data.line_loss-1d: a card is closed after a deadline only"
    ]
