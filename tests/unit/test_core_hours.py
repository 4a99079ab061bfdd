"""When a holder may be disturbed, on the holder's own clock."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.core_helpers import LIMA, NEW_YORK, SHANGHAI, at
from worker.core.hours import Hours, local_day

HOURS = Hours(time(9), time(20))
ZONES = [LIMA, SHANGHAI, NEW_YORK, "America/Santiago", "Australia/Lord_Howe", "Africa/Cairo"]


@pytest.mark.parametrize(
    ("time_zone", "now", "opens"),
    [
        (LIMA, "2026-06-12 08:59:59", "2026-06-12 09:00"),
        (LIMA, "2026-06-12 00:00", "2026-06-12 09:00"),
        (LIMA, "2026-06-12 20:00", "2026-06-13 09:00"),
        (LIMA, "2026-06-12 23:59", "2026-06-13 09:00"),
        (LIMA, "2026-12-31 21:00", "2027-01-01 09:00"),
        (SHANGHAI, "2026-06-12 03:00", "2026-06-12 09:00"),
        (SHANGHAI, "2026-06-12 20:30", "2026-06-13 09:00"),
        # Clocks go forward in the night to 8 March and back in the night to 1 November.
        (NEW_YORK, "2026-03-07 21:00", "2026-03-08 09:00"),
        (NEW_YORK, "2026-03-08 01:30", "2026-03-08 09:00"),
        (NEW_YORK, "2026-10-31 21:00", "2026-11-01 09:00"),
        (NEW_YORK, "2026-11-01 01:30", "2026-11-01 09:00"),
    ],
)
def test_outside_the_hours_it_waits_for_the_next_opening(
    time_zone: str, now: str, opens: str
) -> None:
    assert HOURS.next_open(at(now, time_zone), time_zone) == at(opens, time_zone)


@pytest.mark.parametrize("time_zone", [LIMA, SHANGHAI, NEW_YORK])
@pytest.mark.parametrize("clock", ["09:00", "12:30", "19:59:59"])
def test_within_the_hours_it_is_now(time_zone: str, clock: str) -> None:
    for day in ("2026-06-12", "2026-03-08", "2026-11-01"):
        now = at(f"{day} {clock}", time_zone)
        assert HOURS.next_open(now, time_zone) == now


def test_the_same_instant_is_open_in_one_zone_and_closed_in_another() -> None:
    now = datetime(2026, 6, 12, 15, tzinfo=UTC)  # 10:00 in Lima, 23:00 in Shanghai
    assert HOURS.next_open(now, LIMA) == now
    assert HOURS.next_open(now, SHANGHAI) == datetime(2026, 6, 13, 1, tzinfo=UTC)


def test_a_night_in_new_york_is_an_hour_shorter_or_longer_where_clocks_change() -> None:
    for evening, length in [("2026-03-07 20:00", 12), ("2026-10-31 20:00", 14)]:
        now = at(evening, NEW_YORK)
        assert HOURS.next_open(now, NEW_YORK) - now == timedelta(hours=length)


@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(ZONES),
    st.integers(0, 20 * 60),
    st.integers(180, 1439),
)
@example(datetime(2026, 11, 1, 6, 10, tzinfo=UTC), NEW_YORK, 90, 1200)  # 01:10 for the second time
def test_the_next_opening_is_never_earlier_and_is_itself_open(
    now: datetime, time_zone: str, opens: int, length: int
) -> None:
    closes = min(opens + length, 1439)
    hours = Hours(time(opens // 60, opens % 60), time(closes // 60, closes % 60))
    for given_as in (now, now.astimezone(ZoneInfo(time_zone))):
        following = hours.next_open(given_as, time_zone).astimezone(UTC)
        assert following >= now
        assert following - now < timedelta(hours=26)
        assert hours.next_open(following, time_zone) == following


def test_the_local_day_is_the_readers() -> None:
    now = datetime(2026, 6, 13, 3, tzinfo=UTC)
    assert local_day(now, LIMA) == date(2026, 6, 12)
    assert local_day(now, SHANGHAI) == date(2026, 6, 13)
