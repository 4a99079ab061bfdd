"""Twilio's Messages resource as JSON, and its error body.

Source: twilio-oai, schema ``api.v2010.account.message`` and ``message_enum_status``.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Final

from aiohttp import web

from worker.sandbox.account import TwilioAccount
from worker.sandbox.credentials import ACCOUNT_SID, SENDER
from worker.sandbox.messages import Sms

API_VERSION: Final = "2010-04-01"
ACCOUNT_PATH: Final = f"/{API_VERSION}/Accounts/{ACCOUNT_SID}"
# How long after its creation, by the sandbox's clock, a message is sent and delivered.
SENT_AFTER: Final = timedelta(seconds=2)
DELIVERED_AFTER: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a message is; ``sent`` is ``None`` until it left, as its ``date_sent`` is."""

    status: str
    updated: datetime
    sent: datetime | None
    sender: str | None


def progress(sms: Sms, now: datetime) -> Progress:
    """The state of ``sms`` at ``now``: what its callbacks told, or the time that has passed.

    Twilio: a message of a Messaging Service is ``accepted`` and has no sender until one is
    chosen; here that happens when it is sent.
    """
    sender = sms.sender or SENDER
    if sms.inbound:
        return Progress("received", sms.created, sms.created, sender)
    sent = _instant(sms, "sent", SENT_AFTER, now)
    ended = _instant(sms, sms.ending.status, DELIVERED_AFTER, now)
    if sms.ending.status == "failed":
        sent = None
    if ended is not None:
        return Progress(sms.ending.status, ended, sent, sender)
    if sent is not None:
        return Progress("sent", sent, sent, sender)
    return Progress("queued" if sms.sender else "accepted", sms.created, None, sms.sender)


def _instant(sms: Sms, status: str, after: timedelta, now: datetime) -> datetime | None:
    """When ``sms`` came to ``status``, ``None`` if that is still to come."""
    told, due = sms.reached.get(status), sms.created + after
    if told is not None:
        return min(told, due)
    return due if now >= due else None


def resource(sms: Sms, now: datetime, account: TwilioAccount) -> dict[str, object]:
    """The Message resource of ``sms`` at ``now``; dates are RFC 2822 in GMT, by the clock of
    ``account``, which also says what is shown of the text."""

    def date(at: datetime) -> str:
        return format_datetime(account.told(at))

    state = progress(sms, now)
    uri = f"{ACCOUNT_PATH}/Messages/{sms.id}"
    return {
        "account_sid": ACCOUNT_SID,
        "api_version": API_VERSION,
        "body": account.shown(sms.body),
        "date_created": date(sms.created),
        "date_sent": date(state.sent) if state.sent else None,
        "date_updated": date(state.updated),
        "direction": "inbound" if sms.inbound else "outbound-api",
        "error_code": sms.ending.code if state.status == sms.ending.status else None,
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
