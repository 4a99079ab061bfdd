"""SendGrid's mail/send."""

import hmac
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from aiohttp import web

from worker.sandbox.credentials import API_KEY
from worker.sandbox.exchange import Dialect, exchange, html_page
from worker.sandbox.faults import ProviderCall
from worker.sandbox.messages import Email
from worker.sandbox.sendgrid_fields import FieldProblem
from worker.sandbox.sendgrid_rules import merged, problems, recipients
from worker.sandbox.state import SANDBOX, Sandbox

PROVIDER: Final = "sendgrid"
# sendgrid-oai: the total message size may not exceed 30 MB.
BODY_LIMIT: Final = 30 * 1024 * 1024
_HELP: Final = "https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors"
_RATE_LIMIT: Final = 10_000


def routes() -> list[web.RouteDef]:
    """The routes under ``/v3``; everything else there is SendGrid's 404 or 405."""
    return [
        web.post("/v3/mail/send", _send),
        web.get("/v3/scopes", _scopes, allow_head=False),
        web.route("*", "/v3/mail/send", _not_allowed),
        web.route("*", "/v3/{rest:.*}", _not_found),
    ]


async def _scopes(request: web.Request) -> web.StreamResponse:
    """What the key may do."""

    def answer() -> web.Response:
        return web.json_response({"scopes": ["mail.send"]})

    return await exchange(request, ProviderCall("email", "fetch", ()), SENDGRID, answer)


async def _send(request: web.Request) -> web.StreamResponse:
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        body = None
    mail = _parse(body)

    def answer() -> web.Response:
        if body is None:
            return html_page(413)
        if request.content_type != "application/json":
            return error(415, 0, "Content-Type should be application/json.")
        if mail is None:
            return error(400, 0, "Bad Request")
        return _accept(request.app[SANDBOX], mail)

    return await exchange(
        request, ProviderCall("email", "create", _addresses(mail)), SENDGRID, answer
    )


def _parse(body: bytes | None) -> Any:
    """The JSON value of ``body``, ``None`` where it is none."""
    try:
        return json.loads(body or b"")
    except (ValueError, RecursionError):
        return None


def _addresses(mail: Any) -> tuple[str, ...]:
    blocks = mail.get("personalizations") if isinstance(mail, dict) else None
    if not isinstance(blocks, list):
        return ()
    return tuple(email for block in blocks for email in recipients(block))


def _accept(sandbox: Sandbox, mail: Any) -> web.Response:
    now = sandbox.clock.now()
    if found := problems(mail, now):
        return _refuse(400, found)
    if _sandbox_mode(mail):
        # SendGrid: its own sandbox mode validates, answers 200 and sends nothing.
        return web.Response(status=200)
    message_id = uuid4().hex
    bodies = {block["type"]: block["value"] for block in reversed(mail["content"])}
    for block in mail["personalizations"]:
        for address in recipients(block):
            rule = sandbox.later_fault(PROVIDER, "email", address)
            sender = block.get("from") or mail["from"]
            email = Email(
                id=message_id,
                to=address,
                sender=sender["email"],
                sender_name=sender.get("name") or "",
                reply_to=_reply_to(mail),
                attachments=mail.get("attachments", []),
                subject=block.get("subject") or mail["subject"],
                text=bodies.get("text/plain", ""),
                html=bodies.get("text/html", ""),
                custom_args=merged(mail, block, "custom_args"),
                headers=merged(mail, block, "headers"),
                created=now,
                ending=rule.kind if rule else "delivered",
                why=rule.why if rule else "",
            )
            sandbox.accept_email(email)
    return web.Response(status=202, headers={"X-Message-Id": message_id})


def _reply_to(mail: dict[str, Any]) -> str | None:
    several = [mail["reply_to"]] if "reply_to" in mail else mail.get("reply_to_list", [])
    return ", ".join(one["email"] for one in several) or None


def _sandbox_mode(mail: dict[str, Any]) -> bool:
    mode = mail.get("mail_settings", {}).get("sandbox_mode")
    return isinstance(mode, dict) and mode.get("enable") is True


async def _not_found(request: web.Request) -> web.StreamResponse:
    return error(404, 0, "not found") if _authorized(request) else _unauthorized()


async def _not_allowed(request: web.Request) -> web.StreamResponse:
    return error(405, 0, "POST method allowed only") if _authorized(request) else _unauthorized()


def _authorized(request: web.Request) -> bool:
    given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
    return hmac.compare_digest(given, f"Bearer {API_KEY}".encode())


def _unauthorized() -> web.Response:
    message = "The provided authorization grant is invalid, expired, or revoked"
    return error(401, 0, message)


def _rate_limited(now: datetime, retry_after: int) -> web.Response:
    """SendGrid: no ``Retry-After``; ``X-RateLimit-Reset`` is the UNIX time of the next try."""
    refused = error(429, 0, "too many requests")
    reset = (now + timedelta(seconds=retry_after)).timestamp()
    refused.headers["X-RateLimit-Limit"] = str(_RATE_LIMIT)
    refused.headers["X-RateLimit-Remaining"] = "0"
    refused.headers["X-RateLimit-Reset"] = str(-int(-reset // 1))
    return refused


def error(status: int, _code: int, message: str) -> web.Response:
    """SendGrid's error body for what concerns no single field; it has no error codes."""
    return web.json_response(
        {"errors": [{"message": message, "field": None, "help": None}]}, status=status
    )


def _refuse(status: int, found: Sequence[FieldProblem]) -> web.Response:
    errors = [{"message": p.message, "field": p.field or None, "help": _HELP} for p in found]
    return web.json_response({"errors": errors}, status=status)


SENDGRID: Final = Dialect(PROVIDER, _authorized, _unauthorized, _rate_limited, error)
