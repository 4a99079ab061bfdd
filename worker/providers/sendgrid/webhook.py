"""What SendGrid posts: signed lists of events.

Source: www.twilio.com/docs/sendgrid/for-developers/tracking-events/event. A list has up to 768 KB,
and is repeated for 24 hours until it is answered with a 2xx. The signature is over the body byte
for byte.
"""

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from worker.core.reports import Report
from worker.errors import ConfigError
from worker.providers.declaration import Remark
from worker.providers.given import Given
from worker.providers.sendgrid.outcomes import SENDGRID_DROPS
from worker.providers.sendgrid.reports import STATUSES
from worker.providers.webhooks import Call, ForgedError, Told, TooMuchError, Webhook, as_uuid

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

EVENTS_PATH: Final = "/webhooks/sendgrid/events"
# The custom argument that comes back in every event as a field beside SendGrid's own, of which
# `deferred` has one named "attempt".
ATTEMPT_ARG: Final = "vigencia_attempt"

# 768 KB of the shortest events that SendGrid sends are about 4,000.
_MOST_EVENTS: Final = 10_000
_ID: Final = re.compile(r"[\x21-\x7e]{1,100}", re.ASCII)
# The class of a reason (RFC 3463). The reason in words is not kept: it may hold the address.
_CLASS: Final = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", re.ASCII)
_PREFIX: Final = "x-twilio-email-event-webhook-"


@lru_cache(maxsize=4)
def verification_key(encoded: str) -> "EllipticCurvePublicKey":
    """The verification key as SendGrid shows it. Raises ``ConfigError``."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(base64.b64decode(encoded, validate=True))
    except Exception:
        key = None
    if not isinstance(key, EllipticCurvePublicKey):
        raise ConfigError(
            "SENDGRID_WEBHOOK_KEY is not a verification key.",
            "Copy it from SendGrid: Settings, Mail Settings, Event Webhooks, signature.",
        )
    return key


def lack(given: Given) -> Remark | None:
    """See ``Declaration``."""
    if encoded := encoded_key(given):
        verification_key(encoded)
        return None
    message = "no SENDGRID_WEBHOOK_KEY: bounces and complaints are not known"
    hint = "set it to the verification key of SendGrid's signed event webhook"
    return Remark("warning", message, hint)


def encoded_key(given: Given) -> str:
    """The key that events are signed with, as it was set; the sandbox's where nothing is real."""
    return given.text("webhook_key") if given.live else given.sandbox.get("webhook_key", "")


def verify(given: Given, call: Call) -> None:
    """See ``Webhook``. A signature from the future is one of SendGrid's all the same: it is our
    clock that is wrong."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    if not (encoded := encoded_key(given)):
        raise ForgedError("sendgrid: not configured")
    try:
        signature = base64.b64decode(call.header(f"{_PREFIX}signature"), validate=True)
        timestamp = call.header(f"{_PREFIX}timestamp")
        signed = timestamp.encode("ascii") + call.body
        verification_key(encoded).verify(signature, signed, ECDSA(SHA256()))
        old = int(timestamp) < call.oldest.timestamp()
    except InvalidSignature:
        raise ForgedError("sendgrid: signature") from None
    except Exception as error:
        raise ForgedError(f"sendgrid: {type(error).__name__}") from None
    if old:
        raise ForgedError("sendgrid: too old")


def parse(call: Call) -> Told:
    """What is about attempts of ours. Raises ``ForgedError`` for what is no list of events."""
    events = _events(call.body)
    if len(events) > _MOST_EVENTS:
        raise TooMuchError
    reports = [report for event in events if (report := event_report(event))]
    return Told(reports, ignored=len(events) - len(reports))


def _events(body: bytes) -> list[Any]:
    try:
        events = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ForgedError(f"sendgrid: {type(error).__name__}") from None
    if not isinstance(events, list):
        raise ForgedError("sendgrid: not a list")
    return events


def event_report(event: object) -> Report | None:
    """What one event says about an attempt; ``None`` for what is not about one, or not news."""
    if not isinstance(event, Mapping):
        return None
    status, event_id = event.get("event"), event.get("sg_event_id")
    attempt = as_uuid(event.get(ATTEMPT_ARG))
    if not isinstance(status, str) or status not in STATUSES:
        return None
    if not _is_id(event_id) or attempt is None:
        return None
    if status == "bounce" and event.get("type") == "blocked":
        status = "blocked"
    # "<X-Message-Id>.<where it went through SendGrid>"
    message_id = str(event.get("sg_message_id", "")).partition(".")[0]
    return Report(
        provider="sendgrid",
        event_id=str(event_id),
        status=status,
        attempt=attempt,
        provider_id=message_id if _is_id(message_id) else None,
        code=_code(event),
        occurred_at=_instant(event.get("timestamp")),
    )


def _code(event: Mapping[str, object]) -> str | None:
    """Why: of a drop SendGrid's own fixed reason, else the class."""
    reason, code = event.get("reason"), event.get("status")
    if isinstance(reason, str) and reason.lower() in SENDGRID_DROPS:
        return reason.lower()
    return code if isinstance(code, str) and _CLASS.fullmatch(code) else None


def _is_id(value: object) -> bool:
    return isinstance(value, str) and bool(_ID.fullmatch(value))


def _instant(timestamp: object) -> datetime | None:
    if isinstance(timestamp, bool) or not isinstance(timestamp, int | float):
        return None
    try:
        return datetime.fromtimestamp(timestamp, UTC)
    except (ValueError, OverflowError, OSError):
        return None


WEBHOOKS: Final = (Webhook(EVENTS_PATH, verify, parse),)
