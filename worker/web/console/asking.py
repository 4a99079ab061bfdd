"""Who asks: the one place where a cookie becomes a person with rights."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from worker.core.console_languages import Tongue, preferred, shown_in
from worker.pipeline.accounts.accounts import LONGEST
from worker.web.console.origin import Site, asker
from worker.web.console.shell import Shell
from worker.web.console.visit import Visit

# The prefix lets a browser take it from this very host alone, by https (or from this machine).
COOKIE: Final = "__Host-vigencia"
_ATTRIBUTES: Final = "Path=/; Secure; HttpOnly; SameSite=Lax"


@dataclass(frozen=True, slots=True)
class Identify:
    """Middleware. Reads with each request anew whose session it is, and what he may do now."""

    app: ASGIApp
    shell: Shell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with who asks."""
        token = Request(scope).cookies.get(COOKIE)
        signed = None
        if token is not None and not scope["path"].startswith("/static/"):
            own = self.shell.app
            signed = await asyncio.to_thread(own.accounts.signed_in, token, own.now())
        scope["console"] = {"token": token, "signed": signed}
        await self.app(scope, receive, send)


def visit_of(shell: Shell, site: Site, request: Request, **known: Any) -> Visit:
    """The request as pages see it; ``known`` is told of it already."""
    host = request.headers.get("host", "")
    peer = request.client.host if request.client else ""
    forwarded = request.headers.get("x-forwarded-for", "")
    found = request.scope.get("console", {"token": None, "signed": None})
    values: dict[str, Any] = {
        "method": request.method,
        "path": request.scope["path"],
        "base": site.prefix(host) if site.answers_to(host) else "",
        "query": request.query_params,
        "form": {},
        "ids": {},
        "tongue": _tongue(request, found["signed"]),
        "address": asker(peer, forwarded, shell.app.settings.web.trusted_proxies),
        "now": shell.app.now(),
        "part": request.headers.get("hx-request") == "true",
        **found,
    }
    return Visit(**{**values, **known})


def _tongue(request: Request, signed: Any) -> Tongue:
    """What the user chose, else what stands in the address, else what the browser asks for."""
    if signed is not None and signed.user.language is not None:
        return shown_in(signed.user.language)
    if (chosen := request.query_params.get("lang")) is not None:
        return shown_in(chosen)
    return preferred(request.headers.get("accept-language", ""))


def sign_in(answer: Response, token: str) -> Response:
    """Let the browser keep the token of a session."""
    seconds = int(LONGEST.total_seconds())
    return _cookie(answer, f"{COOKIE}={token}; Max-Age={seconds}; {_ATTRIBUTES}")


def sign_out(answer: Response) -> Response:
    """Let the browser forget the session, and all that it has kept of us."""
    answer.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return _cookie(answer, f"{COOKIE}=; Max-Age=0; {_ATTRIBUTES}")


def _cookie(answer: Response, value: str) -> Response:
    MutableHeaders(raw=answer.raw_headers).append("Set-Cookie", value)
    return answer
