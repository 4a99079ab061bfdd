"""Connections to a mail server, kept and used again: opening one costs five round trips or more."""

import asyncio
import contextlib
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from aiosmtplib import SMTP, SMTPException

from worker.providers.smtp.settings import SmtpSettings

# After these it is not asked whether a connection still lives, nor used any more: servers close
# idle ones, and many take a hundred messages over one.
_IDLE_SECONDS: Final = 60.0
_MESSAGES: Final = 50


@dataclass(slots=True)
class Session:
    """A connection and what it has been used for."""

    client: SMTP
    messages: int = 0
    idle_since: float = 0.0

    @property
    def worn(self) -> bool:
        """Is it better to open a new one?"""
        idle = time.monotonic() - self.idle_since
        return not self.client.is_connected or self.messages >= _MESSAGES or idle > _IDLE_SECONDS


@dataclass(slots=True)
class SmtpPool:
    """At most ``settings.connections`` at once, opened inside the event loop that uses them."""

    settings: SmtpSettings
    connect_timeout: float
    read_timeout: float
    _idle: list[Session] = field(default_factory=list, init=False)
    _slots: asyncio.Semaphore = field(init=False)
    _tls: ssl.SSLContext | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.settings.connections)

    @contextlib.asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """The right to one session. Raises ``TimeoutError`` if none is free in three times the
        read timeout."""
        await asyncio.wait_for(self._slots.acquire(), 3 * self.read_timeout)
        try:
            yield
        finally:
            self._slots.release()

    async def kept(self) -> Session | None:
        """A session that was used before and still answers."""
        while self._idle:
            session = self._idle.pop()
            if not session.worn and await _answers(session.client):
                return session
            session.client.close()
        return None

    async def connect(self) -> Session:
        """A new session, up to and without the login. Raises what aiosmtplib and ssl raise."""
        own = self.settings
        if (own.tls or own.starttls) and self._tls is None:
            self._tls = ssl.create_default_context()
        client = SMTP(
            hostname=own.host,
            port=own.port,
            timeout=self.read_timeout,
            use_tls=own.tls,
            start_tls=own.starttls,
            tls_context=self._tls,
            local_hostname=_name_of_this_host(),
        )
        await client.connect(timeout=self.connect_timeout)
        return Session(client)

    def keep(self, session: Session) -> None:
        """Take back a session whose dialogue came to its end."""
        session.messages += 1
        session.idle_since = time.monotonic()
        self._idle.append(session)

    async def close(self) -> None:
        """Close what nobody uses."""
        while self._idle:
            client = self._idle.pop().client
            with contextlib.suppress(SMTPException, OSError):
                await client.quit(timeout=1)
            client.close()


async def _answers(client: SMTP) -> bool:
    """Forget the last envelope; a server that closed the connection meanwhile shows it here."""
    try:
        await client.rset()
    except (SMTPException, OSError):
        return False
    return True


def _name_of_this_host() -> str:
    """For EHLO. Asking for the full name may wait for a name server."""
    name = socket.gethostname()
    return name if re.fullmatch(r"[A-Za-z0-9.-]+", name) else "vigencia"
