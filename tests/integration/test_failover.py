"""Two providers of email on the real path: the sandbox's SendGrid, and a real mail server."""

import asyncio
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.helpers import NOW, World
from tests.integration.mail_server import SILENCE, MailServer
from tests.integration.sandbox_helpers import set_faults
from worker.core.cards import Channel
from worker.core.outcomes import OutcomeKind
from worker.core.reminders import MessageState
from worker.processes.doctor.examination import look_at
from worker.providers.base import EmailOut
from worker.sandbox.credentials import ACCOUNT_SID, API_KEY, AUTH_TOKEN, SENDER
from worker.setup.app import App
from worker.store import breakers as breaker_store
from worker.store.engine import reading
from worker.store.tables import attempts, messages

MAIL = Channel.EMAIL
SENT, HELD, UNKNOWN = MessageState.SENT, MessageState.HELD, MessageState.UNKNOWN
RETRYABLE = MessageState.RETRYABLE
SOON = timedelta(seconds=3)
SANDBOX = {
    "twilio_account_sid": ACCOUNT_SID,
    "twilio_auth_token": AUTH_TOKEN,
    "twilio_from": SENDER,
    "sendgrid_api_key": API_KEY,
    "sendgrid_from": "reminders@example.com",
}
BY_SMTP: dict[str, Any] = {"email": {"sendgrid_weight": 0, "smtp_weight": 100}}


@pytest.fixture
def server() -> Iterator[MailServer]:
    """A mail server that takes everything."""
    with MailServer() as started:
        yield started


def app_of(world: World, server: MailServer, now: datetime = NOW, **changes: Any) -> App:
    smtp = {"smtp_url": f"smtp://127.0.0.1:{server.port}", "smtp_from": "reminders@example.com"}
    patience = {"read_timeout": 0.5 if SILENCE in server.replies.values() else 5.0}
    return world.app(lambda: now, **{"delivery": patience, **SANDBOX, **smtp, **changes})


def deliver(
    world: World,
    server: MailServer,
    now: datetime = NOW,
    ids: Sequence[int] | None = None,
    **changes: Any,
) -> Counter[str]:
    """Send what is due by email in a process of its own, as it were."""
    app = app_of(world, server, now, **changes)

    async def run() -> Counter[str]:
        try:
            return await app.delivery.run(MAIL, ids or emails(world), now)
        finally:
            await app.transport.close()

    return asyncio.run(run())


def emails(world: World) -> list[int]:
    return [row.id for row in world.rows(messages) if row.channel == MAIL]


def calls(world: World) -> list[tuple[str, str | None]]:
    """Provider and outcome of each attempt by email, in order."""
    mails = set(emails(world))
    return [(r.provider, r.outcome) for r in world.rows(attempts) if r.message_id in mails]


def fault(world: World, status: int, times: int = 1) -> None:
    set_faults(
        world.sandbox, {"channel": "email", "times": times, "kind": "code", "status": status}
    )


def open_keys(world: World) -> list[str]:
    with reading(world.engine) as conn:
        return [one.key for one in breaker_store.open_ones(conn)]


def test_the_spare_is_not_called_while_all_is_well(world: World, server: MailServer) -> None:
    world.people(5, email=True)
    assert deliver(world, server) == {SENT: 5}
    assert {provider for provider, _ in calls(world)} == {"sendgrid"}
    assert server.connections == 0


def test_by_its_weight_the_mail_server_may_carry_everything(
    world: World, server: MailServer
) -> None:
    world.people(3, email=True)
    assert deliver(world, server, **BY_SMTP) == {SENT: 3}
    rows = world.rows(attempts)
    assert {(row.provider, row.sender) for row in rows} == {("smtp", "reminders@example.com")}
    assert {row.provider_id for row in rows} == {f"smtp-{row.id}" for row in rows}
    assert len(server.taken) == 3
    assert world.accepted(MAIL) == []


