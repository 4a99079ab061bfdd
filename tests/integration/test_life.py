"""Life events, routes and the guardian, from the event to what people receive."""

from datetime import date, timedelta

import pytest
from structlog.testing import capture_logs

from tests.integration.helpers import EMAIL, NOW, PHONE, TODAY, Carrier, World, always, causes
from worker.core.cards import CardState, Channel, Kind
from worker.core.life import LifeEvent
from worker.core.outcomes import Outcome, OutcomeKind, accepted
from worker.core.reminders import MessageState, ReminderState
from worker.errors import VigenciaError
from worker.pipeline.events import Life
from worker.store import rechecks
from worker.store.books import HolderValues
from worker.store.engine import writing
from worker.store.tables import cards, holders, messages, reminders, suppressions

DAY = timedelta(days=1)
NEW_END = TODAY + timedelta(days=35)
KEEPER = "keeper@example.com"


def test_a_renewal_ends_what_waits_and_sends_the_checklist(world: World) -> None:
    card = world.card()
    world.check()
    world.live(card, LifeEvent.RENEWED, plan_end=NEW_END, receipt_ref="R-77")
    states = world.send()
    assert states[MessageState.SENT] == 2
    [sms] = world.accepted(Channel.SMS)
    assert "17 Jul" in sms["text"]
    told = {(row.deadline, row.state, row.reason) for row in world.rows(reminders)}
    assert told == {
        ("plan_end", ReminderState.SUPERSEDED, "renewed"),
        ("renewal_recorded", ReminderState.SENT, None),
    }
    assert world.events() == [(card, "renewed")]
    assert world.rows(cards)[0].receipt_ref == "R-77"


def test_a_renewal_between_claim_and_send_is_seen_by_the_last_look(world: World) -> None:
    card = world.card()
    checked = world.check()
    world.live(card, LifeEvent.RENEWED, plan_end=NEW_END)
    ids = [message for due in checked.due.values() for message in due]
    assert not world.send(ids=ids)
    assert not world.accepted()


def test_a_renewal_that_nobody_confirms_is_asked_about_once_and_then_the_windows_resume(
    world: World,
) -> None:
    card = world.card()
    world.check()
    world.live(card, LifeEvent.RENEWED, plan_end=NEW_END)
    world.check(NOW + timedelta(hours=23))
    assert world.rows(cards)[0].next_check_at == NOW + DAY
    for hours in (24, 25, 71):
        world.check(NOW + timedelta(hours=hours))
        after = world.rows(cards)[0]
        assert (after.plan_end, after.renewed_at, after.asked_at) == (NEW_END, NOW, NOW + DAY)
        assert _waiting(world) == {("renewal_not_effective", "event")}
        assert after.next_check_at == NOW + 3 * DAY
    world.send(NOW + DAY)
    world.check(NOW + 3 * DAY)
    after = world.rows(cards)[0]
    assert (after.plan_end, after.renewed_at) == (TODAY + timedelta(days=5), None)
    assert (after.claimed_plan_end, after.claimed_last_topup) == (NEW_END, TODAY)
    assert _waiting(world) == {("plan_end", "plan_end-7d")}
    events = [event for _, event in world.events()]
    assert events == ["renewed", "renewal_not_effective", "renewal_unanswered"]
    assert card


def _waiting(world: World) -> set[tuple[str, str]]:
    return {(r.deadline, r.window) for r in world.rows(reminders) if r.state == "pending"}


def test_a_question_that_could_not_be_sent_gives_way_to_the_windows(world: World) -> None:
    """The provider was down for days: "does it work?" beside "pay now" would contradict it."""
    card = world.card()
    world.live(card, LifeEvent.RENEWED, plan_end=NEW_END)
    world.check(NOW + DAY)
    world.check(NOW + 3 * DAY)
    asked = [r for r in world.rows(reminders) if r.deadline == "renewal_not_effective"]
    assert {(r.state, r.reason) for r in asked} == {
        (ReminderState.SUPERSEDED, "renewal_unanswered")
    }
    world.send(NOW + 3 * DAY)
    assert {r.deadline for r in world.rows(reminders) if r.state == "sent"} == {"plan_end"}


