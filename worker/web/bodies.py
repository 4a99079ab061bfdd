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


@dataclass(frozen=True, slots=True)
class Uploads:
    """Where files are sent: to the ``paths`` (ends of them), ``at_once`` in each process."""

    paths: frozenset[str]
    most_bytes: int
    seconds: float
    at_once: int = 2

    def takes(self, scope: Scope) -> bool:
        """Is this a form with a file, for one of the paths?"""
        sent_as = dict(scope["headers"]).get(b"content-type", b"")
        form = sent_as.lower().startswith(b"multipart/form-data")
        return form and scope["method"] == "POST" and scope["path"] in self.paths


@dataclass(slots=True)
class Bounds:
    """Middleware. A body of more than ``most_bytes`` is refused with 413 as soon as that is known,
    whatever its headers say; one that is not complete after ``seconds`` with 408; one for which
    there is no room now with 503. Where files are sent, ``uploads`` has other bounds."""

    app: ASGIApp
    most_bytes: int
    seconds: float
    uploads: "Uploads | None" = None
    held: int = 0
    uploading: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with a ``receive`` that keeps to the bounds."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self.uploads is not None and self.uploads.takes(scope):
            await self._upload(self.uploads, scope, receive, send)
        else:
            await self._bounded(scope, receive, send, self.most_bytes, self.seconds, _MOST_HELD)

    async def _upload(self, own: "Uploads", scope: Scope, receive: Receive, send: Send) -> None:
        """As any other request, but with a few at one time instead of few bytes."""
        room = own.most_bytes if self.uploading < own.at_once else 0
        self.uploading += 1
        try:
            apart = Bounds(self.app, own.most_bytes, own.seconds)
            await apart._bounded(scope, receive, send, own.most_bytes, own.seconds, room)
        finally:
            self.uploading -= 1

    async def _bounded(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        most_bytes: int,
        seconds: float,
        most_held: int,
    ) -> None:
        taken = 0
        declared = _declared(scope)
        give_up = asyncio.get_running_loop().time() + seconds

        async def bounded() -> Message:
            nonlocal taken
            if declared > most_bytes:
                raise HTTPException(413, headers=_CLOSE)
            try:
                async with asyncio.timeout_at(give_up):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, headers=_CLOSE) from None
            size = len(message.get("body", b""))
            taken, self.held = taken + size, self.held + size
            if taken > most_bytes:
                raise HTTPException(413, headers=_CLOSE)
            if self.held > most_held:
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
