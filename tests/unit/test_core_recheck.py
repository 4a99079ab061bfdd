"""The last look before a send."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

import pytest

from tests.unit.core_helpers import EMAIL, LIMA, PHONE, RULES, SHANGHAI, T, a_card, a_holder, at
from worker.core.cards import Audience, CardState, Channel, Holder, told_by
from worker.core.deadlines import DeadlineKind
from worker.core.recheck import End, Item, Verdict, goes_over, recheck
from worker.core.reminders import ReminderKey, ReminderState

SMS, EMAIL_CHANNEL = Channel.SMS, Channel.EMAIL
MORNING = at("2026-06-11 09:00")
NOON = at("2026-06-11 12:00")
UNTIL = at("2026-06-12 09:00")


def an_item(
    number: int = 1, channel: Channel = SMS, useful_until: datetime = UNTIL, **card: Any
) -> Item:
    key = ReminderKey(DeadlineKind.PLAN_END, T, "plan_end-1d", channel)
    return Item(number, key, MORNING, useful_until, a_card(id=number, **card))


def look(
    *items: Item,
    now: datetime = NOON,
    holder: Holder | None = None,
    channel: Channel = SMS,
    suppressed: Collection[str] = (),
) -> Verdict:
    def reason(address: str, card: int) -> str | None:
        return "opted_out" if address in suppressed else None

    return recheck(items, holder or a_holder(), channel, now, RULES.hours, RULES.ladder, reason)


def only_end(verdict: Verdict) -> End:
    assert verdict.keep == verdict.rerouted == ()
    assert verdict.address is None
    [end] = verdict.ended
    return end


def test_what_is_still_true_is_kept_and_goes_now() -> None:
    items = (an_item(1), an_item(2))
    assert look(*items) == Verdict(items, PHONE, None)
    mail = an_item(1, EMAIL_CHANNEL)
    assert look(mail, channel=EMAIL_CHANNEL) == Verdict((mail,), EMAIL, None)


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        ({"state": CardState.RECYCLED}, "recycled"),
        ({"state": CardState.CLOSED}, "closed"),
        ({"plan_end": date(2026, 7, 12)}, "renewed"),
        ({"plan_end": date(2026, 6, 11)}, "renewed"),
        ({"plan_end": None}, "renewed"),
    ],
)
def test_what_is_no_longer_true_is_superseded(card: dict[str, Any], reason: str) -> None:
    item = an_item(**card)
    assert only_end(look(item)) == End(item, ReminderState.SUPERSEDED, reason)


def test_what_is_no_longer_useful_is_missed() -> None:
    item = an_item()
    assert only_end(look(item, now=UNTIL)) == End(item, ReminderState.MISSED, "too_late")


def test_what_the_night_outlasts_is_missed() -> None:
    item = an_item(useful_until=at("2026-06-12 09:00"))
    verdict = look(item, now=at("2026-06-11 20:00"))
    assert only_end(verdict) == End(item, ReminderState.MISSED, "quiet_hours")
    assert look(item, now=at("2026-06-11 19:59")).keep == (item,)


def test_a_renewal_counts_more_than_the_hour() -> None:
    item = an_item(plan_end=date(2026, 7, 12))
    assert only_end(look(item, now=UNTIL)).state is ReminderState.SUPERSEDED


@pytest.mark.parametrize(
    ("channel", "holder"),
    [
        (SMS, a_holder(contact_phone=None)),
        (EMAIL_CHANNEL, a_holder(email=None)),
    ],
)
def test_without_an_address_the_other_channel_may(channel: Channel, holder: Holder) -> None:
    item = an_item(channel=channel, msisdn=None)
    verdict = look(item, channel=channel, holder=holder)
    assert only_end(verdict) == End(item, ReminderState.SUPPRESSED, "no_address", fall_back=True)


def test_the_number_of_a_suspended_card_is_no_address() -> None:
    item = an_item(state=CardState.SUSPENDED)
    holder = a_holder(contact_phone=None)
    assert only_end(look(item, holder=holder)).reason == "no_address"
    assert look(item).address == PHONE


def test_a_suppressed_address_ends_it_with_the_reason_and_the_other_channel_may() -> None:
    item = an_item()
    verdict = look(item, suppressed=[PHONE])
    assert only_end(verdict) == End(item, ReminderState.SUPPRESSED, "opted_out", fall_back=True)
    assert look(item, suppressed=[EMAIL]).keep == (item,)


def test_an_address_may_be_suppressed_for_one_card_alone() -> None:
    mine, other = an_item(1), an_item(2)

    def bounced(address: str, card: int) -> str | None:
        return "bounced" if card == mine.card.id else None

    verdict = recheck((mine, other), a_holder(), SMS, NOON, RULES.hours, RULES.ladder, bounced)
    assert [end.item for end in verdict.ended] == [mine]
    assert verdict.keep == (other,)


def test_only_an_address_that_fails_lets_the_other_channel_take_over() -> None:
    gone = an_item(state=CardState.RECYCLED)
    late = an_item(useful_until=NOON)
    assert [end.fall_back for end in look(gone, late).ended] == [False, False]


def test_a_card_with_another_holder_is_told_to_that_one() -> None:
    moved, stays = an_item(1, holder_id=2), an_item(2)
    assert look(moved, stays) == Verdict((stays,), PHONE, None, (), (moved,))
    assert look(moved, suppressed=[PHONE]) == Verdict((), None, None, (), (moved,))


def test_a_message_has_one_address() -> None:
    """Without a contact phone each card is told on its own number, in a message of its own."""
    holder = a_holder(contact_phone=None)
    one, two, three = (
        an_item(number, msisdn=msisdn)
        for number, msisdn in enumerate(["+51900000001", "+51900000002", "+51900000001"], 1)
    )
    verdict = look(one, two, three, holder=holder)
    assert verdict == Verdict((one, three), "+51900000001", None, (), (two,))


def test_an_address_that_fails_does_not_become_the_messages_address() -> None:
    holder = a_holder(contact_phone=None)
    one, two = an_item(1, msisdn="+51900000001"), an_item(2, msisdn="+51900000002")
    verdict = look(one, two, holder=holder, suppressed=["+51900000001"])
    assert (verdict.keep, verdict.address) == ((two,), "+51900000002")
    assert [end.item for end in verdict.ended] == [one]


@pytest.mark.parametrize(
    ("time_zone", "now", "postponed"),
    [
        (LIMA, "2026-06-11 08:59", "2026-06-11 09:00"),
        (LIMA, "2026-06-10 22:00", "2026-06-11 09:00"),
        (SHANGHAI, "2026-06-11 20:00", "2026-06-12 09:00"),
    ],
)
def test_outside_the_hours_it_is_postponed_to_the_next_opening(
    time_zone: str, now: str, postponed: str
) -> None:
    item = an_item()
    verdict = look(item, now=at(now, time_zone), holder=a_holder(time_zone=time_zone))
    assert verdict == Verdict((item,), PHONE, at(postponed, time_zone))


def test_within_the_hours_nothing_is_postponed() -> None:
    assert look(an_item(), now=MORNING).postpone is None


def test_of_a_mixed_message_each_reminder_goes_its_own_way() -> None:
    renewed = an_item(1, plan_end=date(2026, 7, 12))
    moved = an_item(2, holder_id=2)
    late = an_item(3, useful_until=NOON)
    fine = an_item(4)
    verdict = look(renewed, moved, late, fine)
    assert (verdict.keep, verdict.rerouted) == ((fine,), (moved,))
    assert [(end.item, end.reason) for end in verdict.ended] == [
        (renewed, "renewed"),
        (late, "too_late"),
    ]


def goes(
    channel: Channel,
    reason: str,
    *,
    wanted: Collection[Channel] = (SMS, EMAIL_CHANNEL),
    holder: Holder | None = None,
    fall_back: bool = True,
    **card: Any,
) -> bool:
    """Does the other channel take over what ended on ``channel``?"""
    item = an_item(channel=channel, **card)
    over = goes_over(
        End(item, ReminderState.SUPPRESSED, reason, fall_back),
        holder or a_holder(),
        lambda one: [told_by(way, Audience.HOLDER) for way in wanted] if one is item else [],
        lambda why: why == "unsubscribed",
    )
    assert over in (None, item)
    return over is not None


def test_what_an_address_cannot_be_told_goes_over_to_the_other_channel() -> None:
    assert goes(EMAIL_CHANNEL, "bounced", wanted=(EMAIL_CHANNEL,))
    assert goes(SMS, "opted_out")
    assert not goes(SMS, "opted_out", fall_back=False)


def test_who_unsubscribes_from_emails_gets_no_sms_that_would_not_have_come_before() -> None:
    assert not goes(EMAIL_CHANNEL, "unsubscribed", wanted=(EMAIL_CHANNEL,))
    assert goes(EMAIL_CHANNEL, "unsubscribed", wanted=(SMS, EMAIL_CHANNEL))
    assert goes(SMS, "unsubscribed", wanted=(EMAIL_CHANNEL,)), "that was another channel"


def test_of_an_unsubscriber_without_a_phone_the_guardian_hears() -> None:
    nobody = a_holder(contact_phone=None)
    mail = (EMAIL_CHANNEL,)
    assert goes(EMAIL_CHANNEL, "unsubscribed", wanted=mail, holder=nobody, msisdn=None)
    assert not goes(EMAIL_CHANNEL, "unsubscribed", wanted=mail, holder=nobody), "it has a number"
