"""The providers: what the real SDKs put on the wire, and what each broken answer means."""

import asyncio
import ipaddress
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.integration.helpers import EMAIL, NOW, PHONE, SENDER_ADDRESS
from tests.integration.sandbox_helpers import mailbox, record, set_faults
from worker.core.outcomes import Outcome, OutcomeKind, Wait
from worker.providers.base import EmailOut, SmsOut
from worker.providers.sendgrid.client import SendGridProvider
from worker.providers.sendgrid.settings import SendGridSettings
from worker.providers.transport import Transport
from worker.providers.twilio.client import TwilioProvider
from worker.providers.twilio.settings import TwilioSettings
from worker.sandbox.credentials import (
    ACCOUNT_SID,
    API_KEY,
    AUTH_TOKEN,
    MESSAGING_SERVICE_SID,
    SENDER,
)

ATTEMPT = UUID("00000000-0000-4000-8000-000000000001")
CALLBACK = "https://avisos.example.com/twilio"
SINCE = NOW - timedelta(hours=1)


def sms(to: str = PHONE, text: str = "Su plan vence mañana", hours: float = 3) -> SmsOut:
    return SmsOut(uuid4(), to, text, timedelta(hours=hours))


def email(to: str = EMAIL) -> EmailOut:
    return EmailOut(ATTEMPT, to, "Chips Rosa", "Asunto", "Texto ñ 中文", "<p>Texto</p>")


def twilio(url: str, transport: Transport, **changes: Any) -> TwilioProvider:
    values = {"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN, "sender": SENDER}
    return TwilioProvider(TwilioSettings(**{**values, "base_url": url, **changes}), transport)


def sendgrid(url: str, transport: Transport, key: str = API_KEY) -> SendGridProvider:
    return SendGridProvider(SendGridSettings(key, SENDER_ADDRESS, url), transport, lambda: NOW)


def on_transport(work: Callable[[Transport], Awaitable[Any]], timeout: float = 2) -> Any:
    async def run() -> Any:
        transport = Transport(connect_timeout=timeout, read_timeout=timeout)
        try:
            return await work(transport)
        finally:
            await transport.close()

    return asyncio.run(run())


def send_sms(url: str, out: SmsOut | None = None, timeout: float = 2, **changes: Any) -> Outcome:
    found: Outcome = on_transport(
        lambda transport: twilio(url, transport, **changes).send(out or sms()), timeout
    )
    return found


def send_email(url: str, out: EmailOut | None = None, key: str = API_KEY) -> Outcome:
    found: Outcome = on_transport(
        lambda transport: sendgrid(url, transport, key).send(out or email())
    )
    return found


SENDS: dict[str, Callable[[str], Outcome]] = {"sms": send_sms, "email": send_email}
both = pytest.mark.parametrize("channel", SENDS)


@contextmanager
def answering(
    *answers: bytes, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, list[int]]]:
    """An HTTP server that answers with these pieces, each in a packet of its own, and hangs up;
    with its address and a list that grows by one entry a connection."""
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        head = await reader.readuntil(b"\r\n\r\n")
        length = [
            line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
        ]
        await reader.readexactly(int(length[0].split(b":")[1]) if length else 0)
        for piece in answers:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.03)
        writer.close()

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls))
    port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}", connections
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.close()


def test_an_sms_carries_sender_text_and_validity(sandbox: str) -> None:
    outcome = send_sms(sandbox, sms(text="Vence mañana 明天到期", hours=3))
    [got] = mailbox(sandbox)["sms"][PHONE]
    assert (outcome.kind, outcome.provider_id) == (OutcomeKind.ACCEPTED, got["id"])
    assert (got["from"], got["messaging_service_sid"]) == (SENDER, None)
    assert (got["body"], got["validity_s"]) == ("Vence mañana 明天到期", 3 * 3600)


@pytest.mark.parametrize(("hours", "seconds"), [(-1, 1), (0, 1), (0.5, 1800), (48, 36_000)])
def test_the_validity_stays_within_what_twilio_allows(
    sandbox: str, hours: float, seconds: int
) -> None:
    assert send_sms(sandbox, sms(hours=hours)).kind is OutcomeKind.ACCEPTED
    assert mailbox(sandbox)["sms"][PHONE][0]["validity_s"] == seconds


