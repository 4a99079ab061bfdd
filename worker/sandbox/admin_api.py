"""What the sandbox received, and its settings: JSON under ``/sandbox/``, without credentials."""

import json
from collections import defaultdict
from typing import Any

from aiohttp import web

from worker.sandbox.account import AccountError
from worker.sandbox.account import changed as new_account
from worker.sandbox.fault_rules import FaultRuleError, parse_rules
from worker.sandbox.faults import FaultPlan
from worker.sandbox.mailbox_page import mailbox_page
from worker.sandbox.messages import Email, Sms
from worker.sandbox.state import SANDBOX, Sandbox
from worker.sandbox.twilio_reports import inbound
from worker.sandbox.webhooks import WebhooksError, changed

_LATENCY_MAX_MS = 60_000


def routes() -> list[web.RouteDef]:
    """The routes under ``/sandbox/``."""
    return [
        web.get("/sandbox/health", _health),
        web.get("/sandbox/faults", _faults),
        web.put("/sandbox/faults", _set_faults),
        web.put("/sandbox/latency", _set_latency),
        web.get("/sandbox/webhooks", _webhooks),
        web.post("/sandbox/webhooks", _set_webhooks),
        web.get("/sandbox/account", _account),
        web.post("/sandbox/account", _set_account),
        web.post("/sandbox/inbound", _inbound),
        web.get("/sandbox/mailbox", _mailbox),
        web.get("/sandbox/mailbox/{id}", _as_seen),
        web.get("/sandbox/record", _record),
        web.post("/sandbox/reset", _reset),
    ]


async def _health(request: web.Request) -> web.Response:
    """``{"status": "ok", "now": ISO 8601}``."""
    return web.json_response({"status": "ok", "now": request.app[SANDBOX].clock.now().isoformat()})


async def _faults(request: web.Request) -> web.Response:
    return web.json_response(_plan(request.app[SANDBOX]))


async def _set_faults(request: web.Request) -> web.Response:
    """Take a list of rules, or ``{"rules": [...], "seed": 7}``; every count starts anew."""
    sandbox = request.app[SANDBOX]
    try:
        sandbox.plan = _new_plan(await _body(request), sandbox.plan.seed)
    except FaultRuleError as problem:
        return web.json_response({"error": str(problem)}, status=400)
    return web.json_response(_plan(sandbox))


def _new_plan(given: Any, seed: int) -> FaultPlan:
    if isinstance(given, dict):
        if unknown := given.keys() - {"rules", "seed"}:
            raise FaultRuleError(f"unknown: {', '.join(sorted(unknown))}")
        seed, given = given.get("seed", seed), given.get("rules", [])
    if type(seed) is not int:
        raise FaultRuleError("the seed must be a whole number")
    return FaultPlan(parse_rules(given), seed)


async def _set_latency(request: web.Request) -> web.Response:
    """Take ``{"ms": 20}``."""
    given = await _body(request)
    value: Any = given.get("ms") if isinstance(given, dict) and given.keys() == {"ms"} else None
    real = isinstance(value, int | float) and not isinstance(value, bool)
    if not real or not 0 <= value <= _LATENCY_MAX_MS:
        problem = f'the body must be {{"ms": number}}, from 0 to {_LATENCY_MAX_MS}'
        return web.json_response({"error": problem}, status=400)
    request.app[SANDBOX].latency_ms = value
    return web.json_response({"ms": value})


async def _webhooks(request: web.Request) -> web.Response:
    return web.json_response(request.app[SANDBOX].callbacks.webhooks.as_json())


async def _set_webhooks(request: web.Request) -> web.Response:
    """Take an object with some of the fields of ``Webhooks``; the others stay as they are."""
    callbacks = request.app[SANDBOX].callbacks
    try:
        callbacks.webhooks = changed(callbacks.webhooks, await _body(request))
    except WebhooksError as problem:
        return web.json_response({"error": str(problem)}, status=400)
    return web.json_response(callbacks.webhooks.as_json())


async def _account(request: web.Request) -> web.Response:
    return web.json_response(request.app[SANDBOX].account.as_json())


async def _set_account(request: web.Request) -> web.Response:
    """Take an object with some of the fields of ``TwilioAccount``; the others stay as they are."""
    sandbox = request.app[SANDBOX]
    try:
        sandbox.account = new_account(sandbox.account, await _body(request))
    except AccountError as problem:
        return web.json_response({"error": str(problem)}, status=400)
    return web.json_response(sandbox.account.as_json())


