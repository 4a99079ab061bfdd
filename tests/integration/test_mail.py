"""What a mailbox holds beside the text of an email: who wrote, and where an answer goes. Everything
starts from rows and is read where it arrived."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.integration.helpers import EMAIL, NOW, SENDER_ADDRESS, World
from tests.integration.real_path import Walk
from tests.integration.sandbox_helpers import mailbox
from worker.core.cards import Channel
from worker.store.tables import books

KEEPER = "guardian@example.com"
MAIL = Channel.EMAIL


@pytest.fixture
def walk(world: World) -> Walk:
    """The real app; patient."""
    world.read_timeout = 5.0
    return Walk(world)


def received(walk: Walk, to: str = EMAIL) -> list[Any]:
    """The emails of one address, oldest first."""
    found: list[Any] = mailbox(walk.world.sandbox, to)["email"].get(to, [])
    return found


def deliver(walk: Walk, now: datetime = NOW, channel: Channel = MAIL) -> None:
    """Check all cards and send all that is due on ``channel``."""
    walk.world.check(now)
    walk.deliver(channel, now=now)


def test_an_email_shows_who_wrote_it_and_that_a_program_sent_it(walk: Walk) -> None:
    walk.world.card()
    walk.world.change(books, signature="卡卡 SIM, S.A.")
    deliver(walk)
    [mail] = received(walk)
    assert (mail["from_name"], mail["from"]) == ("卡卡 SIM, S.A.", SENDER_ADDRESS)
    assert mail["headers"]["Auto-Submitted"] == "auto-generated"
    assert mail["reply_to"] is None


def test_answers_go_to_the_guardian_of_the_book(walk: Walk) -> None:
    walk.world.card()
    walk.world.change(books, guardian_email=KEEPER)
    deliver(walk)
    assert [mail["reply_to"] for mail in received(walk)] == [KEEPER]


def test_a_setting_sends_all_answers_elsewhere(walk: Walk) -> None:
    walk.settings = {"email": {"reply_to": "help@example.com"}}
    walk.world.card()
    walk.world.change(books, guardian_email=KEEPER)
    deliver(walk)
    assert [mail["reply_to"] for mail in received(walk)] == ["help@example.com"]


@pytest.mark.parametrize(
    "odd",
    [
        "josé@example.com",
        "rosa@münchen.example.com",
        "rosa@localhost",
        "rosa quispe@example.com",
        "rosa@example.com, luis@example.com",
        "rosa@-example.com",
        "rosa..q@example.com",
        "rosa@example.c",
        "rosa@example.com\r\nBcc: x@example.com",
        '"rosa"@example.com',
        "a" * 65 + "@example.com",
    ],
)
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_an_odd_address_of_the_guardian_costs_no_holder_the_email(walk: Walk, odd: str) -> None:
    walk.world.card()
    walk.world.change(books, guardian_email=odd)
    deliver(walk)
    assert [mail["reply_to"] for mail in received(walk)] == [None]


def test_what_the_guardian_is_told_is_not_answered_to_the_guardian(walk: Walk) -> None:
    walk.world.card(walk.world.holder(contact_phone=None, email=None), msisdn=None)
    walk.world.change(books, guardian_email=KEEPER)
    walk.world.check()
    later = NOW + timedelta(minutes=20)
    walk.deliver(Channel.GUARDIAN, now=later)
    [mail] = received(walk, KEEPER)
    assert (mail["reply_to"], mail["attachments"]) == (None, [])
    assert mail["headers"]["Auto-Submitted"] == "auto-generated"
