"""Which cards one SMS may speak of."""

from datetime import timedelta

import pytest

from tests.unit.core_helpers import T, a_card
from worker.core.cards import Channel
from worker.core.deadlines import DeadlineKind
from worker.core.life import LifeNotice
from worker.core.naming import LISTED, NAMED, alike, parts
from worker.core.reminders import ReminderKey

RECORDED = ReminderKey(LifeNotice.RENEWAL_RECORDED, T, "event", Channel.SMS)
LINE_LOSS = ReminderKey(DeadlineKind.LINE_LOSS, T, "line_loss-7d", Channel.SMS)
EMAIL = ReminderKey(LifeNotice.RENEWAL_RECORDED, T, "event", Channel.EMAIL)


def test_news_of_an_event_is_told_with_the_end_of_the_plan_so_that_must_be_the_same() -> None:
    later = a_card(plan_end=T + timedelta(days=30))
    assert alike(a_card(), RECORDED) != alike(later, RECORDED)
    assert alike(a_card(), RECORDED) == alike(a_card(id=2), RECORDED)
    assert alike(a_card(), LINE_LOSS) == alike(later, LINE_LOSS)


def test_news_is_on_one_day_only_for_cards_with_one_clock() -> None:
    elsewhere = a_card(time_zone="Asia/Shanghai")
    assert alike(a_card(), RECORDED) != alike(elsewhere, RECORDED)
    assert alike(a_card(), EMAIL) is alike(elsewhere, EMAIL) is None


@pytest.mark.parametrize(("channel", "most"), [(Channel.SMS, NAMED), (Channel.EMAIL, LISTED)])
def test_a_message_speaks_of_no_more_cards_than_it_can_name(channel: Channel, most: int) -> None:
    members = list(range(2 * most + 1))
    portions = list(parts(members, channel))
    assert [len(portion) for portion in portions] == [most, most, 1]
    assert [one for portion in portions for one in portion] == members