async def _inbound(request: web.Request) -> web.Response:
    """Take ``{"from": number, "body": text}``, perhaps with ``"OptOutType"`` and ``"to"``: a holder
    writes. Twilio has it in its list, whatever our end says to it: that is the answer,
    ``{"status": int or null, "answer": text}``."""
    callbacks, given = request.app[SANDBOX].callbacks, await _body(request)
    names = {"from": "From", "body": "Body", "to": "To", "OptOutType": "OptOutType"}
    if (
        not isinstance(given, dict)
        or not {"from", "body"} <= given.keys() <= names.keys()
        or not all(isinstance(value, str) for value in given.values())
    ):
        problem = f"the body must be an object of texts: {list(names)}, at least the first two"
        return web.json_response({"error": problem}, status=400)
    if callbacks.webhooks.inbound_url is None:
        return web.json_response({"error": "inbound_url is not set"}, status=409)
    form = {names[name]: v for name, v in given.items()}
    sid = request.app[SANDBOX].receive(form)
    post = inbound(callbacks.webhooks.inbound_url, {**form, "MessageSid": sid, "SmsSid": sid})
    status, answer = await callbacks.call(post)
    return web.json_response({"status": status, "answer": answer})


async def _mailbox(request: web.Request) -> web.Response:
    """``{"sms": {number: [...]}, "email": {address: [...]}}``, oldest first; ``?to=`` picks one,
    ``?limit=`` the last so many, and ``?brief=1`` leaves out HTML, headers and attachments. A
    browser gets a page, newest first."""
    wanted = request.query.get("to")
    if "text/html" in request.headers.get("Accept", ""):
        return _page(mailbox_page(request.app[SANDBOX].log, wanted))
    sms: defaultdict[str, list[dict[str, object]]] = defaultdict(list)
    email: defaultdict[str, list[dict[str, object]]] = defaultdict(list)
    log = request.app[SANDBOX].log
    found = [one for one in log if wanted is None or one.to.lower() == wanted.lower()]
    limit, shown = request.query.get("limit", ""), _email
    if request.query.get("brief") == "1":
        shown = _brief
    for message in found[-int(limit) :] if limit.isdecimal() and int(limit) else found:
        if isinstance(message, Sms):
            sms[message.to].append(_sms(message))
        else:
            email[message.to].append(shown(message))
    return web.json_response({"sms": sms, "email": email}, dumps=_as_it_is)


async def _as_seen(request: web.Request) -> web.Response:
    """The HTML of one email, as its reader sees it."""
    for message in request.app[SANDBOX].log:
        if isinstance(message, Email) and message.id == request.match_info["id"]:
            return _page(message.html)
    raise web.HTTPNotFound


def _page(text: str) -> web.Response:
    # Nothing in it may run: an email is what somebody else wrote.
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data: https:; form-action *"
    headers = {"Content-Security-Policy": policy}
    return web.Response(text=text, content_type="text/html", charset="utf-8", headers=headers)


def _as_it_is(value: Any) -> str:
    """JSON in which Chinese can be read."""
    return json.dumps(value, ensure_ascii=False)


async def _record(request: web.Request) -> web.Response:
    """``{"messages": [...], "counters": {...}, "callbacks": {...}}``: all that was accepted, in
    order, and what was reported of it."""
    sandbox = request.app[SANDBOX]
    counters = sandbox.counters
    return web.json_response(
        {
            "messages": [_entry(message) for message in sandbox.log],
            "counters": {
                "calls": counters.calls,
                "accepted": len(sandbox.log),
                "refused": counters.refused,
                "faults": counters.faults,
            },
            "callbacks": sandbox.callbacks.counts(),
        }
    )


async def _reset(request: web.Request) -> web.Response:
    request.app[SANDBOX].reset()
    return web.json_response({"status": "ok"})


async def _body(request: web.Request) -> Any:
    try:
        return json.loads(await request.read())
    except (ValueError, RecursionError):
        return None


def _plan(sandbox: Sandbox) -> dict[str, object]:
    plan = sandbox.plan
    rules = [{**rule.as_json(), "fired": plan.fired[n]} for n, rule in enumerate(plan.rules)]
    return {"seed": plan.seed, "latency_ms": sandbox.latency_ms, "rules": rules}


def _sms(sms: Sms) -> dict[str, object]:
    return {
        "id": sms.id,
        "from": sms.sender,
        "messaging_service_sid": sms.service_sid,
        "body": sms.body,
        "segments": sms.segments,
        "status_callback": sms.status_callback,
        "validity_s": sms.validity_s,
        "created": sms.created.isoformat(),
    }


def _brief(email: Email) -> dict[str, object]:
    left_out = ("html", "headers", "attachments")
    return {name: value for name, value in _email(email).items() if name not in left_out}


def _email(email: Email) -> dict[str, object]:
    return {
        "id": email.id,
        "from": email.sender,
        "from_name": email.sender_name,
        "reply_to": email.reply_to,
        "subject": email.subject,
        "text": email.text,
        "html": email.html,
        "custom_args": email.custom_args,
        "headers": email.headers,
        "attachments": list(email.attachments),
        "created": email.created.isoformat(),
    }


def _entry(message: Sms | Email) -> dict[str, object]:
    return {
        "id": message.id,
        "channel": "sms" if isinstance(message, Sms) else "email",
        "to": message.to,
        "text": message.body if isinstance(message, Sms) else message.subject,
        "digest": message.digest,
        "attempt": message.attempt,
        "ending": message.ending.status if isinstance(message, Sms) else message.ending,
        "late": isinstance(message, Sms) and message.ending.late,
        "created": message.created.isoformat(),
    }
