"""The web process as a thread of the test, and calls to it as the providers make them."""

import json
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.integration.sandbox_helpers import Reply, call
from tests.patience import patient
from worker.providers.sendgrid.webhook import EVENTS_PATH
from worker.providers.twilio.webhook import STATUS_PATH
from worker.sandbox.credentials import ACCOUNT_SID, AUTH_TOKEN, EVENTS_PRIVATE_KEY
from worker.sandbox.signing import event_headers, twilio_headers
from worker.setup.app import App
from worker.setup.listening import address_of, listen
from worker.web.serve import server

ATTEMPT = "0b7d0f5e-3c5a-4a52-9d8e-1f2e3d4c5b6a"
SID = "SM" + "0123456789abcdef" * 2
OTHER_KEY = 12_345


@contextmanager
def serving(app: App) -> Iterator[str]:
    """Serve ``app``; the address."""
    with listen("127.0.0.1", 0) as sock:
        web = server(app, sock)
        thread = threading.Thread(target=web.run, kwargs={"sockets": [sock]})
        thread.start()
        try:
            yield address_of(sock)
        finally:
            web.should_exit = True
            thread.join()


def status_form(**changes: str) -> dict[str, str]:
    """What Twilio reports of a delivered message, with a field that is blank as some are."""
    form = {
        "MessageSid": SID,
        "MessageStatus": "delivered",
        "AccountSid": ACCOUNT_SID,
        "To": "+51987654321",
        "ErrorCode": "",
    }
    return {**form, **changes}


def post_status(
    url: str,
    form: Mapping[str, str] | None = None,
    query: str = f"?a={ATTEMPT}",
    *,
    path: str = STATUS_PATH,
    token: str = AUTH_TOKEN,
    public: str | None = None,
) -> Reply:
    """A status callback, signed with ``token`` for ``public`` (default: where it goes)."""
    form = status_form() if form is None else form
    headers = twilio_headers((public or url) + path + query, form, token)
    return call(url, "POST", path + query, urlencode(form), headers)


def event(event_id: str = "ev-1", name: str = "delivered", **changes: Any) -> dict[str, Any]:
    """An event of an email of ours; a change of ``None`` takes the key away."""
    full = {
        "email": "rosa@example.com",
        "timestamp": 1_781_276_400,
        "sg_event_id": event_id,
        "sg_message_id": "abc123.recvd-1-0.0",
        "event": name,
        "vigencia_attempt": ATTEMPT,
        **changes,
    }
    return {key: value for key, value in full.items() if value is not None}


def post_events(
    url: str,
    events: Sequence[object] | bytes,
    at: datetime,
    *,
    scalar: int = EVENTS_PRIVATE_KEY,
    sent: bytes | None = None,
    changes: Mapping[str, str | None] | None = None,
) -> Reply:
    """A list of events (or any body), signed at ``at``; ``sent`` goes in place of what was signed,
    and ``changes`` in place of headers (``None`` takes one away)."""
    body = events if isinstance(events, bytes) else (json.dumps(events) + "\r\n").encode()
    headers = {**event_headers(body, int(at.timestamp()), scalar), **(changes or {})}
    given = {name: value for name, value in headers.items() if value is not None}
    return call(url, "POST", EVENTS_PATH, body if sent is None else sent, given)


def raw(url: str, head: str, *parts: bytes) -> bytes:
    """What comes back for bytes written as they are, until the connection ends."""
    place = urlsplit(url)
    with socket.create_connection(
        (str(place.hostname), place.port or 0), timeout=patient(10)
    ) as wire:
        wire.sendall(head.replace("\n", "\r\n").encode())
        answer = b""
        try:
            for part in parts:
                wire.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before all was written; the answer may be there all the same
        try:
            while more := wire.recv(65536):
                answer += more
        except ConnectionResetError:
            pass
        return answer


def write_and_leave(url: str, head: str) -> None:
    """Begin a request, and go away."""
    place = urlsplit(url)
    with socket.create_connection((str(place.hostname), place.port or 0)) as wire:
        wire.sendall(head.replace("\n", "\r\n").encode() + b"abc")
