"""What the sandbox has received: each number and each inbox, as their owners would see them."""

import json
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPException as BrokenAnswer
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from worker.core.masking import masked_address
from worker.core.tokens import without_tokens
from worker.web.console.shell import ConsolePage, Shell
from worker.web.console.visit import Visit

_SECONDS: Final = 2.0
_MOST_BYTES: Final = 2 * 2**20
_MOST_MESSAGES: Final = 60
# Straight there, whatever the environment says of proxies; no answer leads elsewhere.
_STRAIGHT: Final = urllib.request.ProxyHandler({})


@dataclass(frozen=True, slots=True)
class Received:
    """One message in a box; links in it are without what acts for the holder."""

    at: datetime
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Box:
    """A number or an email address, masked, with what it received, the newest first."""

    address: str
    messages: list[Received]


class _StayThere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        """Do not follow; the answer then counts as none."""


def pages(shell: Shell) -> list[ConsolePage]:
    """The addresses."""

    def look(visit: Visit) -> Response:
        """The page, or the part of it that is asked for again and again. A sandbox knows no books:
        it is for those who may look at all of them."""
        app = shell.app
        if not app.gateways.sandboxed:
            raise HTTPException(404)
        if visit.own.user.role is None:
            raise HTTPException(403)
        try:
            found = received(app.settings.sandbox.url)
        except (OSError, ValueError, LookupError, TypeError, AttributeError, BrokenAnswer):
            found = None
        return shell.page(
            visit,
            "mailbox_boxes" if visit.part else "mailbox",
            boxes=found,
            most=_MOST_MESSAGES,
        )

    return [ConsolePage("GET", "/mailbox", look)]


def received(url: str) -> dict[str, list[Box]]:
    """The boxes of the sandbox at ``url`` by channel, the one that received last first. Raises
    ``OSError`` and the like where it does not answer in time, or not what it should."""
    answer = json.loads(_read(f"{url}/sandbox/mailbox?brief=1&limit={_MOST_MESSAGES}"))
    return {channel: _boxes(answer[channel], channel) for channel in ("sms", "email")}


def _read(url: str) -> bytes:
    until = time.monotonic() + _SECONDS
    request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310
    opener = urllib.request.build_opener(_STRAIGHT, _StayThere)
    with opener.open(request, timeout=_SECONDS) as answer:
        body = bytearray()
        while part := answer.read1(65536):
            body += part
            if len(body) > _MOST_BYTES or time.monotonic() > until:
                raise TimeoutError
        return bytes(body)


def _boxes(given: Mapping[str, list[Mapping[str, Any]]], channel: str) -> list[Box]:
    boxes = [
        Box(masked_address(to), [_message(one, channel) for one in reversed(messages)])
        for to, messages in given.items()
    ]
    return sorted(boxes, key=lambda box: box.messages[0].at, reverse=True)


def _message(one: Mapping[str, Any], channel: str) -> Received:
    text = one["body"] if channel == "sms" else one["text"]
    return Received(
        datetime.fromisoformat(one["created"]), one.get("subject", ""), without_tokens(text)
    )
