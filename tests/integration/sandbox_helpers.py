"""How the tests of the sandbox talk to it: the real SDKs, and plain HTTP where no SDK would go."""

import base64
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from sendgrid import SendGridAPIClient
from twilio.http.http_client import (  # type: ignore[import-untyped, unused-ignore]
    TwilioHttpClient,
)
from twilio.rest import Client  # type: ignore[import-untyped, unused-ignore]

from tests.patience import patient
from worker.sandbox.credentials import ACCOUNT_SID, API_KEY, AUTH_TOKEN, SENDER

MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
TWILIO_AUTH = {
    "Authorization": f"Basic {base64.b64encode(f'{ACCOUNT_SID}:{AUTH_TOKEN}'.encode()).decode()}"
}
BEARER = {"Authorization": f"Bearer {API_KEY}"}
SMS = {"To": "+51987654321", "From": SENDER, "Body": "Hola"}


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(
    url: str,
    method: str,
    path: str,
    body: bytes | str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """One HTTP call on a connection of its own, with no library to smooth anything over."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=patient(10))
    try:
        raw = body.encode() if isinstance(body, str) else body
        connection.request(method, path, raw, dict(headers or {}))
        response = connection.getresponse()
        return Reply(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


def post_form(url: str, form: Mapping[str, str], **headers: str) -> Reply:
    """CreateMessage as a form."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return call(url, "POST", MESSAGES, urlencode(form), {**TWILIO_AUTH, **kind, **headers})


def post_mail(url: str, mail: object, headers: Mapping[str, str] | None = None) -> Reply:
    """mail/send as JSON."""
    given = {**BEARER, "Content-Type": "application/json", **(headers or {})}
    return call(url, "POST", "/v3/mail/send", json.dumps(mail), given)


def mail(**changes: Any) -> dict[str, Any]:
    """A mail/send body that is accepted; a change of ``None`` takes the key away."""
    body: dict[str, Any] = {
        "personalizations": [
            {"to": [{"email": "lucia@example.com"}], "custom_args": {"a": "at-1"}}
        ],
        "from": {"email": "avisos@example.com", "name": "Avisos"},
        "subject": "Su plan vence",
        "content": [
            {"type": "text/plain", "value": "Vence mañana"},
            {"type": "text/html", "value": "<p>Vence mañana</p>"},
        ],
    }
    return {k: v for k, v in {**body, **changes}.items() if v is not None}


def twilio(url: str, *, token: str = AUTH_TOKEN, timeout: float = 5) -> Any:
    """The real Twilio client, pointed at the sandbox."""
    client = Client(ACCOUNT_SID, token, http_client=TwilioHttpClient(timeout=timeout))
    client.api.base_url = url
    return client


def sendgrid(url: str, *, key: str = API_KEY, timeout: float = 5) -> Any:
    """The real SendGrid client, pointed at the sandbox."""
    client = SendGridAPIClient(key, host=url)
    client.client.timeout = timeout
    return client


def set_faults(url: str, *rules: dict[str, object], seed: int = 0) -> None:
    """Put a fault plan in place."""
    reply = call(url, "PUT", "/sandbox/faults", json.dumps({"rules": rules, "seed": seed}))
    assert reply.status == 200, reply.body


def record(url: str) -> Any:
    """What was accepted, and the counters."""
    return call(url, "GET", "/sandbox/record").json


def mailbox(url: str, to: str | None = None) -> Any:
    """What was received, all of it or by one address."""
    return call(url, "GET", "/sandbox/mailbox" + (f"?to={quote(to)}" if to else "")).json


def reset(url: str) -> None:
    """Back to how the sandbox started."""
    assert call(url, "POST", "/sandbox/reset").status == 200
