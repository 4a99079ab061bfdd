"""One holder followed through June 2026: what goes out when and how, and what does not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import pytest

from tests.unit.core_helpers import (
    CONFIG,
    EMAIL,
    LIMA,
    LOS_ANGELES,
    NEW_YORK,
    PHONE,
    RULES,
    SHANGHAI,
    a_card,
    a_holder,
    at,
    balance,
)
from worker.content.render import Content
from worker.core.cards import Card, CardState, Channel, Destination, Holder, Kind
from worker.core.deadlines import DeadlineKind
from worker.core.prices import Prices
from worker.core.recheck import Item
from worker.core.reminders import Known, ReminderKey, ReminderState
from worker.core.rules import Rules
from worker.core.windows import Decision
from worker.setup.load_texts import texts
from worker.simulation.conditions import Conditions
from worker.simulation.follow import Followed, follow
from worker.simulation.household import Household, Silenced, WaitingMessage
from worker.simulation.notices import SimulatedNotice
from worker.simulation.period import Period
from worker.simulation.totals import Totals
from worker.store.cards import Watched

# 1 June 2026, midnight in Lima.
START = datetime(2026, 6, 1, 5, tzinfo=UTC)
JUNE = Period.of(date(2026, 6, 1), date(2026, 6, 30), START)
NO_PRICES = Prices({})


@lru_cache(maxsize=1)
def content() -> Content:
    """The real texts, compiled once."""
    return texts(CONFIG.parent / "templates")


def conditions(**changes: Any) -> Conditions:
    """The rules in force, both channels served, no guardian, no price."""
    values: dict[str, Any] = {
        "rules": RULES,
        "content": content(),
        "prices": NO_PRICES,
        "channels": frozenset(Channel),
        "guardians": {},
    }
    return Conditions(**{**values, **changes})


def a_household(
    holder: Holder,
    cards: Iterable[Card],
    *,
    known: Mapping[int, Sequence[Known]] | None = None,
    waiting: Sequence[WaitingMessage] = (),
    suppressed: Mapping[Silenced, str] | None = None,
) -> Household:
    """A holder with cards of the book signed "Vigencia"."""
    watched = [Watched(card, holder, "Vigencia") for card in cards]
    return Household(holder, watched, known or {}, waiting, suppressed or {})


def followed(
    household: Household, period: Period = JUNE, rules: Rules = RULES, **changes: Any
) -> Followed:
    """Simulate one household."""
    return follow(household, conditions(rules=rules, **changes), period)


def lines(notices: Iterable[SimulatedNotice]) -> list[str]:
    """``06-05 14:00 plan_end-7d sms send`` for each notice, its instant in UTC, in order."""
    return [
        f"{n.at:%m-%d %H:%M} {n.window} {n.to} {n.outcome}" + (f" ({n.reason})" if n.reason else "")
        for n in notices
    ]


# A 30-day data plan that ends on 12 June. T-30 would be further ahead than half the plan, so it
# is left out; T-7 is 5 June, T-1 11 June, T0 12 June, T+3 15 June. Lima opens at 9, which is 14:00
# in UTC. The line's clock counts from 13 May (T - 30), so nothing else falls into June.
_CARD = a_card(plan_days=30)
_IN_LIMA = [
    "06-05 14:00 plan_end-7d sms send",
    "06-05 14:00 plan_end-7d email send",
    "06-11 14:00 plan_end-1d sms send",
    "06-11 14:00 plan_end-1d email send",
    "06-12 14:00 plan_end+0d sms send",
    "06-15 14:00 plan_end+3d sms send",
    "06-15 14:00 plan_end+3d email send",
]


def test_a_data_card_is_told_at_each_window_of_its_policy() -> None:
    assert lines(followed(a_household(a_holder(), [_CARD])).notices) == _IN_LIMA


@pytest.mark.parametrize(
    ("zone", "opening"),
    [
        (LIMA, "14:00"),  # UTC-5
        (LOS_ANGELES, "16:00"),  # UTC-7 in summer
    ],
)
def test_everybody_is_told_at_nine_by_the_own_clock(zone: str, opening: str) -> None:
    notices = followed(a_household(a_holder(time_zone=zone), [_CARD])).notices
    assert lines(notices) == [line.replace("14:00", opening) for line in _IN_LIMA]


def test_where_the_plan_ends_on_another_day_its_notices_come_by_that_day() -> None:
    # 09:00 in Shanghai, where the plan ends at 13:00 on the 13th.
    told = [n.at for n in followed(a_household(a_holder(time_zone=SHANGHAI), [_CARD])).notices]
    days = ("06-06", "06-06", "06-12", "06-12", "06-13", "06-16", "06-16")
    assert [f"{at:%m-%d %H:%M}" for at in told] == [f"{day} 01:00" for day in days]
    # In New York it ends at 01:00 in the night to the 13th: the 12th is the last day to act.
    told = [n.at for n in followed(a_household(a_holder(time_zone=NEW_YORK), [_CARD])).notices]
    days = ("06-05", "06-05", "06-11", "06-11", "06-12", "06-16", "06-16")
    assert [f"{at:%m-%d %H:%M}" for at in told] == [f"{day} 13:00" for day in days]


@pytest.mark.parametrize(
    ("zone", "first"),
    [
        # The first look is at midnight in Lima on 6 June, one day after T-7 opened.
        (LIMA, "06-06 14:00"),  # 00:00 there: waits for 09:00
        (NEW_YORK, "06-06 13:00"),  # 01:00 there: waits for 09:00
        (SHANGHAI, "06-06 05:00"),  # 13:00 there: at once
    ],
)
def test_a_late_start_disturbs_nobody_at_night(zone: str, first: str) -> None:
    start = at("2026-06-06 00:00")
    period = Period.of(date(2026, 6, 6), date(2026, 6, 30), start)
    household = a_household(a_holder(time_zone=zone), [replace(_CARD, watched_since=start)])
    assert lines(followed(household, period).notices)[0] == f"{first} plan_end-7d sms send"


def test_the_cards_of_one_holder_share_one_message_a_day_and_channel() -> None:
    cards = [replace(_CARD, id=n, msisdn=f"+5190000000{n}") for n in (1, 2, 3)]
    notices = followed(a_household(a_holder(), cards)).notices
    first_sms = [n for n in notices if n.to is Destination.SMS and n.at == at("2026-06-05 09:00")]
    assert [(n.card, n.leads, n.segments) for n in first_sms] == [
        (1, True, 1),
        (2, False, 0),
        (3, False, 0),
    ]
    assert sum(n.leads for n in notices) == len(_IN_LIMA)


def test_without_a_contact_phone_each_card_is_told_on_its_own_number() -> None:
    cards = [replace(_CARD, id=n, msisdn=f"+5190000000{n}") for n in (1, 2)]
    notices = followed(a_household(a_holder(contact_phone=None), cards)).notices
    leading = [(n.card, n.to) for n in notices if n.leads and n.at == at("2026-06-05 09:00")]
    assert leading == [(1, Destination.SMS), (2, Destination.SMS), (1, Destination.EMAIL)]


def test_without_an_email_the_sms_steps_in_for_what_only_the_email_had() -> None:
    # A 15-day eSIM: T-3 (9 June) and T+1 (13 June) are for email alone.
    card = a_card(kind=Kind.ESIM, plan_days=15)
    assert lines(followed(a_household(a_holder(email=None), [card])).notices) == [
        "06-09 14:00 plan_end-3d email suppressed (no_address)",
        "06-09 14:00 plan_end-3d sms send",
        "06-11 14:00 plan_end-1d email suppressed (no_address)",
        "06-11 14:00 plan_end-1d sms send",
        "06-12 14:00 plan_end+0d sms send",
        "06-13 14:00 plan_end+1d email suppressed (no_address)",
        "06-13 14:00 plan_end+1d sms send",
    ]


# The keeper of the book, told by email; Lima's hours, like the cards' holders here.
_KEEPER = a_holder(id=0, name="demo", email="keeper@example.com", contact_phone=None)
_KEEPERS = {1: _KEEPER}


def _kept(card: Card) -> Card:
    return replace(card, guardian_email=_KEEPER.email)


def test_with_no_address_at_all_nothing_reaches_the_holder() -> None:
    # A travel eSIM without a Peruvian number, its holder without phone and email.
    card = a_card(kind=Kind.ESIM, plan_days=15, msisdn=None)
    household = a_household(a_holder(contact_phone=None, email=None), [card])
    told = {line.split(" ", 3)[3] for line in lines(followed(household).notices)}
    assert told == {"email suppressed (no_address)", "sms suppressed (no_address)"}


def test_with_no_address_at_all_the_guardian_is_told_at_each_window() -> None:
    card = _kept(a_card(kind=Kind.ESIM, plan_days=15, msisdn=None))
    household = a_household(a_holder(contact_phone=None, email=None), [card])
    notices = followed(household, guardians=_KEEPERS).notices
    assert lines(n for n in notices if n.outcome == "guardian") == [
        "06-09 14:00 plan_end-3d guardian guardian",
        "06-11 14:00 plan_end-1d guardian guardian",
        "06-12 14:00 plan_end+0d guardian guardian",
        "06-13 14:00 plan_end+1d guardian guardian",
    ]


def test_a_guardian_is_not_called_where_another_channel_tells() -> None:
    household = a_household(a_holder(email=None), [_kept(_CARD)])
    assert {n.outcome.value for n in followed(household, guardians=_KEEPERS).notices} == {
        "send",
        "suppressed",
    }


BOTH_SILENT: Mapping[Silenced, str] = {
    (Channel.SMS, PHONE, None): "opted_out",
    (Channel.EMAIL, EMAIL, None): "bounced",
}


def test_a_guardian_is_told_of_what_came_to_nothing_on_both_channels() -> None:
    household = a_household(a_holder(), [_kept(_CARD)], suppressed=BOTH_SILENT)
    notices = followed(household, guardians=_KEEPERS).notices
    assert [n.at.day for n in notices if n.outcome == "guardian"] == [5, 11, 12, 15]


def test_a_guardian_has_hours_too_and_one_digest_for_all_holders() -> None:
    # T-1 opens at 09:00 in China, 20:00 the day before in Lima, where the keeper sleeps till 9; T0
    # opens and ends in the keeper's night.
    totals = Totals()
    for number in (1, 2):
        card = _kept(a_card(id=number, holder_id=number, plan_days=1, msisdn=None))
        holder = a_holder(id=number, contact_phone=None, email=None, time_zone=SHANGHAI)
        notices = followed(a_household(holder, [card]), guardians=_KEEPERS).notices
        part = Totals()
        part.add(notices)
        totals.merge(part)
        told = lines(n for n in notices if n.outcome == "guardian")
        assert told[0] == "06-12 14:00 plan_end-1d guardian guardian"
    channels = totals.as_json(JUNE, NO_PRICES)["by_channel"]
    assert channels["guardian"] == {"messages": 2, "notices": 4}


def test_a_suppressed_address_falls_back_to_the_other_channel_once() -> None:
    # T0 is for SMS alone, so its email is new; T-7, T-1 and T+3 have an email already.
    suppressed: dict[Silenced, str] = {(Channel.SMS, PHONE, None): "opted_out"}
    household = a_household(a_holder(), [_CARD], suppressed=suppressed)
    assert lines(followed(household).notices) == [
        "06-05 14:00 plan_end-7d sms suppressed (opted_out)",
        "06-05 14:00 plan_end-7d email send",
        "06-11 14:00 plan_end-1d sms suppressed (opted_out)",
        "06-11 14:00 plan_end-1d email send",
        "06-12 14:00 plan_end+0d sms suppressed (opted_out)",
        "06-12 14:00 plan_end+0d email send",
        "06-15 14:00 plan_end+3d sms suppressed (opted_out)",
        "06-15 14:00 plan_end+3d email send",
    ]


def test_both_addresses_suppressed_ends_every_notice() -> None:
    notices = followed(a_household(a_holder(), [_CARD], suppressed=BOTH_SILENT)).notices
    assert {n.outcome.value for n in notices} == {"suppressed"}
    assert len(notices) == 8  # the T0 SMS fell back to an email that could not go either


def test_a_channel_nobody_serves_is_told_as_such() -> None:
    notices = followed(
        a_household(a_holder(), [_CARD]), channels=frozenset({Channel.EMAIL})
    ).notices
    assert {n.reason for n in notices if n.to is Destination.SMS} == {"channel_off"}
    assert [n.at.day for n in notices if n.outcome == "send"] == [5, 11, 12, 15]


def test_what_the_ledger_has_ended_is_not_told_again() -> None:
    key = ReminderKey(DeadlineKind.PLAN_END, date(2026, 6, 12), "plan_end-7d", Channel.SMS)
    known = {1: [Known(77, key, ReminderState.SENT, at("2026-06-05 09:00"))]}
    notices = followed(a_household(a_holder(), [_CARD], known=known)).notices
    assert lines(notices) == _IN_LIMA[1:]


def test_what_waits_in_the_ledger_is_told_when_its_message_is_due() -> None:
    key = ReminderKey(DeadlineKind.PLAN_END, date(2026, 6, 12), "plan_end-7d", Channel.SMS)
    due, until = at("2026-06-05 09:00"), at("2026-06-11 09:00")
    known = {1: [Known(77, key, ReminderState.PENDING, due)]}
    retried = at("2026-06-05 10:30")
    waiting = [WaitingMessage(5, Destination.SMS, retried, (Item(77, key, due, until, _CARD),))]
    household = a_household(a_holder(), [_CARD], known=known, waiting=waiting)
    told = lines(followed(household).notices)
    assert told[:2] == ["06-05 14:00 plan_end-7d email send", "06-05 15:30 plan_end-7d sms send"]
    assert sorted(told[2:]) == sorted(_IN_LIMA[2:])


def test_a_waiting_reminder_of_a_deadline_that_is_gone_is_superseded() -> None:
    key = ReminderKey(DeadlineKind.PLAN_END, date(2026, 6, 3), "plan_end+0d", Channel.SMS)
    due, until = at("2026-06-03 09:00"), at("2026-06-04 00:00")
    known = {1: [Known(77, key, ReminderState.PENDING, due)]}
    waiting = [WaitingMessage(5, Destination.SMS, due, (Item(77, key, due, until, _CARD),))]
    told = lines(followed(a_household(a_holder(), [_CARD], known=known, waiting=waiting)).notices)
    assert told == ["06-01 05:00 plan_end+0d sms superseded (renewed)", *_IN_LIMA]


def test_a_renewal_midway_ends_the_old_windows_and_opens_new_ones() -> None:
    # Two simulations, as before and after the import of 10 June that moves the end to 12 July:
    # T-7 was told on 5 June, T-1 to T+3 of the old end never are; the new T-7 is 5 July.
    before = followed(
        a_household(a_holder(), [_CARD]), Period.of(date(2026, 6, 1), date(2026, 6, 10), START)
    ).notices
    assert lines(before) == _IN_LIMA[:2]
    known = {
        1: [
            Known(n, ReminderKey(DeadlineKind.PLAN_END, old.deadline_on, old.window,
                                 old.to.channel), ReminderState.SENT, old.at)
            for n, old in enumerate(before, 1)
        ]
    }  # fmt: skip
    imported = at("2026-06-10 12:00")
    renewed = replace(_CARD, plan_end=date(2026, 7, 12), watched_since=imported)
    rest = Period.of(date(2026, 6, 10), date(2026, 7, 10), imported)
    after = followed(a_household(a_holder(), [renewed], known=known), rest).notices
    assert lines(after) == [
        "07-05 14:00 plan_end-7d sms send",
        "07-05 14:00 plan_end-7d email send",
    ]


def test_days_without_checks_end_in_the_one_window_still_open_and_a_missed_one_is_named() -> None:
    # Nobody checks from 8 to 13 June (5 days): T-7 went out before, T-1 (11 June) and T0 (12 June)
    # passed. On 13 June at 12:00 the plan is over since midnight and T+3 opens on 15 June only.
    known: list[Known] = []
    said: dict[str, list[tuple[str, str, str]]] = {}
    for moment in ("2026-06-05 09:00", "2026-06-13 12:00", "2026-06-15 09:00"):
        decision: Decision = RULES.evaluate(_CARD, a_holder(), at(moment), known)
        said[moment[5:10]] = [
            (p.key.window, p.key.destination.value, p.state.value) for p in decision.planned
        ]
        known += [
            Known(len(known) + n, p.key, p.state, p.due_at) for n, p in enumerate(decision.planned)
        ]
    assert said == {
        "06-05": [("plan_end-7d", "sms", "pending"), ("plan_end-7d", "email", "pending")],
        "06-13": [
            ("plan_end-1d", "sms", "missed"),
            ("plan_end-1d", "email", "missed"),
            ("plan_end+0d", "sms", "missed"),
        ],
        "06-15": [("plan_end+3d", "sms", "pending"), ("plan_end+3d", "email", "pending")],
    }


def test_a_simulation_that_begins_after_five_days_of_silence_names_what_was_missed() -> None:
    start = at("2026-06-13 12:00")
    period = Period.of(date(2026, 6, 13), date(2026, 6, 30), start)
    sent = at("2026-06-05 09:00")
    known = {
        1: [
            Known(n, ReminderKey(DeadlineKind.PLAN_END, date(2026, 6, 12), "plan_end-7d", channel),
                  ReminderState.SENT, sent)
            for n, channel in enumerate(Channel, 1)
        ]
    }  # fmt: skip
    told = lines(followed(a_household(a_holder(), [_CARD], known=known), period).notices)
    assert told == [
        "06-13 17:00 plan_end-1d sms missed (not_checked_in_time)",
        "06-13 17:00 plan_end-1d email missed (not_checked_in_time)",
        "06-13 17:00 plan_end+0d sms missed (not_checked_in_time)",
        *_IN_LIMA[-2:],
    ]


def test_a_plan_of_unknown_length_that_outlives_the_line_claims_no_line_loss() -> None:
    # Entel keeps a line without balance 60 days: 10 April + 60 is 9 June. A plan that runs to
    # 20 June was paid later, on a day nobody can tell, so no date of the line is told.
    def card(plan_end: date) -> Card:
        topup = date(2026, 4, 10)
        return a_card(kind=Kind.RETENTION, operator="entel", plan_end=plan_end, last_topup=topup,
                      balance=balance("0"), watched_since=START)  # fmt: skip

    outlives = followed(a_household(a_holder(), [card(date(2026, 6, 20))])).notices
    assert {n.deadline.value for n in outlives} == {"plan_end"}
    # The same plan to 5 June tells nothing new: L-7 (2 June) to L+1 (10 June) are owed.
    ends = followed(a_household(a_holder(), [card(date(2026, 6, 5))])).notices
    line = [n for n in ends if n.deadline is DeadlineKind.LINE_LOSS]
    assert {n.deadline_on for n in line} == {date(2026, 6, 9)}
    assert [(n.at.day, n.window, n.to.value) for n in line] == [
        (1, "line_loss-15d", "sms"),  # open since 25 May
        (1, "line_loss-15d", "email"),
        (2, "line_loss-7d", "sms"),
        (2, "line_loss-7d", "email"),
        (6, "line_loss-3d", "sms"),
        (8, "line_loss-1d", "sms"),
        (8, "line_loss-1d", "email"),
        (10, "line_loss+1d", "email"),
    ]


def test_a_renewal_nobody_confirms_is_asked_about_and_then_the_old_windows_resume() -> None:
    # Recorded on 10 June at 10:00 in Lima: from then on nothing is told of the old end, 12 June.
    # 24 hours later the holder is asked, and until the 13th, 10:00, the answer may come; T-1 and T0
    # lie in between. Nobody answers: T+3 tells. No phone: what is for SMS goes by email.
    recorded = at("2026-06-10 10:00")
    card = replace(
        _CARD,
        msisdn=None,
        plan_end=date(2026, 7, 10),
        last_topup=date(2026, 6, 10),
        watched_since=recorded,
        renewed_at=recorded,
        former_plan_end=date(2026, 6, 12),
    )
    period = Period.of(date(2026, 6, 10), date(2026, 6, 30), recorded)
    notices = followed(a_household(a_holder(contact_phone=None), [card]), period).notices
    assert lines(n for n in notices if n.outcome == "send") == [
        "06-11 15:00 event email send",
        "06-15 14:00 plan_end+3d email send",
    ]
    assert notices[0].deadline.value == "renewal_not_effective"


def test_a_card_is_closed_ninety_days_after_its_line_was_lost() -> None:
    # Entel without balance: 8 January + 60 is 9 March, and 90 days later, on 7 June, the number
    # may be a stranger's. What still waits then is ended; nothing is owed any more.
    card = a_card(kind=Kind.RETENTION, operator="entel", plan_end=None, balance=balance("0"),
                  last_topup=date(2026, 1, 8), watched_since=START)  # fmt: skip
    key = ReminderKey(DeadlineKind.LINE_LOSS, date(2026, 3, 9), "line_loss+1d", Channel.EMAIL)
    due = at("2026-06-20 09:00")
    known = {1: [Known(77, key, ReminderState.PENDING, due)]}
    waiting = [
        WaitingMessage(
            5, Destination.EMAIL, due, (Item(77, key, due, at("2026-06-25 09:00"), card),)
        )
    ]
    notices = followed(a_household(a_holder(), [card], known=known, waiting=waiting)).notices
    assert lines(notices) == [
        # The last word comes before it: the number goes away in these days.
        "06-01 14:00 reassignment-15d email send",
        "06-07 14:00 line_loss+1d email superseded (closed)",
    ]


def test_what_cannot_wait_for_the_daily_cap_goes_the_other_way() -> None:
    # Three own messages to one number on 12 June; the third is of use until midnight only.
    cards = [replace(_CARD, id=n, msisdn=f"+5190000000{n}") for n in (1, 2, 3)]
    known, waiting = {}, []
    for card, hour in zip(cards, (9, 10, 11), strict=True):
        key = ReminderKey(DeadlineKind.PLAN_END, date(2026, 6, 12), "plan_end+0d", Channel.SMS)
        due, until = at(f"2026-06-12 {hour:02}:00"), at("2026-06-13 00:00")
        known[card.id] = [Known(card.id, key, ReminderState.PENDING, due)]
        waiting.append(
            WaitingMessage(card.id, Destination.SMS, due, (Item(card.id, key, due, until, card),))
        )
    begin = at("2026-06-12 08:00")
    period = Period.of(date(2026, 6, 12), date(2026, 6, 12), begin)
    household = a_household(
        a_holder(), [replace(c, watched_since=begin) for c in cards], known=known, waiting=waiting
    )
    told = [n for n in followed(household, period).notices if n.window == "plan_end+0d"]
    assert [(n.card, n.to.value, n.outcome.value, n.reason) for n in told] == [
        (1, "sms", "send", None),
        (2, "sms", "send", None),
        (3, "sms", "suppressed", "daily_cap"),
        (3, "email", "send", None),
    ]


@pytest.mark.parametrize("state", [CardState.RECYCLED, CardState.CLOSED])
def test_a_card_that_is_gone_is_never_told(state: CardState) -> None:
    assert followed(a_household(a_holder(), [replace(_CARD, state=state)])).notices == []


def test_a_card_no_rule_can_check_is_counted_and_silences_nobody() -> None:
    broken = replace(_CARD, id=2, time_zone="Nowhere/Land")
    result = followed(a_household(a_holder(), [broken, _CARD]))
    assert result.broken == 1
    assert lines(result.notices) == _IN_LIMA


def test_days_to_come_are_reached_through_the_days_before_them() -> None:
    # Seen on 1 June, from 11 June on: T-7 is sent by then and nothing is missed.
    period = Period.of(date(2026, 6, 11), date(2026, 6, 30), START)
    notices = followed(a_household(a_holder(), [_CARD]), period).notices
    assert lines(notices) == _IN_LIMA[2:]


def test_the_last_day_ends_at_midnight_in_lima() -> None:
    # 04:59 UTC on 16 June is still 15 June in Lima, 05:00 is not. Shanghai opens at 01:00 UTC.
    shanghai = a_household(a_holder(time_zone=SHANGHAI), [_CARD])
    until_15 = Period.of(date(2026, 6, 1), date(2026, 6, 15), START)
    last = lines(followed(shanghai, until_15).notices)[-1]
    assert last == "06-16 01:00 plan_end+3d email send"  # 20:00 on the 15th in Lima


def test_a_text_that_cannot_be_rendered_is_held_until_it_is_of_no_use() -> None:
    given = conditions()
    broken = replace(given, content=replace(given.content, templates={}))
    notices = follow(a_household(a_holder(), [_CARD]), broken, JUNE).notices
    missed = [n for n in notices if n.to is Destination.SMS]
    # T-7 until T-1 opens, T-1 until T0 opens, T0 until its day is over, T+3 for seven days.
    assert lines(missed) == [
        "06-11 14:00 plan_end-7d sms missed (too_late)",
        "06-12 14:00 plan_end-1d sms missed (too_late)",
        "06-13 05:00 plan_end+0d sms missed (too_late)",
        "06-22 14:00 plan_end+3d sms missed (too_late)",
    ]


def test_an_sms_goes_in_a_language_that_arrives_and_the_email_beside_it_in_the_own_one() -> None:
    # Chinese may not arrive at a Peruvian number: the SMS is Spanish, and T0, which is for SMS
    # alone, gets an email too.
    holder = a_holder(contact_phone=None)
    notices = followed(a_household(holder, [_CARD])).notices
    assert [(n.at.day, n.to.value, n.language.value) for n in notices if n.at.day == 12] == [
        (12, "sms", "es-PE"),
        (12, "email", "zh-Hans"),
    ]


def test_a_route_with_a_daily_cap_takes_no_third_sms_in_a_day() -> None:
    # Three cards in service whose messages wait at 9, 10 and 11 on 5 June; +86 takes two a day.
    cards = [replace(_CARD, id=n, msisdn=f"+5190000000{n}") for n in (1, 2, 3)]
    known, waiting = {}, []
    for card, hour in zip(cards, (9, 10, 11), strict=True):
        key = ReminderKey(DeadlineKind.PLAN_END, date(2026, 6, 12), "plan_end-7d", Channel.SMS)
        due = at(f"2026-06-05 {hour:02}:00")
        known[card.id] = [Known(card.id, key, ReminderState.PENDING, due)]
        until = at("2026-06-11 09:00")
        waiting.append(
            WaitingMessage(card.id, Destination.SMS, due, (Item(card.id, key, due, until, card),))
        )
    household = a_household(a_holder(), cards, known=known, waiting=waiting)
    first_days = Period.of(date(2026, 6, 1), date(2026, 6, 10), START)
    told = [n for n in followed(household, first_days).notices if n.to is Destination.SMS]
    assert [(n.card, f"{n.at:%d %H:%M}") for n in told] == [
        (1, "05 14:00"),
        (2, "05 15:00"),
        (3, "06 14:00"),  # 24 hours after the first
    ]


def test_two_runs_are_equal() -> None:
    household = a_household(a_holder(), [_CARD])
    assert followed(household).notices == followed(household).notices
    assert JUNE.ends - JUNE.begin == timedelta(days=30)
    assert JUNE.begin == START == datetime(2026, 6, 1, 5, tzinfo=UTC)