@pytest.mark.parametrize(("status", "first"), [(429, "transient"), (401, "config_fault")])
def test_after_a_refusal_the_next_attempt_goes_the_other_way(
    world: World, server: MailServer, status: int, first: str
) -> None:
    world.people(1, email=True)
    fault(world, status)
    assert deliver(world, server).keys() <= {RETRYABLE, HELD}
    later = max(row.next_attempt_at for row in world.rows(messages) if row.channel == MAIL)
    assert deliver(world, server, later + SOON) == {SENT: 1}
    assert calls(world) == [("sendgrid", first), ("smtp", "accepted")]
    assert len(server.taken) == 1
    assert world.accepted(MAIL) == []


def test_a_provider_that_is_out_of_reach_is_left_for_the_other(
    world: World, server: MailServer
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}"
    world.people(1, email=True)
    assert deliver(world, server, sendgrid_base_url=nowhere) == {RETRYABLE: 1}
    later = NOW + timedelta(minutes=1)
    assert deliver(world, server, later, sendgrid_base_url=nowhere) == {SENT: 1}
    assert calls(world) == [("sendgrid", "not_sent"), ("smtp", "accepted")]


def test_the_mail_server_fails_over_to_sendgrid_as_well(world: World, server: MailServer) -> None:
    server.replies["rcpt"] = "451 4.3.0 later"
    world.people(1, email=True)
    assert deliver(world, server, **BY_SMTP) == {RETRYABLE: 1}
    assert deliver(world, server, NOW + timedelta(minutes=5), **BY_SMTP) == {SENT: 1}
    assert calls(world) == [("smtp", "transient"), ("sendgrid", "accepted")]


def test_behind_an_open_breaker_everything_goes_the_other_way_until_a_trial_succeeds(
    world: World, server: MailServer
) -> None:
    world.people(4, email=True)
    first, *others = emails(world)
    fault(world, 401)
    assert deliver(world, server, ids=[first]) == {HELD: 1}
    assert open_keys(world) == ["email/sendgrid/*/*"]
    [held] = [row for row in world.rows(messages) if row.id == first]
    assert held.attempts == 0
    assert held.next_attempt_at <= NOW + SOON, "it need not wait for the trial"
    assert deliver(world, server, NOW + SOON, [first, *others[:1]]) == {SENT: 2}
    assert [provider for provider, _ in calls(world)] == ["sendgrid", "smtp", "smtp"]
    tried = NOW + timedelta(minutes=6)
    assert deliver(world, server, tried, others[1:]) == {SENT: 2}
    assert sorted(provider for provider, _ in calls(world)[3:]) == ["sendgrid", "smtp"]
    assert open_keys(world) == []


def test_a_trial_that_fails_costs_its_message_a_second(world: World, server: MailServer) -> None:
    world.people(2, email=True)
    first, second = emails(world)
    fault(world, 401, times=2)
    deliver(world, server, ids=[first])
    tried = NOW + timedelta(minutes=6)
    assert deliver(world, server, tried, [second]) == {HELD: 1}
    assert deliver(world, server, tried + SOON, [second]) == {SENT: 1}
    assert open_keys(world) == ["email/sendgrid/*/*"]


def test_what_both_refuse_is_held_for_the_first_trial(world: World, server: MailServer) -> None:
    server.replies["mail"] = "550 5.7.1 not your address"
    world.people(1, email=True)
    fault(world, 401)
    assert deliver(world, server) == {HELD: 1}
    assert deliver(world, server, NOW + SOON) == {HELD: 1}
    assert open_keys(world) == ["email/sendgrid/*/*", "email/smtp/*/r…@example.com"]
    [held] = [row for row in world.rows(messages) if row.channel == MAIL]
    assert (held.attempts, held.state) == (0, HELD)
    assert held.next_attempt_at > NOW + timedelta(minutes=4)
    assert deliver(world, server, NOW + timedelta(minutes=6)) == {SENT: 1}


