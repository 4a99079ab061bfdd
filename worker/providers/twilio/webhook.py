"""What Twilio calls: the status of a message, and a message that a holder wrote.

Source: www.twilio.com/docs/messaging/guides/track-outbound-message-status and
www.twilio.com/docs/messaging/guides/webhook-request. Callbacks repeat and are not in order. The
signature is over the address that Twilio called and the fields.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl

from worker.core.optout import Said
from worker.core.reports import Report
from worker.providers.given import Given
from worker.providers.twilio.reports import STATUSES
from worker.providers.webhooks import Answer, Call, ForgedError, Inbound, Told, Webhook, as_uuid

# The attempt's id follows as ?a=.
STATUS_PATH: Final = "/webhooks/twilio/status"
INBOUND_PATH: Final = "/webhooks/twilio/inbound"

_FORM: Final = "application/x-www-form-urlencoded"
# Twilio sends about 20 fields.
_MOST_FIELDS: Final = 200
_SID: Final = re.compile(r"(?:SM|MM)[0-9a-fA-F]{32}", re.ASCII)
_CODE: Final = re.compile(r"[1-9][0-9]{3,5}", re.ASCII)
# Advanced Opt-Out has read the message already, in the words of its own configuration.
_READ: Final = {"STOP": Said.OUT, "START": Said.IN, "HELP": Said.HELP}
# An empty TwiML document: the answer to an opt-out is Twilio's own.
_NO_REPLY: Final = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


def verify(given: Given, call: Call) -> None:
    """See ``Webhook``."""
    from twilio.request_validator import RequestValidator

    if call.url is None or not given.text("auth_token"):
        raise ForgedError("twilio: not configured")
    try:
        pairs = _pairs(call.body)
        form = dict(pairs)
        signature = call.header("x-twilio-signature")
        genuine = RequestValidator(given.text("auth_token")).validate(call.url, form, signature)
    except Exception as error:
        raise ForgedError(f"twilio: {type(error).__name__}") from None
    if len(form) < len(pairs):
        raise ForgedError("twilio: a field twice")
    if genuine is not True:
        raise ForgedError("twilio: signature")
    if form.get("AccountSid") != given.text("account_sid"):
        raise ForgedError("twilio: another account")


def _pairs(body: bytes) -> list[tuple[str, str]]:
    return parse_qsl(
        body.decode("ascii"),
        keep_blank_values=True,  # they are signed too
        errors="strict",
        max_num_fields=_MOST_FIELDS,
    )


def parse_status(call: Call) -> Told:
    """What a status callback says."""
    report = status_report(dict(_pairs(call.body)), call.query.get("a"), call.now)
    return Told([report]) if report else Told(ignored=1)


def parse_inbound(call: Call) -> Told:
    """The message that a holder wrote."""
    form = dict(_pairs(call.body))
    read = _READ.get(form.get("OptOutType", "").strip().upper())
    return Told(
        inbound=[Inbound(message_id(form), form.get("From", ""), form.get("Body", ""), read)]
    )


def message_id(form: Mapping[str, str]) -> str:
    """The id of an inbound message: who brings the same signed request once more, however much
    later, brings the same message. Without a SID it is what was signed."""
    sid = form.get("MessageSid", "")
    if _SID.fullmatch(sid):
        return sid
    return "form:" + hashlib.sha256(repr(sorted(form.items())).encode()).hexdigest()


def status_report(form: Mapping[str, str], attempt: str | None, now: datetime) -> Report | None:
    """What a status callback says; Twilio gives no time, so it happened ``now``."""
    sid, status = form.get("MessageSid", ""), form.get("MessageStatus", "").lower()
    if not _SID.fullmatch(sid) or status not in STATUSES:
        return None
    code = form.get("ErrorCode", "")
    return Report(
        provider="twilio",
        event_id=f"{sid}:{status}",
        status=status,
        attempt=as_uuid(attempt),
        provider_id=sid,
        code=code if _CODE.fullmatch(code) else None,
        occurred_at=now,
    )


WEBHOOKS: Final = (
    Webhook(STATUS_PATH, verify, parse_status, _FORM, "not a status"),
    Webhook(INBOUND_PATH, verify, parse_inbound, _FORM, answer=Answer(200, _NO_REPLY, "text/xml")),
)
