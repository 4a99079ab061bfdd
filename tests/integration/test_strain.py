"""What goes wrong at scale, in small: slow and dead providers, bursts, large holders, full
servers."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from dramatiq.brokers.redis import RedisBroker
from sqlalchemy import URL, Engine, text
from structlog.testing import capture_logs

from tests.integration.helpers import (
    LEASE,
    NOW,
    TODAY,
    Carrier,
    Listing,
    Out,
    World,
    always,
    causes,
    flat,
    until,
)
from worker.core.breaker import BreakerPolicy
from worker.core.cards import Channel
from worker.core.outcomes import Fault, Outcome, accepted, from_fault
from worker.core.reminders import MessageState
from worker.errors import UnreachableError
from worker.pipeline.delivery import Delivery, open_delivery
from worker.processes.actors import Hints
from worker.processes.scheduler import tick
from worker.providers.twilio.outcomes import from_twilio
from worker.setup.app import App
from worker.setup.broker import open_broker
from worker.store.engine import open_engine, reading
from worker.store.tables import messages, reminders

SMS, MAIL = Channel.SMS, Channel.EMAIL
HELD, SENT = MessageState.HELD, MessageState.SENT
BY_SMS, BY_EMAIL = {"email": None}, {"contact_phone": None}
# How soon a provider that is down is tried, and some seconds more.
ROW = 20  # calls without an answer


def late_and_urgent(world: World, count: int) -> None:
    """People who are told by SMS; the plans of the later half end sooner."""
    for days in (7, 1):
        world.people(count // 2, plan_end=TODAY + timedelta(days=days))


REFUSED, OVERLOADED = from_fault(Fault.CONNECT), from_twilio(503, None)


@pytest.mark.parametrize("end", [REFUSED, OVERLOADED], ids=["refused", "503"])
def test_a_provider_that_is_down_is_left_alone_until_it_answers_and_the_urgent_go_first(
    world: World, end: Outcome
) -> None:
    late_and_urgent(world, 60)
    dead, mail = always(end), always(accepted(""))
    with capture_logs() as logs:
        world.send(providers={SMS: dead, MAIL: mail}, in_flight=4)
        world.send(NOW + timedelta(seconds=10), providers={SMS: dead, MAIL: mail}, in_flight=4)
    assert ROW <= len(dead.calls) < ROW + 4
    assert causes(logs) == ["provider_down"]
    held = [row for row in world.rows(messages) if row.state == HELD]
    assert len(held) >= 60 - len(dead.calls)
    assert {row.reason for row in held} == {"breaker:twilio:down"}
    assert sum(row.attempts for row in world.rows(messages)) <= len(dead.calls)

    trial = world.open_breakers()[0].probe_at
    assert world.send(trial, providers={SMS: always(end)}, in_flight=4)  # it fails too
    [one] = world.open_breakers()
    assert (one.key, one.failures) == ("sms/twilio/down", 2)
    assert one.probe_at >= trial + timedelta(minutes=1)

    back, later = always(accepted("")), one.probe_at + timedelta(seconds=1)
    assert world.send(later, providers={SMS: back})[SENT] == 1
    assert not world.open_breakers()
    later += timedelta(seconds=2)
    woken = world.wake(later).send[SMS]
    until = {row.id: row.useful_until for row in world.rows(messages)}
    assert [until[one] for one in woken] == sorted(until[one] for one in woken)
    world.send(later, ids=woken, providers={SMS: back})
    if end is OVERLOADED:  # whether these had left had to be asked first
        settle = later + timedelta(minutes=5)
        world.reconcile(settle, sms=Listing([]))
        world.send(settle, providers={SMS: back})
    assert Counter(call.to for call in back.calls).total() == 60 == len({c.to for c in back.calls})
    assert {row.state for row in world.rows(messages) if row.channel == SMS} == {SENT}


def test_a_provider_that_answers_now_and_then_is_not_down(world: World) -> None:
    late_and_urgent(world, 60)
    turn = iter(range(1000))

    async def half(out: Out) -> Outcome:
        return REFUSED if next(turn) % ROW else accepted(f"id-{out.attempt}")

    world.send(providers={SMS: Carrier(half)}, in_flight=4)
    assert not world.open_breakers()


def test_a_provider_that_is_down_is_tried_ever_more_rarely_and_never_forgotten() -> None:
    policy = BreakerPolicy().of("twilio:down")
    assert [policy.pause(n).total_seconds() for n in range(1, 7)] == [30, 60, 120, 240, 300, 300]
    assert BreakerPolicy().of("twilio:20003") == BreakerPolicy()


def delivery(world: World, carriers: dict[Channel, Any], lease: timedelta, most: int) -> Delivery:
    return open_delivery(
        *(world.engine, world.rules, world.content, carriers, world.retry, world.limits),
        lease=lease,
        in_flight=most,
    )


def test_email_goes_on_while_every_place_for_sms_waits_for_a_slow_provider(world: World) -> None:
    world.cards(8, world.holder(contact_phone=None))
    world.check()

    async def run() -> tuple[Counter[str], bool, Counter[str]]:
        go_on = asyncio.Event()

        async def slow(out: Out) -> Outcome:
            await go_on.wait()
            return accepted(f"id-{out.attempt}")

        both = delivery(world, {SMS: Carrier(slow), MAIL: always(accepted(""))}, LEASE, 2)
        ids = [row.id for row in world.rows(messages)]
        texts = asyncio.create_task(both.run(SMS, ids, NOW))
        mails = await both.run(MAIL, ids, NOW)
        waits = not texts.done()
        go_on.set()
        return mails, waits, await texts

    mails, waits, texts = asyncio.run(run())
    assert waits
    assert mails[SENT] >= 1
    assert texts == {SENT: 8}


def test_what_a_slow_provider_leaves_no_time_for_goes_back_as_it_came(world: World) -> None:
    late_and_urgent(world, 12)

    async def slow(out: Out) -> Outcome:
        await asyncio.sleep(0.25)
        return accepted(f"id-{out.attempt}")

    carrier = Carrier(slow)
    lease = timedelta(seconds=1)
    states = world.send(channel=SMS, providers={SMS: carrier}, lease=lease, in_flight=2)
    assert 2 <= states[SENT] == len(carrier.calls) < 12
    assert states[MessageState.RETRYABLE] == 12 - states[SENT]
    back = [row for row in world.rows(messages) if row.state == MessageState.RETRYABLE]
    assert {row.attempts for row in back} == {0}
    world.send(NOW + timedelta(seconds=6), channel=SMS, providers={SMS: carrier})
    assert len(carrier.calls) == 12 == len({call.to for call in carrier.calls})


@dataclass
class Short:
    """A queue with room for so many hints."""

    room: int
    checks: list[list[int]] = field(default_factory=list)
    sends: list[tuple[Channel, list[int]]] = field(default_factory=list)
    full: tuple[Channel, ...] = ()

    def check_cards(self, ids: Sequence[int]) -> None:
        self.checks.append(list(ids))

    def send(self, channel: Channel, ids: Sequence[int]) -> None:
        self.sends.append((channel, list(ids)))

    def reconcile(self, ids: Sequence[int]) -> None: ...

    def fetch(self, ids: Sequence[int]) -> None: ...

    def work_jobs(self, ids: Sequence[int]) -> None: ...

    def is_full(self, channel: Channel | None) -> bool:
        return channel in self.full or (channel is None and len(self.checks) >= self.room)


@pytest.fixture
def app(world: World) -> App:
    return world.app(lambda: NOW, scheduler={"check_batch": 2, "send_batch": 2})


def test_what_the_workers_cannot_begin_stays_in_the_database(
    world: World, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.processes.scheduler._CLAIM", 4)
    since = NOW - timedelta(seconds=1)
    due = [world.card(world.holder(), next_check_at=since) for _ in range(10)]
    first, rest = Short(room=2), Short(room=100)
    assert tick(app, NOW, first).more
    assert len(flat(first.checks)) == 4
    assert not tick(app, NOW, rest).more
    assert sorted(flat(first.checks) + flat(rest.checks)) == due


def test_a_full_queue_of_one_channel_leaves_the_other_its_turn(world: World, app: App) -> None:
    world.cards(4)
    world.check()
    later = NOW + timedelta(minutes=2)
    hints = Short(room=100, full=(SMS,))
    assert tick(app, later, hints).more
    assert {channel for channel, _ in hints.sends} == {MAIL}
    again = Short(room=100)
    tick(app, later, again)
    assert {channel for channel, _ in again.sends} == {SMS}


def test_a_queue_is_full_until_half_of_it_is_done(world: World, app: App, queue: str) -> None:
    broker: RedisBroker = open_broker(queue)
    hints = Hints(broker, app)
    assert not hints.is_full(SMS)
    for n in range(128):
        hints.send(SMS, [n])
    assert hints.is_full(SMS)
    assert not hints.is_full(MAIL)
    broker.client.ltrim("vigencia:sms", 0, 64)
    assert hints.is_full(SMS)
    broker.client.ltrim("vigencia:sms", 0, 62)
    assert not hints.is_full(SMS)
    broker.close()


def test_a_holder_of_many_cards_gets_emails_of_a_bearable_length_and_each_notice_once(
    world: World,
) -> None:
    phone = world.holder(contact_phone="+51911111111")
    world.cards(300, phone)
    world.check()
    by_message = Counter(row.message_id for row in world.rows(reminders))
    told = {row.id: row.channel for row in world.rows(messages)}
    sizes = sorted((told[one], count) for one, count in by_message.items())
    assert sizes == [("email", 50), ("email", 125), ("email", 125), *[("sms", 4)] * 75]
    sms, mail = always(accepted("")), always(accepted(""))
    assert world.send(providers={SMS: sms, MAIL: mail}) == {SENT: 78}
    assert {row.state for row in world.rows(reminders)} == {"sent"}
    assert all(len(call.html) < 100_000 for call in mail.calls)  # type: ignore[union-attr]
    assert all(row.segments <= 3 for row in world.rows(messages) if row.channel == SMS)


def test_a_server_without_a_connection_left_is_named_with_what_to_do(
    postgresql_database: URL,
) -> None:
    role = f"crowded_{secrets.token_hex(4)}"
    owner = open_engine(postgresql_database.render_as_string(hide_password=False))
    theirs = replace_user(postgresql_database, role)
    with owner.begin() as conn:
        conn.execute(text(f"CREATE ROLE {role} LOGIN PASSWORD 'crowd' CONNECTION LIMIT 1"))
    first, second = open_engine(theirs), open_engine(theirs)
    try:
        with reading(first), pytest.raises(UnreachableError) as caught, reading(second):
            pass
        assert "too many connections" in caught.value.message
        assert "max_connections" in caught.value.hint
        first.dispose()
        assert until(lambda: connections_of(owner, role) == 0)  # the server ends it in its own time
        with reading(second) as conn:
            assert conn.execute(text("SELECT 1")).scalar() == 1
    finally:
        first.dispose()
        second.dispose()
        with owner.begin() as conn:
            conn.execute(text(f"DROP ROLE {role}"))
        owner.dispose()


def connections_of(engine: Engine, role: str) -> int:
    asked = text("SELECT count(*) FROM pg_stat_activity WHERE usename = :role")
    with reading(engine) as conn:
        return int(conn.execute(asked, {"role": role}).scalar_one())


def replace_user(url: URL, role: str) -> str:
    return url.set(username=role, password="crowd").render_as_string(hide_password=False)
