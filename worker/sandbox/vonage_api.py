"""Vonage's SMS API, its balance, and its records.

Sources: developer.vonage.com/en/api/sms, .../account and .../reports.
"""

import base64
import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from urllib.parse import parse_qs
from uuid import uuid4

from aiohttp import web

from worker.core.segments import UCS2_PART, UCS2_SINGLE, measure
from worker.sandbox.credentials import VONAGE_KEY, VONAGE_SECRET
from worker.sandbox.exchange import Dialect, exchange, html_page
from worker.sandbox.faults import ProviderCall
from worker.sandbox.messages import Sms
from worker.sandbox.state import SANDBOX, Sandbox
from worker.sandbox.vonage_account import PROVIDER
from worker.sandbox.vonage_account import routes as account_routes
from worker.sandbox.vonage_records import records
from worker.sandbox.vonage_reports import ending, part_ids, reports
from worker.sandbox.vonage_rules import TTL, as_sent, refusal

_THROTTLED, _BAD_CREDENTIALS = 1, 4
_AUTHORIZATION: Final = b"Basic " + base64.b64encode(f"{VONAGE_KEY}:{VONAGE_SECRET}".encode())
# What the exchange adds to an HTTP status for a fault without a code.
_HTTP: Final = 20_000
_DOCS: Final = "https://developer.vonage.com/api-errors"


def routes() -> list[web.RouteDef]:
    """The routes of the account, at both of its addresses."""
    return [
        *account_routes(),
        web.post("/sms/json", _submit),
        web.get("/account/get-balance", _balance, allow_head=False),
        web.get("/v2/reports/records", _records, allow_head=False),
    ]


async def _submit(request: web.Request) -> web.StreamResponse:
    form = await _form(request)
    call = ProviderCall("sms", "create", (f"+{form.get('to', '')}",))
    return await exchange(request, call, SMS_API, lambda: _accept(request.app[SANDBOX], form))


async def _balance(request: web.Request) -> web.StreamResponse:
    found = {"value": 10.28, "autoReload": False}
    call = ProviderCall("sms", "fetch", ())
    return await exchange(request, call, OTHER_APIS, lambda: web.json_response(found))


async def _records(request: web.Request) -> web.StreamResponse:
    to = request.query.get("to", "")
    call = ProviderCall("sms", "list", (f"+{to}",)) if to else ProviderCall("sms", "fetch", ())

    def show() -> web.Response:
        found = records(request.app[SANDBOX], request.query)
        if isinstance(found, dict):
            return web.json_response(found)
        name, reason = found
        wrong = [{"name": name, "reason": reason}]
        problem = {"title": "Unprocessable entity", "invalid_parameters": wrong}
        return web.json_response(problem, status=422)

    return await exchange(request, call, OTHER_APIS, show)


async def _form(request: web.Request) -> dict[str, str]:
    """The first value of each field of a form, or the fields of a JSON object."""
    body = await request.read()
    if request.content_type == "application/json":
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            found = None
        return {k: str(v) for k, v in found.items()} if isinstance(found, dict) else {}
    if request.content_type != "application/x-www-form-urlencoded":
        return {}
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}


def _accept(sandbox: Sandbox, form: dict[str, str]) -> web.Response:
    if refused := refusal(form):
        return _answer([{"status": str(refused[0]), "error-text": refused[1]}])
    to, body = f"+{form['to']}", as_sent(form["text"], form.get("type", "text"))
    wanted = form.get("status-report-req", "true") in ("true", "1")
    sms = Sms(
        provider=PROVIDER,
        id=f"{uuid4().hex[:14].upper()}00",
        to=to,
        sender=form["from"],
        service_sid=None,
        body=body,
        segments=_segments(body, form.get("type", "text")),
        media=0,
        status_callback=form.get("callback") if wanted else None,
        validity_s=int(form.get("ttl", TTL[1])) // 1000,
        created=sandbox.clock.now(),
        ending=ending(sandbox.later_fault(PROVIDER, "sms", to)),
        reference=form.get("client-ref"),
    )
    sandbox.accept_sms(sms)
    sandbox.callbacks.follow(sms, reports(sms, sandbox))
    return _taken(sms)


def _segments(body: str, kind: str) -> int:
    """Into how many parts it falls: of the type unicode all of it is in UCS-2."""
    if kind != "unicode":
        return measure(body).segments
    units = len(body.encode("utf-16-be")) // 2
    return 1 if units <= UCS2_SINGLE else -(-units // UCS2_PART)


def _taken(sms: Sms) -> web.Response:
    return _answer(
        [
            {
                "to": sms.to.removeprefix("+"),
                "message-id": part,
                "status": "0",
                "remaining-balance": "10.28000000",
                "message-price": "0.03330000",
                "network": "71610",
                **({"client-ref": sms.reference} if sms.reference else {}),
            }
            for part in part_ids(sms)
        ]
    )


def _answer(messages: Sequence[dict[str, str]]) -> web.Response:
    """Vonage says everything with HTTP 200; each part of a text has its own status."""
    return web.json_response({"message-count": str(len(messages)), "messages": messages})


def _is_refusal(answer: web.Response) -> bool:
    body = answer.body if isinstance(answer.body, bytes) else b"{}"
    return any(one["status"] != "0" for one in json.loads(body).get("messages", ()))


def _authorized(request: web.Request) -> bool:
    given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
    return hmac.compare_digest(given, _AUTHORIZATION)


def _bad_credentials() -> web.Response:
    return _answer([{"status": str(_BAD_CREDENTIALS), "error-text": "Bad Credentials"}])


def _throttled(_now: datetime, _retry_after: int) -> web.Response:
    return _answer([{"status": str(_THROTTLED), "error-text": "Throttled"}])


def _error(status: int, code: int, message: str) -> web.Response:
    """A fault rule's own code, or the page of a gateway that has no backend."""
    if code >= _HTTP:
        return html_page(status)
    return _answer([{"status": str(code), "error-text": message}])


def _unauthorized() -> web.Response:
    detail = "You did not provide correct credentials."
    problem = {"type": f"{_DOCS}#unauthorized", "title": "Unauthorized", "detail": detail}
    return web.json_response(problem, status=401)


def _rate_limited(_now: datetime, retry_after: int) -> web.Response:
    headers = {"Retry-After": str(retry_after)}
    return web.json_response({"title": "Rate limited"}, status=429, headers=headers)


def _problem(status: int, _code: int, message: str) -> web.Response:
    return web.json_response({"title": "Error", "detail": message}, status=status)


SMS_API: Final = Dialect(
    PROVIDER, _authorized, _bad_credentials, _throttled, _error, is_refusal=_is_refusal
)
OTHER_APIS: Final = Dialect(PROVIDER, _authorized, _unauthorized, _rate_limited, _problem)
