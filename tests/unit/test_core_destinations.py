"""Where a notice goes: how it travels and who reads it, in one word."""

import pytest

from tests.unit.core_helpers import at
from worker.core.cards import Audience, Channel, Destination, told_by
from worker.core.deadlines import DeadlineKind
from worker.core.reminders import ReminderKey


@pytest.mark.parametrize("to", Destination)
def test_a_word_is_one_channel_and_one_audience(to: Destination) -> None:
    assert told_by(to.channel, to.audience) is to


def test_a_guardian_is_told_last_and_by_email() -> None:
    assert list(Destination) == ["sms", "email", "guardian"]
    assert Destination.GUARDIAN.channel is Channel.EMAIL
    assert {to.audience for to in Destination if to != "guardian"} == {Audience.HOLDER}


def test_the_email_of_a_holder_is_not_that_of_the_guardian() -> None:
    on = at("2026-06-12 09:00").date()
    holder = ReminderKey(DeadlineKind.PLAN_END, on, "plan_end-7d", Channel.EMAIL)
    guardian = holder.to(Destination.GUARDIAN)
    assert holder != guardian
    assert (guardian.channel, guardian.audience) == (Channel.EMAIL, Audience.GUARDIAN)
    assert guardian.to(Destination.EMAIL) == holder
