"""What is owed on the days that matter."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from tests.unit.core_helpers import (
    EMAIL,
    LIMA,
    LOS_ANGELES,
    NEW_YORK,
    OWN_NUMBER,
    PHONE,
    RULES,
    SHANGHAI,
    T,
    a_card,
    a_holder,
    a_pack,
    a_policy,
    at,
    balance,
    evaluate,
    remembered,
    replay,
    told,
)
from worker.core.addressing import address_of, in_service
from worker.core.cards import Card, CardState, Channel, Kind
from worker.core.deadlines import DeadlineKind
from worker.core.hours import local_day
from worker.core.policy import Policy
from worker.core.reminders import (
    RENEWED,
    UNCHECKED,
    Known,
    Planned,
    ReminderKey,
    ReminderState,
)
from worker.core.windows import Decision

START = at("2026-01-01 09:00")
BOTH = ("sms", "email")

# Movistar takes a line 210 days after the last top-up: on 12 June.
LINE_ENDS = {"operator": "movistar", "plan_end": None, "last_topup": T - timedelta(days=210)}


def sent_on(
    card: Card,
    time_zone: str = LIMA,
    base: date = T,
    kinds: tuple[DeadlineKind, ...] = (DeadlineKind.PLAN_END, DeadlineKind.LINE_LOSS),
) -> dict[int, set[str]]:
    """By days from ``base``: the channels used for deadlines of ``kinds``, when every check comes
    on time."""
    holder = a_holder(time_zone=time_zone)
    found: dict[int, set[str]] = {}
    for now, decision in replay(lambda n, known: RULES.evaluate(card, holder, n, known), START):
        for planned in decision.planned:
            if planned.key.deadline not in kinds:
                continue
            assert planned.state is ReminderState.PENDING
            assert planned.due_at == now == at(f"{local_day(now, time_zone)} 09:00", time_zone)
            offset = (local_day(now, time_zone) - base).days
            assert planned.key.window.endswith(f"{offset:+d}d")
            found.setdefault(offset, set()).add(planned.key.channel.value)
    return found


def written(decision: Decision, first: int = 1) -> list[Known]:
    return [remembered(p, first + i) for i, p in enumerate(decision.planned)]


def all_told(decision: Decision) -> list[tuple[str, str, str]]:
    return [told(planned) for planned in decision.planned]


def check(now: str, known: list[Known] | None = None, **card: Any) -> Decision:
    return RULES.evaluate(a_card(**card), a_holder(), at(now), known or [])


S, E, SE = {"sms"}, {"email"}, {"sms", "email"}


# The end of 12 June in Lima is 22:00 of that day in Los Angeles, and 13:00 of the next in Shanghai.
@pytest.mark.parametrize(
    ("time_zone", "last_day"), [(LIMA, T), (LOS_ANGELES, T), (SHANGHAI, T + timedelta(days=1))]
)
@pytest.mark.parametrize(
    ("kind", "days"),
    [
        (Kind.DATA, {-30: E, -7: SE, -1: SE, 0: S, 3: SE}),
        (Kind.RETENTION, {-30: E, -7: SE, -1: SE}),
        (Kind.FOUR_G, {-7: SE, -3: E, -1: SE, 0: S, 1: SE, 7: E}),
        (Kind.ESIM, {-3: E, -1: SE, 0: S, 1: E}),
    ],
)
def test_a_plan_is_told_of_on_these_days_at_nine_on_the_holders_clock(
    kind: Kind, days: dict[int, set[str]], time_zone: str, last_day: date
) -> None:
    assert sent_on(a_card(kind=kind), time_zone, last_day) == days


@pytest.mark.parametrize(
    ("time_zone", "ends", "days"),
    [
        # 00:59 on the 13th: the last hours in which anybody may be disturbed are those of the 12th.
        (NEW_YORK, "2026-06-13 01:00", {-7: SE, -1: SE, 0: S, 4: SE}),
        ("Europe/Madrid", "2026-06-13 07:00", {-7: SE, -1: SE, 0: S, 4: SE}),
        # 10:30 on the 13th: half an hour after opening is too short to act.
        ("Asia/Kolkata", "2026-06-13 10:30", {-7: SE, -1: SE, 0: S, 4: SE}),
        # 11:00: two hours are not.
        ("Asia/Dhaka", "2026-06-13 11:00", {-6: SE, 0: SE, 1: S, 4: SE}),
    ],
)
def test_a_deadline_in_the_night_is_told_of_on_the_day_before(
    time_zone: str, ends: str, days: dict[int, set[str]]
) -> None:
    assert at(ends, time_zone) == at("2026-06-13 00:00")
    holder, found = a_holder(time_zone=time_zone), dict[int, set[str]]()
    card = a_card(plan_days=30)
    for now, decision in replay(lambda n, known: RULES.evaluate(card, holder, n, known), START):
        for planned in decision.planned:
            if planned.key.deadline is DeadlineKind.PLAN_END:
                offset = (local_day(now, time_zone) - T).days
                found.setdefault(offset, set()).add(planned.key.channel.value)
    assert found == days


@pytest.mark.parametrize(
    ("kind", "days"),
    [
        (Kind.DATA, {-15: SE, -3: SE}),
        (Kind.RETENTION, {-60: E, -30: SE, -15: SE, -7: SE, -3: S, -1: SE, 1: E}),
        (Kind.FOUR_G, {-15: SE, -3: SE}),
        (Kind.ESIM, {-15: SE, -3: SE}),
    ],
)
def test_a_line_is_told_of_on_these_days(kind: Kind, days: dict[int, set[str]]) -> None:
    assert sent_on(a_card(kind=kind, **LINE_ENDS)) == days


@pytest.mark.parametrize(
    ("kind", "deadline", "days"),
    [
        (Kind.DATA, DeadlineKind.OUTGOING_BLOCK, {-3: E}),
        (Kind.RETENTION, DeadlineKind.OUTGOING_BLOCK, {-7: E}),
        (Kind.DATA, DeadlineKind.BALANCE_LOSS, {-7: E}),
        (Kind.RETENTION, DeadlineKind.BALANCE_LOSS, {-15: E}),
        (Kind.RETENTION, DeadlineKind.REASSIGNMENT, {-15: E}),
    ],
)
def test_what_else_can_be_lost_is_told_of_by_email(
    kind: Kind, deadline: DeadlineKind, days: dict[int, set[str]]
) -> None:
    """Claro: 60 days after the top-up, 210, and 270 + 90."""
    after = {"outgoing_block": 60, "balance_loss": 210, "reassignment": 360}[deadline]
    topup = T - timedelta(days=after)
    since = at("2025-01-01 09:00")
    card = a_card(kind=kind, plan_end=None, last_topup=topup, balance=balance("5"))
    card = replace(card, watched_since=since)
    assert sent_on(card, kinds=(deadline,)) == days


def test_nobody_is_warned_of_losing_a_balance_that_may_not_be_there() -> None:
    topup = T - timedelta(days=210)
    for unknown, days in ((balance("0"), {}), (None, {}), (balance("0.50"), {-7: E})):
        card = a_card(plan_end=None, last_topup=topup, balance=unknown)
        assert sent_on(card, kinds=(DeadlineKind.BALANCE_LOSS,)) == days


def test_a_card_with_a_running_plan_makes_calls() -> None:
    """A plan of 90 days, 60 of them over: Claro blocks no calls that are paid for."""
    card = a_card(plan_days=90, last_topup=T - timedelta(days=90))
    assert DeadlineKind.OUTGOING_BLOCK not in RULES.ladder(card)


def test_a_deadline_that_the_operators_file_does_not_know_is_never_told_of() -> None:
    card = a_card(operator="entel", plan_end=None, last_topup=T - timedelta(days=57))
    assert sent_on(card, kinds=(DeadlineKind.OUTGOING_BLOCK,)) == {}


def test_an_esim_without_a_peruvian_number_is_told_of_its_plan_only() -> None:
    esim = a_card(kind=Kind.ESIM, **{**LINE_ENDS, "plan_end": T}, msisdn=None)
    assert sent_on(esim) == {-3: E, -1: SE, 0: S, 1: E}


def test_a_holder_in_shanghai_hears_of_the_last_day_on_the_day_on_which_it_ends_there() -> None:
    holder = a_holder(time_zone=SHANGHAI)
    now = at("2026-06-13 09:00", SHANGHAI)
    [sms] = RULES.evaluate(a_card(), holder, now, []).planned[-1:]
    assert sms.key.window == "plan_end+0d"
    assert local_day(now, LIMA) == date(2026, 6, 12)
    assert sms.useful_until == at("2026-06-13 00:00", LIMA) == at("2026-06-13 13:00", SHANGHAI)


def test_clock_changes_do_not_move_the_opening_hour() -> None:
    card, holder = a_card(plan_end=date(2026, 3, 9)), a_holder(time_zone=NEW_YORK)
    [first, second] = [
        RULES.evaluate(card, holder, at(now, NEW_YORK)).next_check_at
        for now in ("2026-03-02 12:00", "2026-03-08 12:00")
    ]
    assert first == at("2026-03-08 09:00", NEW_YORK)
    assert second == at("2026-03-09 09:00", NEW_YORK)


def test_a_late_start_is_told_of_the_open_window_only_and_at_once() -> None:
    since = at("2026-06-09 14:00")
    decision = check("2026-06-09 14:00", watched_since=since)
    assert all_told(decision) == [
        ("plan_end-7d", "sms", "pending"),
        ("plan_end-7d", "email", "pending"),
    ]
    assert {p.due_at for p in decision.planned} == {since}
    assert {p.useful_until for p in decision.planned} == {at("2026-06-11 09:00")}


def test_a_late_start_is_told_of_each_deadline_once() -> None:
    """Plan and line both end soon: the line's notice comes first and takes the day's SMS."""
    card: dict[str, Any] = {**LINE_ENDS, "plan_end": date(2026, 6, 10)}
    decision = check("2026-06-09 14:00", **card, watched_since=at("2026-06-09 14:00"))
    assert all_told(decision) == [
        ("line_loss-3d", "sms", "pending"),
        ("line_loss-3d", "email", "pending"),
        ("plan_end-1d", "sms", "superseded"),
        ("plan_end-1d", "email", "pending"),
    ]
    line, _, _, plan = decision.planned
    assert line.urgency < plan.urgency


@pytest.mark.parametrize(
    ("plan_days", "offsets"),
    [
        (None, [-30, -7, -1, 0, 3]),
        (60, [-30, -7, -1, 0, 3]),
        (59, [-7, -1, 0, 3]),
        (14, [-7, -1, 0, 3]),
        (13, [-1, 0, 3]),
        (1, [-1, 0, 3]),
    ],
)
def test_a_window_further_ahead_than_half_the_plan_is_left_out_but_never_the_last_two(
    plan_days: int | None, offsets: list[int]
) -> None:
    assert sorted(sent_on(a_card(plan_days=plan_days, msisdn=None))) == offsets


@pytest.mark.parametrize(
    ("plan_days", "offsets"), [(6, [-3, -1, 0, 1]), (5, [-1, 0, 1]), (1, [-1, 0, 1])]
)
def test_a_short_plan_of_an_esim_keeps_its_last_two_notices(
    plan_days: int, offsets: list[int]
) -> None:
    assert sorted(sent_on(a_card(kind=Kind.ESIM, plan_days=plan_days, msisdn=None))) == offsets


def test_two_days_before_the_end_half_of_a_short_plan_counts_too() -> None:
    policy, now = a_policy({"plan_end-2d": "email"}), at("2026-06-10 09:00")
    for plan_days, told_now in ((4, 1), (3, 0)):
        card = a_card(plan_days=plan_days, watched_since=now)
        assert len(evaluate(card, a_holder(), a_pack(), policy, now).planned) == told_now


def test_half_the_plan_says_nothing_of_the_line() -> None:
    card = a_card(**{**LINE_ENDS, "plan_end": T - timedelta(days=210)}, plan_days=1)
    assert {-15, -3} <= set(sent_on(card))


class TestOneSmsADay:
    """Line and plan want an SMS on the same day, 12 June."""

    pack = a_pack(line_loss=60)

    def check(
        self, policy: Policy, now: datetime, known: list[Known], line_ends_in: int
    ) -> Decision:
        last_topup = T + timedelta(days=line_ends_in - 60)
        card = a_card(plan_end=T, last_topup=last_topup)
        return evaluate(card, a_holder(), self.pack, policy, now, known)

    def test_the_more_urgent_goes_first_and_the_other_the_next_morning(self) -> None:
        policy = a_policy({"plan_end-7d": "sms", "line_loss-22d": "sms"})
        nine = at("2026-06-05 09:00")
        first = self.check(policy, nine, [], 15)
        assert all_told(first) == [("line_loss-22d", "sms", "pending")]
        tomorrow = at("2026-06-06 09:00")
        assert first.next_check_at == tomorrow
        assert self.check(policy, nine, written(first), 15).planned == ()
        second = self.check(policy, tomorrow, written(first), 15)
        assert all_told(second) == [("plan_end-7d", "sms", "pending")]
        assert second.planned[0].due_at == tomorrow

    def test_the_other_is_superseded_if_it_is_over_by_then(self) -> None:
        policy = a_policy({"plan_end+0d": "sms", "line_loss-15d": "sms"})
        decision = self.check(policy, at("2026-06-12 09:00"), [], 15)
        assert [(told(p), p.reason) for p in decision.planned] == [
            (("line_loss-15d", "sms", "pending"), None),
            (("plan_end+0d", "sms", "superseded"), "one_sms_a_day"),
        ]

    @pytest.mark.parametrize(
        ("channel", "earlier", "free"),
        [
            (Channel.SMS, "2026-06-05 09:00", False),
            (Channel.EMAIL, "2026-06-05 09:00", True),
            # Half past seven in the evening in Lima is the next day already in Greenwich.
            (Channel.SMS, "2026-06-04 19:30", True),
        ],
    )
    def test_the_day_is_the_holders_and_only_an_sms_takes_it(
        self, channel: Channel, earlier: str, free: bool
    ) -> None:
        policy = a_policy({"plan_end-7d": "sms"})
        key = ReminderKey(DeadlineKind.PLAN_END, date(2026, 1, 1), "plan_end+3d", channel)
        known = [Known(1, key, ReminderState.SENT, at(earlier))]
        decision = self.check(policy, at("2026-06-05 10:00"), known, 15)
        assert bool(decision.planned) is free

    def test_emails_are_not_counted(self) -> None:
        policy = a_policy({"plan_end+0d": "email", "line_loss-15d": "email"})
        decision = self.check(policy, at("2026-06-12 09:00"), [], 15)
        assert [p.state for p in decision.planned] == [ReminderState.PENDING] * 2

    @pytest.mark.parametrize(
        ("state", "free"),
        [
            (ReminderState.PENDING, False),
            (ReminderState.SENT, False),
            (ReminderState.DELIVERED, False),
            (ReminderState.SUPPRESSED, True),
            (ReminderState.SUPERSEDED, True),
            (ReminderState.MISSED, True),
        ],
    )
    def test_only_an_sms_that_goes_out_takes_the_day(
        self, state: ReminderState, free: bool
    ) -> None:
        policy = a_policy({"plan_end-7d": "sms"})
        key = ReminderKey(DeadlineKind.PLAN_END, date(2026, 1, 1), "plan_end+3d", Channel.SMS)
        morning = at("2026-06-05 09:00")
        decision = self.check(policy, morning, [Known(1, key, state, morning)], 15)
        assert bool(decision.planned) is free
        assert decision.next_check_at == (None if free else at("2026-06-06 09:00"))


class TestLateChecks:
    """A notice that nobody looked for is late, and not owed later."""

    def owed(self, now: str, since: str, known: Sequence[Known] = ()) -> dict[str, datetime | None]:
        decision = check(now, list(known), watched_since=at(since))
        return {p.key.channel.value: p.owed_at for p in decision.planned}

    @pytest.mark.parametrize(
        ("since", "owed"),
        [
            ("2026-06-01 12:00", "2026-06-05 09:00"),  # since its window opened
            ("2026-06-06 14:00", "2026-06-06 14:00"),  # since the card is watched
            ("2026-06-06 23:00", "2026-06-07 09:00"),  # since somebody may be disturbed
        ],
    )
    def test_it_is_owed_since_it_could_have_gone(self, since: str, owed: str) -> None:
        assert self.owed("2026-06-08 15:00", since) == dict.fromkeys(BOTH, at(owed))

    def test_an_sms_is_owed_on_the_first_day_without_another(self) -> None:
        key = ReminderKey(DeadlineKind.LINE_LOSS, date(2026, 8, 1), "line_loss-60d", Channel.SMS)
        sent = Known(1, key, ReminderState.SENT, at("2026-06-05 09:00"))
        assert self.owed("2026-06-08 15:00", "2026-06-01 12:00", [sent]) == {
            "sms": at("2026-06-06 09:00"),
            "email": at("2026-06-05 09:00"),
        }


class TestAddresses:
    def check(
        self, now: str, phone: str | None, email: str | None, **card: Any
    ) -> list[tuple[str, str, str]]:
        holder = a_holder(contact_phone=phone, email=email)
        decision = RULES.evaluate(a_card(watched_since=at(now), **card), holder, at(now), [])
        for planned in decision.planned:
            suppressed = planned.state is ReminderState.SUPPRESSED
            assert planned.reason == ("no_address" if suppressed else None)
        return all_told(decision)

    def test_without_an_email_the_sms_steps_in(self) -> None:
        assert self.check("2026-05-13 09:00", PHONE, None) == [
            ("plan_end-30d", "email", "suppressed"),
            ("plan_end-30d", "sms", "pending"),
        ]

    def test_without_a_phone_the_email_steps_in(self) -> None:
        assert self.check("2026-06-12 09:00", None, EMAIL, msisdn=None) == [
            ("plan_end+0d", "sms", "suppressed"),
            ("plan_end+0d", "email", "pending"),
        ]

    def test_where_both_are_asked_for_one_is_enough(self) -> None:
        assert self.check("2026-06-05 09:00", None, EMAIL, msisdn=None) == [
            ("plan_end-7d", "sms", "suppressed"),
            ("plan_end-7d", "email", "pending"),
        ]

    def test_without_any_address_each_channel_says_so(self) -> None:
        assert self.check("2026-06-05 09:00", None, None, msisdn=None) == [
            ("plan_end-7d", "sms", "suppressed"),
            ("plan_end-7d", "email", "suppressed"),
        ]
        assert self.check("2026-06-12 09:00", None, None, msisdn=None) == [
            ("plan_end+0d", "sms", "suppressed"),
        ]

    def test_the_contact_phone_comes_before_the_cards_own_number(self) -> None:
        holder = a_holder()
        assert address_of(a_card(), holder, Channel.SMS) == PHONE
        assert address_of(a_card(), a_holder(contact_phone=None), Channel.SMS) == OWN_NUMBER
        assert address_of(a_card(), holder, Channel.EMAIL) == EMAIL

    @pytest.mark.parametrize("state", [CardState.SUSPENDED, CardState.RECYCLED, CardState.CLOSED])
    def test_the_number_of_a_card_out_of_service_is_never_used(self, state: CardState) -> None:
        card = a_card(state=state)
        assert address_of(card, a_holder(contact_phone=None), Channel.SMS) is None
        assert address_of(card, a_holder(), Channel.SMS) == PHONE

    def test_a_suspended_card_without_a_contact_phone_is_told_by_email(self) -> None:
        assert self.check("2026-06-12 09:00", None, EMAIL, state=CardState.SUSPENDED) == [
            ("plan_end+0d", "sms", "suppressed"),
            ("plan_end+0d", "email", "pending"),
        ]
        assert self.check("2026-06-12 09:00", PHONE, EMAIL, state=CardState.SUSPENDED) == [
            ("plan_end+0d", "sms", "pending"),
        ]


class TestDowntime:
    """Nobody checked from the evening of 10 June to 16 June: T-1 and T0 went by."""

    def before(self) -> list[Known]:
        known: list[Known] = []
        for day in ("2026-05-13 09:00", "2026-06-05 09:00"):
            known += written(check(day, known), first=len(known) + 1)
        assert len(known) == 3
        return known

    def test_what_was_overtaken_is_missed_and_the_open_window_is_sent(self) -> None:
        decision = check("2026-06-16 10:00", self.before())
        assert all_told(decision) == [
            ("plan_end-1d", "sms", "missed"),
            ("plan_end-1d", "email", "missed"),
            ("plan_end+0d", "sms", "missed"),
            ("plan_end+3d", "sms", "pending"),
            ("plan_end+3d", "email", "pending"),
        ]
        assert {p.reason for p in decision.planned[:3]} == {"not_checked_in_time"}
        assert decision.next_check_at is None

    def test_a_window_is_missed_once(self) -> None:
        known = self.before()
        known += written(check("2026-06-16 10:00", known), first=10)
        assert check("2026-06-16 10:00", known).planned == ()
        assert check("2026-07-16 10:00", known).planned == ()

    def test_what_a_clock_that_was_ahead_called_missed_is_owed_again(self) -> None:
        since, now, ahead = at("2026-06-05 09:00"), "2026-06-05 12:00", at("2026-06-20 09:00")
        missed, first = ReminderState.MISSED, written(check("2026-06-05 09:00"))
        for state, reason, ended_at, owed in (
            (missed, UNCHECKED, ahead, 2),
            (missed, UNCHECKED, at(now), 0),
            (missed, UNCHECKED, None, 0),
            (missed, "quiet_hours", ahead, 0),
            (ReminderState.SENT, UNCHECKED, ahead, 0),
        ):
            known = [replace(k, state=state, reason=reason, ended_at=ended_at) for k in first]
            again = check(now, known, watched_since=since)
            assert [told(p)[2] for p in again.planned] == ["pending"] * owed

    def test_a_window_that_was_told_on_one_channel_is_missed_on_the_other(self) -> None:
        known = [k for k in self.before() if k.key.channel is Channel.EMAIL]
        missed = [t for t in all_told(check("2026-06-16 10:00", known)) if t[2] == "missed"]
        assert ("plan_end-7d", "sms", "missed") in missed
        assert ("plan_end-7d", "email", "missed") not in missed

    def test_a_deadline_that_holds_again_is_owed_again(self) -> None:
        over = ReminderState.SUPERSEDED
        known = [replace(k, state=over, reason=RENEWED) for k in self.before()]
        since = at("2026-06-05 11:30")
        again = check("2026-06-05 12:00", known, watched_since=since)
        assert all_told(again) == [
            ("plan_end-7d", "sms", "pending"),
            ("plan_end-7d", "email", "pending"),
        ]
        known = [replace(k, state=over, reason="recycled") for k in known]
        assert all_told(check("2026-06-05 12:00", known, watched_since=since)) == []

    def test_what_fell_before_the_card_was_watched_was_never_owed(self) -> None:
        decision = check("2026-06-16 10:00", watched_since=at("2026-06-11 09:00:01"))
        assert [t for t in all_told(decision) if t[2] == "missed"] == [
            ("plan_end+0d", "sms", "missed")
        ]
        none = check("2026-06-16 10:00", watched_since=at("2026-06-16 10:00"))
        assert all_told(none) == [
            ("plan_end+3d", "sms", "pending"),
            ("plan_end+3d", "email", "pending"),
        ]

    def test_a_window_that_opened_as_the_watch_began_was_owed(self) -> None:
        decision = check("2026-06-11 23:00", watched_since=at("2026-06-05 09:00"))
        assert ("plan_end-7d", "sms", "missed") in all_told(decision)

    def test_a_window_is_missed_the_moment_the_next_one_opens(self) -> None:
        before = check("2026-06-12 08:59", self.before())
        assert {told(p)[2] for p in before.planned} == {"superseded"}
        decision = check("2026-06-12 09:00", self.before())
        assert all_told(decision) == [
            ("plan_end-1d", "sms", "missed"),
            ("plan_end-1d", "email", "missed"),
            ("plan_end+0d", "sms", "pending"),
        ]

    def test_a_deadline_long_gone_is_not_looked_at_again(self) -> None:
        """The ledger is not asked for old deadlines, so their windows must not seem unsent."""
        # The line goes on 8 January.
        card: dict[str, Any] = {"operator": "movistar", "last_topup": T}
        for day in ("2026-12-24 09:00", "2027-01-05 09:00"):
            decision = check(day, **card)
            assert {told(p)[0].partition("-")[0] for p in decision.planned} == {"line_loss"}


class TestNight:
    def late(self, now: str) -> list[tuple[tuple[str, str, str], str | None]]:
        decision = check(now, watched_since=at(now))
        return [(told(p), p.reason) for p in decision.planned]

    def test_at_night_a_notice_waits_for_the_morning(self) -> None:
        decision = check("2026-06-08 22:00", watched_since=at("2026-06-08 22:00"))
        assert {p.due_at for p in decision.planned} == {at("2026-06-09 09:00")}
        assert {p.state for p in decision.planned} == {ReminderState.PENDING}

    def test_the_next_window_supersedes_one_that_is_over_by_the_morning(self) -> None:
        assert self.late("2026-06-10 21:00") == [
            (("plan_end-7d", "sms", "superseded"), "next_window_opens_first"),
            (("plan_end-7d", "email", "superseded"), "next_window_opens_first"),
        ]

    def test_a_last_day_that_is_over_by_the_morning_is_missed_with_its_reason(self) -> None:
        assert self.late("2026-06-12 21:00") == [
            (("plan_end+0d", "sms", "missed"), "quiet_hours"),
        ]

    @pytest.mark.parametrize("now", ["2026-06-18 21:00", "2026-06-19 08:59"])
    def test_after_the_deadline_the_next_notice_says_what_this_one_would(self, now: str) -> None:
        decision = check(now, kind=Kind.FOUR_G, watched_since=at(now))
        assert [(told(p), p.reason) for p in decision.planned] == [
            (("plan_end+1d", "sms", "superseded"), "next_window_opens_first"),
            (("plan_end+1d", "email", "superseded"), "next_window_opens_first"),
        ]


class TestRenewal:
    waiting = Known(
        7,
        ReminderKey(DeadlineKind.PLAN_END, T, "plan_end-1d", Channel.SMS),
        ReminderState.PENDING,
        at("2026-06-11 09:00"),
    )

    def test_it_makes_waiting_reminders_stale_and_new_ones_due(self) -> None:
        renewed = {"plan_end": date(2026, 7, 12), "watched_since": at("2026-06-11 10:00")}
        decision = check("2026-06-12 09:00", [self.waiting], **renewed)
        assert decision.stale == (7,)
        assert [p.key for p in decision.planned] == [
            ReminderKey(DeadlineKind.PLAN_END, date(2026, 7, 12), "plan_end-30d", Channel.EMAIL)
        ]
        assert decision.next_check_at == at("2026-07-05 09:00")

    def test_without_it_nothing_is_stale(self) -> None:
        assert check("2026-06-11 10:00", [self.waiting]).stale == ()

    @pytest.mark.parametrize("state", [s for s in ReminderState if s is not ReminderState.PENDING])
    def test_a_reminder_that_has_ended_is_never_stale(self, state: ReminderState) -> None:
        ended = Known(7, self.waiting.key, state, self.waiting.due_at)
        assert check("2026-06-12 09:00", [ended], plan_end=date(2026, 7, 12)).stale == ()

    @pytest.mark.parametrize("state", [CardState.RECYCLED, CardState.CLOSED])
    def test_a_card_that_is_gone_owes_nothing_and_all_that_waits_is_stale(
        self, state: CardState
    ) -> None:
        decision = check("2026-06-12 09:00", [self.waiting], state=state, last_topup=T)
        assert decision == Decision((), (7,), None)
        assert check("2026-06-12 09:00", state=state) == Decision((), (), None)


def useful(window: str, now: str, **card: Any) -> datetime:
    [found] = {p.useful_until for p in check(now, **card).planned if p.key.window == window}
    return found


def test_a_notice_is_useful_until_the_next_window_or_the_deadline() -> None:
    assert useful("plan_end-30d", "2026-05-13 09:00") == at("2026-06-05 09:00")
    assert useful("plan_end-1d", "2026-06-11 09:00") == at("2026-06-12 09:00")
    assert useful("plan_end+0d", "2026-06-12 09:00") == at("2026-06-13 00:00")
    assert useful("plan_end-1d", "2026-06-11 09:00", kind=Kind.RETENTION) == at("2026-06-13 00:00")


@pytest.mark.parametrize("useful_days", [1, 7])
def test_a_notice_after_the_deadline_is_useful_for_so_many_days(useful_days: int) -> None:
    policy = a_policy({"plan_end+3d": "email"}, useful_days=useful_days)
    over = at("2026-06-15 09:00") + timedelta(days=useful_days)

    def planned(now: datetime) -> tuple[Planned, ...]:
        card = a_card(watched_since=now)
        return evaluate(card, a_holder(), a_pack(), policy, now).planned

    [email] = planned(over - timedelta(hours=1))
    assert email.useful_until == over
    assert planned(over) == ()


def test_the_next_check_is_the_next_opening_and_in_the_end_never() -> None:
    for now, following in [
        ("2026-01-05 12:00", "2026-05-13 09:00"),
        ("2026-05-13 08:59", "2026-05-13 09:00"),
        ("2026-05-13 09:00", "2026-06-05 09:00"),
        ("2026-06-12 09:00", "2026-06-15 09:00"),
    ]:
        assert check(now).next_check_at == at(following)
    assert check("2026-06-15 09:00").next_check_at is None


def test_what_is_known_is_not_planned_again_whatever_became_of_it() -> None:
    first = check("2026-06-05 09:00")
    for state in ReminderState:
        known = [Known(k.id, k.key, state, k.due_at) for k in written(first)]
        again = check("2026-06-05 09:00", known, watched_since=at("2026-06-05 09:00"))
        assert again.planned == ()


def test_both_channels_of_a_window_are_planned_together() -> None:
    decision = check("2026-06-05 09:00", watched_since=at("2026-06-05 09:00"))
    assert tuple(p.key.channel.value for p in decision.planned) == BOTH


class TestGuardian:
    """The keeper of the card book is told where a holder cannot be."""

    KEEPER = "keeper@example.com"

    def test_a_holder_out_of_reach_is_told_through_the_guardian(self) -> None:
        card = a_card(msisdn=None, guardian_email=self.KEEPER)
        holder = a_holder(contact_phone=None, email=None)
        pack, policy = RULES.pack("claro"), RULES.policies[Kind.DATA]
        card = replace(card, watched_since=at("2026-06-05 08:00"))
        decision = evaluate(card, holder, pack, policy, at("2026-06-05 09:00"))
        assert all_told(decision) == [
            ("plan_end-7d", "sms", "suppressed"),
            ("plan_end-7d", "email", "suppressed"),
            ("plan_end-7d", "guardian", "pending"),
        ]

    def test_a_holder_who_can_be_reached_is_not_talked_about(self) -> None:
        card = a_card(guardian_email=self.KEEPER)
        pack, policy = RULES.pack("claro"), RULES.policies[Kind.DATA]
        decision = evaluate(card, a_holder(), pack, policy, at("2026-06-05 09:00"))
        pending = [p for p in decision.planned if p.state is ReminderState.PENDING]
        assert {p.key.channel for p in pending} == {Channel.SMS, Channel.EMAIL}
        mail, off = a_holder(contact_phone=None), replace(card, msisdn=None)
        decision = evaluate(off, mail, pack, policy, at("2026-06-05 09:00"))
        pending = [p for p in decision.planned if p.state is ReminderState.PENDING]
        assert {p.key.channel for p in pending} == {Channel.EMAIL}

    def test_the_day_before_a_number_is_lost_the_guardian_is_told_too(self) -> None:
        card = a_card(kind=Kind.RETENTION, plan_end=None, last_topup=date(2025, 11, 14))
        pack, policy = RULES.pack("movistar"), RULES.policies[Kind.RETENTION]
        for keeper, channels in ((self.KEEPER, 3), (None, 2)):
            watched = replace(card, guardian_email=keeper)
            decision = evaluate(watched, a_holder(), pack, policy, at("2026-06-11 09:00"))
            told_now = [p for p in decision.planned if p.key.window == "line_loss-1d"]
            assert len(told_now) == channels


class TestALostLine:
    """From the day a line is lost its number may be a stranger's."""

    CARD = a_card(
        kind=Kind.RETENTION, plan_end=None, last_topup=date(2025, 11, 14)
    )  # Movistar: lost on 12 June

    def at(self, when: str, **holder: Any) -> list[tuple[str, str, str]]:
        pack, policy = RULES.pack("movistar"), RULES.policies[Kind.RETENTION]
        card = replace(self.CARD, watched_since=at(when))
        return all_told(evaluate(card, a_holder(**holder), pack, policy, at(when)))

    def test_its_own_number_is_used_while_it_lives(self) -> None:
        told_before = self.at("2026-06-11 09:00", contact_phone=None)
        assert ("line_loss-1d", "sms", "pending") in told_before

    def test_its_own_number_is_not_used_afterwards(self) -> None:
        assert self.at("2026-06-13 09:00", contact_phone=None, email=None) == [
            ("line_loss+1d", "email", "suppressed")
        ]
        assert self.at("2026-06-13 09:00", email=None) == [
            ("line_loss+1d", "email", "suppressed"),
            ("line_loss+1d", "sms", "pending"),
        ]

    def test_it_counts_as_cut_off_from_the_instant_on_at_which_it_is_lost_for_certain(self) -> None:
        card = replace(self.CARD, operator="movistar")
        steps = RULES.ladder(card)
        lost = steps[DeadlineKind.LINE_LOSS].at
        assert in_service(card, steps, lost - timedelta(microseconds=1)) == card
        assert in_service(card, steps, lost).state is CardState.SUSPENDED


