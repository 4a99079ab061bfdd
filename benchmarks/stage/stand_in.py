"""A stand-in for both providers that costs next to nothing: it must not be the limit measured.
Each can be slow, refuse or be out of reach by itself.

`python -m benchmarks.stage.stand_in PORTS_FILE` serves Twilio's Messages and SendGrid's mail/send
on a port of 127.0.0.1 for each; who has one address for both may call both there. ``PUT /stub`` on
the email port sets how they behave, ``GET /stub`` tells what came, and ``GET /stub/counts`` how
much it was.
"""

import asyncio
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.stage.wire import Connection, address, announce


class StandIn:
    """One of them. ``took``: address and monotonic time of every accepted call, in order."""

    def __init__(self, channel: str) -> None:
        self.channel, self.port = channel, 0
        self.latency, self.status, self.errors = 0.1, 200, 0.0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Transport] = set()
        self.forget()

    async def listen(self, both: "StandIns") -> None:
        """Be reachable, at the same port as before."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(
                lambda: StandInConnection(both, self), "127.0.0.1", self.port, backlog=2048
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

    def counts(self) -> dict[str, Any]:
        """How much it was; ``last`` is the monotonic time of the last accepted call."""
        return {
            "calls": len(self.calls),
            "refused": self.refused,
            "accepted": len(self.took),
            "unique": len(self._different),
            "last": self.took[-1][1] if self.took else 0.0,
        }

    def forget(self) -> None:
        """Be as if nothing had come."""
        self.took: list[tuple[str, float]] = []
        self.calls: list[float] = []
        self._different: set[str] = set()
        self.biggest = self.refused = 0
        self._source = random.Random(7)

    def refuses(self) -> bool:
        """Is this call among the share that is refused?"""
        found = self.errors > 0 and self._source.random() < self.errors
        self.refused += found
        return found

    def take(self, address: str, size: int) -> None:
        """An email or SMS of ``size`` bytes was accepted."""
        self.took.append((address, time.monotonic()))
        self._different.add(address)
        self.biggest = max(self.biggest, size)


class StandIns:
    """Both."""

    def __init__(self) -> None:
        self.by_channel = {name: StandIn(name) for name in ("sms", "email")}

    async def change(self, wanted: dict[str, dict[str, Any]]) -> None:
        """By channel: ``latency``, ``status``, ``errors``, ``reachable``, ``forget``."""
        for name, given in wanted.items():
            one = self.by_channel[name]
            one.latency = given.get("latency", one.latency)
            one.status = given.get("status", one.status)
            one.errors = given.get("errors", one.errors)
            if given.get("forget"):
                one.forget()
            if given.get("reachable") is True:
                await one.listen(self)
            elif given.get("reachable") is False:
                one.hang_up()


class StandInConnection(Connection):
    """A connection at the port of ``host``."""

    def __init__(self, both: StandIns, host: StandIn) -> None:
        super().__init__()
        self._both, self._host = both, host

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """One more to hang up."""
        super().connection_made(transport)
        self._host.add(self.transport)

    def connection_lost(self, _error: Exception | None) -> None:
        """Nothing more to hang up."""
        self._host.remove(self.transport)

    def handle(self, method: bytes, path: bytes, body: bytes) -> None:
        """A send, or our own control."""
        loop = asyncio.get_running_loop()
        if path.startswith(b"/stub"):
            self._controlling = loop.create_task(self._control(method, path, body))
        elif method == b"POST":
            called = self._both.by_channel["sms" if b"Messages.json" in path else "email"]
            called.calls.append(time.monotonic())
            loop.call_later(called.latency, self._send, called, body)
        else:
            self.answer(200, b'{"messages": []}')

    async def _control(self, method: bytes, path: bytes, body: bytes) -> None:
        if method == b"PUT":
            await self._both.change(json.loads(body))
            self.answer(200, b"{}")
            return
        counts = path.endswith(b"/counts")
        told = {
            name: one.counts() if counts else one.told()
            for name, one in self._both.by_channel.items()
        }
        self.answer(200, json.dumps(told).encode())

    def _send(self, called: StandIn, body: bytes) -> None:
        if called.status != 200:
            self.answer(called.status, b"{}")
        elif called.refuses():
            self.answer(429, b'{"code": 20429, "message": "busy"}', b"retry-after: 0\r\n")
        else:
            called.take(address(called.channel, body), len(body))
            self.accept(called.channel, len(called.took))


async def _serve(ports_file: Path) -> None:
    both = StandIns()
    for one in both.by_channel.values():
        await one.listen(both)
    ports = {name: one.port for name, one in both.by_channel.items()}
    announce(ports_file, json.dumps(ports))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
