"""What Vonage refuses when a message is submitted.

Source: developer.vonage.com/en/api/sms; its troubleshooting guide for the codes. Types other than
text and unicode, and what goes with them, are not modelled: what names them is refused.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from worker.core.segments import GSM_BASIC, GSM_EXTENSION

# A status that is not 0, and the words with it.
Refusal = tuple[int, str]

MISSING, INVALID, TOO_LONG, BAD_CALLBACK = 2, 3, 12, 23
TTL: Final = (20_000, 604_800_000)

_NUMBER: Final = re.compile(r"[1-9]\d{6,14}", re.ASCII)
_SENDER: Final = re.compile(r"\d{3,15}|(?=.*[A-Za-z])[A-Za-z0-9]{1,11}", re.ASCII)
_NEEDED: Final = ("from", "to", "text")
_KNOWN: Final = frozenset(
    {*_NEEDED, "type", "ttl", "client-ref", "callback", "status-report-req", "account-ref"}
)
_LONGEST_TEXT, _LONGEST_REFERENCE, _LONGEST_CALLBACK = 3200, 100, 100
_GSM: Final = GSM_BASIC | GSM_EXTENSION


def refusal(form: Mapping[str, str]) -> Refusal | None:
    """The first thing wrong with a form, or ``None``."""
    for name in _NEEDED:
        if not form.get(name):
            return MISSING, f"Missing {name} param"
    for name in sorted(form.keys() - _KNOWN):
        return INVALID, f"Invalid {name} param"
    return _bad_value(form)


def _bad_value(form: Mapping[str, str]) -> Refusal | None:
    # Neither takes a +: numbers are in the international format without it.
    if not _NUMBER.fullmatch(form["to"]):
        return INVALID, "Invalid to param"
    if not _SENDER.fullmatch(form["from"]):
        return INVALID, "Invalid from param"
    if form.get("type", "text") not in ("text", "unicode"):
        return INVALID, "Invalid type param"
    if not _is_ttl(form.get("ttl", str(TTL[1]))):
        return INVALID, "Invalid ttl param"
    if form.get("status-report-req", "true") not in ("true", "false", "1", "0"):
        return INVALID, "Invalid status-report-req param"
    if len(form.get("client-ref", "")) > _LONGEST_REFERENCE:
        return INVALID, "Invalid client-ref param"
    if len(form["text"]) > _LONGEST_TEXT:
        return TOO_LONG, "Message Too Long"
    callback = form.get("callback")
    if callback and (len(callback) > _LONGEST_CALLBACK or not _is_url(callback)):
        return BAD_CALLBACK, "Invalid Callback URL"
    return None


def as_sent(text: str, kind: str) -> str:
    """What leaves for ``text``: of the type ``text`` nothing that GSM 03.38 does not have."""
    return text if kind == "unicode" else "".join(c if c in _GSM else "?" for c in text)


def _is_ttl(value: str) -> bool:
    return value.isascii() and value.isdecimal() and TTL[0] <= int(value[:12]) <= TTL[1]


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host)
