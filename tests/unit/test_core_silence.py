"""Nothing shows that a holder was reached: the guardian is told while there is time to act."""

from datetime import date
from typing import Any

import pytest

from tests.unit.core_helpers import RULES, T, a_card, a_holder, at
from worker.core.cards import Channel, Destination
from worker.core.deadlines import DeadlineKind
from worker.core.reminders import Known, ReminderKey, ReminderState
from worker.core.silence import SILENT

SMS, EMAIL, GUARDIAN = Destination.SMS, Destination.EMAIL, Destination.GUARDIAN
SENT, DELIVERED = ReminderState.SENT, ReminderState.DELIVERED
LAST_CALL = "2026-06-11 10:00"  # the day before the plan ends
LONG_AGO = T.replace(month=1)


def notice(
    to: Destination = EMAIL,
    state: ReminderState = SENT,
    *,
    window: str = "plan_end-7d",
    due: str = "2026-06-05 09:00",
    on: date = T,
    mute: bool = False,
) -> Known:
    """A reminder of the plan's end that went before."""
    key = ReminderKey(DeadlineKind.PLAN_END, on, window, to.channel, to.audience)
    return Known(1, key, state, at(due), mute=mute)


def calls(
    *known: Known,
    now: str = LAST_CALL,
    heard: tuple[Channel, ...] = (Channel.SMS, Channel.EMAIL),
    **card: Any,
) -> bool:
    """Is the guardian told of the silence?"""
    watched = a_card(**{"guardian_email": "keeper@example.com", "watched_since": at(now), **card})
    decision = RULES.evaluate(watched, a_holder(), at(now), known, heard)
    told = [p for p in decision.planned if p.reason == SILENT]
    assert [(p.key.destination, p.state, p.due_at) for p in told] in (
        [],
        [(GUARDIAN, ReminderState.PENDING, at(now))],
    )
    return bool(told)


def test_an_email_of_which_nothing_is_heard_is_silence_where_receipts_arrive() -> None:
    assert calls(notice())
    assert not calls(notice(), heard=(Channel.SMS,))
    assert not calls(notice(mute=True)), "its provider reports nothing"
    assert not calls(), "nothing was sent"


def test_one_notice_of_the_deadline_that_arrived_is_no_silence() -> None:
    arrived = notice(SMS, DELIVERED, window="plan_end-30d", due="2026-05-13 09:00")
    assert not calls(notice(), arrived)
    of_another = notice(SMS, DELIVERED, on=LONG_AGO, due="2026-01-01 09:00")
    assert calls(notice(), of_another)


def test_a_handset_is_silent_only_if_it_has_spoken_before() -> None:
    spoke = notice(SMS, DELIVERED, on=LONG_AGO, due="2026-01-01 09:00")
    assert not calls(notice(SMS))
    assert calls(notice(SMS), spoke)
    assert not calls(notice(SMS), spoke, heard=(Channel.EMAIL,))


@pytest.mark.parametrize("state", [s for s in ReminderState if s not in (SENT, DELIVERED)])
def test_what_did_not_go_cannot_be_heard_of(state: ReminderState) -> None:
    assert not calls(notice(state=state))


def test_neither_the_notice_of_this_window_nor_the_guardians_own_says_anything() -> None:
    now_due = notice(window="plan_end-1d", due="2026-06-11 09:00")
    assert not calls(now_due)
    assert calls(notice(), notice(GUARDIAN, DELIVERED))
    assert not calls(notice(GUARDIAN))


def test_the_guardian_is_called_once_and_only_where_there_is_one() -> None:
    assert not calls(notice(), notice(GUARDIAN, window="plan_end-1d", due=LAST_CALL))
    assert not calls(notice(), guardian_email=None)


@pytest.mark.parametrize(
    "now",
    [
        "2026-06-10 10:00",  # a week before is no last call
        "2026-06-12 10:00",  # nor is the last day, when it is too late for others
        "2026-06-11 21:00",  # it would be read on that day
    ],
)
def test_the_guardian_is_called_on_the_day_before_alone(now: str) -> None:
    assert not calls(notice(), now=now)


def test_a_line_is_called_for_three_days_before() -> None:
    lost: dict[str, Any] = {
        "operator": "movistar",
        "plan_end": None,
        "last_topup": T.replace(2025, 11, 14),
    }
    key = ReminderKey(DeadlineKind.LINE_LOSS, T, "line_loss-15d", Channel.EMAIL)
    before = Known(1, key, SENT, at("2026-05-28 09:00"))
    assert calls(before, now="2026-06-09 10:00", **lost)
    assert not calls(before, now="2026-06-08 10:00", **lost)