def test_it_works_said_by_the_keeper_after_the_windows_resumed_ends_them(world: World) -> None:
    card = world.card()
    world.live(card, LifeEvent.RENEWED, plan_end=NEW_END)
    for days in (1, 3):
        world.check(NOW + days * DAY)
    world.live(card, LifeEvent.CONFIRMED, NOW + 3 * DAY)
    world.check(NOW + 3 * DAY)
    after = world.rows(cards)[0]
    assert (after.plan_end, after.last_topup, after.claimed_last_topup) == (NEW_END, TODAY, None)
    assert not _waiting(world)


def test_a_notice_on_its_way_when_the_card_is_renewed_counts_as_told_and_is_not_told_again(
    world: World,
) -> None:
    card = world.card(holder=world.holder(email=None))
    world.check()
    moment = timedelta(seconds=1)

    async def answer(out: object) -> Outcome:
        world.live(card, LifeEvent.RENEWED, NOW + moment, plan_end=NEW_END)
        return accepted("SM1")

    world.send(channel=Channel.SMS, providers={Channel.SMS: Carrier(answer)})
    about_the_end = [r for r in world.rows(reminders) if r.deadline == "plan_end"]
    assert [(r.channel, r.state) for r in about_the_end if r.channel == "sms"] == [
        ("sms", ReminderState.SENT)
    ]
    world.check(NOW + DAY + moment)  # nobody confirmed: the former deadline holds again
    world.send(NOW + DAY + 2 * moment, Channel.SMS)
    texts = [m["text"] for m in world.accepted(Channel.SMS)]
    assert len(texts) == 1
    assert "top-up not confirmed" in texts[0]


def test_a_confirmed_renewal_is_not_doubted(world: World) -> None:
    card = world.card()
    world.live(card, LifeEvent.RENEWED, plan_end=NEW_END)
    world.live(card, LifeEvent.CONFIRMED, NOW + timedelta(hours=2))
    world.check(NOW + 2 * DAY)
    assert {row.deadline for row in world.rows(reminders)} == {"renewal_recorded"}
    assert world.rows(cards)[0].plan_end == NEW_END


def test_low_balance_is_told_once_in_a_cycle(world: World) -> None:
    card = world.card(last_topup=TODAY - timedelta(days=10))
    for hours in (0, 30):
        world.live(card, LifeEvent.LOW_BALANCE, NOW + timedelta(hours=hours))
    assert [row.channel for row in world.rows(reminders)] == ["sms", "email"]
    assert len(world.rows(messages)) == 2


def test_a_suspended_card_is_not_told_on_itself(world: World) -> None:
    holder = world.holder(contact_phone=None)
    card = world.card(holder)
    world.live(card, LifeEvent.SUSPENDED)
    world.send()
    assert not world.accepted(Channel.SMS)
    assert [m["to"] for m in world.accepted(Channel.EMAIL)] == [EMAIL]
    assert ("sms", ReminderState.SUPPRESSED, "no_address") in world.told()


def test_a_recycled_number_is_blocked_for_ever_and_its_holder_told_by_email(world: World) -> None:
    card = world.card()
    world.check()
    number = world.rows(cards)[0].msisdn
    world.live(card, LifeEvent.RECYCLED)
    world.send()
    assert [(s.channel, s.address, s.reason) for s in world.rows(suppressions)] == [
        ("sms", number, "recycled")
    ]
    assert not world.accepted(Channel.SMS)
    assert len(world.accepted(Channel.EMAIL)) == 1
    with pytest.raises(VigenciaError, match="never contacted again"):
        world.live(card, LifeEvent.RENEWED, plan_end=NEW_END)


def test_a_new_holder_gets_what_waited_and_the_former_gets_nothing(world: World) -> None:
    card = world.card()
    world.check()
    person: HolderValues = {
        "name": "Luis Soto",
        "language": "en",
        "time_zone": "America/Lima",
        "contact_phone": "+51912345678",
        "email": "luis@example.com",
    }
    life = Life(world.engine, world.rules)
    life.reassign(card, person, NOW)
    world.check()
    world.send()
    assert {m["to"] for m in world.accepted()} == {"+51912345678", "luis@example.com"}
    with pytest.raises(VigenciaError, match="this holder already"):
        life.reassign(card, person, NOW)


