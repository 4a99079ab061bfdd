"""A stand-in for both providers that costs next to nothing: it must not be the limit measured.

`python -m benchmarks.throughput.stub PORT_FILE` serves Twilio's Messages and SendGrid's mail/send
on a free port of 127.0.0.1. ``PUT /stub`` sets the latency and the share of 503s and forgets
everything; ``GET /stub`` tells what was received.
"""

import asyncio
import json
import random
import re
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.parse import unquote_plus

_TO = re.compile(rb"(?:^|&)To=([^&]*)")
_EMAIL = re.compile(rb'"to":\s*\[\{"email":\s*"([^"]*)"')
_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)


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


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests on it come one after the other."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to answer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

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
        if path == b"/stub":
            self._control(method, body)
        elif method == b"POST":
            asyncio.get_running_loop().call_later(self._state.latency, self._send, path, body)
        else:
            self._answer(200, b"{}")

    def _control(self, method: bytes, body: bytes) -> None:
        if method == b"PUT":
            given = json.loads(body)
            self._state.reset(given["latency"], given["errors"])
        self._answer(200, json.dumps(self._state.told()).encode())

    def _send(self, path: bytes, body: bytes) -> None:
        state = self._state
        state.calls += 1
        if state.errors and state.source.random() < state.errors:
            state.refused += 1
            self._answer(429, b'{"code": 20429, "message": "busy"}', b"retry-after: 0\r\n")
            return
        sms = path.endswith(b"Messages.json")
        found = (_TO if sms else _EMAIL).search(body)
        address = unquote_plus(found[1].decode()) if found else "?"
        state.received[address] += 1
        state.last = time.monotonic()
        number = f"{state.calls:032x}"
        if sms:
            self._answer(201, json.dumps({"sid": f"SM{number}", "status": "queued"}).encode())
        else:
            self._answer(202, b"", b"x-message-id: " + number.encode() + b"\r\n")

    def _answer(self, status: int, body: bytes, more: bytes = b"") -> None:
        self._transport.write(
            b"HTTP/1.1 %d OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%s\r\n%s"
            % (status, len(body), more, body)
        )


async def _serve(port_file: Path) -> None:
    state = State()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(state), "127.0.0.1", 0, backlog=2048
    )
    fresh = port_file.with_suffix(".new")
    fresh.write_text(str(server.sockets[0].getsockname()[1]))
    fresh.replace(port_file)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
