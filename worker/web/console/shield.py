"""What holds for every answer of the console: its headers, and the names it answers to."""

from dataclasses import dataclass
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.errors import VigenciaError
from worker.web.console.asking import visit_of
from worker.web.console.failures import failure
from worker.web.console.origin import Site
from worker.web.console.shell import Shell
from worker.web.tally import Tally

log = structlog.get_logger(__name__)

# Nothing is inline, nothing comes from elsewhere, and nobody frames it.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    # With no-referrer a browser would say `Origin: null` of our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "no-store",
    "Vary": "Cookie, Accept-Language, HX-Request, Origin, Sec-Fetch-Site",
}
_HTTPS: Final = {"Strict-Transport-Security": "max-age=31536000"}


@dataclass(frozen=True, slots=True)
class Shield:
    """Middleware. Refuses what was sent to another name (421), turns what is raised into a page,
    and puts our headers on all of it."""

    app: ASGIApp
    site: Site
    shell: Shell
    tally: Tally

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, if it may go on."""
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in self._headers(scope).items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._refuse(scope)
            await self.app(scope, receive, guarded)
        except ClientDisconnect:
            return  # who stopped sending waits for no answer
        except HTTPException as error:
            status = error.status_code
        except VigenciaError as error:
            self.tally.add("console_refused", f"unavailable: {error.code}")
            status = 503
        except Exception:
            # Its first part only: what follows may be the token of a link.
            log.exception("console_failed", part=scope["path"].split("/")[1])
            status = 500
        else:
            return
        if not started:
            page = failure(self.shell, visit_of(self.shell, self.site, Request(scope)), status)
            await page(scope, receive, guarded)

    def _refuse(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        named = headers.getlist("host")
        if len(named) != 1 or not self.site.answers_to(named[0]):
            self.tally.add("console_refused", "another host")
            raise HTTPException(421)

    def _headers(self, scope: Scope) -> dict[str, str]:
        host = Headers(scope=scope).get("host", "")
        https = self.site.secure and self.site.is_public(host)
        return {**_HEADERS, **(_HTTPS if https else {})}
