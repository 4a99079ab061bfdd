"""Caps of a day: what meets one waits, goes the other way or is missed; restarts change nothing."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event
from structlog.testing import capture_logs

from tests.integration.helpers import (
    NOW,
    PHONE,
    TODAY,
    WANTED,
    Carrier,
    Out,
    World,
    always,
    causes,
)
from tests.integration.passing_time import pass_time
from worker.core.caps import Caps, Tariff
from worker.core.cards import Channel
from worker.core.outcomes import Outcome, OutcomeKind, accepted
from worker.core.prices import Price, Prices
from worker.core.reminders import MessageState, ReminderState
from worker.pipeline.delivery.limits import Limits
from worker.store import books as book_store
from worker.store.engine import reading, writing
from worker.store.tables import books, messages, reminders, usage

SMS, MAIL = Channel.SMS, Channel.EMAIL
PENDING, SENT = MessageState.PENDING, MessageState.SENT
ENDS_TODAY: dict[str, Any] = {"plan_end": TODAY}
MIDNIGHT = datetime(2026, 6, 13, tzinfo=UTC)
PRICES = Prices({"+51": Price(Decimal("0.04"), "USD"), "email": None})
OK = Outcome(OutcomeKind.ACCEPTED, "accepted")


def used(world: World) -> dict[str, tuple[int, int, Decimal]]:
    with reading(world.engine) as conn:
        rows = conn.execute(usage.select()).all()
    return {row.channel: (row.messages, row.segments, row.spend) for row in rows}


def waiting(world: World, reason: str) -> list[datetime]:
    return [row.next_attempt_at for row in world.rows(messages) if row.reason == reason]


def test_what_goes_out_is_counted_by_book_day_and_channel(world: World) -> None:
    world.limits = Limits(tariff=Tariff(PRICES))
    world.card()
    world.check()
    world.send()
    assert used(world) == {"sms": (1, 1, Decimal("0.04")), "email": (1, 0, Decimal(0))}
    world.people(2)
    world.send(channel=SMS)
    assert used(world)["sms"] == (3, 3, Decimal("0.12"))


def test_an_address_gets_so_much_in_24_hours_and_the_rest_waits(world: World) -> None:
    world.limits = Limits(caps=Caps(per_address=2))
    for _ in range(3):
        world.card(world.holder(email=None))
    world.check()
    with capture_logs() as logs:
        assert world.send(channel=SMS) == {SENT: 2}
    assert causes(logs) == ["cap_reached"]
    assert waiting(world, "cap:address") == [NOW + timedelta(days=1)]
    assert world.send(NOW + timedelta(hours=23), SMS) == {}
    assert world.send(NOW + timedelta(days=1), SMS) == {SENT: 1}
    assert [m["to"] for m in world.accepted()] == [PHONE] * 3


def test_an_address_may_have_tries_that_nobody_took(world: World) -> None:
    world.limits = Limits(caps=Caps(per_address=1))
    world.card(world.holder(email=None))
    world.check()
    world.send(channel=SMS, providers={SMS: always(Outcome(OutcomeKind.NOT_SENT, "connect"))})
    assert world.send(NOW + timedelta(minutes=1), SMS) == {SENT: 1}


def test_what_cannot_wait_for_its_number_goes_by_email(world: World) -> None:
    world.limits = Limits(caps=Caps(per_address=1))
    world.card(**ENDS_TODAY)
    world.card(world.holder(email="luis@example.com"), **ENDS_TODAY)
    world.check()
    assert world.send(channel=SMS) == {SENT: 1}
    assert world.told()[1:] == [
        ("sms", ReminderState.SUPPRESSED, "cap:address"),
        ("email", "pending", None),
    ]
    assert world.send(NOW + timedelta(seconds=1), MAIL) == {SENT: 1}


def test_what_can_neither_wait_nor_go_the_other_way_is_missed_with_an_alarm(
    world: World,
) -> None:
    world.limits = Limits(caps=Caps(per_address=1))
    for _ in range(2):
        world.card(world.holder(email=None), **ENDS_TODAY)
    world.check()
    with capture_logs() as logs:
        world.send(channel=SMS)
    assert world.told() == [("sms", SENT, None), ("sms", ReminderState.MISSED, "cap:address")]
    assert sorted(causes(logs)) == ["cap_reached", "reminder_missed"]


def test_a_book_has_so_much_a_day_on_all_channels_together(world: World) -> None:
    world.limits = Limits(caps=Caps(per_book=3))
    world.people(3, email=True)
    with capture_logs() as logs:
        assert world.send() == {SENT: 3}
        assert world.send(NOW + timedelta(hours=1)) == {}
    assert causes(logs) == ["cap_reached"], "once for a book and day, not for each message"
    assert waiting(world, "cap:book") == [MIDNIGHT] * 3
    assert world.send(MIDNIGHT) == {SENT: 3}, "still within the hours in Lima"


def test_a_cap_of_one_book_is_no_other_books_cap(world: World) -> None:
    world.limits = Limits(caps=Caps(per_book=1))
    world.people(2)
    with writing(world.engine) as conn:
        other = book_store.ensure(conn, "other", WANTED, NOW).id
    holder = world.holder(book_id=other, contact_phone="+51911111111", email=None)
    world.card(holder, book_id=other)
    world.check()
    assert len(world.rows(books)) == 2
    assert world.send(channel=SMS) == {SENT: 2}


def test_money_has_a_bound_and_what_costs_nothing_goes_on(world: World) -> None:
    world.limits = Limits(caps=Caps(spend=Decimal("0.10")), tariff=Tariff(PRICES))
    world.people(4, email=True)
    assert world.send() == {SENT: 2 + 4}
    assert used(world)["sms"] == (2, 2, Decimal("0.08"))
    assert waiting(world, "cap:spend") == [MIDNIGHT] * 2


def test_money_that_is_gone_sends_the_urgent_by_email(world: World) -> None:
    world.limits = Limits(caps=Caps(spend=Decimal("0.04")), tariff=Tariff(PRICES))
    world.people(2, email=True, **ENDS_TODAY)
    evening = MIDNIGHT + timedelta(minutes=30)  # in Lima; the next UTC day is too late
    assert world.send(evening, SMS) == {SENT: 1}
    assert ("sms", ReminderState.SUPPRESSED, "cap:spend") in world.told()
    assert world.send(evening + timedelta(seconds=1), MAIL) == {SENT: 1}


def test_caps_survive_a_restart(world: World) -> None:
    world.people(4)
    ids = [row.id for row in world.rows(messages)]
    for n in range(4):  # a process of its own each
        app = world.app(lambda: NOW, caps={"per_book_per_day": 2})

        async def run(app: Any = app, n: int = n) -> None:
            await app.delivery.run(SMS, ids[n : n + 1], NOW)
            await app.transport.close()

        asyncio.run(run())
    assert len(world.accepted(SMS)) == 2
    assert len(waiting(world, "cap:book")) == 2


def test_workers_at_once_never_pass_a_cap(world: World) -> None:
    world.people(24)
    world.limits = Limits(caps=Caps(per_book=5))
    ids = [row.id for row in world.rows(messages)]
    carriers = [always(OK) for _ in range(4)]
    threads = [
        threading.Thread(
            target=world.send,
            args=(NOW, SMS),
            kwargs={"ids": ids[n * 6 : n * 6 + 6], "providers": {SMS: carrier}},
        )
        for n, carrier in enumerate(carriers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(len(carrier.calls) for carrier in carriers) == 5
    assert used(world)["sms"][0] == 5


@pytest.mark.parametrize("kind", list(OutcomeKind))
def test_only_what_may_have_been_taken_is_counted(world: World, kind: OutcomeKind) -> None:
    async def answer(out: Out) -> Outcome:
        return accepted("id-1") if kind is OutcomeKind.ACCEPTED else Outcome(kind, "code")

    world.people(1)
    world.send(channel=SMS, providers={SMS: Carrier(answer)})
    counted = kind in (OutcomeKind.ACCEPTED, OutcomeKind.AMBIGUOUS)
    assert used(world)["sms"][0] == (1 if counted else 0)


def test_the_most_urgent_get_what_is_left_of_a_cap(world: World) -> None:
    world.limits = Limits(caps=Caps(per_book=1))
    world.people(3)
    holder = world.holder(contact_phone="+51911111111", email=None)
    world.card(holder, **ENDS_TODAY)
    world.check()
    world.send(channel=SMS)
    assert [m["to"] for m in world.accepted()] == ["+51911111111"]


def test_a_batch_asks_the_database_no_more_for_more_messages(world: World) -> None:
    world.limits = Limits(caps=Caps(per_address=5, per_book=1000))
    statements: list[str] = []

    def note(conn: Any, cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    def count(ids: list[int]) -> int:
        statements.clear()
        app = world.app(lambda: NOW, caps={"per_book_per_day": 1000})
        event.listen(world.engine, "before_cursor_execute", note)
        assert len(app.delivery.preparation.run(SMS, ids, NOW).ready) == len(ids)
        event.remove(world.engine, "before_cursor_execute", note)
        return len(statements)

    world.people(41)
    ids = [row.id for row in world.rows(messages) if row.channel == SMS]
    assert count(ids[:1]) == count(ids[1:])


def test_room_is_kept_for_what_is_more_urgent_and_waits_elsewhere(world: World) -> None:
    """A phone in China gets two SMS a day. Three cards, each in a message and a batch of its own:
    what could wait for a week is at hand first."""
    holder = world.holder(contact_phone="+8613800138000", email=None)
    for days in (7, 6, 0):
        card = world.card(holder, plan_end=TODAY + timedelta(days=days))
        world.check(ids=[card])
    far, near, today = [row.id for row in world.rows(messages) if row.channel == SMS]
    for one in (far, near, today):
        world.send(channel=SMS, ids=[one])
    states = {row.id: row.state for row in world.rows(messages)}
    assert states == {far: PENDING, near: SENT, today: SENT}
    assert [r.state for r in world.rows(reminders) if r.message_id == today] == [SENT]
    pass_time(world, NOW, NOW + timedelta(days=2))
    assert {row.state for row in world.rows(messages)} == {SENT}


def test_what_could_wait_goes_when_the_more_urgent_never_does(world: World) -> None:
    holder = world.holder(contact_phone="+8613800138000", email=None)
    for days in (7, 6, 0):
        card = world.card(holder, plan_end=TODAY + timedelta(days=days))
        world.check(ids=[card])
    far, near, today = [row.id for row in world.rows(messages) if row.channel == SMS]
    world.change(messages, today, state=MessageState.HELD)
    for one in (far, near):
        world.send(channel=SMS, ids=[one])
    assert {row.id: row.state for row in world.rows(messages)}[far] == PENDING
    world.change(messages, today, state=MessageState.FAILED, wake_at=None)
    pass_time(world, NOW, NOW + timedelta(hours=5))
    assert {row.id: row.state for row in world.rows(messages)}[far] == SENT
