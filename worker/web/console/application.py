"""The console as one application, to be served beside the webhooks and the holders' links."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final
from urllib.parse import parse_qs, quote

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from worker.core.hosts import leads_here
from worker.core.storable import is_storable
from worker.errors import ConfigError, VigenciaError
from worker.setup.app import App
from worker.web.console import (
    audited,
    card,
    card_acts,
    cards,
    forecast,
    imports,
    mailbox,
    me,
    message,
    messages,
    notices,
    sign_in,
    texts,
    today,
    upload,
)
from worker.web.console.asking import Identify, visit_of
from worker.web.console.failures import failure
from worker.web.console.origin import Site
from worker.web.console.shell import ConsolePage, Shell
from worker.web.console.shield import Shield
from worker.web.console.visit import Visit
from worker.web.tally import Tally

_FORM: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 200
# Pages that are made at once: each has a connection, and a pool has eight.
_AT_ONCE: Final = 8
_LARGEST_ID: Final = 2**63 - 1
# Where files are sent.
UPLOADS: Final = frozenset({"/imports", "/forecast"})


def console(app: App, public_url: str | None, tally: Tally) -> Starlette:
    """All pages. Raises ``ConfigError`` where a password would travel in the clear."""
    if not (public_url is None or public_url.startswith("https:") or leads_here(public_url)):
        raise ConfigError(
            "web.public_url is not https: the console would send passwords in the clear",
            "Put a server that speaks https in front, and write its address.",
        )
    shell, site = Shell(app), Site(public_url)
    limiter = CapacityLimiter(_AT_ONCE)

    def route(page: ConsolePage) -> Route:
        answer = partial(_answer, shell, site, limiter, page)
        found = Route(page.path, _endpoint(answer), methods=[page.method])
        found.methods = {"GET", "HEAD"} if page.method == "GET" else {page.method}
        return found

    async def refused(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 503
        return failure(shell, visit_of(shell, site, request), status)

    served = Starlette(
        routes=[shell.statics.route(), *map(route, pages(shell))],
        middleware=[
            Middleware(Shield, site=site, shell=shell, tally=tally),
            Middleware(Identify, shell=shell),
        ],
        exception_handlers={HTTPException: refused, VigenciaError: refused},
    )
    served.router.redirect_slashes = False
    return served


def pages(shell: Shell) -> list[ConsolePage]:
    """Every address of the console, in one table."""
    return [
        page
        for module in (
            sign_in,
            today,
            cards,
            card,
            card_acts,
            messages,
            message,
            notices,
            mailbox,
            imports,
            texts,
            forecast,
            me,
            audited,
        )
        for page in module.pages(shell)
    ]


def _endpoint(
    answer: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await answer(request)

    return endpoint


async def _answer(
    shell: Shell, site: Site, limiter: CapacityLimiter, page: ConsolePage, request: Request
) -> Response:
    if site.forged(request.method, request.headers):
        raise HTTPException(403)  # before anything of it is read
    form, file = await _form(request, page) if page.method == "POST" else ({}, None)
    if not all(is_storable(text) for texts in form.values() for text in texts):
        raise HTTPException(400)
    visit = visit_of(shell, site, request, form=form, ids=_ids(request), file=file)
    if not page.open:
        if visit.signed is None:
            return _send(visit, "/sign-in")
        if page.confirmed and not visit.signed.confirmed:
            return _send(visit, "/confirm")
    return await run_sync(page.do, visit, limiter=limiter)


def _send(visit: Visit, path: str) -> Response:
    """Show ``path`` first, and then what was asked for. A part of a page is no place for it: the
    whole page goes."""
    wanted = visit.path if visit.method == "GET" else ""
    where = f"{visit.base}{path}" + (f"?next={quote(wanted)}" if wanted not in ("", "/") else "")
    if visit.part:
        return Response(status_code=401, headers={"HX-Redirect": f"{visit.base}{path}"})
    return RedirectResponse(where, 303)


def _ids(request: Request) -> dict[str, int]:
    numbers = {k: v for k, v in request.path_params.items() if isinstance(v, int)}
    if any(number > _LARGEST_ID for number in numbers.values()):
        raise HTTPException(404)
    return numbers


async def _form(
    request: Request, page: ConsolePage
) -> tuple[Mapping[str, Sequence[str]], upload.SentFile | None]:
    sent_as = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if page.upload and sent_as == upload.CONTENT_TYPE:
        # Nobody else may have so much read: who asks is known before the body is.
        if request.scope["console"]["signed"] is None:
            raise HTTPException(401)
        return await upload.read(request)
    if sent_as != _FORM:
        raise HTTPException(415)
    body = await request.body()
    try:
        text = body.decode()
        return parse_qs(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS), None
    except ValueError:
        raise HTTPException(400) from None
