"""One that is refused keeps nobody back, and is not given up: by codes, by country, by mailbox."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.helpers import NOW, TODAY, World, causes
from tests.integration.mail_server import MailServer
from tests.integration.passing_time import pass_time
from tests.integration.real_path import Walk
from tests.integration.sandbox_helpers import set_faults
from worker.core.cards import Channel, Kind
from worker.core.outcomes import OutcomeKind
from worker.core.reminders import MessageState, ReminderState
from worker.monitoring.promise import Promise
from worker.sandbox.credentials import ACCOUNT_SID, AUTH_TOKEN, SENDER
from worker.store import breakers as breaker_store
from worker.store.engine import reading
from worker.store.tables import attempts, holders, messages, reminders, suppressions

SMS, MAIL = Channel.SMS, Channel.EMAIL
HELD, SENT = MessageState.HELD, MessageState.SENT
HOUR = timedelta(hours=1)
# One notice is owed by SMS alone, and is useful for two days and more.
LOSS: dict[str, Any] = {
    "kind": Kind.RETENTION,
    "operator": "movistar",
    "plan": None,
    "plan_days": None,
    "plan_end": None,
    "last_topup": TODAY - timedelta(days=207),
}
REFUSED = "+51910000000"
BY_RECIPIENT = (21608, 21612, 572005, 99_999)
BY_ROUTE = (21606, 21703, 21657, 21659)


def told_at(world: World) -> dict[str, datetime]:
    """When each number's text was taken."""
    by_holder = {row.id: row.contact_phone for row in world.rows(holders)}
    return {
        by_holder[row.holder_id]: row.sent_at
        for row in world.rows(messages)
        if row.channel == SMS and row.sent_at is not None
    }


def refuse(world: World, code: int, to: str = REFUSED, **more: Any) -> None:
    set_faults(world.sandbox, {"channel": "sms", "kind": "code", "code": code, "to": to, **more})


@pytest.mark.parametrize("code", [*BY_RECIPIENT, *BY_ROUTE, 21212, 20003])
def test_one_refused_number_keeps_nobody_back(world: World, code: int) -> None:
    refused, *innocent = world.people(4, **LOSS)
    refuse(world, code, refused)
    pass_time(world, NOW, NOW + 3 * HOUR)
    found = told_at(world)
    assert found.keys() == set(innocent)
    assert max(found.values()) <= NOW + timedelta(minutes=15)

    # Others who come later are not kept back either, however often it was refused by then.
    late = world.people(2, **LOSS, now=NOW + 3 * HOUR)
    pass_time(world, NOW + 3 * HOUR, NOW + 9 * HOUR)
    found = told_at(world)
    assert found.keys() == {*innocent, *late}
    assert max(found.values()) <= NOW + 3 * HOUR + timedelta(minutes=15)
    [row] = [row for row in world.rows(messages) if row.sent_at is None]
    assert (row.state, row.attempts) == (HELD, 0)
    assert world.rows(suppressions) == []


@pytest.mark.parametrize("code", [*BY_RECIPIENT, 21606, 20003])
def test_who_is_refused_is_told_once_that_is_mended(world: World, code: int) -> None:
    refused, *_ = world.people(3, **LOSS)
    mended = NOW + timedelta(minutes=30)
    refuse(world, code, refused, until=mended.isoformat())
    pass_time(world, NOW, NOW + 6 * HOUR)
    assert mended <= told_at(world)[refused] <= mended + 2 * HOUR
    assert {state for _, state, _ in world.told()} == {ReminderState.SENT}


def test_a_refused_number_is_called_ever_more_rarely(world: World) -> None:
    world.people(1, **LOSS)
    refuse(world, 21608)
    with capture_logs() as logs:
        looks = pass_time(world, NOW, NOW + 9 * HOUR)
    assert 5 <= looks <= 20
    assert causes(logs).count("config_fault") == 1, "it is told once"


def test_a_refused_country_leaves_the_others_flowing_and_comes_back_by_itself(
    world: World,
) -> None:
    peru = world.people(3, **LOSS)
    spain = world.holder(contact_phone="+34612345678", email=None, time_zone="Europe/Madrid")
    world.card(spain, **LOSS)
    world.check()
    mended = NOW + 2 * HOUR
    refuse(world, 21703, "+51*", until=mended.isoformat())
    pass_time(world, NOW, NOW + 8 * HOUR)
    found = told_at(world)
    assert found["+34612345678"] < NOW + timedelta(minutes=15)
    assert all(mended <= found[phone] <= mended + 2 * HOUR for phone in peru)


def test_who_has_failed_as_a_probe_is_not_the_next_one_while_others_wait(world: World) -> None:
    world.people(3, **LOSS)
    set_faults(world.sandbox, {"channel": "sms", "kind": "code", "code": 20003, "rate": 1})
    world.send(in_flight=1)
    with reading(world.engine) as conn:
        [found] = breaker_store.open_ones(conn)
    assert found.held == 3
    tried = [_last_tried(world)]
    for _ in range(2):
        now = max(found.probe_at, found.opened_at + timedelta(minutes=5))
        woken = world.wake(now)
        world.send(now, SMS, ids=woken.send[SMS], in_flight=1)
        tried.append(_last_tried(world))
        with reading(world.engine) as conn:
            [found] = breaker_store.open_ones(conn)
    assert len(set(tried)) == 3, "each of them was tried once"


