"""Bounds for every request: how long its body may be, and how long it may take to arrive."""

import asyncio
from dataclasses import dataclass
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Bytes of all bodies together that are held at one time.
_MOST_HELD: Final = 64 * 1024 * 1024
# The rest of such a request is not read, so its connection is of no further use.
_CLOSE: Final = {"Connection": "close"}


@dataclass(slots=True)
class Bounds:
    """Middleware. A body of more than ``most_bytes`` is refused with 413 as soon as that is known,
    whatever its headers say; one that is not complete after ``seconds`` with 408; one for which
    there is no room now with 503."""

    app: ASGIApp
    most_bytes: int
    seconds: float
    held: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with a ``receive`` that keeps to the bounds."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        taken = 0
        declared = _declared(scope)
        give_up = asyncio.get_running_loop().time() + self.seconds

        async def bounded() -> Message:
            nonlocal taken
            if declared > self.most_bytes:
                raise HTTPException(413, headers=_CLOSE)
            try:
                async with asyncio.timeout_at(give_up):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, headers=_CLOSE) from None
            size = len(message.get("body", b""))
            taken, self.held = taken + size, self.held + size
            if taken > self.most_bytes:
                raise HTTPException(413, headers=_CLOSE)
            if self.held > _MOST_HELD:
                raise HTTPException(503, headers=_CLOSE)
            return message

        try:
            await self.app(scope, bounded, send)
        finally:
            self.held -= taken


def _declared(scope: Scope) -> int:
    """What Content-Length says, 0 without one; the server refuses one that is no number."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value)
    return 0
