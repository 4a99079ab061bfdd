"""What Vonage calls: the delivery receipt of a message, and a message that a holder wrote.

Sources: developer.vonage.com/en/messaging/sms/guides/delivery-receipts and .../inbound-sms. An
account chooses whether it is called with GET, with a form, or with JSON. What is not answered with
200 or 204 is repeated for 24 hours.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl

from worker.core.reports import Report
from worker.providers.declaration import Remark
from worker.providers.given import Given
from worker.providers.vonage.reports import STATUSES, code_of, referred_to
from worker.providers.vonage.signature import MD5_HASH, is_signed
from worker.providers.webhooks import Call, ForgedError, Inbound, Told, Webhook

RECEIPT_PATH: Final = "/webhooks/vonage/receipt"
INBOUND_PATH: Final = "/webhooks/vonage/inbound"

# Vonage sends about 20 parameters.
_MOST_FIELDS: Final = 200
_ID: Final = re.compile(r"[\x21-\x7e]{1,100}", re.ASCII)
_TIMESTAMP: Final = re.compile(r"[0-9]{1,11}", re.ASCII)
_NUMBER: Final = re.compile(r"[1-9][0-9]{6,14}", re.ASCII)


def lack(given: Given) -> Remark | None:
    """See ``Declaration``."""
    if secret(given):
        return None
    message = "no VONAGE_SIGNATURE_SECRET: receipts of SMS are not known, nor what holders write"
    hint = "set it to the signature secret of Vonage's dashboard, and ask for signed webhooks"
    return Remark("warning", message, hint)


def secret(given: Given) -> str:
    """What calls are signed with; the sandbox's where nothing is real."""
    own = given.text("signature_secret")
    return own if given.live else given.sandbox.get("signature_secret", "")


def verify(given: Given, call: Call) -> None:
    """See ``Webhook``. A signature from the future is one of Vonage's all the same: it is our clock
    that is wrong."""
    if not (key := secret(given)):
        raise ForgedError("vonage: not configured")
    try:
        fields = _fields(call)
        genuine = is_signed(fields, key, given.text("signature_method") or MD5_HASH)
        timestamp = fields.get("timestamp", "")
    except Exception as error:
        raise ForgedError(f"vonage: {type(error).__name__}") from None
    if not genuine:
        raise ForgedError("vonage: signature")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise ForgedError("vonage: no time")
    if int(timestamp) < call.oldest.timestamp():
        raise ForgedError("vonage: too old")
    if fields.get("api-key", given.text("api_key")) != given.text("api_key"):
        raise ForgedError("vonage: another account")


def parse_receipt(call: Call) -> Told:
    """What a delivery receipt says."""
    report = receipt(_fields(call))
    return Told([report]) if report else Told(ignored=1)


def parse_inbound(call: Call) -> Told:
    """The message that a holder wrote, or a part of it. One of type ``binary`` has no text."""
    fields = _fields(call)
    number = fields.get("msisdn", "")
    sender = f"+{number}" if _NUMBER.fullmatch(number) else ""
    return Told(inbound=[Inbound(_inbound_id(fields), sender, fields.get("text", ""))])


def receipt(fields: Mapping[str, str]) -> Report | None:
    """What a delivery receipt says; ``None`` for what is none. Each part of a text has its own."""
    message_id, status = fields.get("messageId", ""), fields.get("status", "").lower()
    if not _ID.fullmatch(message_id) or status not in STATUSES:
        return None
    attempt, parts = referred_to(fields.get("client-ref"))
    return Report(
        provider="vonage",
        event_id=f"{message_id}:{status}",
        status=status,
        attempt=attempt,
        provider_id=message_id,
        code=code_of(status, fields.get("err-code", ""), parts),
        occurred_at=datetime.fromtimestamp(int(fields["timestamp"]), UTC),
    )


def _inbound_id(fields: Mapping[str, str]) -> str:
    """Who brings the same signed request once more, however much later, brings the same message."""
    found = fields.get("messageId", "")
    if _ID.fullmatch(found):
        return found
    return "form:" + hashlib.sha256(repr(sorted(fields.items())).encode()).hexdigest()


def _fields(call: Call) -> dict[str, str]:
    """The parameters of a call. Raises ``ValueError`` for what Vonage does not send: parameters in
    two places, one of them twice, or anything but texts and whole numbers."""
    if call.method == "GET":
        return _pairs(call.query_string)
    if call.query_string:
        raise ValueError("parameters in the address of a POST")
    kind = call.header("content-type").partition(";")[0].strip().lower()
    if kind != "application/json":
        return _pairs(call.body.decode("ascii"))
    found = json.loads(call.body)
    if not isinstance(found, dict) or len(found) > _MOST_FIELDS:
        raise ValueError("not an object of parameters")
    return {name: _text(value) for name, value in found.items()}


def _pairs(text: str) -> dict[str, str]:
    pairs = parse_qsl(
        text,
        keep_blank_values=True,  # they are signed too
        errors="strict",
        max_num_fields=_MOST_FIELDS,
    )
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a parameter twice")
    return fields


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError("neither a text nor a whole number")


WEBHOOKS: Final = (
    Webhook(RECEIPT_PATH, verify, parse_receipt, None, "not a receipt", methods=("GET", "POST")),
    Webhook(INBOUND_PATH, verify, parse_inbound, methods=("GET", "POST")),
)
