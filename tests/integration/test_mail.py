"""What a mailbox holds beside the text of an email: who wrote, where an answer goes, and a file for
the reader's calendar. Everything starts from rows and is read where it arrived."""

import base64
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from tests.calendars import Event, events
from tests.integration.helpers import EMAIL, NOW, SENDER_ADDRESS, TODAY
from tests.integration.mail_server import MailServer
from tests.integration.real_path import Walk
from tests.integration.sandbox_helpers import mailbox
from worker.core.cards import Channel, Kind
from worker.core.life import LifeEvent
from worker.sandbox.credentials import API_KEY
from worker.store.tables import books, cards, holders

KEEPER = "guardian@example.com"
MAIL = Channel.EMAIL


def received(walk: Walk, to: str = EMAIL) -> list[Any]:
    """The emails of one address, oldest first."""
    found: list[Any] = mailbox(walk.world.sandbox, to)["email"].get(to, [])
    return found


def calendar_of(mail: Any) -> list[Event]:
    """The entries in the calendar file of a mail; none without a file."""
    if not mail["attachments"]:
        return []
    [file] = mail["attachments"]
    assert (file["filename"], file["disposition"]) == ("vigencia.ics", "attachment")
    assert file["type"] == "text/calendar; method=PUBLISH"
    return events(base64.b64decode(file["content"], validate=True))


def deliver(walk: Walk, now: datetime = NOW, channel: Channel = MAIL) -> None:
    """Check all cards and send all that is due on ``channel``."""
    walk.world.check(now)
    walk.deliver(channel, now=now)


def last_minute(days: int) -> datetime:
    """23:59 in Lima, so many days from today."""
    return datetime(2026, 6, 13, 4, 59, tzinfo=UTC) + timedelta(days=days)


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
    walk.deliver(Channel.EMAIL, now=later)
    [mail] = received(walk, KEEPER)
    assert (mail["reply_to"], mail["attachments"]) == (None, [])
    assert mail["headers"]["Auto-Submitted"] == "auto-generated"


def test_an_email_about_a_deadline_has_it_for_the_calendar(walk: Walk) -> None:
    walk.world.card(msisdn="+51987654321")
    deliver(walk)
    [mail] = received(walk)
    [event] = calendar_of(mail)
    assert event.at == last_minute(5)
    assert event.summary == "Claro …4321: plan ends"
    assert (event.organizer, event.organizer_name) == (SENDER_ADDRESS, "Vigencia")
    assert event.alarm == datetime(2026, 6, 16, 14, tzinfo=UTC)
    assert event.stamp == NOW


def test_all_cards_of_an_email_are_in_one_calendar(walk: Walk) -> None:
    walk.world.cards(30, walk.world.holder(language="zh-Hant", time_zone="Asia/Shanghai"))
    deliver(walk, NOW + timedelta(hours=12))
    [mail] = received(walk)
    found = calendar_of(mail)
    assert len(found) == 30
    assert {event.language for event in found} == {"zh-Hant"}
    assert {event.alarm for event in found} == {datetime(2026, 6, 17, 1, tzinfo=UTC)}


def test_what_is_over_is_not_put_into_a_calendar(walk: Walk) -> None:
    walk.world.card(plan_end=TODAY - timedelta(days=3), watched_since=NOW - timedelta(days=10))
    deliver(walk)
    [mail] = received(walk)
    assert calendar_of(mail) == []


def test_a_renewal_replaces_the_entry_and_so_does_the_next_notice(walk: Walk) -> None:
    card = walk.world.card()
    deliver(walk)
    renewed = NOW + timedelta(days=2)
    ends = TODAY + timedelta(days=35)
    walk.world.live(card, LifeEvent.RENEWED, renewed, plan_end=ends)
    deliver(walk, renewed + timedelta(minutes=1))
    walk.world.live(card, LifeEvent.CONFIRMED, renewed + timedelta(hours=1))
    deliver(walk, NOW + timedelta(days=28))
    first, news, second = [calendar_of(mail) for mail in received(walk)]
    assert [len(found) for found in (first, news, second)] == [1, 1, 1]
    assert {found[0].uid for found in (first, news, second)} == {first[0].uid}
    assert [found[0].at for found in (first, news, second)] == [
        last_minute(5),
        last_minute(35),
        last_minute(35),
    ]
    assert first[0].sequence < news[0].sequence <= second[0].sequence
    assert first[0].stamp < news[0].stamp < second[0].stamp


def test_a_renewal_without_effect_takes_the_entry_back(walk: Walk) -> None:
    card = walk.world.card()
    deliver(walk)
    renewed = NOW + timedelta(hours=3)
    walk.world.live(card, LifeEvent.RENEWED, renewed, plan_end=TODAY + timedelta(days=35))
    deliver(walk, renewed)
    failed = NOW + timedelta(days=1)
    walk.world.live(card, LifeEvent.RENEWAL_FAILED, failed)
    deliver(walk, failed)
    deliver(walk, NOW + timedelta(days=4))
    found = [calendar_of(mail) for mail in received(walk)]
    entries = [entry for one in found for entry in one]
    assert entries[0].at == entries[-1].at == last_minute(5)
    assert entries[1].at == last_minute(35)
    assert entries[0].sequence < entries[1].sequence < entries[-1].sequence
    assert {entry.uid for entry in entries} == {entries[0].uid}