def test_a_messaging_service_is_named_as_such(sandbox: str) -> None:
    assert send_sms(sandbox, sender=MESSAGING_SERVICE_SID).kind is OutcomeKind.ACCEPTED
    [got] = mailbox(sandbox)["sms"][PHONE]
    assert (got["from"], got["messaging_service_sid"]) == (None, MESSAGING_SERVICE_SID)


def test_an_sms_with_a_callback_carries_its_attempt(sandbox: str) -> None:
    out = sms()
    send_sms(sandbox, out, status_callback=CALLBACK)
    assert record(sandbox)["messages"][0]["attempt"] == str(out.attempt)
    [got] = mailbox(sandbox)["sms"][PHONE]
    assert got["status_callback"] == f"{CALLBACK}?a={out.attempt}#rc=5&rp=all"


def test_an_email_carries_both_bodies_the_senders_name_and_the_attempt(sandbox: str) -> None:
    outcome = send_email(sandbox)
    [got] = mailbox(sandbox)["email"][EMAIL]
    assert (outcome.kind, outcome.provider_id) == (OutcomeKind.ACCEPTED, got["id"])
    assert got["custom_args"] == {"vigencia_attempt": str(ATTEMPT)}
    assert got["subject"] == "Asunto"
    assert (got["text"], got["html"]) == ("Texto ñ 中文", "<p>Texto</p>")
    assert SENDER_ADDRESS in got["from"]


def test_an_email_is_signed_with_the_guardians_name(sandbox: str) -> None:
    send_email(sandbox)
    [got] = mailbox(sandbox)["email"][EMAIL]
    assert (got["from"], got["from_name"]) == (SENDER_ADDRESS, "Chips Rosa")


def test_many_sends_share_one_connection() -> None:
    body = b'{"sid": "SM1", "status": "queued"}'

    async def run() -> int:
        connections = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            with closing(writer):
                while head := await reader.readuntil(b"\r\n\r\n"):
                    sent = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
                    await reader.readexactly(int(sent))
                    status = b"201 Created" if b"/Messages.json" in head else b"202 Accepted"
                    length = str(len(body)).encode()
                    writer.write(
                        b"HTTP/1.1 "
                        + status
                        + b"\r\nContent-Length: "
                        + length
                        + b"\r\n\r\n"
                        + body
                    )

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        transport = Transport()
        for _ in range(20):
            assert (await twilio(url, transport).send(sms())).kind is OutcomeKind.ACCEPTED
            assert (await sendgrid(url, transport).send(email())).kind is OutcomeKind.ACCEPTED
        await transport.close()
        server.close()
        return connections

    assert asyncio.run(run()) == 1


def test_retry_after_of_twilio_is_kept(sandbox: str) -> None:
    set_faults(sandbox, {"channel": "sms", "kind": "rate_limit", "times": 1, "retry_after": 77})
    outcome = send_sms(sandbox)
    assert (outcome.kind, outcome.retry_after) == (OutcomeKind.TRANSIENT, 77)


def test_the_reset_of_sendgrids_window_is_kept(sandbox: str, sandbox_clock: Path) -> None:
    sandbox_clock.write_text(NOW.isoformat())
    set_faults(sandbox, {"channel": "email", "kind": "rate_limit", "times": 1, "retry_after": 77})
    outcome = send_email(sandbox)
    assert outcome.kind is OutcomeKind.TRANSIENT
    assert outcome.retry_after == pytest.approx(77, abs=1)


CODES = {
    21610: OutcomeKind.RECIPIENT_DEAD,
    21211: OutcomeKind.RECIPIENT_DEAD,
    21408: OutcomeKind.CONFIG_FAULT,
    21617: OutcomeKind.MESSAGE_DEAD,
    21611: OutcomeKind.TRANSIENT,
    30023: OutcomeKind.TRANSIENT,
    29999: OutcomeKind.CONFIG_FAULT,
}