def test_a_paused_card_is_silent_until_it_is_resumed(world: World) -> None:
    card = world.card()
    world.check()
    world.live(card, LifeEvent.PAUSED)
    world.live(card, LifeEvent.LOW_BALANCE)
    world.check()
    assert not world.send()
    world.live(card, LifeEvent.RESUMED, NOW + timedelta(hours=1))
    world.check(NOW + timedelta(hours=1))
    assert world.send(NOW + timedelta(hours=1))[MessageState.SENT] == 2


def test_an_event_of_an_unknown_card_is_refused(world: World) -> None:
    with pytest.raises(VigenciaError, match="no card 99"):
        world.live(99, LifeEvent.PAUSED)


def test_chinese_to_a_peruvian_number_goes_in_spanish_with_the_chinese_email_beside_it(
    world: World,
) -> None:
    holder = world.holder(language="zh-Hans")
    world.card(holder, plan_end=TODAY)  # plan_end+0d asks for an SMS alone
    world.check()
    world.send()
    [sms], [email] = world.accepted(Channel.SMS), world.accepted(Channel.EMAIL)
    assert "vence HOY" in sms["text"]
    assert "到期" in email["text"]


def test_a_number_in_china_is_tried_twice_a_day_and_then_told_by_email(world: World) -> None:
    holder = world.holder(contact_phone="+8613800138000", language="zh-Hans")
    ids = world.cards(3, holder, plan_end=TODAY)
    for hour, card in enumerate(ids):
        world.check(NOW + timedelta(minutes=hour), [card])
        world.send(NOW + timedelta(minutes=hour))
    assert len(world.accepted(Channel.SMS)) == 2
    assert ("sms", ReminderState.SUPPRESSED, "daily_cap") in world.told()
    world.send(NOW + timedelta(minutes=5))
    assert len(world.accepted(Channel.EMAIL)) == 1


def test_a_daily_cap_holds_within_one_batch_too(world: World) -> None:
    holders = [
        world.holder(name=name, contact_phone="+8613800138000", language="zh-Hans")
        for name in ("Li", "Wang", "Zhao")
    ]
    for holder in holders:
        world.card(holder, plan_end=TODAY)
    world.check()
    world.send()
    assert len(world.accepted(Channel.SMS)) == 2


def test_after_a_change_of_policy_all_cards_are_asked_again_and_nothing_is_repeated(
    world: World,
) -> None:
    ids = world.cards(3)
    world.check()
    world.change(cards, ids[0], state=CardState.RECYCLED)
    with writing(world.engine) as conn:
        assert rechecks.ask(conn, None, NOW) == 2
        assert [one.card for one in rechecks.claim(conn, NOW, 10, DAY)] == ids[1:]
    before = len(world.rows(reminders))
    world.check()
    assert len(world.rows(reminders)) == before


def test_an_attempt_that_never_arrived_does_not_count_for_the_cap(world: World) -> None:
    holder = world.holder(contact_phone="+8613800138000", language="zh-Hans")
    world.card(holder, plan_end=TODAY)
    world.check()
    refused = {Channel.SMS: always(Outcome(OutcomeKind.NOT_SENT, "connect"))}
    for second in (0, 60, 120):
        world.send(NOW + timedelta(seconds=second), Channel.SMS, providers=refused)
    world.send(NOW + timedelta(minutes=10), Channel.SMS)
    assert len(world.accepted(Channel.SMS)) == 1


def test_the_guardian_is_told_of_holders_out_of_reach_in_one_digest(world: World) -> None:
    world.guard()
    for name in ("Rosa Quispe", "Luis Soto"):
        holder = world.holder(name=name, contact_phone=None, email=None)
        world.card(holder, msisdn=None)
    world.check()
    world.send()
    [email] = world.accepted(Channel.EMAIL)
    assert email["to"] == KEEPER
    body = next(row.body for row in world.rows(messages) if row.audience == "guardian")
    assert "Rosa Quispe" in body
    assert "Luis Soto" in body
    assert ("guardian", ReminderState.SENT, None) in world.told()


