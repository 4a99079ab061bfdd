"""Email through a real mail server: each row of the table of ends, and what arrives."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest

from tests.integration.helpers import until
from tests.integration.mail_server import CLOSE, SILENCE, MailServer, Started, self_signed
from worker.core.outcomes import Outcome, OutcomeKind, Wait
from worker.providers.base import EmailOut
from worker.providers.smtp.client import SmtpProvider
from worker.providers.smtp.settings import SmtpSettings
from worker.providers.transport import Transport

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
NOT_SENT, TRANSIENT = OutcomeKind.NOT_SENT, OutcomeKind.TRANSIENT
AMBIGUOUS, CONFIG_FAULT = OutcomeKind.AMBIGUOUS, OutcomeKind.CONFIG_FAULT
RECIPIENT_DEAD, MESSAGE_DEAD = OutcomeKind.RECIPIENT_DEAD, OutcomeKind.MESSAGE_DEAD
AT = datetime(2026, 6, 12, 15, tzinfo=UTC)
T = TypeVar("T")

ROWS = [
    ("connect", "554 5.3.2 no service here", CONFIG_FAULT, "smtp:connect_554_5.3.2"),
    ("connect", "421 4.3.2 too busy", TRANSIENT, "smtp:connect_421_4.3.2"),
    ("auth", "535 5.7.8 wrong", CONFIG_FAULT, "smtp:auth_535_5.7.8"),
    ("auth", "534 5.7.9 too weak", CONFIG_FAULT, "smtp:auth_534_5.7.9"),
    ("auth", "538 5.7.11 wants TLS", CONFIG_FAULT, "smtp:auth_538_5.7.11"),
    ("auth", "454 4.7.0 cannot tell", CONFIG_FAULT, "smtp:auth_454_4.7.0"),
    ("auth", "432 4.7.12 new password needed", TRANSIENT, "smtp:auth_432_4.7.12"),
    ("mail", "530 5.7.0 log in first", CONFIG_FAULT, "smtp:mail_530_5.7.0"),
    ("mail", "550 5.7.1 not your address", CONFIG_FAULT, "smtp:mail_550_5.7.1"),
    ("mail", "451 4.3.0 later", TRANSIENT, "smtp:mail_451_4.3.0"),
    ("mail", "454 4.7.0 too many", TRANSIENT, "smtp:mail_454_4.7.0"),
    ("mail", "552 5.3.4 too large", MESSAGE_DEAD, "smtp:mail_552_5.3.4"),
    ("rcpt", "550 5.1.1 no such user", RECIPIENT_DEAD, "smtp:rcpt_550_5.1.1"),
    ("rcpt", "550 5.1.10 no mail", RECIPIENT_DEAD, "smtp:rcpt_550_5.1.10"),
    ("rcpt", "550 no such user", RECIPIENT_DEAD, "smtp:rcpt_550"),
    ("rcpt", "551 not here", RECIPIENT_DEAD, "smtp:rcpt_551"),
    ("rcpt", "553 not allowed", RECIPIENT_DEAD, "smtp:rcpt_553"),
    ("rcpt", "553 5.1.7 bad sender", CONFIG_FAULT, "smtp:rcpt_553_5.1.7"),
    ("rcpt", "553 5.1.3 not an address", RECIPIENT_DEAD, "smtp:rcpt_553_5.1.3"),
    ("rcpt", "550 5.2.1 disabled", RECIPIENT_DEAD, "smtp:rcpt_550_5.2.1"),
    ("rcpt", "552 5.2.2 full", TRANSIENT, "smtp:rcpt_552_5.2.2"),
    ("rcpt", "450 4.2.0 greylisted", TRANSIENT, "smtp:rcpt_450_4.2.0"),
    ("rcpt", "421 4.7.0 too many", TRANSIENT, "smtp:rcpt_421_4.7.0"),
    ("rcpt", "550 5.7.1 no relaying", CONFIG_FAULT, "smtp:rcpt_550_5.7.1"),
    ("rcpt", "550 5.1.8 bad sender", CONFIG_FAULT, "smtp:rcpt_550_5.1.8"),
    ("rcpt", "550 5.4.4 no route", CONFIG_FAULT, "smtp:rcpt_550_5.4.4"),
    ("rcpt", "550 5.4.1 access denied", RECIPIENT_DEAD, "smtp:rcpt_550_5.4.1"),
    ("rcpt", "554 no", CONFIG_FAULT, "smtp:rcpt_554"),
    ("data", "451 4.3.0 later", TRANSIENT, "smtp:data_451_4.3.0"),
    ("data", "554 no valid recipients", MESSAGE_DEAD, "smtp:data_554"),
    ("data", "250 what", NOT_SENT, "smtp:data_broken_reply"),
    ("body", "550 5.1.1 no such user", RECIPIENT_DEAD, "smtp:body_550_5.1.1"),
    ("body", "552 5.3.4 too large", MESSAGE_DEAD, "smtp:body_552_5.3.4"),
    ("body", "554 5.7.1 looks like spam", MESSAGE_DEAD, "smtp:body_554_5.7.1"),
    ("body", "451 4.3.0 disk full", TRANSIENT, "smtp:body_451_4.3.0"),
    ("body", "421 4.3.2 going down", TRANSIENT, "smtp:body_421_4.3.2"),
    ("body", "354 what", AMBIGUOUS, "broken_reply"),
    ("body", "hello", AMBIGUOUS, "broken_reply"),
]
LOST = [
    ("connect", CLOSE, NOT_SENT, "connect"),
    ("connect", SILENCE, NOT_SENT, "connect"),
    ("mail", CLOSE, NOT_SENT, "smtp:mail_reset"),
    ("mail", SILENCE, NOT_SENT, "smtp:mail_timeout"),
    ("rcpt", CLOSE, NOT_SENT, "smtp:rcpt_reset"),
    ("data", CLOSE, NOT_SENT, "smtp:data_reset"),
    ("data", SILENCE, NOT_SENT, "smtp:data_timeout"),
    ("after_354", CLOSE, AMBIGUOUS, "reset"),
    ("body", CLOSE, AMBIGUOUS, "reset"),
    ("body", SILENCE, AMBIGUOUS, "timeout"),
]


@pytest.fixture
def started() -> Iterator[Started]:
    """Starts mail servers."""
    with ExitStack() as stack:
        yield lambda **told: stack.enter_context(MailServer(**told))


def settings(server: MailServer, **changes: Any) -> SmtpSettings:
    login = {"username": "us", "password": "s3cret"} if server.users is not None else {}
    told = {"starttls": False, **login, **changes}
    return SmtpSettings("127.0.0.1", server.port, "reminders@example.com", **told)


def email(**changes: Any) -> EmailOut:
    out = EmailOut(uuid4(), "rosa@example.com", "KeepSIM", "Su línea vence", "Hola", "<p>Hola</p>")
    return replace(out, **changes)


def run(own: SmtpSettings, work: Callable[[SmtpProvider], Awaitable[T]], seconds: float = 5.0) -> T:
    async def main() -> T:
        transport = Transport(connect_timeout=seconds, read_timeout=seconds)
        try:
            return await work(SmtpProvider(own, transport, lambda: AT))
        finally:
            await transport.close()

    return asyncio.run(main())


def send(own: SmtpSettings, *outs: EmailOut, seconds: float = 5.0) -> list[Outcome]:
    async def work(provider: SmtpProvider) -> list[Outcome]:
        return [await provider.send(out) for out in outs]

    return run(own, work, seconds)


@pytest.mark.parametrize(("phase", "reply", "kind", "code"), ROWS)
def test_a_reply_ends_the_attempt_as_the_table_says(
    started: Started, phase: str, reply: str, kind: OutcomeKind, code: str
) -> None:
    users = {"us": "s3cret"} if phase == "auth" else None
    server = started(replies={phase: reply}, users=users)
    [outcome] = send(settings(server), email())
    assert (outcome.kind, outcome.code) == (kind, code)
    assert outcome.alarm is (kind in (MESSAGE_DEAD, CONFIG_FAULT))
    assert outcome.provider_id is None
    assert server.taken == []


@pytest.mark.parametrize(("phase", "how", "kind", "code"), LOST)
def test_what_breaks_off_is_unknown_only_once_the_message_may_have_left(
    started: Started, phase: str, how: str, kind: OutcomeKind, code: str
) -> None:
    server = started(replies={phase: how})
    [outcome] = send(settings(server), email(), seconds=0.7)
    assert (outcome.kind, outcome.code) == (kind, code)


@pytest.mark.parametrize("domain", ["müller.example.com", "xn--mller-kva.example.com"])
def test_a_domain_of_any_script_goes_out_as_name_servers_know_it(
    started: Started, domain: str
) -> None:
    server = started()
    [outcome] = send(settings(server), replace(email(), to=f"rosa@{domain}"))
    assert outcome.kind is OutcomeKind.ACCEPTED
    [mail] = server.taken
    assert mail.rcpt_tos == ["rosa@xn--mller-kva.example.com"]


def test_an_address_that_cannot_be_written_is_still_dead(started: Started) -> None:
    [outcome] = send(settings(started()), replace(email(), to="rosä@example.com"))
    assert outcome.code == "smtp:bad_address"


def test_a_full_mailbox_is_tried_again_hours_later_and_not_for_ever(started: Started) -> None:
    server = started(replies={"rcpt": "552 5.2.2 full"})
    [outcome] = send(settings(server), email())
    assert (outcome.wait, outcome.most) == (Wait.HOURS, 2)


def test_what_is_taken_is_named_after_its_attempt(started: Started) -> None:
    out = email()
    [outcome] = send(settings(started()), out)
    assert (outcome.kind, outcome.provider_id) == (OutcomeKind.ACCEPTED, f"smtp-{out.attempt}")


def test_nobody_at_the_port_means_that_nothing_was_sent() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        own = SmtpSettings("127.0.0.1", free.getsockname()[1], "reminders@example.com")
    assert [(one.kind, one.code) for one in send(own, email())] == [(NOT_SENT, "connect")]


def test_a_name_that_leads_nowhere_means_that_nothing_was_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nowhere(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    own = SmtpSettings("mail.example.com", 587, "reminders@example.com")
    assert [(one.kind, one.code) for one in send(own, email())] == [(NOT_SENT, "connect")]


def test_a_message_has_text_and_html_and_says_who_wrote_it_when(started: Started) -> None:
    server = started()
    link = "https://reminders.example.com/l/" + "x" * 180
    headers = {
        "List-Unsubscribe": f"<{link}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    text = "线路将到期。\n.\n..punto\nFin"
    out = email(
        sender_name="卡卡 SIM, S.A.", subject="您的号码今天到期", text=text, headers=headers
    )
    send(settings(server), out)
    [mail], [envelope] = server.mails, server.taken
    assert (envelope.mail_from, envelope.rcpt_tos) == ("reminders@example.com", [out.to])
    assert mail["Subject"] == "您的号码今天到期"
    assert mail["From"].addresses[0].display_name == "卡卡 SIM, S.A."
    assert mail["From"].addresses[0].addr_spec == "reminders@example.com"
    assert mail["To"].addresses[0].addr_spec == out.to
    assert mail["Message-ID"] == f"<{out.attempt}@example.com>"
    assert mail["Date"].datetime == AT
    assert mail.get_content_type() == "multipart/alternative"
    plain, html = mail.iter_parts()
    assert plain.get_content().splitlines() == text.splitlines()
    assert html.get_content_type() == "text/html"
    assert html.get_content().strip() == "<p>Hola</p>"
    raw = server.raw[0]
    assert f"List-Unsubscribe: <{link}>\r\n".encode() in raw
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) < 998
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_a_line_of_a_lone_dot_does_not_end_the_message(started: Started) -> None:
    server = started()
    text = "One\n.\n..two\n.three\nMAIL FROM:<eve@example.com>\n"
    send(settings(server), email(text=text, html="<p>.</p>\n.\n<p>end</p>\n"))
    [mail] = server.mails
    plain, html = mail.iter_parts()
    assert plain.get_content().splitlines() == text.splitlines()
    assert html.get_content().splitlines() == ["<p>.</p>", ".", "<p>end</p>"]


@pytest.mark.parametrize(
    "evil", ["a\r\nBcc: eve@example.com", "a\nBcc: eve@example.com", "a\rBcc: e"]
)
def test_a_line_end_never_begins_a_header(started: Started, evil: str) -> None:
    server = started()
    send(
        settings(server),
        email(sender_name=evil),
        email(subject=evil),
        email(headers={"List-Unsubscribe": evil}),
    )
    assert len(server.mails) == 3
    for mail, envelope in zip(server.mails, server.taken, strict=True):
        assert "Bcc" not in mail
        assert envelope.rcpt_tos == ["rosa@example.com"]


@pytest.mark.parametrize(
    "address",
    [
        "rosa@example.com\r\nRCPT TO:<eve@example.com>",
        "rosa@example.com,eve@example.com",
        "<rosa@example.com>",
        "rosa",
        "rosa@",
        "ros á@example.com",
        "rosá@example.com",
        "",
    ],
)
def test_an_address_that_is_none_never_reaches_the_server(started: Started, address: str) -> None:
    server = started()
    [outcome] = send(settings(server), email(to=address))
    assert (outcome.kind, outcome.code) == (RECIPIENT_DEAD, "smtp:bad_address")
    assert server.connections == 0


def test_one_connection_serves_many_messages_and_a_refused_one_between(started: Started) -> None:
    server = started()
    own = settings(server)

    async def work(provider: SmtpProvider) -> list[Outcome]:
        first = await provider.send(email())
        server.replies["rcpt"] = "550 5.1.1 no such user"
        second = await provider.send(email())
        del server.replies["rcpt"]
        return [first, second, await provider.send(email())]

    kinds = [outcome.kind for outcome in run(own, work)]
    assert kinds == [OutcomeKind.ACCEPTED, RECIPIENT_DEAD, OutcomeKind.ACCEPTED]
    assert server.connections == 1


@pytest.mark.parametrize("how", [CLOSE, SILENCE, "421 4.4.2 idle too long"])
def test_a_connection_that_died_meanwhile_costs_no_attempt(started: Started, how: str) -> None:
    server = started()

    async def work(provider: SmtpProvider) -> list[Outcome]:
        first = await provider.send(email())
        server.replies["rset"] = how
        return [first, await provider.send(email())]

    outcomes = run(settings(server), work, 0.7)
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.ACCEPTED}
    assert server.connections == 2
    assert len(server.taken) == 2


def test_connections_are_bounded_however_many_messages_wait(started: Started) -> None:
    server = started()

    async def work(provider: SmtpProvider) -> list[Outcome]:
        return await asyncio.gather(*(provider.send(email()) for _ in range(40)))

    outcomes = run(settings(server, connections=3), work)
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.ACCEPTED}
    assert len(server.taken) == 40
    assert server.connections == 3


def test_who_finds_no_free_connection_in_time_was_not_sent(started: Started) -> None:
    server = started(replies={"body": SILENCE})

    async def work(provider: SmtpProvider) -> list[Outcome]:
        return await asyncio.gather(*(provider.send(email()) for _ in range(6)))

    codes = [outcome.code for outcome in run(settings(server, connections=1), work, 0.5)]
    assert set(codes) == {"timeout", "smtp:no_connection_free"}
    assert codes.count("timeout") == server.seen


def test_an_interrupted_dialogue_is_never_continued_by_another_message(started: Started) -> None:
    server = started(replies={"body": SILENCE})

    async def work(provider: SmtpProvider) -> Outcome:
        task = asyncio.create_task(provider.send(email()))
        await asyncio.to_thread(until, lambda: server.seen)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        del server.replies["body"]
        return await provider.send(email(subject="Second"))

    assert run(settings(server), work).kind is OutcomeKind.ACCEPTED
    assert server.connections == 2
    assert [mail["Subject"] for mail in server.mails] == ["Su línea vence", "Second"]


def test_the_login_is_made_once_a_connection(started: Started) -> None:
    server = started(users={"us": "s3cret"})
    outcomes = send(settings(server), email(), email())
    assert [outcome.kind for outcome in outcomes] == [OutcomeKind.ACCEPTED] * 2
    assert server.connections == 1


def test_a_wrong_password_is_a_fault_of_ours_and_never_shows(started: Started) -> None:
    server = started(users={"us": "other"})
    own = settings(server)
    [outcome] = send(own, email())
    assert outcome.kind is CONFIG_FAULT
    assert "s3cret" not in repr(own) + repr(outcome)


def test_a_login_that_is_not_offered_is_a_fault_of_ours(started: Started) -> None:
    [outcome] = send(settings(started(), username="us", password="s3cret"), email())
    assert (outcome.kind, outcome.code) == (CONFIG_FAULT, "smtp:no_auth")


@pytest.mark.parametrize("tls", [True, False], ids=["smtps", "starttls"])
def test_with_a_certificate_that_is_trusted_it_goes_out_protected(
    started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tls: bool
) -> None:
    context, trusted = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    server = started(certificate=context, tls=tls)
    [outcome] = send(settings(server, tls=tls, starttls=not tls), email())
    assert outcome.kind is OutcomeKind.ACCEPTED


@pytest.mark.parametrize("tls", [True, False], ids=["smtps", "starttls"])
def test_a_certificate_that_is_not_trusted_means_that_nothing_was_sent(
    started: Started, tmp_path: Path, tls: bool
) -> None:
    context, _ = self_signed(tmp_path)
    server = started(certificate=context, tls=tls)
    [outcome] = send(settings(server, tls=tls, starttls=not tls), email())
    assert (outcome.kind, outcome.code, outcome.alarm) == (NOT_SENT, "tls", True)
    assert server.taken == []


def test_nothing_is_sent_in_the_open_where_starttls_is_wanted(started: Started) -> None:
    server = started(users={"us": "s3cret"})
    [outcome] = send(settings(server, starttls=True), email())
    assert (outcome.kind, outcome.code, outcome.alarm) == (NOT_SENT, "tls", True)
    assert server.taken == []