@pytest.mark.parametrize("code", CODES)
def test_twilios_own_code_decides(sandbox: str, code: int) -> None:
    set_faults(sandbox, {"channel": "sms", "kind": "code", "times": 1, "code": code})
    outcome = send_sms(sandbox)
    assert (outcome.kind, outcome.code) == (CODES[code], f"twilio:{code}")
    assert outcome.wait == (Wait.UNTIL_PACIFIC_MIDNIGHT if code == 30023 else None)


def test_wrong_credentials_are_a_fault_of_ours(sandbox: str) -> None:
    refused = [
        send_sms(sandbox, auth_token="wrong"),
        send_sms(sandbox, account_sid="AC" + "1" * 32),
        send_email(sandbox, key="SG.wrong"),
    ]
    assert [outcome.kind for outcome in refused] == [OutcomeKind.CONFIG_FAULT] * 3
    assert all(outcome.alarm for outcome in refused)


@pytest.mark.parametrize("address", ["rosa@", "", "rosa@-example.com", "rosa@example"])
def test_an_address_that_is_none_is_a_dead_recipient(sandbox: str, address: str) -> None:
    outcome = send_email(sandbox, email(to=address))
    assert (outcome.kind, outcome.code) == (OutcomeKind.RECIPIENT_DEAD, "sendgrid:bad_address")


def test_the_code_of_an_outcome_never_carries_the_address(sandbox: str) -> None:
    for outcome in (send_sms(sandbox, sms(to="+15005550001")), send_email(sandbox, email("rosa@"))):
        assert "+1500" not in repr(outcome)
        assert "rosa" not in repr(outcome)


@both
def test_a_refused_connection_was_not_sent(channel: str) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        outcome = SENDS[channel](f"http://127.0.0.1:{held.getsockname()[1]}")
    assert (outcome.kind, outcome.code, outcome.alarm) == (OutcomeKind.NOT_SENT, "connect", False)


@both
def test_a_connection_that_nobody_accepts_was_not_sent(channel: str) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        with closing(socket.create_connection(full.getsockname())):

            async def send(transport: Transport) -> Outcome:
                if channel == "sms":
                    return await twilio(url, transport).send(sms())
                return await sendgrid(url, transport).send(email())

            outcome = on_transport(send, timeout=0.2)
    assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, "connect")


