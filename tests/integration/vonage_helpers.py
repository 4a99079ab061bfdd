"""Calls as Vonage makes them, and a Vonage that answers what it is told."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode

from tests.integration.helpers import NOW
from tests.integration.sandbox_helpers import Reply, call
from tests.integration.web_helpers import ATTEMPT
from worker.providers.vonage.webhook import RECEIPT_PATH
from worker.sandbox.credentials import (
    SENDER,
    VONAGE_KEY,
    VONAGE_SECRET,
    VONAGE_SIGNATURE_SECRET,
)
from worker.sandbox.signing import vonage_signature

# What sends through the sandbox's Vonage.
SETTINGS: dict[str, Any] = {
    "vonage_api_key": VONAGE_KEY,
    "vonage_api_secret": VONAGE_SECRET,
    "vonage_signature_secret": VONAGE_SIGNATURE_SECRET,
    "vonage_from": SENDER,
}
MESSAGE = "0A000000217B7F02"
FORMATS = ("json", "form", "get")


def fields(at: int, **changes: str | None) -> dict[str, str]:
    """What Vonage reports of a delivered message; a change of ``None`` takes a field away."""
    full = {
        "msisdn": "51987654321",
        "to": "15005550006",
        "network-code": "71610",
        "messageId": MESSAGE,
        "price": "0.03330000",
        "status": "delivered",
        "scts": "2606121000",
        "err-code": "0",
        "api-key": VONAGE_KEY,
        "client-ref": f"{ATTEMPT}.1",
        "message-timestamp": "2026-06-12 15:00:00",
        "timestamp": str(at),
        "nonce": "ec11dd3e-1e7f-4db5-9467-82b02cd223b9",
        **changes,
    }
    return {name: value for name, value in full.items() if value is not None}


def signed(
    given: Mapping[str, str], method: str = "md5hash", secret: str = VONAGE_SIGNATURE_SECRET
) -> dict[str, str]:
    return {**given, "sig": vonage_signature(given, method, secret)}


def bring(
    url: str, given: Mapping[str, str], shape: str = "json", path: str = RECEIPT_PATH
) -> Reply:
    """A call with these fields, in one of the shapes that an account may choose."""
    if shape == "get":
        return call(url, "GET", f"{path}?{urlencode(given)}")
    if shape == "form":
        kind = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
        return call(url, "POST", path, urlencode(given), kind)
    body = json.dumps(given, ensure_ascii=False)
    return call(url, "POST", path, body, {"Content-Type": "application/json"})


@contextmanager
def answering(
    *bodies: bytes, status: int = 200, given: list[bytes] | None = None
) -> Iterator[tuple[str, list[str]]]:
    """A server that gives these answers in turn, and the last one for ever; its address, and the
    paths it was asked for. ``given``: is told the bodies of the calls."""
    left, asked = list(bodies), list[str]()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            asked.append(self.path)
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if given is not None:
                given.append(sent)
            body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer  # noqa: N815 - so they are called

        def date_time_string(self, timestamp: float | None = None) -> str:
            return format_datetime(NOW, usegmt=True)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