@pytest.mark.parametrize("way", ["sendgrid", "smtp"])
def test_an_unknown_is_never_failed_over(world: World, server: MailServer, way: str) -> None:
    server.replies["body"] = SILENCE
    world.people(1, email=True)
    fault(world, 500)
    changes = BY_SMTP if way == "smtp" else {}
    assert deliver(world, server, **changes) == {UNKNOWN: 1}
    assert deliver(world, server, NOW + timedelta(hours=1), **changes) == {}
    assert calls(world) == [(way, "ambiguous")]


@pytest.mark.parametrize(("policy", "state"), [("resend_once", RETRYABLE), ("hold", UNKNOWN)])
def test_an_unknown_of_the_mail_server_is_settled_by_the_policy(
    world: World, server: MailServer, policy: str, state: MessageState
) -> None:
    server.replies["body"] = SILENCE
    world.people(1, email=True)
    deliver(world, server, **BY_SMTP)
    del server.replies["body"]
    later = NOW + timedelta(minutes=5)
    app = app_of(world, server, later, unknown={"email": policy}, **BY_SMTP)
    assert asyncio.run(app.reconciliation.run(emails(world), later)) == {state: 1}
    sent = deliver(world, server, later, **BY_SMTP)
    assert sent == ({SENT: 1} if policy == "resend_once" else {})


def test_who_errs_all_the_time_rests_for_a_minute(world: World, server: MailServer) -> None:
    world.people(15, email=True)
    ids = emails(world)
    fault(world, 500, times=11)
    app = app_of(world, server)

    async def run() -> None:
        try:
            await app.delivery.run(MAIL, ids[:11], NOW)
            assert await app.delivery.run(MAIL, ids[11:13], NOW + timedelta(seconds=20)) == {
                SENT: 2
            }
            assert await app.delivery.run(MAIL, ids[13:], NOW + timedelta(seconds=70)) == {SENT: 2}
        finally:
            await app.transport.close()

    asyncio.run(run())
    assert [provider for provider, _ in calls(world)] == ["sendgrid"] * 11 + ["smtp"] * 2 + [
        "sendgrid"
    ] * 2


def test_with_a_mail_server_alone_email_is_on_and_text_messages_go_that_way(
    world: World, server: MailServer
) -> None:
    app = world.app(
        lambda: NOW,
        smtp_url=f"smtp://127.0.0.1:{server.port}",
        smtp_from="reminders@example.com",
        delivery={"read_timeout": 5.0},
    )
    assert set(app.delivery.providers) == {MAIL}
    world.card(plan_end=NOW.date())  # plan_end+0d, by SMS alone
    world.check()

    async def run() -> None:
        try:
            for channel in (Channel.SMS, MAIL):
                await app.delivery.run(channel, [row.id for row in world.rows(messages)], NOW)
        finally:
            await app.transport.close()

    asyncio.run(run())
    assert len(server.taken) == 1
    assert ("email", "sent", None) in world.told()


def test_the_operators_message_goes_the_other_way_too(world: World, server: MailServer) -> None:
    fault(world, 401)
    app = app_of(world, server)

    async def run() -> None:
        try:
            provider = app.gateways.open(app.transport, app.now)[MAIL]
            out = EmailOut(uuid4(), "ops@example.com", "Vigencia", "Subject", "text", "<p>text</p>")
            outcome = await provider.send(out)
            assert outcome.kind is OutcomeKind.ACCEPTED
        finally:
            await app.transport.close()

    asyncio.run(run())
    assert len(server.taken) == 1


def test_doctor_names_both_and_their_weights(world: World, server: MailServer) -> None:
    found = [f.message for f in look_at(app_of(world, server), "providers") if f.name == MAIL]
    assert len(found) == 1
    assert f"SendGrid, weight 100 and SMTP (127.0.0.1:{server.port}), weight 0" in found[0]
