"""A stand-in for both providers that costs next to nothing: it must not be the limit measured.

`python -m benchmarks.throughput.stub PORT_FILE` serves Twilio's Messages and SendGrid's mail/send
on a free port of 127.0.0.1. ``PUT /stub`` sets the latency and the share of 503s and forgets
everything; ``GET /stub`` tells what was received.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path

from benchmarks.wire import Connection, address, announce


class State:
    """What the stub was told. ``received`` counts accepted sends by address."""

    def __init__(self) -> None:
        self.reset(0.0, 0.0)

    def reset(self, latency: float, errors: float) -> None:
        """Start anew: seconds before an answer, and the share of calls refused with 503."""
        self.latency, self.errors = latency, errors
        self.received: Counter[str] = Counter()
        self.calls = self.refused = 0
        self.last = 0.0
        self.source = random.Random(7)

    def told(self) -> dict[str, object]:
        """The counts; ``last`` is the monotonic time of the last accepted send."""
        return {
            "calls": self.calls,
            "refused": self.refused,
            "accepted": self.received.total(),
            "unique": len(self.received),
            "last": self.last,
        }


class Call(Connection):
    """A connection to either provider."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self._state = state

    def handle(self, method: bytes, path: bytes, body: bytes) -> None:
        """A send, or our own control."""
        if path == b"/stub":
            self._control(method, body)
        elif method == b"POST":
            asyncio.get_running_loop().call_later(self._state.latency, self._send, path, body)
        else:
            self.answer(200, b"{}")

    def _control(self, method: bytes, body: bytes) -> None:
        if method == b"PUT":
            given = json.loads(body)
            self._state.reset(given["latency"], given["errors"])
        self.answer(200, json.dumps(self._state.told()).encode())

    def _send(self, path: bytes, body: bytes) -> None:
        state = self._state
        state.calls += 1
        if state.errors and state.source.random() < state.errors:
            state.refused += 1
            self.answer(429, b'{"code": 20429, "message": "busy"}', b"retry-after: 0\r\n")
            return
        channel = "sms" if path.endswith(b"Messages.json") else "email"
        state.received[address(channel, body)] += 1
        state.last = time.monotonic()
        self.accept(channel, state.calls)


async def _serve(port_file: Path) -> None:
    state = State()
    server = await asyncio.get_running_loop().create_server(
        lambda: Call(state), "127.0.0.1", 0, backlog=2048
    )
    announce(port_file, str(server.sockets[0].getsockname()[1]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
