"""A mail server for the tests: real SMTP in a thread, answering and breaking off as told."""

import asyncio
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.patience import patient

CLOSE, SILENCE = "close", "silence"


@dataclass
class MailServer:
    """``replies``: what is answered in a phase (``connect auth mail rcpt data body``) instead of
    what is usual; ``close`` and ``silence`` answer nothing. ``after_354``: amid the message.
    ``refuses``: what is said of single recipients."""

    replies: dict[str, str] = field(default_factory=dict)
    refuses: dict[str, str] = field(default_factory=dict)
    certificate: ssl.SSLContext | None = None
    tls: bool = False
    users: Mapping[str, str] | None = None
    port: int = 0
    connections: int = 0
    taken: list[Envelope] = field(default_factory=list)
    seen: int = 0

    def __enter__(self) -> "MailServer":
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait(patient(10))
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    @property
    def mails(self) -> list[EmailMessage]:
        """What was taken, parsed."""
        parser = BytesParser(policy=default)
        return [parser.parsebytes(_content(one)) for one in self.taken]

    @property
    def raw(self) -> list[bytes]:
        """What was taken, byte for byte."""
        return [_content(one) for one in self.taken]

    def _run(self, ready: threading.Event) -> None:
        asyncio.run(self._serve(ready))

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        secure = self.certificate if self.tls else None
        server = await self._loop.create_server(self._protocol, "127.0.0.1", self.port, ssl=secure)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._over.wait()
        server.close()

    def _protocol(self) -> "_Dialogue":
        self.connections += 1
        options: dict[str, Any] = {"hostname": "mail.example.com"}
        if self.certificate and not self.tls:
            options |= {"tls_context": self.certificate, "require_starttls": True}
        if self.users is not None:
            options |= {"authenticator": self._authenticate, "auth_require_tls": False}
            options |= {"auth_required": True}
        return _Dialogue(self, options)

    def _authenticate(self, *args: Any) -> AuthResult:
        if told := self.replies.get("auth"):
            return AuthResult(success=False, handled=False, message=told)
        login = args[-1]
        known = (self.users or {}).get(login.login.decode()) == login.password.decode()
        return AuthResult(success=known, handled=False)


class _Dialogue(SMTP):
    def __init__(self, own: MailServer, options: Mapping[str, Any]) -> None:
        self._own, self._greeted = own, False
        super().__init__(_Handler(own), loop=asyncio.get_running_loop(), **options)

    async def push(self, status: Any) -> None:
        if not self._greeted:
            self._greeted = True
            if await self._told("connect"):
                return
        await super().push(status)

    async def smtp_MAIL(self, arg: str) -> None:  # noqa: N802
        if not await self._told("mail"):
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str) -> None:  # noqa: N802
        own = next((said for to, said in self._own.refuses.items() if f"<{to}>" in arg), None)
        if own is not None:
            await super().push(own)
        elif not await self._told("rcpt"):
            await super().smtp_RCPT(arg)

    async def smtp_RSET(self, arg: str) -> None:  # noqa: N802
        if not await self._told("rset"):
            await super().smtp_RSET(arg)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        if await self._told("data"):
            return
        if "after_354" in self._own.replies:
            await super().push("354 go on")
            await self._reader.readline()
            await self._told("after_354")
            return
        await super().smtp_DATA(arg)

    async def _told(self, phase: str) -> bool:
        reply = self._own.replies.get(phase)
        if reply is None:
            return False
        if reply == CLOSE:
            _break_off(self)
        elif reply != SILENCE:
            await super().push(reply)
        return True


class _Handler:
    def __init__(self, own: MailServer) -> None:
        self._own = own

    async def handle_DATA(self, server: SMTP, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        self._own.seen += 1
        reply = self._own.replies.get("body", "250 2.0.0 queued")
        if reply.startswith("250") or reply in (CLOSE, SILENCE):
            self._own.taken.append(envelope)
        if reply == CLOSE:
            _break_off(server)
        elif reply == SILENCE:
            await asyncio.sleep(30)
        return reply


def _break_off(dialogue: SMTP) -> None:
    assert isinstance(dialogue.transport, asyncio.WriteTransport)
    dialogue.transport.abort()


def _content(envelope: Envelope) -> bytes:
    assert isinstance(envelope.original_content, bytes)
    return envelope.original_content


def self_signed(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A certificate for 127.0.0.1 that nobody knows: the server's side, and the file to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=36_500))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "mail.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    public = folder / "ca.pem"
    public.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    return context, public


Started = Callable[..., MailServer]
