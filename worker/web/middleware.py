"""What holds for every answer: no traceback, no trace of a token in the browser's history."""

from dataclasses import dataclass
from typing import Final

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.errors import VigenciaError
from worker.web.tally import Tally

log = structlog.get_logger(__name__)

# Seconds after which whoever was turned away may ask again.
_RETRY_AFTER: Final = "5"
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def unavailable() -> PlainTextResponse:
    """Not now: the provider repeats what it reported."""
    return PlainTextResponse("Try again later\n", 503, {"Retry-After": _RETRY_AFTER})


@dataclass(frozen=True, slots=True)
class Failures:
    """Middleware. A database that is away is a 503; a bug is a 500 without a word about it."""

    app: ASGIApp
    tally: Tally

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and answer for what is raised."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self.app(scope, receive, guarded)
        except ClientDisconnect:
            return
        except VigenciaError as error:
            self.tally.add("web_refused", f"unavailable: {error.code}")
            answer = unavailable()
        except Exception:
            # Its first part only: what follows may be the token of a link.
            log.exception("web_failed", part=scope["path"].split("/")[1])
            answer = PlainTextResponse("Internal error\n", 500)
        else:
            return
        if not started:
            await answer(scope, receive, guarded)
