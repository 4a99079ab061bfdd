"""Two providers that can be slow, refuse or be out of reach, each by itself.

`python -m benchmarks.strain.provider PORTS_FILE` serves Twilio's Messages and SendGrid's mail/send
on a port each. ``PUT /stub`` on the email port sets how they behave, ``GET /stub`` tells what
came, and ``GET /stub/counts`` how many different addresses were told.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.wire import Connection, address, announce


class Provider:
    """One of them. ``took``: address and monotonic time of every accepted call, in order."""

    def __init__(self, channel: str) -> None:
        self.channel, self.port = channel, 0
        self.latency, self.status = 0.1, 200
        self.took: list[tuple[str, float]] = []
        self.calls: list[float] = []
        self.different: set[str] = set()
        self.biggest = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Transport] = set()

    async def listen(self, state: "State") -> None:
        """Be reachable, at the same port as before."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(
                lambda: Call(state, self), "127.0.0.1", self.port, backlog=2048
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

    def forget(self) -> None:
        """Be as if nothing had come."""
        self.took, self.calls, self.different, self.biggest = [], [], set(), 0

    def take(self, address: str, size: int) -> None:
        """An email or SMS of ``size`` bytes was accepted."""
        self.took.append((address, time.monotonic()))
        self.different.add(address)
        self.biggest = max(self.biggest, size)


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
                one.forget()
            if given.get("reachable") is True:
                await one.listen(self)
            elif given.get("reachable") is False:
                one.hang_up()


class Call(Connection):
    """A connection to one of them."""

    def __init__(self, state: State, provider: Provider) -> None:
        super().__init__()
        self._state, self._provider = state, provider

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """One more to hang up."""
        super().connection_made(transport)
        self._provider.add(self.transport)

    def connection_lost(self, _error: Exception | None) -> None:
        """Nothing more to hang up."""
        self._provider.remove(self.transport)

    def handle(self, method: bytes, path: bytes, body: bytes) -> None:
        """A send, or our own control."""
        loop = asyncio.get_running_loop()
        if path.startswith(b"/stub"):
            self._controlling = loop.create_task(self._control(method, path, body))
        elif method == b"POST":
            self._provider.calls.append(time.monotonic())
            loop.call_later(self._provider.latency, self._send, body)
        else:
            self.answer(200, b'{"messages": []}')

    async def _control(self, method: bytes, path: bytes, body: bytes) -> None:
        if method == b"PUT":
            await self._state.change(json.loads(body))
            self.answer(200, b"{}")
            return
        counts = path.endswith(b"/counts")
        told = {
            n: len(one.different) if counts else one.told()
            for n, one in self._state.providers.items()
        }
        self.answer(200, json.dumps(told).encode())

    def _send(self, body: bytes) -> None:
        one = self._provider
        if one.status != 200:
            self.answer(one.status, b"{}")
            return
        one.take(address(one.channel, body), len(body))
        self.accept(one.channel, len(one.took))


async def _serve(ports_file: Path) -> None:
    state = State()
    for one in state.providers.values():
        await one.listen(state)
    announce(ports_file, json.dumps({name: one.port for name, one in state.providers.items()}))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
