"""What happens to a card, and what becomes true and untrue by it."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core_helpers import RULES, T, a_card, a_holder, at, balance, remembered
from worker.core.cards import Card, CardState, Channel, Destination
from worker.core.deadlines import DeadlineKind
from worker.core.life import Effect, Happening, ImpossibleError, LifeEvent, LifeNotice
from worker.core.life_effects import happen
from worker.core.recheck import Item, recheck
from worker.core.reminders import Known, Planned, ReminderKey, ReminderState

NOW = at("2026-06-10 10:00")
TODAY = date(2026, 6, 10)
NEW_END = date(2026, 7, 12)
DAY = timedelta(days=1)


def renew(card: Card, **told: Any) -> tuple[Card, Effect]:
    """``card`` after a renewal, with what the renewal did."""
    effect = happen(card, Happening(LifeEvent.RENEWED, **{"plan_end": NEW_END, **told}), NOW)
    return after(card, effect), effect


def after(card: Card, effect: Effect) -> Card:
    """``card`` with the changes that it has fields for."""
    own = {k: v for k, v in effect.changes.items() if k in Card.__slots__}
    return replace(card, **own)  # type: ignore[arg-type]


def decide(card: Card, when: str, known: tuple[Known, ...] = ()) -> Any:
    """What the card owes."""
    return RULES.evaluate(card, a_holder(), at(when), known)


def test_a_renewal_moves_the_deadlines_and_ends_every_older_notice() -> None:
    card, effect = renew(a_card(plan_days=30), balance=balance("12.50"), receipt_ref="R-1")
    assert (card.plan_end, card.last_topup, card.balance) == (NEW_END, TODAY, balance("12.50"))
    assert effect.changes["receipt_ref"] == "R-1"
    assert (effect.notice, effect.on) == (LifeNotice.RENEWAL_RECORDED, TODAY)
    assert effect.ends_deadlines
    assert effect.ends == frozenset(LifeNotice)
    assert (card.former_plan_end, card.watched_since) == (T, NOW)


def ask(card: Card, when: datetime) -> Card:
    """``card`` once its holder was asked whether the renewal works."""
    return after(card, happen(card, Happening(LifeEvent.RENEWAL_NOT_EFFECTIVE), when))


def test_an_unconfirmed_renewal_is_asked_about_once_and_pauses_the_windows_for_72_hours() -> None:
    card, _ = renew(a_card())
    decision = decide(card, "2026-06-11 09:59")
    assert decision.planned == ()
    assert decision.next_check_at == at("2026-06-11 10:00")
    assert not decision.asks
    asks = decide(card, "2026-06-11 10:00")
    assert (asks.asks, asks.lapsed, asks.planned) == (True, False, ())
    effect = happen(card, Happening(LifeEvent.RENEWAL_NOT_EFFECTIVE), at("2026-06-11 10:00"))
    assert (effect.notice, effect.on) == (LifeNotice.RENEWAL_NOT_EFFECTIVE, date(2026, 6, 11))
    asked = after(card, effect)
    assert (asked.plan_end, asked.renewed_at) == (NEW_END, NOW)
    waits = decide(asked, "2026-06-13 09:59")
    assert (waits.planned, waits.asks, waits.lapsed) == ((), False, False)
    assert waits.next_check_at == at("2026-06-13 10:00")
    assert decide(asked, "2026-06-13 10:00").lapsed


def test_a_confirmed_renewal_is_watched_by_its_new_end() -> None:
    card, _ = renew(a_card(plan_days=30))
    for open_card in (card, ask(card, NOW + DAY)):
        confirmed = after(open_card, happen(open_card, Happening(LifeEvent.CONFIRMED), NOW))
        assert not confirmed.is_renewal_open
        assert (confirmed.plan_end, confirmed.watched_since) == (NEW_END, NOW)
        assert [p.key.window for p in decide(confirmed, "2026-07-05 09:00").planned] == [
            "plan_end-7d",
            "plan_end-7d",
        ]


@pytest.mark.parametrize(
    ("event", "notice"),
    [
        (LifeEvent.RENEWAL_UNANSWERED, None),
        (LifeEvent.RENEWAL_FAILED, LifeNotice.RENEWAL_FAILED),
    ],
)
def test_a_renewal_without_effect_brings_the_former_deadlines_and_their_windows_back(
    event: LifeEvent, notice: LifeNotice | None
) -> None:
    before = a_card(last_topup=date(2026, 5, 13))
    card, effect = renew(before)
    card = ask(card, NOW + DAY)
    undone = happen(card, Happening(event), NOW + DAY)
    back = after(card, undone)
    assert (back.plan_end, back.last_topup) == (T, before.last_topup)
    assert undone.notice is notice
    key = ReminderKey(DeadlineKind.PLAN_END, T, "plan_end-1d", Channel.SMS)
    ended = Known(1, key, ReminderState.SUPERSEDED, NOW, effect.reason)
    planned = decide(back, "2026-06-11 12:00", (ended,)).planned
    assert [(p.key.window, p.key.channel) for p in planned] == [
        ("plan_end-1d", Channel.SMS),
        ("plan_end-1d", Channel.EMAIL),
    ]


def test_it_works_is_heard_even_after_the_answer_had_stayed_away_too_long() -> None:
    card = ask(renew(a_card(last_topup=date(2026, 5, 13)))[0], NOW + DAY)
    back = after(card, happen(card, Happening(LifeEvent.RENEWAL_UNANSWERED), NOW + 3 * DAY))
    effect = happen(back, Happening(LifeEvent.CONFIRMED), NOW + 4 * DAY)
    late = after(back, effect)
    assert (late.plan_end, late.last_topup) == (NEW_END, TODAY)
    assert late.watched_since == NOW + 4 * DAY
    assert effect.ends_deadlines
    assert not late.is_renewal_open
    with pytest.raises(ImpossibleError, match="no renewal"):
        happen(late, Happening(LifeEvent.CONFIRMED), NOW + 5 * DAY)
    failed = after(back, happen(back, Happening(LifeEvent.RENEWAL_FAILED), NOW + 4 * DAY))
    assert (failed.plan_end, failed.is_renewal_open) == (T, False)


def test_a_renewal_entered_again_on_its_day_corrects_it_and_tells_nobody() -> None:
    card, _ = renew(a_card(last_topup=date(2026, 5, 13)), receipt_ref="R-1")
    what = Happening(LifeEvent.RENEWED, plan_end=date(2026, 7, 21))
    effect = happen(card, what, NOW + timedelta(hours=5))
    right = after(card, effect)
    assert (effect.reason, effect.notice, effect.ends) == ("corrected", None, frozenset())
    assert (right.plan_end, right.last_topup, right.receipt_ref) == (what.plan_end, TODAY, "R-1")
    assert (right.renewed_at, right.former_plan_end) == (NOW, T)
    assert happen(card, what, NOW + DAY).notice is LifeNotice.RENEWAL_RECORDED


def test_a_correction_keeps_what_it_does_not_tell() -> None:
    card = a_card(last_topup=date(2026, 5, 13), balance=balance("9"), receipt_ref="R-1")
    corrected = Happening(LifeEvent.CORRECTED, plan_end=T)
    kept = after(card, happen(card, corrected, NOW))
    assert (kept.balance, kept.receipt_ref) == (balance("9"), "R-1")
    assert kept.watched_since == NOW, "what its dates had missed was never owed"
    told = replace(corrected, last_topup=TODAY, balance=balance("3"), receipt_ref="R-2")
    right = after(card, happen(card, told, NOW))
    assert (right.last_topup, right.balance, right.receipt_ref) == (TODAY, balance("3"), "R-2")


def test_a_correction_on_any_day_changes_the_dates_alone() -> None:
    card = a_card(last_topup=date(2026, 5, 13))
    what = Happening(LifeEvent.CORRECTED, plan_end=date(2026, 6, 21))
    right = after(card, effect := happen(card, what, NOW))
    assert (effect.notice, effect.ends_deadlines) == (None, True)
    assert (right.plan_end, right.last_topup, right.is_renewal_open) == (
        what.plan_end,
        card.last_topup,
        False,
    )
    ahead = Happening(LifeEvent.CORRECTED, plan_end=T, last_topup=date(2026, 6, 11))
    for wrong, says in ((Happening(LifeEvent.CORRECTED), "its new end"), (ahead, "the future")):
        with pytest.raises(ImpossibleError, match=says):
            happen(card, wrong, NOW)


def test_a_pause_takes_the_question_back_and_its_end_asks_anew() -> None:
    card = ask(renew(a_card())[0], NOW + DAY)
    paused = after(card, happen(card, Happening(LifeEvent.PAUSED), NOW + DAY))
    assert decide(paused, "2026-06-20 10:00").next_check_at is None
    resumed = after(paused, happen(paused, Happening(LifeEvent.RESUMED), NOW + 10 * DAY))
    assert decide(resumed, "2026-06-20 10:00").asks


def test_a_failure_without_a_recorded_renewal_keeps_the_deadlines() -> None:
    card = a_card()
    assert after(card, happen(card, Happening(LifeEvent.RENEWAL_FAILED), NOW)).plan_end == T


def test_two_renewals_in_a_row_go_back_to_what_held_before_both() -> None:
    once, _ = renew(a_card(last_topup=date(2026, 5, 13)))
    again = Happening(LifeEvent.RENEWED, plan_end=date(2026, 8, 1))
    twice = after(once, happen(once, again, NOW + DAY))
    assert (twice.plan_end, twice.last_topup) == (again.plan_end, TODAY + DAY)
    undone = after(twice, happen(twice, Happening(LifeEvent.RENEWAL_FAILED), NOW + DAY))
    assert (undone.plan_end, undone.last_topup) == (T, date(2026, 5, 13))


def test_low_balance_is_told_once_until_the_next_top_up() -> None:
    card = a_card(last_topup=date(2026, 5, 13))
    first = happen(card, Happening(LifeEvent.LOW_BALANCE, balance=balance("2")), NOW)
    again = happen(card, Happening(LifeEvent.LOW_BALANCE), NOW + timedelta(days=2))
    assert (first.notice, first.on) == (again.notice, again.on)
    assert first.changes == {"balance": balance("2")}
    assert again.changes == {}
    topped, _ = renew(card)
    assert happen(topped, Happening(LifeEvent.LOW_BALANCE), NOW).on != first.on


@pytest.mark.parametrize("event", [LifeEvent.LOW_BALANCE, LifeEvent.LOW_DATA])
def test_where_no_top_up_is_known_the_end_of_the_plan_or_the_day_names_the_cycle(
    event: LifeEvent,
) -> None:
    for card, on in (
        (a_card(last_topup=date(2026, 5, 13)), date(2026, 5, 13)),
        (a_card(), T),
        (a_card(plan_end=None), TODAY),
    ):
        effect = happen(card, Happening(event), NOW)
        assert (effect.notice, effect.reason, effect.on) == (event.value, event.value, on)


# What asks of a renewal, what tells of one, and what tells that something runs out.
QUESTION = {LifeNotice.RENEWAL_NOT_EFFECTIVE}
RENEWAL = {LifeNotice.RENEWAL_RECORDED, *QUESTION, LifeNotice.RENEWAL_FAILED}
LOW = {LifeNotice.LOW_BALANCE, LifeNotice.LOW_DATA}
EVERY = set(LifeNotice)

PLAIN = a_card()
OPEN = a_card(renewed_at=NOW - 2 * DAY, former_plan_end=T)
ASKED = replace(OPEN, asked_at=NOW - DAY)
UNANSWERED = a_card(claimed_plan_end=NEW_END, claimed_last_topup=TODAY)


@pytest.mark.parametrize(
    ("card", "what", "notice", "ends", "deadlines"),
    [
        (OPEN, Happening(LifeEvent.CONFIRMED), None, QUESTION, False),
        (UNANSWERED, Happening(LifeEvent.CONFIRMED), None, RENEWAL, True),
        (OPEN, Happening(LifeEvent.RENEWAL_NOT_EFFECTIVE), "same", RENEWAL, False),
        (ASKED, Happening(LifeEvent.RENEWAL_UNANSWERED), None, RENEWAL, True),
        (ASKED, Happening(LifeEvent.RENEWAL_FAILED), "same", RENEWAL, True),
        (PLAIN, Happening(LifeEvent.SUSPENDED), "same", LOW, False),
        (PLAIN, Happening(LifeEvent.RECYCLED), "same", EVERY, True),
        (PLAIN, Happening(LifeEvent.REASSIGNED, holder_id=2), None, EVERY, True),
        (PLAIN, Happening(LifeEvent.REGISTRATION_NOTICE), "same", set(), False),
        (
            PLAIN,
            Happening(LifeEvent.REGISTRATION_RESOLVED),
            None,
            {LifeNotice.REGISTRATION_NOTICE},
            False,
        ),
        (PLAIN, Happening(LifeEvent.PAUSED), None, EVERY, True),
        (a_card(paused=True), Happening(LifeEvent.RESUMED), None, set(), False),
        (PLAIN, Happening(LifeEvent.CLOSED), None, EVERY, True),
    ],
    ids=lambda one: one.event.value if isinstance(one, Happening) else "",
)
def test_each_event_ends_what_it_makes_untrue_and_is_its_own_reason(
    card: Card, what: Happening, notice: str | None, ends: set[LifeNotice], deadlines: bool
) -> None:
    effect = happen(card, what, NOW)
    assert effect.reason == what.event.value
    assert (set(effect.ends), effect.ends_deadlines) == (ends, deadlines)
    told = (LifeNotice(what.event.value), TODAY) if notice else (None, None)
    assert (effect.notice, effect.on) == told


def test_the_state_of_a_card_follows_its_events() -> None:
    for event, state in (
        (LifeEvent.SUSPENDED, CardState.SUSPENDED),
        (LifeEvent.RECYCLED, CardState.RECYCLED),
        (LifeEvent.CLOSED, CardState.CLOSED),
    ):
        assert after(a_card(), happen(a_card(), Happening(event), NOW)).state is state


def test_a_closed_card_keeps_nothing_of_its_subscriber() -> None:
    changes = happen(a_card(), Happening(LifeEvent.CLOSED), NOW).changes
    assert {name for name, value in changes.items() if value is None} == {
        *("imsi", "note", "receipt_ref")
    }


def test_what_a_new_holder_or_the_end_of_a_pause_finds_open_is_owed_from_then_on() -> None:
    given = happen(OPEN, Happening(LifeEvent.REASSIGNED, holder_id=2), NOW)
    moved = after(OPEN, given)
    assert (moved.watched_since, moved.is_renewal_open) == (NOW, False)
    paused = a_card(paused=True)
    assert after(paused, happen(paused, Happening(LifeEvent.RESUMED), NOW)).watched_since == NOW


def test_a_recycled_number_is_final() -> None:
    card = a_card()
    effect = happen(card, Happening(LifeEvent.RECYCLED), NOW)
    assert effect.ends_deadlines
    assert effect.ends == frozenset(LifeNotice)
    gone = after(card, effect)
    assert decide(gone, "2026-06-11 09:00").planned == ()
    for event in LifeEvent:
        with pytest.raises(ImpossibleError, match="never contacted again"):
            happen(gone, Happening(event, plan_end=NEW_END, holder_id=9), NOW)


def test_a_paused_card_is_silent_and_a_resumed_one_owes_what_is_open() -> None:
    card = a_card()
    effect = happen(card, Happening(LifeEvent.PAUSED), NOW)
    paused = after(card, effect)
    assert effect.ends_deadlines
    assert decide(paused, "2026-06-11 09:00").planned == ()
    assert decide(paused, "2026-06-11 09:00").next_check_at is None
    back = after(paused, happen(paused, Happening(LifeEvent.RESUMED), at("2026-06-11 11:00")))
    windows = {(p.key.window, p.state) for p in decide(back, "2026-06-11 12:00").planned}
    assert windows == {("plan_end-1d", ReminderState.PENDING)}


def test_a_new_holder_ends_everything_that_waits_for_the_former() -> None:
    effect = happen(a_card(), Happening(LifeEvent.REASSIGNED, holder_id=2), NOW)
    assert effect.changes["holder_id"] == 2
    assert effect.ends_deadlines
    assert effect.ends == frozenset(LifeNotice)


@pytest.mark.parametrize(
    ("card", "what", "says"),
    [
        (a_card(), Happening(LifeEvent.CONFIRMED), "no renewal"),
        (a_card(), Happening(LifeEvent.RENEWED), "tell its new end"),
        (a_card(), Happening(LifeEvent.RENEWED, plan_end=date(2026, 6, 9)), "passed already"),
        (a_card(), Happening(LifeEvent.RENEWED, plan_end=date(2126, 6, 9)), "20 years ahead"),
        (a_card(), Happening(LifeEvent.CORRECTED, plan_end=date(2126, 6, 9)), "20 years ahead"),
        (
            a_card(plan_end=None),
            Happening(LifeEvent.RENEWED, last_topup=date(2026, 6, 11)),
            "in the future",
        ),
        (a_card(state=CardState.SUSPENDED), Happening(LifeEvent.SUSPENDED), "suspended already"),
        (a_card(), Happening(LifeEvent.RENEWAL_NOT_EFFECTIVE), "no renewal"),
        (a_card(renewed_at=NOW, asked_at=NOW), Happening(LifeEvent.RENEWAL_NOT_EFFECTIVE), "asked"),
        (a_card(renewed_at=NOW), Happening(LifeEvent.RENEWAL_UNANSWERED), "not asked"),
        (a_card(), Happening(LifeEvent.RESUMED), "not paused"),
        (a_card(paused=True), Happening(LifeEvent.PAUSED), "paused already"),
        (a_card(), Happening(LifeEvent.REASSIGNED, holder_id=1), "this holder already"),
    ],
)
def test_what_cannot_happen_is_refused_with_the_reason(
    card: Card, what: Happening, says: str
) -> None:
    with pytest.raises(ImpossibleError, match=says):
        happen(card, what, NOW)


def test_a_plan_may_end_today_and_twenty_years_ahead() -> None:
    for plan_end in (TODAY, date(2046, 6, 10)):
        assert renew(a_card(), plan_end=plan_end)[0].plan_end == plan_end


def test_a_renewal_brings_a_suspended_card_back() -> None:
    card, _ = renew(a_card(state=CardState.SUSPENDED))
    assert card.state is CardState.ACTIVE


def test_news_of_an_event_never_takes_the_place_of_a_warning() -> None:
    key = ReminderKey(LifeNotice.SUSPENDED, TODAY, "event", Channel.SMS)
    news = Known(1, key, ReminderState.SENT, at("2026-06-11 09:00"))
    planned = decide(a_card(), "2026-06-11 09:30", (news,)).planned
    assert ("plan_end-1d", Channel.SMS, ReminderState.PENDING) in {
        (p.key.window, p.key.channel, p.state) for p in planned
    }


def _recheck(card: Card, notice: LifeNotice) -> Any:
    key = ReminderKey(notice, TODAY, "event", Channel.EMAIL)
    item = Item(1, key, NOW, NOW + timedelta(days=3), card)
    return recheck(
        [item], a_holder(), Channel.EMAIL, NOW, RULES.hours, RULES.ladder, lambda *_: None
    )


def test_a_recycled_card_is_still_told_of_that_and_of_nothing_else() -> None:
    gone = a_card(state=CardState.RECYCLED)
    assert _recheck(gone, LifeNotice.RECYCLED).keep
    [end] = _recheck(gone, LifeNotice.LOW_BALANCE).ended
    assert (end.state, end.reason) == (ReminderState.SUPERSEDED, "recycled")


def test_a_notice_of_a_paused_card_is_not_sent() -> None:
    key = ReminderKey(DeadlineKind.PLAN_END, T, "plan_end-1d", Channel.EMAIL)
    item = Item(1, key, NOW, NOW + timedelta(days=3), a_card(paused=True))
    verdict = recheck(
        [item], a_holder(), Channel.EMAIL, NOW, RULES.hours, RULES.ladder, lambda *_: None
    )
    assert [end.reason for end in verdict.ended] == ["paused"]


def test_while_a_renewal_is_a_question_no_deadline_is_told_of_even_one_that_stayed() -> None:
    """A report that a warning did not arrive makes it owed again, whatever happened meanwhile."""
    card = renew(a_card(), plan_end=T)[0]
    key = ReminderKey(DeadlineKind.PLAN_END, T, "plan_end-1d", Channel.EMAIL)
    for now, kept in ((card, False), (after(card, _confirm(card)), True)):
        item = Item(1, key, NOW, NOW + timedelta(days=2), now)
        verdict = recheck(
            [item], a_holder(), Channel.EMAIL, NOW, RULES.hours, RULES.ladder, lambda *_: None
        )
        assert bool(verdict.keep) is kept
        assert [end.reason for end in verdict.ended] == ([] if kept else ["renewed"])


def _confirm(card: Card) -> Effect:
    return happen(card, Happening(LifeEvent.CONFIRMED), NOW)


def test_every_notice_has_its_channels_in_the_configuration() -> None:
    assert set(RULES.events) == set(LifeNotice)
    assert RULES.events[LifeNotice.RECYCLED] == (Destination.EMAIL,)


@given(st.integers(0, 60), st.integers(0, 59))
def test_renewing_at_any_moment_ends_every_older_reminder(days: int, minutes: int) -> None:
    """Whatever was planned before, after the renewal nothing of it is kept by the last look."""
    when = at("2026-05-01 09:00") + timedelta(days=days, minutes=minutes)
    card = a_card(plan_days=60, watched_since=at("2026-05-01 00:00"))
    planned: list[Planned] = [
        p
        for p in RULES.evaluate(card, a_holder(), when).planned
        if p.state is ReminderState.PENDING
    ]
    what = Happening(LifeEvent.RENEWED, plan_end=date(2026, 9, 1))
    renewed = after(card, happen(card, what, when))
    known = [remembered(p, n) for n, p in enumerate(planned)]
    assert set(RULES.evaluate(renewed, a_holder(), when, known).stale) == {k.id for k in known}
    for n, p in enumerate(planned):
        item = Item(n, p.key, p.due_at, p.useful_until, renewed)
        verdict = recheck(
            [item], a_holder(), p.key.channel, when, RULES.hours, RULES.ladder, lambda *_: None
        )
        assert not verdict.keep


def test_a_message_that_waited_until_the_line_was_lost_is_not_sent_to_its_own_number() -> None:
    card = a_card(plan_end=None, last_topup=date(2025, 11, 14), operator="movistar")
    key = ReminderKey(DeadlineKind.LINE_LOSS, T, "line_loss-1d", Channel.SMS)
    item = Item(1, key, NOW, NOW + timedelta(days=9), card)
    for when, sent in (("2026-06-12 12:00", True), ("2026-06-13 12:00", False)):
        verdict = recheck(
            [item],
            a_holder(contact_phone=None),
            Channel.SMS,
            at(when),
            RULES.hours,
            RULES.ladder,
            lambda *_: None,
        )
        assert bool(verdict.keep) is sent
