"""The addresses that providers call: each takes what its provider declares, and nothing else."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from worker.providers.registry import PROVIDERS
from worker.providers.twilio.provider import TWILIO
from worker.providers.webhooks import Call, Told, Webhook
from worker.web.tally import Tally
from worker.web.webhooks import WebhookEndpoints

NOW = datetime(2026, 6, 12, 15, tzinfo=UTC)


def webhooks(**changes: Any) -> WebhookEndpoints:
    given: dict[str, Any] = {
        "given": {TWILIO.name: None},
        "public_url": "https://reminders.example.com",
        "intake": None,
        "hear": None,
        "now": lambda: NOW,
        "tally": Tally(),
        "seconds": 5.0,
        "replay": timedelta(days=3),
    }
    return WebhookEndpoints(**{**given, **changes})


@pytest.mark.parametrize("methods", [["POST"], ["GET"], ["GET", "POST"]])
def test_an_address_takes_the_methods_that_are_declared_and_no_other(
    methods: Sequence[Literal["GET", "POST"]],
) -> None:
    hook = Webhook("/webhooks/twilio/x", lambda *_: None, lambda _: Told(), methods=methods)
    [route] = webhooks().routes([replace(TWILIO, webhooks=[hook])])
    assert route.methods == set(methods), "a HEAD beside a GET would be a call that nobody sees"


def test_each_provider_says_how_it_calls() -> None:
    routes = {route.path: route.methods for route in webhooks().routes(PROVIDERS)}
    assert routes == {hook.path: set(hook.methods) for one in PROVIDERS for hook in one.webhooks}


@pytest.mark.parametrize(
    ("method", "query"), [("GET", "a=%F0%9F%98%80&a=+&b="), ("POST", "a=1"), ("POST", "")]
)
def test_a_call_is_handed_on_as_it_was_written(method: str, query: str) -> None:
    seen: list[Call] = []
    hook = Webhook(
        "/webhooks/twilio/x",
        lambda _, call: seen.append(call),
        lambda _: Told(),
        methods=("GET", "POST"),
    )
    [route] = webhooks().routes([replace(TWILIO, webhooks=[hook])])
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"c=2", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": hook.path,
        "raw_path": hook.path.encode(),
        "query_string": query.encode(),
        "headers": [],
        "path_params": {},
    }
    asyncio.run(route.handle(scope, receive, send))
    assert sent[0]["status"] == 204
    [call] = seen
    assert (call.method, call.query_string, call.body) == (method, query, b"c=2")
    assert call.url == "https://reminders.example.com" + hook.path + (f"?{query}" if query else "")
