"""Twilio's Messages resource as JSON, and its error body.

Source: twilio-oai, schema ``api.v2010.account.message`` and ``message_enum_status``.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Final, Literal

from aiohttp import web

from worker.sandbox.credentials import ACCOUNT_SID, SENDER
from worker.sandbox.state import Sms

API_VERSION: Final = "2010-04-01"
ACCOUNT_PATH: Final = f"/{API_VERSION}/Accounts/{ACCOUNT_SID}"
# How long after its creation, by the sandbox's clock, a message is sent and delivered.
SENT_AFTER: Final = timedelta(seconds=2)
DELIVERED_AFTER: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a message is; ``sent`` is ``None`` until it left, as its ``date_sent`` is."""

    status: Literal["accepted", "queued", "sent", "delivered"]
    updated: datetime
    sent: datetime | None
    sender: str | None


def progress(sms: Sms, now: datetime) -> Progress:
    """The state of ``sms`` at ``now``.

    Twilio: a message of a Messaging Service is ``accepted`` and has no sender until one is
    chosen; here that happens when it is sent.
    """
    sent, delivered = sms.created + SENT_AFTER, sms.created + DELIVERED_AFTER
    if now >= delivered:
        return Progress("delivered", delivered, sent, sms.sender or SENDER)
    if now >= sent:
        return Progress("sent", sent, sent, sms.sender or SENDER)
    return Progress("queued" if sms.sender else "accepted", sms.created, None, sms.sender)


def resource(sms: Sms, now: datetime) -> dict[str, object]:
    """The Message resource of ``sms`` at ``now``; dates are RFC 2822 in GMT."""
    state = progress(sms, now)
    uri = f"{ACCOUNT_PATH}/Messages/{sms.id}"
    return {
        "account_sid": ACCOUNT_SID,
        "api_version": API_VERSION,
        "body": sms.body,
        "date_created": format_datetime(sms.created),
        "date_sent": format_datetime(state.sent) if state.sent else None,
        "date_updated": format_datetime(state.updated),
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": state.sender,
        "messaging_service_sid": sms.service_sid,
        "num_media": str(sms.media),
        # Twilio: "0" while a Messaging Service has not chosen the sender.
        "num_segments": str(sms.segments) if state.sender else "0",
        "price": None,
        "price_unit": "USD",
        "sid": sms.id,
        "status": state.status,
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": sms.to,
        "uri": f"{uri}.json",
    }


def error(status: int, code: int, message: str) -> web.Response:
    """Twilio's error body: code, message, more_info, status."""
    more_info = f"https://www.twilio.com/docs/errors/{code}"
    body = {"code": code, "message": message, "more_info": more_info, "status": status}
    return web.json_response(body, status=status)
