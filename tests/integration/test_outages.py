"""Outages of hours and small books: what certainly was not sent is told when the line is back."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.helpers import MORNING, NOW, TODAY, World, causes
from tests.integration.mail_server import MailServer
from tests.integration.passing_time import pass_time
from tests.integration.real_path import Walk
from tests.integration.sandbox_helpers import set_faults
from worker.core.cards import Channel, Kind
from worker.core.reminders import MessageState, ReminderState
from worker.sandbox.credentials import ACCOUNT_SID, AUTH_TOKEN, SENDER
from worker.store.tables import messages

SMS, MAIL = Channel.SMS, Channel.EMAIL
HOUR = timedelta(hours=1)
NOWHERE = "http://127.0.0.1:9"  # nobody listens on the discard port
LOSS: dict[str, Any] = {
    "kind": Kind.RETENTION,
    "operator": "movistar",
    "plan": None,
    "plan_days": None,
    "plan_end": None,
    "last_topup": TODAY - timedelta(days=207),  # line_loss-3d, by SMS
}
SENT = {ReminderState.SENT}


def states(world: World) -> set[str]:
    return {state for _, state, _ in world.told()}


def sent_at(world: World) -> list[datetime]:
    return [row.sent_at for row in world.rows(messages)]


@pytest.mark.parametrize(
    ("hours", "reachable"),
    [(7, NOW + 7 * HOUR), (12, MORNING)],
    ids=["back at 17:00", "back at 22:00, when nobody is written to"],
)
@pytest.mark.parametrize("count", [1, 3])
def test_a_line_that_is_cut_for_half_a_day_loses_nothing(
    world: World, count: int, hours: int, reachable: datetime
) -> None:
    for n in range(count):
        world.card(world.holder(contact_phone=f"+5191000{n:04}", email=None), **LOSS)
    world.check()
    back = NOW + hours * HOUR

    def send(now: datetime, channel: Channel, ids: Sequence[int]) -> None:
        world.send(now, channel, ids=ids, url=NOWHERE if now < back else None)

    with capture_logs() as logs:
        looks = pass_time(world, NOW, back, send)
    assert states(world) == {ReminderState.PENDING}
    assert looks < 60 * count, "ever more rarely"
    assert {row.attempts for row in world.rows(messages)} == {0}
    assert "not_taken_yet" in causes(logs), "somebody is told after some minutes"
    pass_time(world, back, reachable + 2 * HOUR, send)
    assert states(world) == SENT
    assert all(reachable <= at <= reachable + 2 * HOUR for at in sent_at(world))
    assert len(world.accepted()) == count


def test_both_channels_cut_for_hours_are_both_told_when_the_line_is_back(world: World) -> None:
    world.card()
    world.check()
    back = NOW + 6 * HOUR

    def send(now: datetime, channel: Channel, ids: Sequence[int]) -> None:
        world.send(now, channel, ids=ids, url=NOWHERE if now < back else None)

    pass_time(world, NOW, back + 3 * HOUR, send)
    assert world.told() == [("sms", "sent", None), ("email", "sent", None)]


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "rate_limit", "retry_after": 60},
        {"kind": "code", "code": 63038, "status": 429},
        {"kind": "code", "code": 63038, "status": 400},
        {"kind": "html_before", "status": 403},
        {"kind": "html_before", "status": 302},
        {"kind": "html_before", "status": 407},
    ],
    ids=lambda rule: "-".join(map(str, rule.values())),
)
def test_a_provider_that_lets_nobody_in_for_five_hours_costs_no_notice(
    world: World, rule: dict[str, Any]
) -> None:
    for n in range(4):
        world.card(world.holder(contact_phone=f"+5191000{n:04}", email=None), **LOSS)
    world.check()
    over = NOW + 5 * HOUR
    set_faults(world.sandbox, {"channel": "sms", "until": over.isoformat(), **rule})
    pass_time(world, NOW, over + 2 * HOUR)
    assert states(world) == SENT
    assert all(over <= at <= over + 2 * HOUR for at in sent_at(world))
    assert {row.attempts for row in world.rows(messages)} == {1}


def test_an_sms_only_notice_goes_by_email_before_it_is_too_late(world: World) -> None:
    world.card(plan_end=TODAY)  # until midnight, and nobody is told after 20:00
    world.check()
    set_faults(world.sandbox, {"channel": "sms", "kind": "rate_limit", "rate": 1})
    pass_time(world, NOW, NOW + 15 * HOUR)
    assert [(channel, state) for channel, state, _ in world.told()] == [
        ("sms", ReminderState.SUPPRESSED),
        ("email", ReminderState.SENT),
    ]


# Mail servers


@contextmanager
def mail_server(world: World) -> Iterator[tuple[MailServer, Walk]]:
    with MailServer() as server:
        world.read_timeout = 5.0
        settings = {
            "twilio_account_sid": ACCOUNT_SID,
            "twilio_auth_token": AUTH_TOKEN,
            "twilio_from": SENDER,
            "smtp_url": f"smtp://127.0.0.1:{server.port}",
            "smtp_from": "reminders@example.com",
        }
        yield server, Walk(world, settings)


@pytest.mark.parametrize("phase", ["rcpt", "body", "connect"])
def test_a_mail_server_that_puts_off_for_six_hours_loses_no_mail(world: World, phase: str) -> None:
    world.card(
        world.holder(contact_phone=None),
        plan_days=90,
        plan_end=TODAY + timedelta(days=20),
        msisdn=None,
    )
    world.check()
    over = NOW + 6 * HOUR
    with mail_server(world) as (server, walk):
        server.replies = {phase: "451 4.7.1 Greylisted, come back later"}

        def send(now: datetime, channel: Channel, ids: Sequence[int]) -> None:
            if now >= over:
                server.replies = {}
            walk.deliver(channel, ids, now)

        pass_time(world, NOW, over + 2 * HOUR, send)
        assert len(server.mails) == 1
    assert states(world) == SENT


def test_a_mail_server_that_is_away_is_waited_for(world: World) -> None:
    world.card(
        world.holder(contact_phone=None),
        plan_days=90,
        plan_end=TODAY + timedelta(days=20),
        msisdn=None,
    )
    world.check()
    back = NOW + 3 * HOUR
    with mail_server(world) as (server, walk):
        here = walk.settings
        walk.settings = {**here, "smtp_url": "smtp://127.0.0.1:9"}

        def send(now: datetime, channel: Channel, ids: Sequence[int]) -> None:
            if now >= back:
                walk.settings = here
            walk.deliver(channel, ids, now)

        pass_time(world, NOW, back + 2 * HOUR, send)
        assert len(server.mails) == 1
    [row] = world.rows(messages)
    assert (row.state, row.attempts) == (MessageState.SENT, 1)