def _last_tried(world: World) -> int:

    called = [row for row in world.rows(attempts) if row.code == "twilio:20003"]
    return int(max(called, key=lambda row: row.started_at).message_id)


def test_who_is_refused_goes_the_other_way_where_there_is_one(world: World) -> None:
    world.people(1, **LOSS, email=True)
    refuse(world, 21608)
    pass_time(world, NOW, NOW + 4 * HOUR)
    assert ("email", ReminderState.SENT, None) in world.told()
    assert len(world.accepted(MAIL)) == 1
    [text] = [row for row in world.rows(reminders) if row.channel == SMS]
    assert text.state == ReminderState.SUPPRESSED
    assert world.rows(suppressions) == []


# Mail


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as running:
        yield running


def by_mail(world: World, server: MailServer) -> Walk:
    world.read_timeout = 5.0
    return Walk(
        world,
        {
            "twilio_account_sid": ACCOUNT_SID,
            "twilio_auth_token": AUTH_TOKEN,
            "twilio_from": SENDER,
            "smtp_url": f"smtp://127.0.0.1:{server.port}",
            "smtp_from": "reminders@example.com",
        },
    )


def readers(world: World, count: int) -> list[str]:
    emails = [f"h{n}@example.com" for n in range(count)]
    for email in emails:
        holder = world.holder(contact_phone=None, email=email)
        world.card(holder, plan_days=90, plan_end=TODAY + timedelta(days=20), msisdn=None)
    world.check()
    return emails


def received(server: MailServer) -> set[str]:
    return {str(mail["To"]) for mail in server.mails}


@pytest.mark.parametrize(
    "reply", ["550 5.7.1 not allowed", "554 5.7.1 relay denied", "550 5.4.4 x"]
)
def test_one_refused_mailbox_keeps_nobody_back(
    world: World, server: MailServer, reply: str
) -> None:
    refused, *innocent = readers(world, 4)
    server.refuses[refused] = reply
    walk = by_mail(world, server)

    def send(now: datetime, channel: Channel, ids: Sequence[int]) -> None:
        walk.deliver(channel, ids, now)

    pass_time(world, NOW, NOW + 4 * HOUR, send)
    assert received(server) == {*innocent}
    server.refuses.clear()
    pass_time(world, NOW + 4 * HOUR, NOW + 7 * HOUR, send)
    assert received(server) == {refused, *innocent}


def test_what_exchange_does_not_know_is_a_dead_address(world: World, server: MailServer) -> None:
    [unknown] = readers(world, 1)
    server.refuses[unknown] = "550 5.4.1 Recipient address rejected: Access denied"
    walk = by_mail(world, server)
    with capture_logs() as logs:
        walk.deliver(MAIL)
    [row] = world.rows(suppressions)
    assert (row.channel, row.reason) == (MAIL, "smtp:rcpt_550_5.4.1")
    assert "holder_unreached" in causes(logs)
    promise = Promise(world.engine, world.rules, HOUR)
    [(line, _)] = promise.lines(NOW - HOUR, NOW + HOUR, None, NOW + HOUR)
    assert (line.verdict, line.reason) == ("unreached", "smtp:rcpt_550_5.4.1")


def test_the_fault_of_one_is_told_of_in_its_own_words(world: World) -> None:
    world.people(1, **LOSS)
    refuse(world, 21612)
    with capture_logs() as logs:
        assert world.send(channel=SMS) == {HELD: 1}
    [alarm] = [entry for entry in logs if entry["event"] == "alarm"]
    assert (alarm["cause"], alarm["code"]) == (OutcomeKind.CONFIG_FAULT, "twilio:21612")
    [row] = [row for row in world.rows(messages) if row.channel == SMS]
    assert row.reason == "twilio:21612"


def test_a_fault_that_meets_many_one_by_one_is_told_once_a_day(world: World) -> None:
    """An account on trial refuses each number that was not verified, with 21608."""
    world.people(24, **LOSS)
    set_faults(world.sandbox, {"channel": "sms", "kind": "code", "code": 21608, "rate": 1})
    waiting = [row.id for row in world.rows(messages) if row.channel == SMS]
    with capture_logs() as logs:
        for some in (waiting[:8], waiting[8:16], waiting[16:]):
            world.send(channel=SMS, ids=some)
        pass_time(world, NOW, NOW + 6 * HOUR)
    told = [entry["code"] for entry in logs if entry.get("cause") == "config_fault"]
    assert told == ["twilio:21608"]
    assert {row.state for row in world.rows(messages) if row.channel == SMS} == {HELD}

    # Another fault has a word of its own, and so has the next day.
    set_faults(world.sandbox, {"channel": "sms", "kind": "code", "code": 21612, "rate": 1})
    world.people(8, **LOSS, now=NOW + 6 * HOUR)
    with capture_logs() as logs:
        pass_time(world, NOW + 6 * HOUR, NOW + 9 * HOUR)
    assert [e["code"] for e in logs if e.get("cause") == "config_fault"] == ["twilio:21612"]
    world.people(8, **LOSS, now=NOW + 24 * HOUR)
    with capture_logs() as logs:
        pass_time(world, NOW + 24 * HOUR, NOW + 26 * HOUR)
    assert [e["code"] for e in logs if e.get("cause") == "config_fault"] == ["twilio:21612"]
