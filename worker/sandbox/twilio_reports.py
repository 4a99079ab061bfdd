"""What Twilio calls: the status of a message, and a message that a holder wrote.

Sources: www.twilio.com/docs/messaging/guides/track-outbound-message-status and
www.twilio.com/docs/messaging/guides/webhook-request.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Final
from urllib.parse import parse_qs, urldefrag, urlencode
from uuid import uuid4

from worker.sandbox.callbacks import Reported
from worker.sandbox.clock import Clock
from worker.sandbox.credentials import ACCOUNT_SID, SENDER
from worker.sandbox.messages import Sms
from worker.sandbox.posting import Post
from worker.sandbox.signing import twilio_headers

_API_VERSION: Final = "2010-04-01"
_MOST_RETRIES: Final = 5


def reports(sms: Sms, clock: Clock) -> list[Reported]:
    """Every status of ``sms`` for its StatusCallback, if it has one."""
    url = sms.status_callback
    if url is None:
        return []
    return [Reported(one, partial(_status, sms, url, one, clock)) for one in sms.ending.statuses]


def inbound(url: str, form: Mapping[str, str]) -> Post:
    """A holder's message on its way to the inbound address."""
    sid = f"SM{uuid4().hex}"
    full = {
        "MessageSid": sid,
        "SmsSid": sid,
        "SmsMessageSid": sid,
        "AccountSid": ACCOUNT_SID,
        "To": SENDER,
        "NumMedia": "0",
        "NumSegments": "1",
        "SmsStatus": "received",
        "ApiVersion": _API_VERSION,
        **form,
    }
    headers = twilio_headers(url, full)
    return Post(url, 1, urlencode(full).encode(), lambda: headers, 1, lambda _: False)


def _status(sms: Sms, callback: str, status: str, clock: Clock) -> Post:
    url, fragment = urldefrag(callback)
    form = status_form(sms, status, clock.now())
    tries, repeats = overrides(fragment)
    headers = twilio_headers(url, form)
    return Post(url, 1, urlencode(form).encode(), lambda: headers, tries, repeats)


def status_form(sms: Sms, status: str, now: datetime) -> dict[str, str]:
    """What Twilio posts to a StatusCallback."""
    form = {
        "MessageSid": sms.id,
        "MessageStatus": status,
        "SmsSid": sms.id,
        "SmsStatus": status,
        "AccountSid": ACCOUNT_SID,
        "ApiVersion": _API_VERSION,
        "From": sms.sender or SENDER,
        "To": sms.to,
    }
    if sms.service_sid:
        form["MessagingServiceSid"] = sms.service_sid
    if status == "delivered":
        form["RawDlrDoneDate"] = f"{now:%y%m%d%H%M}"
    if status == sms.ending.status and sms.ending.code:
        form["ErrorCode"] = str(sms.ending.code)
    return form


def overrides(fragment: str) -> tuple[int, Callable[[int | None], bool]]:
    """Twilio's connection overrides ``#rc=5&rp=all``: how many tries, and after which answers.

    Source: www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides. Without them: once
    more, if no connection was had.
    """
    given = {name: values[-1] for name, values in parse_qs(fragment).items()}
    count = given.get("rc", "1")
    retries = min(int(count), _MOST_RETRIES) if count.isdecimal() and count.isascii() else 1
    policies = set(given.get("rp", "ct").split(","))

    def repeats(status: int | None) -> bool:
        if status is None:
            return True
        return bool(policies & {"all", f"{status // 100}xx"})

    return 1 + retries, repeats
