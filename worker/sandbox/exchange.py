"""One call to a provider, from its arrival to its answer, with what may go wrong on the way.

Order: latency, credentials, faults that strike before, the provider's own rules, faults that
strike after. A call that is refused for its content never meets a fault that strikes after.
"""

import asyncio
import json
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from aiohttp import web

from worker.sandbox.fault_rules import Rule
from worker.sandbox.faults import ProviderCall
from worker.sandbox.state import SANDBOX

# SO_LINGER with zero seconds makes close() send RST, as a crashed peer or a firewall does.
_LINGER_RESET = struct.pack("ii", 1, 0)
_MISSING_BYTES = 512
# The pause between two bytes of an answer that trickles.
_DRIP_S = 0.05


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the API of ``provider`` says no: ``error`` takes (status, its code or 0, message).
    ``is_refusal``: is this answer of its own rules one?"""

    provider: str
    authorized: Callable[[web.Request], bool]
    unauthorized: Callable[[], web.Response]
    rate_limited: Callable[[datetime, int], web.Response]
    error: Callable[[int, int, str], web.Response]
    is_refusal: Callable[[web.Response], bool] = lambda answer: answer.status >= 400


async def exchange(
    request: web.Request, call: ProviderCall, dialect: Dialect, handle: Callable[[], web.Response]
) -> web.StreamResponse:
    """Answer ``call``; ``handle`` applies the provider's rules and keeps what it accepts."""
    sandbox = request.app[SANDBOX]
    sandbox.counters.calls += 1
    call = replace(call, at=sandbox.clock.now(), provider=dialect.provider)
    if sandbox.latency_ms:
        await asyncio.sleep(sandbox.latency_ms / 1000)
    if not dialect.authorized(request):
        sandbox.counters.refused += 1
        return dialect.unauthorized()
    rule = sandbox.plan.pick(call, "before")
    if rule is not None:
        sandbox.counters.faults[rule.kind] += 1
        if rule.kind != "slow":
            return await _strike(request, rule, dialect, web.Response())
        await asyncio.sleep(rule.extra_ms / 1000)
    answer = handle()
    if dialect.is_refusal(answer):
        sandbox.counters.refused += 1
        return answer
    rule = sandbox.plan.pick(call, "after")
    if rule is None:
        return answer
    sandbox.counters.faults[rule.kind] += 1
    return await _strike(request, rule, dialect, answer)


async def _strike(
    request: web.Request, rule: Rule, dialect: Dialect, answer: web.Response
) -> web.StreamResponse:
    """What the client sees instead of ``answer``."""
    match rule.kind.removesuffix("_before").removesuffix("_after"):
        case "rate_limit":
            return dialect.rate_limited(request.app[SANDBOX].clock.now(), rule.retry_after)
        case "error":
            return dialect.error(rule.status, 20000 + rule.status, "Fault rule: server error")
        case "code":
            return dialect.error(rule.status, rule.code, rule.message)
        case "html":
            return html_page(rule.status)
        case "truncated":
            return await _truncated(request, answer)
        case "trickle":
            return await _trickle(request, answer, rule.hold_s)
        case "renamed":
            return _renamed(answer, rule.id)
        case "timeout":
            await asyncio.sleep(rule.hold_s)
            return _hang_up(request, reset=False)
        case _:
            return _hang_up(request, reset=True)


def html_page(status: int) -> web.Response:
    """What a proxy in front of the API answers: a page, no JSON."""
    reason = web.Response(status=status).reason
    page = f"<html><head><title>{status} {reason}</title></head><body>{reason}</body></html>"
    return web.Response(status=status, text=page, content_type="text/html")


async def _truncated(request: web.Request, answer: web.Response) -> web.StreamResponse:
    """Promise more than is sent: half of the body, then the end of the connection."""
    body = answer.body if isinstance(answer.body, bytes) else b""
    cut = web.StreamResponse(status=answer.status, headers=answer.headers)
    cut.content_length = len(body) + _MISSING_BYTES
    await cut.prepare(request)
    await cut.write(body[: len(body) // 2])
    _hang_up(request, reset=False)
    return cut


async def _trickle(
    request: web.Request, answer: web.Response, seconds: float
) -> web.StreamResponse:
    """A byte now and then: no pause is long enough for a read to time out, and there is no end."""
    slow = web.StreamResponse(status=answer.status, headers=answer.headers)
    slow.content_length = 1_000_000
    await slow.prepare(request)
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up and request.transport is not None:
        await slow.write(b" ")
        await asyncio.sleep(_DRIP_S)
    _hang_up(request, reset=False)
    return slow


def _renamed(answer: web.Response, name: str) -> web.Response:
    """The message is taken, and named otherwise than it is."""
    if "X-Message-Id" in answer.headers:
        answer.headers["X-Message-Id"] = name
        return answer
    resource = json.loads(answer.body if isinstance(answer.body, bytes) else b"{}")
    return web.json_response({**resource, "sid": name}, status=answer.status)


def _hang_up(request: web.Request, *, reset: bool) -> web.Response:
    """Close the connection; the response returned can no longer be written."""
    transport = request.transport
    if transport is not None:
        if reset:
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
            transport.abort()
        else:
            transport.close()
    return web.Response()
