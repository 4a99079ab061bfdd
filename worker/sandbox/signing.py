"""Signatures as the providers make them, with the sandbox's own secrets."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from twilio.request_validator import RequestValidator

from worker.sandbox.credentials import (
    AUTH_TOKEN,
    EVENTS_PRIVATE_KEY,
    VONAGE_SIGNATURE_SECRET,
)


def twilio_headers(url: str, form: Mapping[str, str], token: str = AUTH_TOKEN) -> dict[str, str]:
    """The headers of a webhook call to ``url`` (which has no fragment)."""
    signature = RequestValidator(token).compute_signature(url, form)
    return {
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "User-Agent": "TwilioProxy/1.1",
        "X-Twilio-Signature": signature,
    }


def event_headers(body: bytes, timestamp: int, scalar: int = EVENTS_PRIVATE_KEY) -> dict[str, str]:
    """The headers of an event webhook call: ECDSA with SHA-256 over the timestamp and the body."""
    signed = _key(scalar).sign(str(timestamp).encode() + body, ec.ECDSA(hashes.SHA256()))
    return {
        "Content-Type": "application/json",
        "User-Agent": "SendGrid Event API",
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signed).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": str(timestamp),
    }


def vonage_signature(
    fields: Mapping[str, str], method: str, secret: str = VONAGE_SIGNATURE_SECRET
) -> str:
    """The ``sig`` of a webhook call with ``fields``: an MD5 of them and the secret (``md5hash``),
    or an HMAC with the hash ``method``."""
    line = ""
    for name, value in sorted(fields.items()):
        line += f"&{name}={re.sub('[&=]', '_', value)}"
    if method == "md5hash":
        return hashlib.md5(f"{line}{secret}".encode()).hexdigest().upper()  # noqa: S324
    return hmac.new(secret.encode(), line.encode(), method).hexdigest().upper()


@cache
def _key(scalar: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(scalar, ec.SECP256R1())