def test_a_renewal_moves_the_loss_of_the_line_too_once_it_was_told(walk: Walk) -> None:
    """Movistar takes a line back 210 days after its last top-up."""
    card = walk.world.card(
        kind=Kind.RETENTION, operator="movistar", plan=None, plan_days=None, plan_end=None,
        last_topup=TODAY - timedelta(days=200),
    )  # fmt: skip
    untold = walk.world.card(
        walk.world.holder(email="untold@example.com"), kind=Kind.RETENTION, operator="movistar",
        plan=None, plan_days=None, plan_end=None, last_topup=TODAY - timedelta(days=20),
    )  # fmt: skip
    deliver(walk)
    for one in (card, untold):
        walk.world.live(one, LifeEvent.RENEWED, NOW + timedelta(hours=1))
    deliver(walk, NOW + timedelta(hours=1))
    (first,), (news,) = [calendar_of(mail) for mail in received(walk)]
    assert first.uid == news.uid
    assert news.sequence > first.sequence
    assert news.at - first.at == timedelta(days=200)
    [quiet] = received(walk, "untold@example.com")
    assert calendar_of(quiet) == []


def test_an_entry_whose_deadline_is_no_more_is_cancelled(walk: Walk) -> None:
    """The plan outlives the day on which the line would have been lost, so nobody knows that."""
    card = walk.world.card(
        kind=Kind.RETENTION, operator="movistar", plan=None, plan_days=None, plan_end=None,
        last_topup=TODAY - timedelta(days=200),
    )  # fmt: skip
    deliver(walk)
    walk.world.live(
        card, LifeEvent.RENEWED, NOW + timedelta(hours=1), plan_end=TODAY + timedelta(days=400)
    )
    deliver(walk, NOW + timedelta(hours=1))
    (line,), news = [calendar_of(mail) for mail in received(walk)]
    gone = {event.uid: event for event in news}[line.uid]
    assert (gone.cancelled, gone.at, gone.alarm) == (True, line.at, None)
    assert gone.sequence > line.sequence
    [plan] = [event for event in news if event.uid != line.uid]
    assert (plan.cancelled, plan.at) == (False, last_minute(400))


def test_a_mail_server_gets_the_same_headers_and_the_same_file(walk: Walk) -> None:
    with MailServer() as server:
        own = {"smtp_url": f"smtp://127.0.0.1:{server.port}", "smtp_from": "avisos@example.com"}
        walk.settings = own
        walk.world.card(msisdn="+51987654321")
        walk.world.change(books, guardian_email=KEEPER, signature="卡卡 SIM, S.A.")
        walk.world.change(holders, language="zh-Hans")
        deliver(walk)
        [mail] = server.mails
        [raw] = server.raw
    assert mail["From"].addresses[0].display_name == "卡卡 SIM, S.A."
    assert mail["From"].addresses[0].addr_spec == "avisos@example.com"
    assert mail["Reply-To"] == KEEPER
    assert mail.get_all("Auto-Submitted") == ["auto-generated"]
    assert mail.get_content_type() == "multipart/mixed"
    texts, file = mail.iter_parts()
    assert texts.get_content_type() == "multipart/alternative"
    kinds = [part.get_content_type() for part in texts.iter_parts()]
    assert kinds == ["text/plain", "text/html"]
    assert isinstance(file, EmailMessage)
    assert file.get_content_type() == "text/calendar"
    assert dict(file["Content-Type"].params) == {"charset": "utf-8", "method": "PUBLISH"}
    assert file.get_content_disposition() == "attachment"
    assert file.get_filename() == "vigencia.ics"
    content = file.get_payload(decode=True)
    assert isinstance(content, bytes)
    [event] = events(content)
    assert (event.summary, event.organizer) == ("Claro（尾号4321）套餐到期", "avisos@example.com")
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) < 998


def test_an_entry_has_one_name_whoever_carries_the_email(walk: Walk) -> None:
    """The other provider writes from another address, yet its entries must replace the first's."""
    with MailServer() as server:
        walk.settings = {
            "sendgrid_api_key": API_KEY,
            "sendgrid_from": SENDER_ADDRESS,
            "smtp_url": f"smtp://127.0.0.1:{server.port}",
            "smtp_from": "spare@example.org",
            "email": {"sendgrid_weight": 50, "smtp_weight": 50},
        }
        for n in range(20):
            walk.world.card(walk.world.holder(email=f"h{n}@example.com"))
        deliver(walk)
        boxes = mailbox(walk.world.sandbox)["email"].values()
        by_sendgrid = [event for box in boxes for mail in box for event in calendar_of(mail)]
        by_smtp = [event for mail in server.mails for event in events(_file(mail))]
    assert by_sendgrid
    assert by_smtp
    assert len({event.uid for event in (*by_sendgrid, *by_smtp)}) == 20
    assert {event.uid.partition("@")[2] for event in by_smtp} == {"example.com"}
    assert {event.organizer for event in (*by_sendgrid, *by_smtp)} == {SENDER_ADDRESS}


def _file(mail: EmailMessage) -> bytes:
    [file] = list(mail.iter_attachments())
    content = file.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


def test_nothing_in_a_calendar_tells_a_number(walk: Walk) -> None:
    walk.world.card(msisdn="+51987654321", iccid="8951100000001234567")
    deliver(walk)
    [mail] = received(walk)
    [file] = mail["attachments"]
    text = base64.b64decode(file["content"]).decode().replace("\r\n ", "")
    [row] = walk.world.rows(cards)
    for number in (row.msisdn[-6:], row.iccid[-6:], EMAIL):
        assert number not in text
