"""What holders wrote while nobody listened is read from the provider's list."""

import asyncio
import json
from collections import Counter
from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from tests.integration.helpers import NOW, PHONE, World, causes, until
from tests.integration.sandbox_helpers import call, set_faults
from tests.patience import patient
from worker.clock import set_file_clock
from worker.core.cards import Channel
from worker.processes.listener import Listener
from worker.processes.once import run_once
from worker.providers.choice import hearing
from worker.providers.transport import Transport
from worker.providers.twilio.webhook import INBOUND_PATH
from worker.store.tables import inbound, suppressions

SMS = Channel.SMS
LATER = NOW + timedelta(minutes=20)
DOWN = "http://127.0.0.1:9"


def write(world: World, body: str, at: datetime = NOW, url: str = DOWN) -> int | None:
    """A holder writes; the status of our answer, ``None`` if there was none."""
    assert world.clock is not None
    set_file_clock(world.clock, at)
    place = json.dumps({"inbound_url": url + INBOUND_PATH})
    assert call(world.sandbox, "POST", "/sandbox/webhooks", place).status == 200
    told = json.dumps({"from": PHONE, "body": body})
    status: int | None = call(world.sandbox, "POST", "/sandbox/inbound", told).json["status"]
    return status


def listen(world: World, now: datetime = LATER) -> Counter[str] | None:
    """One look at the list, through the app."""
    assert world.clock is not None
    set_file_clock(world.clock, now)
    app = world.app(lambda: now, web={"public_url": DOWN})

    async def run() -> Counter[str] | None:
        transport = Transport()
        try:
            listening = app.listening(hearing(app.gateways.open(transport, app.now)))
            assert listening is not None
            return await listening.run(now)
        finally:
            await transport.close()

    return asyncio.run(run())


def silent(world: World) -> list[str]:
    return [row.address for row in world.rows(suppressions) if row.lifted_at is None]


def test_a_stop_that_was_written_while_web_was_down_is_heard(world: World) -> None:
    world.card()
    world.check()
    assert write(world, "STOP.") is None, "somebody listened"
    assert listen(world) == {"opted_out": 1}
    assert silent(world) == [PHONE]
    world.send(LATER, SMS)
    assert world.accepted(SMS) == []


def test_what_was_brought_counts_once(world: World) -> None:
    for word in ("BAJA", "ALTA"):
        write(world, word)
    assert listen(world) == {"opted_out": 1, "opted_in": 1}
    assert listen(world) == {"seen": 2}
    assert silent(world) == []
    assert len(world.rows(inbound)) == 2


@pytest.mark.parametrize("offset", [-3600, 0, 3600])
def test_a_stop_is_found_whatever_time_it_is_at_the_provider(world: World, offset: int) -> None:
    body = json.dumps({"clock_offset_s": offset})
    assert call(world.sandbox, "POST", "/sandbox/account", body).status == 200
    listen(world, NOW)
    write(world, "STOP", NOW + timedelta(minutes=5))
    assert listen(world) == {"opted_out": 1}


def test_a_word_that_is_read_late_undoes_nothing_that_was_said_since(world: World) -> None:
    app = world.app(lambda: NOW)
    write(world, "STOP", NOW)
    minute = timedelta(minutes=1)
    app.consent.opt_out(SMS, PHONE, NOW, source="link", reason="opted_out")
    app.consent.opt_in(SMS, PHONE, NOW + minute, source="link")
    assert listen(world) == {"overtaken": 1}
    assert silent(world) == []
    write(world, "START", NOW + 2 * minute)
    app.consent.opt_out(SMS, PHONE, NOW + 3 * minute, source="link", reason="opted_out")
    assert listen(world) == {"seen": 1, "opted_in": 1}
    assert silent(world) == [PHONE], "it was stopped by a link after that word"


def test_texts_of_ours_are_nothing_that_was_written_to_us(world: World) -> None:
    world.card()
    world.check()
    world.send(channel=SMS)
    assert listen(world) == {}


def test_without_the_list_the_next_look_goes_back_as_far(world: World) -> None:
    listen(world, NOW)
    write(world, "STOP", NOW + timedelta(minutes=5))
    set_faults(world.sandbox, {"channel": "sms", "on": "list", "kind": "error_before", "rate": 1})
    assert listen(world) is None
    set_faults(world.sandbox)
    assert listen(world, NOW + timedelta(hours=30)) == {"opted_out": 1}


def test_the_scheduler_reads_the_list_beside_its_ticks(world: World) -> None:
    write(world, "STOP")
    app = world.app(lambda: LATER, web={"public_url": DOWN})
    listener = Listener(app, every=0)
    listener.look(LATER)
    assert until(lambda: silent(world) == [PHONE])


def test_a_list_that_cannot_be_read_again_and_again_is_told(world: World) -> None:
    set_faults(world.sandbox, {"channel": "sms", "on": "list", "kind": "error_before", "rate": 1})
    listener = Listener(world.app(lambda: LATER, web={"public_url": DOWN}), every=0)
    with capture_logs() as logs:
        for _ in range(6):
            listener.look(LATER)
            assert listener.wait(patient(30))
    assert causes(logs) == ["inbound_not_read"]


def test_once_reads_the_list_before_it_sends(world: World) -> None:
    world.card()
    write(world, "STOP")
    assert world.clock is not None
    set_file_clock(world.clock, LATER)
    asyncio.run(run_once(world.app(lambda: LATER, web={"public_url": DOWN}), LATER))
    assert world.accepted(SMS) == []
    assert len(world.accepted(Channel.EMAIL)) == 1
