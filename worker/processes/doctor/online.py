"""Do the providers know us? Asked with a GET that sends nothing and costs nothing.

Sources: https://www.twilio.com/docs/iam/api/account (fetch an account: status and type),
https://www.twilio.com/docs/sendgrid/api-reference/api-key-permissions (the scopes of a key).
"""

import base64
import json
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError

from worker.core.cards import Channel
from worker.errors import VigenciaError
from worker.processes.doctor.findings import Finding
from worker.providers.sendgrid.client import SendGridSettings
from worker.setup.app import App

_TIMEOUT = 10.0
_TWILIO = "https://api.twilio.com"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Credentials are not carried to wherever an answer points."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        """Do not follow."""


class _RefusedError(Exception):
    """The provider answered, and not with what was asked for."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def address_of(app: App, channel: Channel) -> str:
    """Where messages of a channel are handed over."""
    own = app.gateways
    if channel is Channel.SMS:
        return (own.twilio.base_url if own.twilio else None) or _TWILIO
    return own.sendgrid.base_url if own.sendgrid else own.smtp.where if own.smtp else "nobody"


def elsewhere(app: App, channel: Channel) -> str | None:
    """The address, where it is not the provider's own."""
    usual = (_TWILIO, SendGridSettings("", "").base_url)
    if channel is Channel.EMAIL and app.gateways.sendgrid is None:
        return None
    url = address_of(app, channel)
    return None if url in usual else url


def ask_providers(app: App) -> Iterator[Finding]:
    """Twilio is asked for its account, SendGrid for what the key may do."""
    own = app.gateways
    if own.twilio:
        yield _asked(_ask_twilio, app, "Twilio", "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN")
    if own.sendgrid:
        yield _asked(_ask_sendgrid, app, "SendGrid", "SENDGRID_API_KEY")
    if own.smtp:
        message = "the mail server is not asked: it is met with the first message"
        yield Finding("online", "ok", message)


def _asked(ask: Any, app: App, provider: str, names: str) -> Finding:
    try:
        return ask(app)  # type: ignore[no-any-return]
    except _RefusedError as error:
        if error.status in (401, 403):
            message = f"{provider} does not know these credentials (HTTP {error.status})"
            return Finding("online", "error", message, f"correct {names}")
        message = f"{provider} answered with HTTP {error.status}"
        hint = "see the provider's status page, and whether something stands in between"
        return Finding("online", "warning", message, hint)
    except (OSError, HTTPException, ValueError) as error:
        message = f"{provider} could not be asked ({type(error).__name__})"
        return Finding("online", "error", message, "can it be reached from here? proxy, firewall")


def _ask_twilio(app: App) -> Finding:
    own = app.gateways.twilio
    if own is None:
        raise VigenciaError("Twilio is not set.")
    pair = base64.b64encode(f"{own.account_sid}:{own.auth_token}".encode()).decode()
    url = f"{own.base_url or _TWILIO}/2010-04-01/Accounts/{own.account_sid}.json"
    found = _get(url, f"Basic {pair}")
    status, kind = str(found.get("status")), str(found.get("type"))
    if status != "active":
        message = f"Twilio knows the account, but it is {status}"
        return Finding("online", "error", message, "see Twilio's Console")
    if kind == "Trial":
        message = "Twilio knows the account, a trial: only verified numbers are reached"
        hint = "verify the numbers you try it with, or upgrade the account"
        return Finding("online", "warning", message, hint)
    return Finding("online", "ok", "Twilio knows the account")


def _ask_sendgrid(app: App) -> Finding:
    own = app.gateways.sendgrid
    if own is None:
        raise VigenciaError("SendGrid is not set.")
    scopes = _get(f"{own.base_url}/v3/scopes", f"Bearer {own.api_key}").get("scopes") or ()
    if "mail.send" not in scopes:
        message = "SendGrid knows the key, but it may not send"
        return Finding("online", "error", message, "give the key the permission Mail Send")
    return Finding("online", "ok", "SendGrid knows the key, and it may send")


def _get(url: str, authorization: str) -> dict[str, Any]:
    request = urllib.request.Request(url, headers={"Authorization": authorization})  # noqa: S310
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=_TIMEOUT) as answer:
            found = json.loads(answer.read(65_536))
    except HTTPError as error:
        raise _RefusedError(error.code) from None
    if not isinstance(found, dict):
        raise ValueError("it is not what was asked for")
    return found
