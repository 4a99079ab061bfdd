"""What the sandbox keeps of an accepted message."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from worker.sandbox.lifecycle import DELIVERED, Ending


@dataclass(frozen=True, slots=True)
class Sms:
    """One accepted SMS, a Messages resource with Twilio. ``sender`` is ``None`` where a service is
    to choose it; ``reference``: what the caller named it, its attempt before a dot; ``inbound``: a
    holder wrote it."""

    provider: str
    id: str
    to: str
    sender: str | None
    service_sid: str | None
    body: str
    segments: int
    media: int
    status_callback: str | None
    validity_s: int
    created: datetime
    ending: Ending = DELIVERED
    # When it reached which status, where somebody is told of it.
    reached: dict[str, datetime] = field(default_factory=dict, compare=False)
    inbound: bool = False
    reference: str | None = None

    @property
    def attempt(self) -> str | None:
        """The reference, or the ``a`` query parameter of the status callback."""
        if self.reference:
            return self.reference.partition(".")[0]
        if self.status_callback is None:
            return None
        values = parse_qs(urlsplit(self.status_callback).query).get("a")
        return values[0] if values else None

    @property
    def digest(self) -> str:
        """SHA-256 of the text, to tell repetitions apart from different messages."""
        return _digest(self.body)


@dataclass(frozen=True, slots=True)
class Email:
    """One accepted email to one address; ``id`` is the ``X-Message-Id`` of its request.

    ``sender_name`` and ``reply_to`` are empty and ``None`` where the request had none;
    ``attachments`` are as the request had them, their content in base64.
    """

    id: str
    to: str
    sender: str
    subject: str
    text: str
    html: str
    custom_args: Mapping[str, str]
    headers: Mapping[str, str]
    created: datetime
    # A key of ``lifecycle.EMAIL``.
    ending: str = "delivered"
    sender_name: str = ""
    reply_to: str | None = None
    attachments: Sequence[Mapping[str, str]] = ()
    why: str = ""

    @property
    def attempt(self) -> str | None:
        """The custom argument ``a``, or ``vigencia_attempt``."""
        return self.custom_args.get("a") or self.custom_args.get("vigencia_attempt")

    @property
    def digest(self) -> str:
        """SHA-256 of subject, text and HTML."""
        return _digest("\0".join((self.subject, self.text, self.html)))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
