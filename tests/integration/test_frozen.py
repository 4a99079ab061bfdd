"""A worker that stands still (SIGSTOP, a frozen container, a paused machine) and goes on later: it
has noticed nothing, and must send nothing that is not its own, true and allowed any more."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from tests.integration.helpers import NOW, TODAY, World, until
from tests.patience import patient
from worker.clock import Stopwatch, set_file_clock
from worker.core.cards import Channel
from worker.core.life import LifeEvent
from worker.core.reminders import MessageState
from worker.pipeline.delivery.concurrency import Slots
from worker.providers.fence import TooLateError, only_while
from worker.providers.transport import Transport
from worker.store.tables import attempts, cards, messages

SMS, MAIL = Channel.SMS, Channel.EMAIL
_PEOPLE = 8

# Sends messages, and stops itself where it is told to: once its attempts are committed, or with a
# connection in hand and the request not yet written.
_WORKER = """
import os, signal, sys
from datetime import datetime, timedelta
from pathlib import Path
from aiohttp import TCPConnector
from tests.integration.helpers import World
from worker.core.cards import Channel
from worker.pipeline.delivery.prepare import Preparation
from worker.paths import shipped
from worker.setup.load_rules import load_rules
from worker.setup.load_texts import texts
from worker.store.engine import open_engine
url, sandbox, where, channel, lease, now, *ids = sys.argv[1:]
frozen = []
def stand_still():
    if not frozen:
        frozen.append(True)
        os.kill(os.getpid(), signal.SIGSTOP)
if where == "committed":
    run = Preparation.run
    def then(self, *args):
        ready = run(self, *args)
        stand_still()
        return ready
    Preparation.run = then
else:
    connect = TCPConnector.connect
    async def connected(self, *args, **kwargs):
        connection = await connect(self, *args, **kwargs)
        stand_still()
        return connection
    TCPConnector.connect = connected
world = World(open_engine(url), sandbox, None, load_rules(shipped("config")),
              texts(shipped("templates")), read_timeout=10)
print(dict(world.send(datetime.fromisoformat(now), Channel(channel), ids=list(map(int, ids)),
                      lease=timedelta(seconds=float(lease)), in_flight=4)))
