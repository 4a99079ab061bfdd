"""Who is held out, of what, and how the two groups are compared."""

from datetime import UTC, date, datetime, timedelta

import pytest

from worker.core.cards import Audience, Channel
from worker.core.deadlines import DeadlineKind
from worker.core.holdout import HELD_OUT, HoldOut, OwedNotices, compare
from worker.core.reminders import Planned, ReminderKey, ReminderState

NOW = datetime(2026, 6, 12, 15, tzinfo=UTC)
END = date(2026, 6, 19)
DAY = timedelta(days=1)
ALL, NONE = HoldOut("travel", 1.0), HoldOut("travel", 0.0)


def planned(
    window: str = "plan_end-7d",
    kind: DeadlineKind = DeadlineKind.PLAN_END,
    audience: Audience = Audience.HOLDER,
    channel: Channel = Channel.EMAIL,
) -> Planned:
    return Planned(ReminderKey(kind, END, window, channel, audience), NOW, NOW + DAY, (0, 0))


def test_a_holder_is_held_out_in_every_month_and_about_so_many_are() -> None:
    some = HoldOut("travel", 0.2)
    held = {holder for holder in range(5_000) if some.holds(holder)}
    assert held == {holder for holder in range(5_000) if HoldOut("travel", 0.2).holds(holder)}
    assert 0.18 < len(held) / 5_000 < 0.22
    assert held < {holder for holder in range(5_000) if HoldOut("travel", 0.3).holds(holder)}
    assert held != {holder for holder in range(5_000) if HoldOut("other", 0.2).holds(holder)}


def test_the_early_notice_of_a_plan_ends_on_both_channels() -> None:
    both = [planned(channel=channel) for channel in Channel]
    ended = ALL.without(7, both)
    assert [(one.state, one.reason) for one in ended] == 2 * [(ReminderState.SUPPRESSED, HELD_OUT)]
    assert NONE.without(7, both) == tuple(both)


@pytest.mark.parametrize(
    "other",
    [
        planned("plan_end-1d"),
        planned("plan_end-0d"),
        planned("plan_end-3d"),
        planned("again-1"),
        *(planned(f"{kind}-7d", kind) for kind in DeadlineKind if kind != DeadlineKind.PLAN_END),
        planned("plan_end-7d", DeadlineKind.LINE_LOSS),
    ],
    ids=lambda one: f"{one.key.deadline}:{one.key.window}",
)
def test_nothing_else_is_ever_held_back(other: Planned) -> None:
    assert ALL.without(7, [planned(), other])[1] == other


def test_who_is_out_of_reach_is_not_held_out() -> None:
    several = [planned(), planned(audience=Audience.GUARDIAN)]
    assert ALL.without(7, several) == tuple(several)


def owed(held: bool, *renewals: timedelta, on: date = END) -> OwedNotices:
    return OwedNotices(on, NOW, "America/Lima", held, tuple(NOW + after for after in renewals))


def test_only_renewals_between_the_notice_and_the_end_count() -> None:
    last_hour = datetime(2026, 6, 20, 4, 59, tzinfo=UTC) - NOW  # 23:59 of the 19th in Lima
    plans = [
        owed(False, last_hour),
        owed(False, last_hour + timedelta(minutes=1)),
        owed(False, -DAY),
        owed(True, -DAY, 2 * DAY),
        owed(True),
        owed(True, DAY, on=END + 30 * DAY),
    ]
    told, held_out = compare(plans, NOW + 10 * DAY)
    assert (told.plans, told.renewed) == (3, 1)
    assert (held_out.plans, held_out.renewed) == (2, 1), "what has not ended is not known yet"
    assert held_out.between is not None
    assert held_out.between[0] == pytest.approx(1 - held_out.between[1])
    assert compare([], NOW) == (compare([], NOW)[1], compare([], NOW)[0])
    assert compare([], NOW)[0].between is None
