"""Twilio's Messages API: create, fetch, list."""

import base64
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final
from urllib.parse import parse_qs
from uuid import uuid4

from aiohttp import web

from worker.core.segments import measure
from worker.sandbox.credentials import ACCOUNT_SID, AUTH_TOKEN
from worker.sandbox.exchange import Dialect, exchange
from worker.sandbox.fault_rules import Rule
from worker.sandbox.faults import ProviderCall
from worker.sandbox.lifecycle import DELIVERED, Ending
from worker.sandbox.messages import Sms
from worker.sandbox.state import SANDBOX, Sandbox
from worker.sandbox.twilio_list import list_messages
from worker.sandbox.twilio_message import API_VERSION, error, resource
from worker.sandbox.twilio_reports import reports
from worker.sandbox.twilio_rules import VALIDITY_MAX_S, Refusal, refusal

PROVIDER: Final = "twilio"

_ACCOUNT: Final = f"/{API_VERSION}/Accounts/{{account_sid}}"
_AUTHORIZATION: Final = b"Basic " + base64.b64encode(f"{ACCOUNT_SID}:{AUTH_TOKEN}".encode())


def routes() -> list[web.RouteDef]:
    """The routes under ``/2010-04-01``; everything else there is Twilio's 404 or 405."""
    return [
        web.get(f"/{API_VERSION}/Accounts/{{account_sid}}.json", _account, allow_head=False),
        web.post(f"{_ACCOUNT}/Messages.json", _create),
        web.get(f"{_ACCOUNT}/Messages.json", _list, allow_head=False),
        web.get(f"{_ACCOUNT}/Messages/{{sid}}.json", _fetch, allow_head=False),
        web.route("*", f"{_ACCOUNT}/Messages.json", _not_allowed),
        web.route("*", f"{_ACCOUNT}/Messages/{{sid}}.json", _not_allowed),
        web.route("*", f"/{API_VERSION}/{{rest:.*}}", _not_found),
    ]


async def _account(request: web.Request) -> web.StreamResponse:
    """Source: https://www.twilio.com/docs/iam/api/account, as far as anybody here asks."""
    found = {"sid": ACCOUNT_SID, "status": "active", "type": "Full", "friendly_name": "Sandbox"}
    return await _answer(
        request, ProviderCall("sms", "fetch", ()), lambda _: web.json_response(found)
    )


async def _create(request: web.Request) -> web.StreamResponse:
    form = await _form(request)
    call = ProviderCall("sms", "create", (form.get("To", ""),))
    media = len(form.get("MediaUrl", "").split())
    return await _answer(request, call, lambda sandbox: _accept(sandbox, form, media))


async def _fetch(request: web.Request) -> web.StreamResponse:
    sms = request.app[SANDBOX].sms_by_id.get((PROVIDER, request.match_info["sid"]))
    call = ProviderCall("sms", "fetch", (sms.to,) if sms else ())

    def show(sandbox: Sandbox) -> web.Response:
        if sms is None:
            return _missing(request)
        return web.json_response(resource(sms, sandbox.clock.now(), sandbox.account))

    return await _answer(request, call, show)


async def _list(request: web.Request) -> web.StreamResponse:
    call = ProviderCall("sms", "list", (request.query.get("To", ""),))

    def show(sandbox: Sandbox) -> web.Response:
        page = list_messages(sandbox, request.query)
        return _refuse(page) if isinstance(page, Refusal) else web.json_response(page)

    return await _answer(request, call, show)


async def _not_found(request: web.Request) -> web.StreamResponse:
    return _missing(request) if _authorized(request) else _unauthorized()


async def _not_allowed(request: web.Request) -> web.StreamResponse:
    if not _authorized(request):
        return _unauthorized()
    return error(405, 20004, f"Method {request.method} is not allowed here")


async def _answer(
    request: web.Request, call: ProviderCall, handle: Callable[[Sandbox], web.Response]
) -> web.StreamResponse:
    def answer() -> web.Response:
        if request.match_info["account_sid"] != ACCOUNT_SID:
            return _missing(request)
        return handle(request.app[SANDBOX])

    return await exchange(request, call, TWILIO, answer)


async def _form(request: web.Request) -> dict[str, str]:
    """The first value of each field. A body of another type counts as an empty form."""
    body = await request.read()
    if request.content_type != "application/x-www-form-urlencoded":
        return {}
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    # MediaUrl may repeat; a URL holds no blank, so blanks can keep the values apart.
    return {k: " ".join(v) if k == "MediaUrl" else v[0] for k, v in fields.items()}


def _accept(sandbox: Sandbox, form: Mapping[str, str], media: int) -> web.Response:
    if refused := refusal(form):
        return _refuse(refused)
    body, now = sandbox.account.text(form.get("Body", "")), sandbox.clock.now()
    rule = sandbox.later_fault(PROVIDER, "sms", form["To"])
    sms = Sms(
        provider=PROVIDER,
        id=f"SM{uuid4().hex}",
        to=form["To"],
        sender=form.get("From") or None,
        service_sid=form.get("MessagingServiceSid") or None,
        body=body,
        segments=measure(body).segments,
        media=media,
        status_callback=form.get("StatusCallback") or None,
        validity_s=int(form.get("ValidityPeriod") or VALIDITY_MAX_S),
        created=now,
        ending=_ending(rule) if rule else DELIVERED,
    )
    sandbox.accept_sms(sms)
    sandbox.callbacks.follow(sms, reports(sms, sandbox.clock))
    return web.json_response(resource(sms, now, sandbox.account), status=201)


def _ending(rule: Rule) -> Ending:
    late = rule.kind == "delivered_late"
    return Ending("undelivered" if late else rule.kind, rule.code, late)


def _authorized(request: web.Request) -> bool:
    given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
    return hmac.compare_digest(given, _AUTHORIZATION)


def _unauthorized() -> web.Response:
    refused = error(401, 20003, "Authenticate")
    refused.headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
    return refused


def _rate_limited(_now: datetime, retry_after: int) -> web.Response:
    refused = error(429, 20429, "Too Many Requests")
    refused.headers["Retry-After"] = str(retry_after)
    return refused


def _missing(request: web.Request) -> web.Response:
    return error(404, 20404, f"The requested resource {request.path} was not found")


def _refuse(refused: Refusal) -> web.Response:
    return error(refused.status, refused.code, refused.message)


TWILIO: Final = Dialect(PROVIDER, _authorized, _unauthorized, _rate_limited, error)
