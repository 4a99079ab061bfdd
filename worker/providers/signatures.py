"""Did a provider send this? Any doubt, and any exception, is a no."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from starlette.requests import Request
from twilio.request_validator import RequestValidator

from worker.errors import ConfigError

# Twilio sends about 20 fields.
_MOST_FIELDS: Final = 200


class ForgedError(Exception):
    """The request is not, or not certainly, the provider's. The text is for the log."""


@dataclass(frozen=True, slots=True)
class TwilioSignature:
    """Checks Twilio's signature over the address that Twilio called, ``public_url`` and what
    follows: never over what headers say about host and scheme."""

    account_sid: str
    auth_token: str
    public_url: str

    def form(self, request: Request, body: bytes) -> Mapping[str, str]:
        """The fields of a genuine request. Raises ``ForgedError``."""
        try:
            pairs = parse_qsl(
                body.decode("ascii"),
                keep_blank_values=True,  # they are signed too
                errors="strict",
                max_num_fields=_MOST_FIELDS,
            )
            form = dict(pairs)
            query = request.scope["query_string"]
            path = request.scope["raw_path"] + (b"?" + query if query else b"")
            url = self.public_url + path.decode("ascii")
            [signature] = request.headers.getlist("X-Twilio-Signature")
            genuine = RequestValidator(self.auth_token).validate(url, form, signature)
        except Exception as error:
            raise ForgedError(f"twilio: {type(error).__name__}") from None
        if len(form) < len(pairs):
            raise ForgedError("twilio: a field twice")
        if genuine is not True:
            raise ForgedError("twilio: signature")
        if form.get("AccountSid") != self.account_sid:
            raise ForgedError("twilio: another account")
        return form


def sendgrid_key(encoded: str) -> ec.EllipticCurvePublicKey:
    """The verification key as SendGrid shows it. Raises ``ConfigError``."""
    try:
        key = load_der_public_key(base64.b64decode(encoded, validate=True))
    except Exception:
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ConfigError(
            "SENDGRID_WEBHOOK_KEY is not a verification key.",
            "Copy it from SendGrid: Settings, Mail Settings, Event Webhooks, signature.",
        )
    return key


def check_events(
    request: Request, body: bytes, key: ec.EllipticCurvePublicKey, oldest: float
) -> None:
    """Raise ``ForgedError`` unless SendGrid signed ``body``, byte for byte, since ``oldest`` (a
    UNIX time).

    A signature from the future is one of SendGrid's all the same: it is our clock that is wrong.
    """
    prefix = "X-Twilio-Email-Event-Webhook-"
    try:
        [signature] = request.headers.getlist(f"{prefix}Signature")
        [timestamp] = request.headers.getlist(f"{prefix}Timestamp")
        signed = timestamp.encode("ascii") + body
        key.verify(base64.b64decode(signature, validate=True), signed, ec.ECDSA(hashes.SHA256()))
        old = int(timestamp) < oldest
    except InvalidSignature:
        raise ForgedError("sendgrid: signature") from None
    except Exception as error:
        raise ForgedError(f"sendgrid: {type(error).__name__}") from None
    if old:
        raise ForgedError("sendgrid: too old")
