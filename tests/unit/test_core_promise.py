"""The account of the promise: every reminder in exactly one class, and sums that agree."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core_helpers import RULES
from worker.core.promise import BROKEN, Account, Class, Owed, classify, reason_class
from worker.core.reminders import ReminderState
from worker.core.tolerance import Tolerance
from worker.paths import read_toml, shipped
from worker.setup.policy_file import PolicyFile
from worker.tables import read

DUE = datetime(2026, 6, 12, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)


def owed(
    state: ReminderState = ReminderState.SENT,
    accepted: timedelta | None = timedelta(),
    reason: str | None = None,
) -> Owed:
    at = None if accepted is None else DUE + accepted
    return Owed(state, reason, DUE, DUE + 24 * HOUR, at, 6 * HOUR)


@pytest.mark.parametrize("state", [ReminderState.SENT, ReminderState.DELIVERED])
def test_what_was_taken_within_its_tolerance_is_on_time(state: ReminderState) -> None:
    second = timedelta(seconds=1)
    assert classify(owed(state, 6 * HOUR), DUE) is Class.ON_TIME
    assert classify(owed(state, 6 * HOUR + second), DUE) is Class.LATE
    assert classify(owed(state, -HOUR), DUE) is Class.ON_TIME
    assert owed(state, -HOUR).late_seconds == 0


def test_what_was_told_without_proof_is_unexplained() -> None:
    assert classify(owed(accepted=None), DUE) is Class.UNEXPLAINED


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (timedelta(), Class.WAITING),
        (6 * HOUR, Class.WAITING),
        (6 * HOUR + timedelta(seconds=1), Class.OVERDUE),
        (24 * HOUR, Class.UNEXPLAINED),
    ],
)
def test_what_waits_is_judged_by_the_clock(after: timedelta, found: Class) -> None:
    assert classify(owed(ReminderState.PENDING, None), DUE + after) is found


@pytest.mark.parametrize("state", ["suppressed", "superseded", "missed"])
def test_an_end_without_a_reason_is_unexplained(state: str) -> None:
    end = ReminderState(state)
    assert classify(owed(end, None, "why"), DUE) is Class(state)
    assert classify(owed(end, None, None), DUE) is Class.UNEXPLAINED
    assert classify(owed(end, None, ""), DUE) is Class.UNEXPLAINED


def test_what_nobody_was_told_another_way_is_unreached_and_no_other_end_is() -> None:
    for state, found in (("suppressed", Class.UNREACHED), ("missed", Class.MISSED)):
        end = replace(owed(ReminderState(state), None, "why"), reached=False)
        assert classify(end, DUE) is found


def test_the_account_counts_the_reasons() -> None:
    account = Account()
    for reason in ("no_address", "no_address", None):
        account.add(owed(ReminderState.SUPPRESSED, None, reason), DUE)
    assert account.reasons == {
        Class.SUPPRESSED: Counter(no_address=2),
        Class.UNEXPLAINED: Counter(no_reason=1),
    }


SPANS = st.integers(-100, 100).map(lambda hours: hours * HOUR)
ANY = st.builds(
    Owed,
    state=st.sampled_from(ReminderState),
    reason=st.sampled_from([None, "", "renewed", "twilio:21610"]),
    owed_at=SPANS.map(lambda span: DUE + span),
    useful_until=SPANS.map(lambda span: DUE + span),
    accepted_at=st.none() | SPANS.map(lambda span: DUE + span),
    tolerance=st.integers(1, 48).map(lambda hours: hours * HOUR),
)


@given(st.lists(ANY, max_size=60), SPANS.map(lambda span: DUE + span))
def test_every_reminder_is_in_one_class_and_the_sums_agree(rows: list[Owed], now: datetime) -> None:
    account = Account()
    classes = [account.add(row, now) for row in rows]
    assert account.by_class == Counter(classes)
    assert account.owed == len(rows) == account.by_class.total() == account.by_state.total()
    reasoned = {Class.SUPPRESSED, Class.SUPERSEDED, *BROKEN}
    for found in reasoned:
        counted = account.reasons.get(found, Counter())
        assert counted.total() == account.by_class[found]
    assert account.kept == (not any(one in BROKEN for one in classes))
    share = account.on_time_share
    judged = [one for one in classes if one not in {Class.WAITING, *(reasoned - set(BROKEN))}]
    assert (share is None) == (not judged)
    if share is not None:
        assert share == judged.count(Class.ON_TIME) / len(judged)


@given(ANY, SPANS.map(lambda span: DUE + span))
def test_only_a_told_reminder_with_proof_is_on_time_or_late(row: Owed, now: datetime) -> None:
    told = row.state in (ReminderState.SENT, ReminderState.DELIVERED)
    timed = classify(row, now) in (Class.ON_TIME, Class.LATE)
    assert timed == (told and row.accepted_at is not None)


@pytest.mark.parametrize(
    ("reason", "found"),
    [
        (None, ""),
        ("no_address", "no_address"),
        ("twilio:21610", "twilio"),
        ("sendgrid:http_400: 12 attempts", "sendgrid"),
        ("a word of somebody", "other"),
        ("carrier:404", "other"),
    ],
)
def test_a_reason_as_a_label_is_one_of_a_few_words(reason: str | None, found: str) -> None:
    assert reason_class(reason, {"twilio", "sendgrid"}) == found


# Tolerance


def test_the_tolerance_follows_the_distance_to_the_deadline() -> None:
    tolerance = Tolerance(own={"plan_end+0d": 2 * HOUR})
    assert tolerance.of("plan_end-30d") == tolerance.of("line_loss-7d") == 24 * HOUR
    assert tolerance.of("plan_end-6d") == tolerance.of("plan_end+7d") == 6 * HOUR
    assert tolerance.of("plan_end+0d") == 2 * HOUR
    assert tolerance.of("event") == HOUR


def test_the_shipped_tolerance_is_read() -> None:
    assert RULES.tolerance == Tolerance()


def test_a_window_may_have_a_tolerance_of_its_own() -> None:
    data = read_toml(shipped("config") / "policies.toml")
    data["tolerance"] = {"plan_end+0d": "90m", "far": "2d"}
    found, errors = read(PolicyFile, data)
    assert errors == []
    assert found is not None
    tolerance = found.into(RULES).tolerance
    assert (tolerance.of("plan_end+0d"), tolerance.far) == (90 * HOUR / 60, 48 * HOUR)


_TIMES = 'write times like 30m, 6h or 1d, up to 7d, such as far = "1d"'


@pytest.mark.parametrize(
    ("table", "error"),
    [
        ("6h", f"tolerance: {_TIMES}"),
        *(({"near": value}, f"tolerance.near: {_TIMES}") for value in ("6", 6, "0h", "8d")),
        (
            {"plan_end-5d": "1h"},
            "tolerance.plan_end-5d: neither far, near, event nor a window of a policy",
        ),
    ],
)
def test_a_wrong_tolerance_is_told_with_its_key(table: object, error: str) -> None:
    data = read_toml(shipped("config") / "policies.toml")
    assert read(PolicyFile, {**data, "tolerance": table}) == (None, [error])
