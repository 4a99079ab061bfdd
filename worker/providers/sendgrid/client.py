"""Email through SendGrid: its official SDK builds the request, our transport makes the call."""

import base64
import json
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final

from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import (
    Attachment,
    Content,
    CustomArg,
    Disposition,
    FileContent,
    FileName,
    FileType,
    From,
    Header,
    Mail,
    ReplyTo,
    To,
)

from worker.core.outcomes import Fault, Outcome, OutcomeKind, accepted, from_fault
from worker.providers.base import AUTOMATIC, Attached, EmailOut
from worker.providers.mime import on_the_wire
from worker.providers.sendgrid.outcomes import from_sendgrid
from worker.providers.sendgrid.settings import SendGridSettings
from worker.providers.sendgrid.webhook import ATTEMPT_ARG
from worker.providers.transport import Reply, Transport, TransportError

# Fields of a mail that are the same in all of them: a fault there is one of our configuration.
_OURS: Final = ("from", "reply_to", "mail_settings", "tracking_settings", "asm")


class SendGridProvider:
    """One API key, one sender."""

    name = "sendgrid"

    def __init__(
        self, settings: SendGridSettings, transport: Transport, now: Callable[[], datetime]
    ) -> None:
        # At DEBUG it tells the key.
        logging.getLogger("python_http_client").setLevel(logging.WARNING)
        self._settings = settings
        self._now = now
        self._transport = transport
        api = SendGridAPIClient(api_key=settings.api_key, host=settings.base_url)
        self._url = f"{settings.base_url.rstrip('/')}/v3/mail/send"
        self._headers = {**api.client.request_headers, "Content-Type": "application/json"}

    @property
    def sender(self) -> str:
        """See ``Provider``."""
        return self._settings.sender

    async def send(self, out: EmailOut) -> Outcome:
        """Send one email to one address."""
        try:
            payload = json.dumps(self._mail(out)).encode()
        except KeyError:  # the SDK drops an address that it cannot read, and then misses it
            return Outcome(OutcomeKind.RECIPIENT_DEAD, "sendgrid:bad_address")
        try:
            reply = await self._transport.request("POST", self._url, self._headers, data=payload)
        except TransportError as error:
            return from_fault(error.fault)
        if reply.status == 202:
            # The id is in a header; without it the mail was taken all the same.
            return accepted(reply.headers.get("x-message-id") or f"attempt-{out.attempt}")
        if 200 <= reply.status < 300:
            return from_fault(Fault.BROKEN_REPLY)
        wait, own = _retry_after(reply, self._now()), _is_sendgrids(reply)
        outcome = from_sendgrid(reply.status, wait, own=own)
        if outcome.kind is not OutcomeKind.MESSAGE_DEAD:
            return outcome
        fields = _fields(reply)
        if any(field.startswith("personalizations") and ".to" in field for field in fields):
            return Outcome(OutcomeKind.RECIPIENT_DEAD, "sendgrid:bad_address")
        if any(field.startswith(_OURS) for field in fields):
            return Outcome(OutcomeKind.CONFIG_FAULT, "sendgrid:bad_sender", alarm=True)
        return outcome

    def _mail(self, out: EmailOut) -> dict[str, object]:
        mail = Mail(
            from_email=From(self._settings.sender, out.sender_name),
            to_emails=To(on_the_wire(out.to)),
            subject=out.subject,
        )
        mail.content = [Content("text/plain", out.text), Content("text/html", out.html)]
        mail.personalizations[0].add_custom_arg(CustomArg(ATTEMPT_ARG, str(out.attempt)))
        for name, value in {**AUTOMATIC, **out.headers}.items():
            mail.add_header(Header(name, value))
        if out.reply_to:
            mail.reply_to = ReplyTo(out.reply_to)
        for one in out.attached:
            mail.add_attachment(_attachment(one))
        payload: dict[str, object] = mail.get()
        return payload


def _attachment(one: Attached) -> Attachment:
    """SendGrid: the parameters of a type stand in it, ``text/calendar; method=PUBLISH``."""
    kind = "; ".join([one.media_type, *(f"{k}={v}" for k, v in one.parameters.items())])
    return Attachment(
        FileContent(base64.b64encode(one.content).decode("ascii")),
        FileName(one.filename),
        FileType(kind),
        Disposition("attachment"),
    )


def _retry_after(reply: Reply, now: datetime) -> float | None:
    """Seconds to wait: ``X-RateLimit-Reset`` is the UNIX time at which the window opens again."""
    reset = reply.headers.get("x-ratelimit-reset", "")
    if reset.isascii() and reset.isdigit():
        return max(0.0, int(reset[:12]) - now.timestamp())
    return reply.retry_after


def _is_sendgrids(reply: Reply) -> bool:
    """Is the body one of SendGrid's (``{"errors": [...]}``), and not the page of a box between?"""
    try:
        return "errors" in json.loads(reply.body)
    except (ValueError, TypeError, RecursionError):
        return False


def _fields(reply: Reply) -> list[str]:
    """What a 400 complains of: ``personalizations.0.to.0.email`` is the recipient's address."""
    try:
        errors = json.loads(reply.body)["errors"]
        return [str(error.get("field") or "") for error in errors]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
