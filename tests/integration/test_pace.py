"""Pace: one bucket for all processes on a real server, and what does not fit comes back."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from tests.integration.helpers import NOW, TODAY, World, always, run_together
from worker.core.cards import Channel
from worker.core.outcomes import Outcome, OutcomeKind
from worker.core.pace import capacity
from worker.core.reminders import MessageState, ReminderState
from worker.pipeline.delivery.limits import Limits
from worker.processes.once import run_once
from worker.processes.scheduler import run
from worker.setup.gateways import choose
from worker.setup.pace import LocalPace, SharedPace, rates
from worker.setup.settings import Settings
from worker.store.tables import attempts, messages

SMS = Channel.SMS
PENDING, SENT = MessageState.PENDING, MessageState.SENT
OK = Outcome(OutcomeKind.ACCEPTED, "accepted")


def texts_for(world: World, count: int, **changes: Any) -> list[int]:
    """The messages to ``count`` people who are owed one by SMS."""
    world.people(count, **changes)
    return [row.id for row in world.rows(messages) if row.channel == SMS]


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def paced(clock: Clock, rate: float) -> Limits:
    return Limits(pace=LocalPace(clock), rates={SMS: rate})


SHARED = """
import json, sys, time
from worker.processes.once import run_once
from worker.setup.pace import SharedPace
pace = SharedPace(sys.argv[1], "vigencia")
def work():
    end, rate, took = time.time() + 3, 50.0, []
    while time.time() < end:
        tokens = pace.take("sms/twilio/x", rate, 20).tokens
        took.append([time.time(), tokens])
        pace.settle("sms/twilio/x", rate, 0, 20 - tokens)
        time.sleep(0.01)
    open(sys.argv[2] + "/" + str(id(pace)) + str(time.time_ns()), "w").write(json.dumps(took))
