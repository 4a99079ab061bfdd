"""What a stand-in for the providers needs of HTTP, and what they answer. It must cost next to
nothing: it is not what is measured."""

import asyncio
import json
import re
from abc import abstractmethod
from pathlib import Path
from urllib.parse import unquote_plus

_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
_TO = {
    "sms": re.compile(rb"(?:^|&)To=([^&]*)"),
    "email": re.compile(rb'"to":\s*\[\{"email":\s*"([^"]*)"'),
}


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests on it come one after the other."""

    def __init__(self) -> None:
        self._buffer = b""

    @abstractmethod
    def handle(self, method: bytes, path: bytes, body: bytes) -> None:
        """Answer a request, now or later."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to answer."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

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
            method, path, _ = head.split(b"\r\n", 1)[0].split(b" ", 2)
            self.handle(method, path, body)

    def answer(self, status: int, body: bytes = b"", more: bytes = b"") -> None:
        """``more``: header lines."""
        self.transport.write(
            b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%s\r\n%s"
            % (status, len(body), more, body)
        )

    def accept(self, channel: str, number: int) -> None:
        """Say, as the provider does, that its message of that number was taken."""
        name = f"{number:032x}"
        if channel == "sms":
            self.answer(201, json.dumps({"sid": f"SM{name}", "status": "queued"}).encode())
        else:
            self.answer(202, b"", b"x-message-id: " + name.encode() + b"\r\n")


def address(channel: str, body: bytes) -> str:
    """Whom a message is for."""
    found = _TO[channel].search(body)
    return unquote_plus(found[1].decode()) if found else "?"


def announce(file: Path, text: str) -> None:
    """Write where the stand-in listens, whole or not at all."""
    fresh = file.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(file)
