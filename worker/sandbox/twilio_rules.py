"""What Twilio refuses when a message is created.

Source: twilio-oai, CreateMessage; the error dictionary (www.twilio.com/docs/api/errors); the
magic numbers of www.twilio.com/docs/iam/test-credentials. Scheduling (``SendAt``) and channels
other than SMS are not modelled: what names them is refused or ignored as an unknown parameter.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_E164: Final = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_SHORT_CODE: Final = re.compile(r"\d{3,8}", re.ASCII)
# An alphanumeric sender: up to 11 characters with a letter among them.
_ALPHANUMERIC: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 +\-_&]{1,11}", re.ASCII)
_SERVICE: Final = re.compile(r"MG[0-9a-fA-F]{32}", re.ASCII)
_CONTENT: Final = re.compile(r"HX[0-9a-fA-F]{32}", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9.\-]+|\[?[0-9a-fA-F:]+\]?", re.ASCII)
_POSITIVE: Final = re.compile(r"[1-9][0-9]*")
_BODY_LIMIT: Final = 1600
VALIDITY_MAX_S: Final = 36_000

_MAGIC_TO: Final = {
    "+15005550001": (21211, "Invalid 'To' Phone Number"),
    "+15005550002": (21612, "No route from this 'From' to this 'To'"),
    "+15005550003": (21408, "Permission to send to this region is not enabled"),
    "+15005550004": (21610, "The recipient has unsubscribed"),
    "+15005550009": (21614, "'To' number is not a mobile number"),
}
_MAGIC_FROM: Final = {
    "+15005550001": (21212, "Invalid 'From' Phone Number"),
    "+15005550007": (21606, "'From' is not an SMS-capable number of this account"),
    "+15005550008": (21611, "The queue of this 'From' number is full"),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A Twilio error: its code and words; the HTTP status is 400 unless it says otherwise."""

    code: int
    message: str
    status: int = 400


def refusal(form: Mapping[str, str]) -> Refusal | None:
    """The first thing wrong with a CreateMessage form, or ``None``; blank means absent."""
    return (
        _missing(form)
        or _bad_parties(form)
        or _bad_content(form)
        or _bad_options(form)
        or _magic(form)
    )


def _missing(form: Mapping[str, str]) -> Refusal | None:
    if not form.get("To"):
        return Refusal(21604, "A 'To' phone number is required.")
    if not form.get("From") and not form.get("MessagingServiceSid"):
        return Refusal(21603, "A 'From' phone number is required.")
    if not any(form.get(name) for name in ("Body", "MediaUrl", "ContentSid")):
        return Refusal(21602, "Message body is required.")
    return None


def _bad_parties(form: Mapping[str, str]) -> Refusal | None:
    to, sender, service = form["To"], form.get("From"), form.get("MessagingServiceSid")
    if not _E164.fullmatch(to):
        return Refusal(21211, f"Invalid 'To' Phone Number: {to}")
    if sender and not any(p.fullmatch(sender) for p in (_E164, _SHORT_CODE, _ALPHANUMERIC)):
        return Refusal(21212, f"Invalid 'From' Phone Number: {sender}")
    if service and not _SERVICE.fullmatch(service):
        return Refusal(21705, f"The Messaging Service Sid {service} is invalid.")
    # The magic number that may not be sent to may not send either, and says so first.
    if sender == to and to not in _MAGIC_TO:
        return Refusal(21266, "'To' and 'From' number cannot be the same")
    return None


def _bad_content(form: Mapping[str, str]) -> Refusal | None:
    if len(form.get("Body", "")) > _BODY_LIMIT:
        return Refusal(21617, f"The message body exceeds the {_BODY_LIMIT} character limit.")
    content = form.get("ContentSid")
    if content and not _CONTENT.fullmatch(content):
        return Refusal(21655, "The ContentSid is invalid.")
    return None


def _bad_options(form: Mapping[str, str]) -> Refusal | None:
    validity = form.get("ValidityPeriod")
    if validity:
        if not _POSITIVE.fullmatch(validity):
            return Refusal(90014, "ValidityPeriod should be a positive integer.")
        if len(validity) > 9 or int(validity) > VALIDITY_MAX_S:
            return Refusal(90007, f"ValidityPeriod must be from 1 to {VALIDITY_MAX_S} seconds.")
    callback = form.get("StatusCallback")
    if callback and not _is_url(callback):
        return Refusal(21609, f"The StatusCallback URL {callback} is not a valid URL.")
    return None


def _is_url(text: str) -> bool:
    """An absolute http(s) URL; Twilio: the host is valid and has no underscore."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host) and bool(_HOST.fullmatch(host or ""))


def _magic(form: Mapping[str, str]) -> Refusal | None:
    known = _MAGIC_TO.get(form["To"]) or _MAGIC_FROM.get(form.get("From", ""))
    return Refusal(*known) if known else None