work()
"""


def test_several_processes_share_one_bucket(queue: str, tmp_path: Any) -> None:
    ended = run_together(SHARED, queue, str(tmp_path))
    assert [code for code, _ in ended] == [0, 0, 0], ended
    took = sorted(pair for file in tmp_path.iterdir() for pair in json.loads(file.read_text()))
    assert len(list(tmp_path.iterdir())) == 3
    begun, over = took[0][0], took[-1][0]
    total = sum(tokens for _, tokens in took)
    most = capacity(50) + 50 * (over - begun + 0.1)
    assert total <= most
    assert total >= 0.8 * most, "and nobody is slower than need be"


def test_the_script_and_the_local_bucket_do_the_same_sums(queue: str) -> None:
    shared, clock = SharedPace(queue, "vigencia"), Clock()
    local = LocalPace(clock)
    rate = 0.001  # so slow that the real clock adds nothing between two calls
    for wanted, unused, unqueued in ((5, 0, 0), (3, 0, 2), (4, 1, 0), (2, -3, 1), (1, 0, 0)):
        theirs, ours = shared.take("x", rate, wanted), local.take("x", rate, wanted)
        assert theirs.tokens == ours.tokens
        assert theirs.soon == pytest.approx(ours.soon, rel=0.01)
        assert theirs.line == pytest.approx(ours.line, rel=0.01)
        shared.settle("x", rate, unused, unqueued)
        local.settle("x", rate, unused, unqueued)


def test_a_bucket_nobody_uses_leaves_nothing_behind(queue: str) -> None:
    SharedPace(queue, "vigencia").take("x", 1000, 5)
    client = redis.Redis.from_url(queue)
    [key] = client.keys("vigencia:pace:*")
    assert 0 < client.ttl(key) <= 70
    client.close()


def test_without_the_server_each_process_keeps_its_own_pace() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        pace = SharedPace(f"redis://127.0.0.1:{held.getsockname()[1]}", "vigencia")
        with capture_logs() as logs:
            assert [pace.take("x", 5, 4).tokens for _ in range(3)] == [4, 1, 0]
    assert [entry["event"] for entry in logs] == ["pace_is_local"]


def test_a_flushed_server_only_forgets_who_was_in_line(queue: str) -> None:
    pace = SharedPace(queue, "vigencia")
    assert pace.take("x", 2, 100).tokens == 2
    client = redis.Redis.from_url(queue)
    client.flushdb()
    client.close()
    assert pace.take("x", 2, 1).tokens == 1


def test_what_does_not_fit_comes_back_in_turn_and_burns_no_attempt(world: World) -> None:
    texts_for(world, 6)
    clock = Clock()
    world.limits = paced(clock, 2)
    assert world.send(channel=SMS) == {SENT: 2}
    waits = [row for row in world.rows(messages) if row.state == PENDING]
    assert {(row.reason, row.attempts) for row in waits} == {("pace", 0)}
    assert len(world.rows(attempts)) == 2
    places = sorted((row.next_attempt_at - NOW).total_seconds() for row in waits)
    assert places == pytest.approx([0.5, 1.0, 1.5, 2.0])
    now = NOW
    for _ in range(2):
        clock.at += 1
        now += timedelta(seconds=1)
        assert world.send(now, SMS) == {SENT: 2}
    assert len(world.accepted(SMS)) == 6


def test_the_most_urgent_go_first(world: World) -> None:
    texts_for(world, 3)
    urgent = world.holder(contact_phone="+51911111111", email=None)
    world.card(urgent, plan_end=TODAY)
    world.check()
    world.limits = paced(Clock(), 1)
    assert world.send(channel=SMS) == {SENT: 1}
    assert [m["to"] for m in world.accepted()] == ["+51911111111"]


def test_who_waited_in_line_is_not_sent_to_its_end_again(world: World) -> None:
    ids = texts_for(world, 30)
    clock = Clock()
    world.limits = paced(clock, 1)
    world.send(channel=SMS, ids=ids[:20])
    world.send(channel=SMS, ids=ids[20:])
    rows = {row.id: row for row in world.rows(messages)}
    first = min((rows[i] for i in ids[:20] if rows[i].state == PENDING), key=lambda r: r.wake_at)
    assert max(row.wake_at for row in rows.values() if row.state == PENDING) > NOW + timedelta(
        seconds=28
    )
    assert world.send(first.wake_at, SMS, ids=[first.id]) == {}, "somebody took its token"
    [again] = [row for row in world.rows(messages) if row.id == first.id]
    assert again.wake_at <= first.wake_at + timedelta(seconds=1.01)


def test_a_notice_that_the_line_would_make_useless_does_not_stand_in_it(world: World) -> None:
    ids = texts_for(world, 4, plan_end=TODAY)  # useful until midnight, told until 20:00
    clock = Clock()
    world.limits = paced(clock, 0.0002)  # one in 83 minutes: the line ends tomorrow
    world.send(channel=SMS, ids=ids)
    waits = [row.wake_at for row in world.rows(messages) if row.state == PENDING]
    assert len(waits) == 3
    assert all(at < NOW + timedelta(hours=10) for at in waits[:2])


def test_what_never_got_its_turn_is_missed_by_that_cause(world: World) -> None:
    ids = texts_for(world, 2, plan_end=TODAY)
    world.limits = paced(Clock(), 0.0001)
    world.send(channel=SMS, ids=ids)
    world.send(NOW + timedelta(hours=11), SMS)
    assert sorted(world.told()) == [
        ("sms", ReminderState.MISSED, "pace"),
        ("sms", SENT, None),
    ]


def test_a_batch_that_fails_gives_its_tokens_back(world: World) -> None:
    ids = texts_for(world, 2)
    limits = paced(Clock(), 5)
    world.limits = limits
    app = world.app(lambda: NOW)
    none: Any = None
    broken = replace(app.delivery.preparation, limits=limits, rules=none)
    with pytest.raises(AttributeError):
        broken.run(SMS, ids, NOW)
    assert world.send(channel=SMS) == {SENT: 2}
    assert limits.pace is not None
    sender = app.delivery.preparation.senders[SMS].name
    assert limits.pace.take(sender, 5, 10).tokens == 3


def test_what_was_claimed_by_others_costs_no_tokens(world: World) -> None:
    ids = texts_for(world, 2)
    limits = paced(Clock(), 5)
    world.limits = limits
    carrier = always(OK)
    world.send(channel=SMS, ids=ids, providers={SMS: carrier})
    world.send(channel=SMS, ids=ids, providers={SMS: carrier})
    assert len(carrier.calls) == 2
    assert limits.pace is not None
    assert limits.pace.take("sms/twilio/+15005550006", 5, 10).tokens == 3


def test_one_run_goes_on_until_all_had_their_turn(world: World) -> None:
    for n in range(5):
        world.card(world.holder(contact_phone=f"+519000000{n:02}", email=None), plan_end=TODAY)
    began = time.time()

    def clock() -> datetime:
        return NOW + timedelta(seconds=time.time() - began)

    app = world.app(clock, pace={"sms_segments_per_second": 4})
    report = asyncio.run(run_once(app))
    assert report.sent == 5


class Counting:
    """Takes the hints of the scheduler, counts what is to be sent; three are ``enough``."""

    def __init__(self, enough: threading.Event) -> None:
        self.sent: list[int] = []
        self._enough = enough

    def send(self, channel: Channel, ids: Sequence[int]) -> None:
        self.sent += ids
        if len(self.sent) >= 3:
            self._enough.set()

    def check_cards(self, ids: Sequence[int]) -> None:
        raise AssertionError("no card is due")

    reconcile = fetch = check_cards

    def work_jobs(self, ids: Sequence[int]) -> None: ...

    def is_full(self, channel: Channel | None) -> bool:
        return False


@pytest.mark.parametrize(("rate", "count"), [(4, 3), (0, 0)])
def test_the_scheduler_wakes_who_has_a_turn_between_two_ticks(
    world: World, rate: float, count: int
) -> None:
    texts_for(world, 3)
    began = time.time()

    def clock() -> datetime:
        return NOW + timedelta(seconds=time.time() - began)

    turn = clock() + timedelta(seconds=1)  # the first tick is over, the second far
    world.change(messages, next_attempt_at=turn, wake_at=turn)
    # Who has no turn is waited for in vain: a short while is enough.
    until_next = 60.0 if count else 2.5
    limits = {"sms_segments_per_second": rate}
    app = world.app(clock, pace=limits, scheduler={"tick_seconds": until_next})
    stopping = threading.Event()
    hints = Counting(enough=stopping)
    run(app, hints, stopping, ticks=1)
    assert len(hints.sent) == count


def settings(**values: Any) -> Settings:
    return Settings(**values)


LIVE = {
    "sandbox": ({}, {}),
    "number": ({"twilio_from": "+51987654321"}, {SMS: 1.0}),
    "toll_free": ({"twilio_from": "+18335550100"}, {SMS: 3.0}),
    "short_code": ({"twilio_from": "12345"}, {}),
    "service": ({"twilio_messaging_service_sid": "MG" + "1" * 32}, {}),
}


@pytest.mark.parametrize("kind", LIVE)
def test_a_sender_has_the_pace_of_its_kind(kind: str) -> None:
    given, wanted = LIVE[kind]
    live = {"twilio_account_sid": "AC" + "1" * 32, "twilio_auth_token": "t"} if given else {}
    usual = settings(**live, **given)
    assert rates(usual, choose(usual)) == wanted
    own = settings(**live, **given, pace={"sms_segments_per_second": 7, "email_per_second": 9})
    assert rates(own, choose(own)) == {SMS: 7, Channel.EMAIL: 9}
    off = settings(**live, **given, pace={"sms_segments_per_second": 0})
    assert rates(off, choose(off)) == {}