def test_what_happens_to_a_card_the_guardian_hears_of_where_its_holder_cannot(
    world: World,
) -> None:
    world.guard()
    card = world.card(world.holder(contact_phone=None, email=None), msisdn=None)
    world.live(card, LifeEvent.SUSPENDED)
    assert ("guardian", ReminderState.PENDING, None) in world.told()


def test_the_day_before_a_number_is_lost_the_guardian_is_told_beside_the_holder(
    world: World,
) -> None:
    world.guard()
    lost_on = TODAY + DAY
    world.card(
        kind=Kind.RETENTION,
        operator="movistar",
        plan=None,
        plan_days=None,
        plan_end=None,
        last_topup=lost_on - timedelta(days=210),
    )
    world.check()
    world.send()
    assert {m["to"] for m in world.accepted()} == {PHONE, EMAIL, KEEPER}


def test_when_both_addresses_turn_out_dead_the_guardian_is_told(world: World) -> None:
    world.guard()
    world.card()
    world.check()
    dead = always(Outcome(OutcomeKind.RECIPIENT_DEAD, "dead"))
    both = {Channel.SMS: dead, Channel.EMAIL: dead}
    world.send(providers=both)
    assert not [row for row in world.rows(messages) if row.audience == "guardian"
                and row.state != MessageState.PENDING]  # fmt: skip
    world.send(NOW + timedelta(minutes=1))
    assert [m["to"] for m in world.accepted()] == [KEEPER]
    body = next(row.body for row in world.rows(messages) if row.audience == "guardian")
    assert "Rosa Quispe" in body


def test_without_a_guardian_nobody_else_is_told_and_nothing_breaks(world: World) -> None:
    world.card()
    world.check()
    dead = always(Outcome(OutcomeKind.RECIPIENT_DEAD, "dead"))
    with capture_logs() as logs:
        world.send(providers={Channel.SMS: dead, Channel.EMAIL: dead})
    assert {row.channel for row in world.rows(messages)} == {"sms", "email"}
    assert "template_failed" not in causes(logs)


def _lost(world: World, holder: int) -> int:
    """A retention card whose line is lost today."""
    return world.card(
        holder,
        kind=Kind.RETENTION,
        operator="movistar",
        plan=None,
        plan_days=None,
        plan_end=None,
        last_topup=TODAY - timedelta(days=210),
        note="a note",
    )


def test_90_days_after_the_line_was_lost_the_card_is_closed_and_its_holder_forgotten(
    world: World,
) -> None:
    holder = world.holder()
    _lost(world, holder)
    world.check()
    world.check(NOW + 89 * DAY)
    assert world.rows(cards)[0].state == CardState.ACTIVE
    world.check(NOW + 90 * DAY)
    [card], [person] = world.rows(cards), world.rows(holders)
    assert (card.state, card.note, card.next_check_at) == (CardState.CLOSED, None, None)
    assert (person.name, person.contact_phone, person.email) == ("", None, None)
    assert (card.id, "closed") in world.events()
    assert not [r for r in world.rows(reminders) if r.state == ReminderState.PENDING]


def test_a_card_that_comes_with_a_top_up_of_long_ago_is_not_closed(world: World) -> None:
    holder = world.holder()
    _lost(world, holder)
    world.change(cards, last_topup=TODAY - timedelta(days=400))
    world.check()
    assert world.rows(cards)[0].state == CardState.ACTIVE
    assert world.rows(holders)[0].email == EMAIL


def test_a_holder_with_another_card_is_not_forgotten(world: World) -> None:
    holder = world.holder()
    lost = _lost(world, holder)
    world.card(holder, plan_end=TODAY + timedelta(days=200))
    world.check(NOW + 90 * DAY)
    states = {row.id: row.state for row in world.rows(cards)}
    assert states[lost] == CardState.CLOSED
    assert world.rows(holders)[0].email == EMAIL


def test_a_renewed_card_that_was_suspended_is_active_again(world: World) -> None:
    card = world.card(state=CardState.SUSPENDED)
    world.live(card, LifeEvent.RENEWED, plan_end=date(2026, 7, 20))
    assert world.rows(cards)[0].state == CardState.ACTIVE
