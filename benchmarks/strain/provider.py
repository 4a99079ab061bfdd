"""Two providers that can be slow, refuse or be out of reach, each by itself.

`python -m benchmarks.strain.provider PORTS_FILE` serves Twilio's Messages and SendGrid's mail/send
on a port each. ``PUT /stub`` on the email port sets how they behave, ``GET /stub`` tells what came.
"""

import asyncio
import json
import re
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

_TO = {"sms": re.compile(rb"(?:^|&)To=([^&]*)"), "email": re.compile(rb'"to":\s*\[\{"email":\s*"([^"]*)"')}  # fmt: skip  # noqa: E501
_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)


class Provider:
    """One of them. ``took``: address and monotonic time of every accepted call, in order."""

    def __init__(self, channel: str) -> None:
        self.channel, self.port = channel, 0
        self.latency, self.status = 0.1, 200
        self.took: list[tuple[str, float]] = []
        self.calls: list[float] = []
        self.biggest = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Transport] = set()

    async def listen(self, state: "State") -> None:
        """Be reachable, at the same port as before."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(
                lambda: Connection(state, self), "127.0.0.1", self.port, backlog=2048
            )
            self.port = self._server.sockets[0].getsockname()[1]

    def hang_up(self) -> None:
        """Refuse connections, and end those that are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for transport in list(self._open):
            transport.abort()

    def add(self, transport: asyncio.Transport) -> None:
        """A connection began."""
        self._open.add(transport)

    def remove(self, transport: asyncio.Transport) -> None:
        """It ended."""
        self._open.discard(transport)

    def told(self) -> dict[str, Any]:
        """What came: ``took`` and ``calls`` with their times."""
        return {"took": self.took, "calls": self.calls, "biggest": self.biggest}


class State:
    """Both."""

    def __init__(self) -> None:
        self.providers = {name: Provider(name) for name in ("sms", "email")}

    async def change(self, wanted: dict[str, dict[str, Any]]) -> None:
        """By channel: ``latency``, ``status``, ``reachable``, ``forget``."""
        for name, given in wanted.items():
            one = self.providers[name]
            one.latency = given.get("latency", one.latency)
            one.status = given.get("status", one.status)
            if given.get("forget"):
                one.took, one.calls, one.biggest = [], [], 0
            if given.get("reachable") is True:
                await one.listen(self)
            elif given.get("reachable") is False:
                one.hang_up()


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests on it come one after the other."""

    def __init__(self, state: State, provider: Provider) -> None:
        self._state, self._provider, self._buffer = state, provider, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to answer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._provider.add(transport)

    def connection_lost(self, _error: Exception | None) -> None:
        """Nothing more to hang up."""
        self._provider.remove(self._transport)

    def data_received(self, data: bytes) -> None:
        """Take whole requests out of the stream."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(self._buffer, 0, end)
            total = end + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < total:
                return
            head, body = self._buffer[:end], self._buffer[end + 4 : total]
            self._buffer = self._buffer[total:]
            self._handle(head, body)

    def _handle(self, head: bytes, body: bytes) -> None:
        method, path, _ = head.split(b"\r\n", 1)[0].split(b" ", 2)
        loop = asyncio.get_running_loop()
        if path == b"/stub":
            self._controlling = loop.create_task(self._control(method, body))
        elif method == b"POST":
            self._provider.calls.append(time.monotonic())
            loop.call_later(self._provider.latency, self._send, body)
        else:
            self._answer(200, b'{"messages": []}')

    async def _control(self, method: bytes, body: bytes) -> None:
        if method == b"PUT":
            await self._state.change(json.loads(body))
            self._answer(200, b"{}")
            return
        told = {name: one.told() for name, one in self._state.providers.items()}
        self._answer(200, json.dumps(told).encode())

    def _send(self, body: bytes) -> None:
        one = self._provider
        if one.status != 200:
            self._answer(one.status, b"{}")
            return
        found = _TO[one.channel].search(body)
        one.took.append((unquote_plus(found[1].decode()) if found else "?", time.monotonic()))
        one.biggest = max(one.biggest, len(body))
        number = f"{len(one.took):032x}"
        if one.channel == "sms":
            self._answer(201, json.dumps({"sid": f"SM{number}", "status": "queued"}).encode())
        else:
            self._answer(202, b"", b"x-message-id: " + number.encode() + b"\r\n")

    def _answer(self, status: int, body: bytes, more: bytes = b"") -> None:
        self._transport.write(
            b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%s\r\n%s"
            % (status, len(body), more, body)
        )


async def _serve(ports_file: Path) -> None:
    state = State()
    for one in state.providers.values():
        await one.listen(state)
    fresh = ports_file.with_suffix(".new")
    fresh.write_text(json.dumps({name: one.port for name, one in state.providers.items()}))
    fresh.replace(ports_file)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