class TestClosing:
    """The 90th day after its line was lost closes a card for retention: 10 September."""

    CARD = a_card(kind=Kind.RETENTION, **LINE_ENDS)
    CLOSES = at("2026-09-10 09:00")

    def test_a_card_that_was_watched_until_then_is_closed(self) -> None:
        for since in (at("2026-08-01 09:00"), self.CLOSES):
            card = replace(self.CARD, watched_since=since)
            assert RULES.evaluate(card, a_holder(), self.CLOSES) == Decision(
                (), (), None, closes=True
            )
            before = RULES.evaluate(card, a_holder(), self.CLOSES - timedelta(seconds=1))
            assert not before.closes

    def test_an_end_that_comes_with_an_old_top_up_closes_nothing(self) -> None:
        since = self.CLOSES + timedelta(days=8)
        card = replace(self.CARD, watched_since=since)
        assert RULES.evaluate(card, a_holder(), since) == Decision((), (), None)
        assert RULES.at_rest(card, a_holder(), since) == Decision((), (), None)


def test_rules_with_other_policies_remember_nothing_of_the_former() -> None:
    card, holder = a_card(), a_holder()
    before = RULES.spans(card, holder)
    silent = {kind: replace(policy, windows=()) for kind, policy in RULES.policies.items()}
    assert before
    assert replace(RULES, policies=silent).spans(card, holder) == ()
    assert RULES.spans(card, holder) == before
