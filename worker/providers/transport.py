"""One pooled HTTP transport a process, under all providers' SDKs.

An SDK's own client may have no timeout, drop the answer's headers, or open a new connection for
every send (14-27 ms of CPU where a pooled one takes 0.1). So the SDKs build the requests, and this
makes the calls. It never retries: that is decided in SQL.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

import aiohttp
from aiohttp.connector import Connection

from worker.core.outcomes import Fault
from worker.providers.fence import TooLateError, pass_or_raise

# The longest answer worth reading: a page of 50 messages is far below it.
_MOST_BYTES = 4 * 1024 * 1024


class TransportError(Exception):
    """The call ended without a usable answer; ``fault`` says whether it may have arrived."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: HTTP status, headers (names in lower case), and the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def retry_after(self) -> float | None:
        """Seconds the provider asks us to wait, from ``Retry-After`` (RFC 9110): a number of them,
        or a date, which is counted from that of the answer itself and not by our clock."""
        value = self.headers.get("retry-after", "").strip()
        if value.isascii() and value.isdigit():
            return float(value[:9])
        until, sent = _date(value), self.date
        return max(0.0, (until - sent).total_seconds()) if until and sent else None

    @property
    def date(self) -> datetime | None:
        """When it was answered, by the provider's clock (RFC 9110, ``Date``)."""
        return _date(self.headers.get("date", ""))


class _Connector(aiohttp.TCPConnector):
    """Has the last word once a connection is there and before a byte of the request goes out."""

    async def connect(self, *args: Any, **kwargs: Any) -> Connection:
        connection = await super().connect(*args, **kwargs)
        try:
            pass_or_raise()
        except TooLateError:
            connection.release()
            raise
        return connection


@cache
def trusted() -> ssl.SSLContext:
    """The one context of this process: to read the certificates that a machine trusts costs 11 to
    50 ms of a processor."""
    return ssl.create_default_context()


@dataclass(slots=True)
class Transport:
    """A connection pool; opened on first use, inside the event loop that uses it. Seconds.

    A call ends after the time to connect and three times that to read, however steadily an answer
    trickles in.
    """

    connect_timeout: float = 3.0
    read_timeout: float = 10.0
    connections: int = 256
    _session: aiohttp.ClientSession | None = field(default=None, init=False)
    _others: list[Callable[[], Awaitable[None]]] = field(default_factory=list, init=False)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(
                total=self.connect_timeout + 3 * self.read_timeout,
                connect=None,
                sock_connect=self.connect_timeout,
                sock_read=self.read_timeout,
            )
            connector = _Connector(limit=self.connections, ssl=trusted())
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        return self._session

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], **body: Any
    ) -> Reply:
        """Make one call (``data=`` bytes, ``params=`` query) and read the answer.

        Raises ``TransportError`` when there is none, and ``TooLateError`` (see ``fence``) if the
        right to call was lost before there was a connection. No redirect is followed: a provider's
        API has none, and a form would be sent again.
        """
        try:
            async with self._open().request(
                method, url, headers=headers, allow_redirects=False, **body
            ) as response:
                names = {name.lower(): value for name, value in response.headers.items()}
                content = await _whole(response)
                return Reply(response.status, names, content)
        except aiohttp.ClientConnectorCertificateError as error:
            raise TransportError(Fault.TLS) from error
        except aiohttp.ClientConnectorSSLError as error:
            raise TransportError(Fault.TLS) from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise TransportError(Fault.CONNECT) from error
        except TimeoutError as error:
            raise TransportError(Fault.TIMEOUT) from error
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
            raise TransportError(Fault.RESET) from error

    def also_close(self, other: Callable[[], Awaitable[None]]) -> None:
        """Close what speaks another protocol than HTTP together with this."""
        self._others.append(other)

    async def close(self) -> None:
        """Close the pool."""
        for close in self._others:
            await close()
        if self._session is not None:
            await self._session.close()
            self._session = None


def _date(text: str) -> datetime | None:
    """An HTTP date with its zone, ``None`` for what is none."""
    try:
        found = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    """The whole body, which a network may deliver in pieces."""
    told = response.content_length
    if told is not None and told <= _MOST_BYTES and "content-encoding" not in response.headers:
        return await response.read()
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > _MOST_BYTES:
            raise TransportError(Fault.BROKEN_REPLY)
    return bytes(body)