def _certificate(folder: Path) -> ssl.SSLContext:
    """A server's TLS with a certificate that nobody has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(here, critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate", folder / "key")
    return context


@both
def test_a_certificate_that_is_refused_raises_the_alarm_and_sends_nothing(
    channel: str, tmp_path: Path
) -> None:
    with answering(b"", tls=_certificate(tmp_path)) as (url, connections):
        outcome = SENDS[channel](url)
    assert (outcome.kind, outcome.code, outcome.alarm) == (OutcomeKind.NOT_SENT, "tls", True)
    assert connections == []


def answer(status: str, body: bytes, kind: str = "application/json", missing: int = 0) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body) + missing}"
    return head.encode() + b"\r\nConnection: close\r\n\r\n" + body


TOOK = b'{"sid": "SM1", "status": "queued"}'
PAGE = b"<html>Bad Gateway</html>"
BROKEN: dict[str, tuple[bytes, str]] = {
    "page_200": (answer("200 OK", PAGE, "text/html"), "broken_reply"),
    "page_502": (answer("502 Bad Gateway", PAGE, "text/html"), "http_502"),
    "no_json": (answer("201 Created", b"{"), "broken_reply"),
    "another_json": (answer("201 Created", b"[]"), "broken_reply"),
    "no_sid": (answer("201 Created", b"{}"), "broken_reply"),
    "no_body": (answer("204 No Content", b""), "broken_reply"),
    "truncated": (answer("201 Created", TOOK[:10], missing=20), "reset"),
    "no_http": (b"\x00\x01\x02\r\n\r\n", "reset"),
    "no_answer": (b"", "reset"),
    "half_a_header": (b"HTTP/1.1 201 Crea", "reset"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_an_answer_that_cannot_be_understood_is_ambiguous(broken: str) -> None:
    raw, code = BROKEN[broken]
    with answering(raw) as (url, connections):
        outcome = send_sms(url)
    assert (outcome.kind, outcome.code.removeprefix("twilio:")) == (OutcomeKind.AMBIGUOUS, code)
    assert len(connections) == 1, "a call that may have arrived was made again"


@pytest.mark.parametrize("broken", ["page_200", "page_502", "no_http", "no_answer"])
def test_an_email_that_may_have_been_taken_is_ambiguous(broken: str) -> None:
    raw, code = BROKEN[broken]
    with answering(raw) as (url, connections):
        outcome = send_email(url)
    assert (outcome.kind, outcome.code.removeprefix("sendgrid:")) == (OutcomeKind.AMBIGUOUS, code)
    assert len(connections) == 1, "a call that may have arrived was made again"


def test_no_answer_in_time_is_ambiguous(sandbox: str) -> None:
    set_faults(sandbox, {"channel": "sms", "kind": "timeout_before", "times": 1, "hold_s": 1})
    outcome = send_sms(sandbox, timeout=0.1)
    assert (outcome.kind, outcome.code) == (OutcomeKind.AMBIGUOUS, "timeout")


def test_an_answer_in_many_packets_is_read_to_its_end() -> None:
    raw = answer("201 Created", TOOK)
    head = raw.index(b"{")
    pieces = [raw[:20], raw[20:head], raw[head : head + 7], raw[head + 7 :]]
    with answering(*pieces) as (url, _):
        outcome = send_sms(url)
    assert (outcome.kind, outcome.provider_id) == (OutcomeKind.ACCEPTED, "SM1")


def test_a_refusal_in_many_packets_keeps_its_code() -> None:
    raw = answer("400 Bad Request", b'{"code": 21610, "message": "x"}')
    with answering(raw[:-12], raw[-12:]) as (url, _):
        assert send_sms(url).code == "twilio:21610"


def test_an_answer_without_end_is_not_read_for_ever() -> None:
    head = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\r\n"
    with answering(head, *[b" " * 1_000_000] * 6) as (url, _):
        assert send_sms(url).code == "broken_reply"


def test_no_redirect_is_followed() -> None:
    with answering(b"") as (elsewhere, followed):
        raw = b"HTTP/1.1 307 Temporary Redirect\r\nContent-Length: 0\r\nLocation: "
        with answering(raw + elsewhere.encode() + b"\r\n\r\n") as (url, _):
            outcome = send_sms(url)
    assert followed == []
    assert outcome.kind is not OutcomeKind.ACCEPTED


def test_an_email_without_an_id_was_taken_all_the_same() -> None:
    with answering(answer("202 Accepted", b"")) as (url, _):
        outcome = send_email(url)
    assert (outcome.kind, outcome.provider_id) == (OutcomeKind.ACCEPTED, f"attempt-{ATTEMPT}")


def test_the_list_shows_what_was_taken_with_its_text_and_time(
    sandbox: str, sandbox_clock: Path
) -> None:
    sandbox_clock.write_text(NOW.isoformat())
    sent = [send_sms(sandbox, sms(text=text)) for text in ("uno", "dos")]
    send_sms(sandbox, sms(to="+51911111111"))
    found = on_transport(lambda transport: twilio(sandbox, transport).find(PHONE, SINCE))
    assert [(one.provider_id, one.text) for one in found] == [
        (sent[1].provider_id, "dos"),
        (sent[0].provider_id, "uno"),
    ]
    assert {one.created_at for one in found} == {NOW}
    assert {one.status for one in found} == {"queued"}


def test_the_list_is_read_whole_up_to_fifty(sandbox: str) -> None:
    async def run(transport: Transport) -> Any:
        provider = twilio(sandbox, transport)
        long = [sms(text=f"{n} " + "ñ" * 1_500) for n in range(55)]
        await asyncio.gather(*(provider.send(one) for one in long))
        return await provider.find(PHONE, SINCE)

    assert len(on_transport(run, timeout=10)) == 50


def test_a_list_that_cannot_be_had_is_not_an_empty_one(sandbox: str) -> None:
    async def find(transport: Transport) -> Any:
        return await twilio(sandbox, transport).find(PHONE, SINCE)

    assert on_transport(find) == []
    for kind in ("error_before", "html_before", "rate_limit"):
        set_faults(sandbox, {"channel": "sms", "on": "list", "kind": kind, "times": 1})
        assert on_transport(find) is None