"""


@contextmanager
def frozen(
    world: World, where: str, channel: Channel, lease: float, now: datetime
) -> Iterator[subprocess.Popen[str]]:
    """A worker that has claimed all messages of ``channel`` and stands still."""
    ids = [str(row.id) for row in world.rows(messages) if row.channel == channel]
    url = world.engine.url.render_as_string(hide_password=False)
    args = [url, world.sandbox, where, channel.value, str(lease), now.isoformat(), *ids]
    child = subprocess.Popen(
        [sys.executable, "-c", _WORKER, *args],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        _, status = os.waitpid(child.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), "it ended before it stood still"
        yield child
    finally:
        child.kill()
        child.wait()


def go_on(child: subprocess.Popen[str]) -> str:
    """Let it go on to its end; what became of its messages."""
    child.send_signal(signal.SIGCONT)
    told, _ = child.communicate(timeout=patient(60))
    assert child.returncode == 0
    return told


@pytest.mark.parametrize("where", ["committed", "connected"])
@pytest.mark.parametrize("channel", [SMS, MAIL])
def test_a_worker_that_wakes_after_its_lease_sends_nothing_that_others_have_sent(
    world: World, channel: Channel, where: str
) -> None:
    assert world.clock is not None
    set_file_clock(world.clock, NOW)
    world.people(_PEOPLE, email=True)
    with frozen(world, where, channel, 3.0, NOW) as child:
        time.sleep(3.2)  # past the lease, by everybody's clock
        after = NOW + timedelta(minutes=10)
        woken = world.wake(after)
        assert len(woken.expired) >= 1, "nobody noticed that the worker is silent"
        world.reconcile(after)
        world.send(after, channel)
        assert len(world.accepted(channel)) == _PEOPLE
        go_on(child)
    assert len(world.accepted(channel)) == _PEOPLE, "the frozen worker sent what was not its own"
    states = {row.state for row in world.rows(messages) if row.channel == channel}
    assert states == {MessageState.SENT}


def test_a_worker_that_wakes_within_its_lease_sends_what_is_still_true(world: World) -> None:
    world.people(_PEOPLE, email=True)
    with frozen(world, "committed", SMS, 120.0, NOW) as child:
        time.sleep(5.2)  # what was looked at is no longer fresh
        go_on(child)
    assert len(world.accepted(SMS)) == _PEOPLE


def test_a_worker_that_wakes_after_a_renewal_does_not_tell_of_the_old_date(world: World) -> None:
    _, *others = world.people(_PEOPLE, email=True)
    renewed = world.rows(cards)[0].id
    with frozen(world, "committed", SMS, 120.0, NOW) as child:
        world.live(renewed, LifeEvent.RENEWED, NOW, plan_end=TODAY + timedelta(days=35))
        time.sleep(5.2)
        go_on(child)
    assert {sms["to"] for sms in world.accepted(SMS)} == set(others)


def test_a_worker_that_wakes_after_an_opt_out_does_not_write_to_that_number(world: World) -> None:
    refusing, *_ = world.people(_PEOPLE, email=True)
    with frozen(world, "committed", SMS, 120.0, NOW) as child:
        world.suppress(SMS, refusing, "opted_out")
        time.sleep(5.2)
        go_on(child)
    assert refusing not in {sms["to"] for sms in world.accepted(SMS)}
    assert len(world.accepted(SMS)) == _PEOPLE - 1


def test_a_worker_that_wakes_after_the_hours_sends_nothing_at_night(world: World) -> None:
    closing = datetime.fromisoformat("2026-06-12T20:00:00-05:00")
    just_before = closing - timedelta(seconds=1)
    world.people(_PEOPLE, email=True)
    with frozen(world, "committed", SMS, 120.0, just_before) as child:
        time.sleep(1.2)  # fresh enough, and yet it has become night
        go_on(child)
    assert world.accepted(SMS) == []
    world.send(closing + timedelta(minutes=5), SMS)
    assert world.accepted(SMS) == []
    waits = {row.next_attempt_at for row in world.rows(messages) if row.channel == SMS}
    assert waits == {datetime.fromisoformat("2026-06-13T09:00:00-05:00")}


def test_what_came_too_late_to_be_sent_costs_no_attempt(world: World) -> None:
    world.people(2, email=True)
    with frozen(world, "committed", SMS, 2.0, NOW) as child:
        time.sleep(2.2)
        assert MessageState.RETRYABLE in go_on(child)
    rows = [row for row in world.rows(messages) if row.channel == SMS]
    assert {(row.state, row.attempts) for row in rows} == {(MessageState.RETRYABLE, 0)}
    assert {row.code for row in world.rows(attempts)} == {"lease_over_before_the_call"}


def test_a_place_is_not_given_to_who_has_no_time_left() -> None:
    async def ask() -> list[bool]:
        slots = Slots(4)
        return [await slots.take(SMS, seconds) for seconds in (0.0, -1.0, 1.0)]

    assert asyncio.run(ask()) == [False, False, True]


def test_a_call_whose_right_ended_while_it_connected_leaves_no_byte(sandbox: str) -> None:
    async def call() -> None:
        transport = Transport()
        try:
            with only_while(lambda: False), pytest.raises(TooLateError):
                await transport.request("POST", f"{sandbox}/sandbox/reset", {})
            with only_while(lambda: True):
                assert (await transport.request("GET", f"{sandbox}/sandbox/record", {})).status
        finally:
            await transport.close()

    asyncio.run(call())


def test_a_watch_goes_on_while_its_process_stands_still() -> None:
    code = (
        "import os, signal; from worker.clock import Stopwatch; w = Stopwatch(); "
        "os.kill(os.getpid(), signal.SIGSTOP); print(w.longest().total_seconds())"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    os.waitpid(child.pid, os.WUNTRACED)
    own = Stopwatch()
    assert until(lambda: own.longest() >= timedelta(seconds=0.5))
    child.send_signal(signal.SIGCONT)
    told, _ = child.communicate(timeout=patient(60))
    assert float(told) >= 0.5


def test_a_lease_is_over_when_it_is_by_the_clock_of_a_play_however_little_time_passed(
    world: World,
) -> None:
    world.people(2, email=True)
    played = [NOW]

    @event.listens_for(world.engine, "before_cursor_execute")
    def _leap(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO attempts"):
            played[0] = NOW + timedelta(minutes=5)

    world.send(NOW, SMS, lease=timedelta(minutes=5), played=lambda: played[0])
    assert world.accepted(SMS) == []
    assert {row.code for row in world.rows(attempts)} == {"lease_over_before_the_call"}


def test_a_watch_hears_the_clock_of_a_play() -> None:
    played = [NOW]
    watch = Stopwatch(lambda: played[0])
    played[0] += timedelta(hours=3)
    assert watch.passed() >= timedelta(hours=3)
    assert watch.longest() >= timedelta(hours=3)
    played[0] -= timedelta(hours=6)
    assert timedelta(0) <= watch.passed() < timedelta(hours=1)
