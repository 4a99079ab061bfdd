"""How an account at Vonage is set to be called: with GET, a form or JSON, and signed how.

Source: developer.vonage.com/en/getting-started/concepts/webhooks and .../signing-messages.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode
from uuid import uuid4

from aiohttp import web

from worker.sandbox.clock import Clock
from worker.sandbox.credentials import VONAGE_KEY
from worker.sandbox.posting import Post
from worker.sandbox.signing import vonage_signature
from worker.sandbox.state import SANDBOX, Sandbox

PROVIDER: Final = "vonage"
FORMATS: Final = ("json", "form", "get")
METHODS: Final = ("md5hash", "md5", "sha1", "sha256", "sha512")
# It repeats for 24 hours.
_TRIES: Final = 15


@dataclass(frozen=True, slots=True)
class VonageAccount:
    """``format``: one of ``FORMATS``; ``method``: one of ``METHODS``."""

    format: str = "json"
    method: str = "md5hash"

    def post(self, url: str, fields: Mapping[str, str], clock: Clock) -> Post:
        """A call to ``url`` with ``fields``, signed now."""
        now = clock.now()
        full = {
            **fields,
            "api-key": VONAGE_KEY,
            "message-timestamp": f"{now:%Y-%m-%d %H:%M:%S}",
            "timestamp": str(int(now.timestamp())),
            "nonce": str(uuid4()),
        }
        full["sig"] = vonage_signature(full, self.method)
        headers, body, method = {"User-Agent": "Nexmo/MessagingHUB/v1.0"}, b"", "POST"
        if self.format == "get":
            url, method = f"{url}?{urlencode(full)}", "GET"
        elif self.format == "form":
            headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
            body = urlencode(full).encode()
        else:
            headers["Content-Type"] = "application/json"
            body = json.dumps(full, ensure_ascii=False).encode()
        return Post(url, 1, body, lambda: headers, _TRIES, lambda _: True, method)


def account_of(sandbox: Sandbox) -> VonageAccount:
    """As it is set."""
    found: VonageAccount = sandbox.own.get(PROVIDER, VonageAccount())
    return found


def routes() -> list[web.RouteDef]:
    """The routes under ``/sandbox/vonage``."""
    return [web.post("/sandbox/vonage", _set), web.post("/sandbox/vonage/inbound", _inbound)]


async def _set(request: web.Request) -> web.Response:
    """Take an object with some of the fields of ``VonageAccount``."""
    given, sandbox = await _body(request), request.app[SANDBOX]
    known = {"format": FORMATS, "method": METHODS}
    if not all(value in known.get(name, ()) for name, value in given.items()):
        return web.json_response({"error": f"it may have {known}"}, status=400)
    sandbox.own[PROVIDER] = replace(account_of(sandbox), **given)
    return web.json_response(asdict(account_of(sandbox)))


async def _inbound(request: web.Request) -> web.Response:
    """Take ``{"url": ..., "msisdn": number, "text": ..., ...}``: a holder writes. The answer is
    that of our end, ``{"status": int or null, "answer": text}``."""
    given, sandbox = await _body(request), request.app[SANDBOX]
    url = given.pop("url", "")
    fields = {"to": "15005550006", "messageId": uuid4().hex.upper()[:16], "type": "text", **given}
    keyword = fields.get("text", "").split(" ")[0].upper()
    post = account_of(sandbox).post(url, {"keyword": keyword, **fields}, sandbox.clock)
    status, answer = await sandbox.callbacks.call(post)
    return web.json_response({"status": status, "answer": answer})


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        found = json.loads(await request.read())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise web.HTTPBadRequest(text="the body must be an object of texts")
    return found
