"""Whatever the card, the dates, the zones and the policy: every notice owed is planned once."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core_helpers import (
    EMAIL,
    OWN_NUMBER,
    PHONE,
    RULES,
    a_card,
    a_holder,
    a_pack,
    a_policy,
    evaluate,
    remembered,
    replay,
)
from worker.core.addressing import address_of
from worker.core.cards import Card, CardState, Destination, Holder, Kind
from worker.core.deadlines import DeadlineKind, ladder
from worker.core.hours import Hours, local_day
from worker.core.operators import OperatorPack, Rung
from worker.core.policy import Policy
from worker.core.reminders import Known, Planned, ReminderState
from worker.core.window_times import Span, Timetable, spans
from worker.core.windows import Decision
from worker.core.wording import read

BEGIN, END = date(2026, 1, 1), date(2027, 12, 31)
ZONES = [
    *("America/Lima", "Asia/Shanghai", "America/New_York", "America/Los_Angeles"),
    *("America/Santiago", "America/Havana", "Australia/Lord_Howe", "Pacific/Auckland"),
    *("Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kathmandu", "Africa/Casablanca", "UTC"),
]
PENDING, MISSED = ReminderState.PENDING, ReminderState.MISSED


@dataclass(frozen=True)
class Case:
    """One card with everything that decides about it."""

    card: Card
    holder: Holder
    pack: OperatorPack
    policy: Policy

    def check(self, now: datetime, known: list[Known]) -> Decision:
        return evaluate(self.card, self.holder, self.pack, self.policy, now, known)

    def spans(self) -> list[Span]:
        steps = ladder(self.card, self.pack)
        return spans(self.card, self.holder, steps, self.policy)

    def owed(self, span: Span) -> list[Destination]:
        """Where a window goes; to a guardian only where the book has one."""
        has_guardian = self.card.guardian_email is not None
        wanted = span.window.destinations
        return [to for to in wanted if has_guardian or to is not Destination.GUARDIAN]


instants = st.integers(0, 730 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
# Before 04:00 and after 23:00 are the hours that clocks skip or repeat.
hours = st.builds(
    lambda opens, length: Hours(time(opens), time(min(opens + length, 23) - 1, 59)),
    st.integers(4, 12),
    st.integers(3, 19),
)
channels = st.sampled_from(["sms", "email", "sms, email", "email, sms"])
windows = st.dictionaries(
    st.tuples(st.sampled_from(DeadlineKind), st.integers(-90, 30)), channels, max_size=12
).map(lambda lines: {f"{d}{n:+d}d": lines[d, n] for d, n in sorted(lines)})
made_up = st.builds(a_policy, windows, hours, st.integers(1, 90))
policies = made_up | st.sampled_from([RULES.policies[kind] for kind in Kind])
days = st.integers(1, 400)
packs = st.dictionaries(st.sampled_from(Rung), days | st.tuples(days, days)).map(
    lambda rungs: a_pack(**{rung.value: value for rung, value in rungs.items()})
) | (st.sampled_from(list(RULES.packs.values())))
cards = st.builds(
    a_card,
    kind=st.sampled_from(Kind),
    msisdn=st.sampled_from([OWN_NUMBER, None]),
    guardian_email=st.sampled_from([None, "keeper@example.com"]),
    plan_days=st.none() | st.integers(1, 400),
    plan_end=st.none() | st.dates(BEGIN, END),
    last_topup=st.none() | st.dates(BEGIN, END),
    balance=st.none() | st.integers(0, 1).map(Decimal),
    state=st.sampled_from([CardState.ACTIVE, CardState.SUSPENDED]),
    time_zone=st.just("America/Lima") | st.sampled_from(ZONES),
    watched_since=instants,
)
holders = st.builds(
    a_holder,
    time_zone=st.sampled_from(ZONES),
    contact_phone=st.sampled_from([PHONE, None]),
    email=st.sampled_from([EMAIL, None]),
)
cases = st.builds(Case, cards, holders, packs, policies)


def hold(case: Case, planned: Iterable[tuple[datetime, Planned]]) -> None:
    """What holds of all that is ever planned for a card, however it was checked."""
    zone = ZoneInfo(case.holder.time_zone)
    keys, sms_days = Counter[object](), Counter[date]()
    for now, one in planned:
        keys[one.key] += 1
        if one.state is not PENDING:
            assert one.reason
            continue
        assert one.reason is None
        assert now <= one.due_at < one.useful_until
        assert case.policy.hours.opens <= one.due_at.astimezone(zone).time()
        assert one.due_at.astimezone(zone).time() < case.policy.hours.closes
        assert address_of(case.card, case.holder, one.key.channel, one.key.audience)
        if one.key.destination is Destination.SMS:
            sms_days[local_day(one.due_at, case.holder.time_zone)] += 1
    assert not keys or max(keys.values()) == 1
    assert not sms_days or max(sms_days.values()) == 1


@settings(max_examples=300, deadline=None)
@given(cases, st.sampled_from(sorted(available_timezones() - {"localtime"})))
def test_what_is_coming_is_told_before_it_and_what_is_over_after_it(case: Case, zone: str) -> None:
    """On every clock on earth; and no two windows of a deadline are told on one day, so that none
    repeats the words of another."""
    holder = replace(case.holder, time_zone=zone)
    steps = ladder(case.card, case.pack)
    told: dict[tuple[DeadlineKind, date], list[int]] = {}
    for span in spans(case.card, holder, steps, case.policy):
        reading = read(span.deadline, span.at, zone)
        minute = span.deadline.at.astimezone(ZoneInfo(zone)) - timedelta(minutes=1)
        if span.window.offset > 0:
            assert span.at >= span.deadline.at
            assert reading.over
            assert reading.days <= -1
            # A loss is told of within five days where the policy has a window in the first three.
            late = span.at - span.deadline.at
            assert late < timedelta(days=span.window.offset + 1, hours=span.at.hour + 24)
        else:
            assert span.until <= span.deadline.at
            assert not reading.over
        if span.deadline.kind is DeadlineKind.PLAN_END:
            assert reading.days == (minute.date() - local_day(span.at, zone)).days
            assert (reading.clock or "23:59") == f"{minute:%H:%M}"
        same = told.setdefault((span.deadline.kind, span.deadline.on), [])
        assert reading.days not in same
        same.append(reading.days)


@settings(max_examples=150, deadline=None)
@given(cases, instants)
def test_checks_on_time_plan_everything_once_and_leave_no_window_silent(
    case: Case, start: datetime
) -> None:
    planned: list[tuple[datetime, Planned]] = []
    for now, decision in replay(case.check, start):
        assert decision.next_check_at is None or decision.next_check_at > now
        planned += [(now, one) for one in decision.planned]
    hold(case, planned)

    on_time = [one for now, one in planned if now > start]
    assert not [one for one in on_time if one.state is MISSED]
    told = {one.key for _, one in planned}
    found = case.spans()
    # With the window that closes a card all is over, whatever a pack's odd days put after it.
    closed = min([span.at for span in found if span.window.closes], default=None)
    for span in found:
        if span.at >= start and (closed is None or span.at < closed):
            assert {span.key(to) for to in case.owed(span)} <= told


@settings(max_examples=150, deadline=None)
@given(cases, st.lists(instants, min_size=1, max_size=12).map(sorted))
def test_checks_at_any_time_plan_nothing_twice_and_leave_no_watched_window_silent(
    case: Case, checks: list[datetime]
) -> None:
    known: list[Known] = []
    planned: list[tuple[datetime, Planned]] = []
    for now in checks:
        decision = case.check(now, known)
        assert decision.stale == ()
        assert decision.next_check_at is None or decision.next_check_at > now
        known += [remembered(one, len(known) + i) for i, one in enumerate(decision.planned)]
        planned += [(now, one) for one in decision.planned]
        told = {k.key for k in known}
        for span in case.spans():
            recent = (now.date() - span.deadline.on).days <= 120
            tells = not span.window.closes
            if tells and recent and case.card.watched_since <= span.at and span.until <= now:
                assert any(span.key(to) in told for to in Destination)
    hold(case, planned)


@settings(max_examples=100, deadline=None)
@given(cases, instants)
def test_only_one_window_of_a_deadline_is_open_and_it_ends_in_time(
    case: Case, now: datetime
) -> None:
    found = case.spans()
    opened = [span.deadline.kind for span in found if span.at <= now < span.until]
    assert len(opened) == len(set(opened))
    for span in found:
        assert span.at < span.until
        if span.window.offset <= 0:
            assert span.until <= span.deadline.at


@settings(max_examples=100, deadline=None)
@given(cases, instants)
def test_checking_again_with_what_was_planned_changes_nothing(case: Case, now: datetime) -> None:
    first = case.check(now, [])
    known = [remembered(one, i) for i, one in enumerate(first.planned)]
    again = case.check(now, known)
    assert again.planned == ()
    assert again.next_check_at == first.next_check_at


@settings(max_examples=100, deadline=None)
@given(cases, instants, st.sampled_from([CardState.RECYCLED, CardState.CLOSED]))
def test_a_card_that_is_gone_owes_nothing(case: Case, now: datetime, state: CardState) -> None:
    planned = case.check(now, []).planned
    known = [remembered(one, i) for i, one in enumerate(planned)]
    gone = Case(a_card(state=state), case.holder, case.pack, case.policy)
    waiting = tuple(k.id for k in known if k.state is PENDING)
    assert gone.check(now, known) == Decision((), waiting, None)


@settings(max_examples=100, deadline=None)
@given(cases, st.lists(instants, min_size=1, max_size=6))
def test_a_timetable_says_the_same_at_an_instant_whatever_it_was_asked_before(
    case: Case, asked: list[datetime]
) -> None:
    every = tuple(case.spans())
    turns = [turn for span in every for turn in (span.at, span.until)]
    table = Timetable(every)
    for now in [*asked, *turns, *asked]:
        moment = table.at(now)
        assert moment.open == tuple(s for s in every if s.at <= now < s.until)
        assert moment.over == tuple(s for s in every if s.until <= now)
        assert moment.next_at == min((s.at for s in every if s.at > now), default=None)
        assert moment.closing == tuple(s for s in every if s.window.closes and s.at <= now)
