"""The parts of a mail/send request that SendGrid checks one by one.

Source: sendgrid-oai, tsg_mail_v3 (PostMailSend), and the list of mail/send errors
(www.twilio.com/docs/sendgrid/api-reference/mail-send/errors). Every function yields problems:
the field's path and what is wrong with it.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

JSON_NAMES: Final = {dict: "object", list: "array", str: "string", int: "integer", bool: "boolean"}
_LOCAL: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL: Final = re.compile(
    rf"{_LOCAL}(?:\.{_LOCAL})*@(?:{_LABEL}\.)+(?:[A-Za-z]{{2,63}}|xn--{_LABEL})"
)
_RESERVED: Final = """x-sg-id x-sg-eid received dkim-signature content-type
    content-transfer-encoding to from subject reply-to cc bcc"""
_RESERVED_HEADERS: Final = frozenset(_RESERVED.split())
_ARGS_LIMIT_BYTES: Final = 10_000
_SCHEDULE_LIMIT: Final = timedelta(hours=72)


class FieldProblem(NamedTuple):
    """One entry of ``errors``; ``field`` is a dotted path or ``None``."""

    message: str
    field: str | None


def wrong_type(value: object, expected: type, field: str) -> Iterator[FieldProblem]:
    """Whether ``value`` is of the JSON type that ``expected`` stands for; a bool is no integer."""
    if type(value) is not expected:
        given = "null" if value is None else JSON_NAMES.get(type(value), "number")
        yield FieldProblem(
            f"Invalid type. Expected: {JSON_NAMES[expected]}, given: {given}.", field
        )


def unknown_keys(
    value: dict[str, Any], known: frozenset[str], field: str
) -> Iterator[FieldProblem]:
    """Keys that the schema does not have."""
    for key in value.keys() - known:
        yield FieldProblem(
            f"Additional property {key} is not allowed", f"{field}.{key}".lstrip(".")
        )


def address(value: object, field: str) -> Iterator[FieldProblem]:
    """An object with a valid ``email`` and perhaps a ``name``."""
    if not isinstance(value, dict):
        yield from wrong_type(value, dict, field)
        return
    yield from unknown_keys(value, frozenset({"email", "name"}), field)
    email = value.get("email")
    if not isinstance(email, str) or len(email) > 254 or not _EMAIL.fullmatch(email):
        yield FieldProblem("Does not contain a valid address.", f"{field}.email")
    if value.get("name") is not None:
        yield from wrong_type(value["name"], str, f"{field}.name")


def subject(value: object, field: str) -> Iterator[FieldProblem]:
    """A string of at least one character."""
    if not isinstance(value, str) or not value:
        yield FieldProblem("The subject must be a string at least one character in length.", field)


def send_at(value: object, field: str, now: datetime) -> Iterator[FieldProblem]:
    """A UNIX timestamp at most 72 hours ahead of ``now``; one in the past sends at once."""
    if type(value) is not int:
        yield FieldProblem("The send_at parameter is a UNIX timestamp as an integer.", field)
    elif value > (now + _SCHEDULE_LIMIT).timestamp():
        yield FieldProblem("Scheduling more than 72 hours in advance is forbidden.", field)


def headers(value: object, field: str) -> Iterator[FieldProblem]:
    """Strings by ASCII names without blanks, none of them reserved."""
    if not isinstance(value, dict):
        yield from wrong_type(value, dict, field)
        return
    for name, text in value.items():
        if not name or not name.isascii() or any(c.isspace() or c == ":" for c in name):
            yield FieldProblem("Header keys are ASCII, without empty spaces.", f"{field}.{name}")
        if name.lower() in _RESERVED_HEADERS:
            yield FieldProblem("The header is one of the reserved keys.", f"{field}.{name}")
        if not isinstance(text, str) or "\r" in text or "\n" in text:
            yield FieldProblem("Header values are strings of one line.", f"{field}.{name}")


def custom_args(value: object, field: str) -> Iterator[FieldProblem]:
    """A non-empty object of strings."""
    if not isinstance(value, dict):
        yield from wrong_type(value, dict, field)
    elif not value:
        yield FieldProblem("custom_args cannot be empty.", field)
    elif not all(isinstance(text, str) for text in value.values()):
        yield FieldProblem("All values of the custom args object are strings.", field)


def args_too_large(merged: object, field: str) -> Iterator[FieldProblem]:
    """sendgrid-oai: custom_args may not exceed 10,000 bytes, here counted as UTF-8 JSON."""
    text = json.dumps(merged, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode("utf-8", "surrogatepass")) > _ARGS_LIMIT_BYTES:
        yield FieldProblem(f"custom_args may not exceed {_ARGS_LIMIT_BYTES} bytes.", field)


def content(value: object, field: str = "content") -> Iterator[FieldProblem]:
    """At least one block; text/plain, then text/html, then anything else (RFC 1341, 7.2)."""
    if not isinstance(value, list) or not value:
        yield FieldProblem("There must be at least one defined content block.", field)
        return
    ranks = []
    for number, block in enumerate(value):
        place = f"{field}.{number}"
        if not isinstance(block, dict):
            yield from wrong_type(block, dict, place)
            continue
        yield from unknown_keys(block, frozenset({"type", "value"}), place)
        kind, text = block.get("type"), block.get("value")
        if not isinstance(kind, str) or not kind or any(c in kind for c in ";\r\n"):
            yield FieldProblem("The content type is a string without ';' or CRLF.", f"{place}.type")
        if not isinstance(text, str) or not text:
            yield FieldProblem(
                "The content value is at least one character long.", f"{place}.value"
            )
        ranks.append({"text/plain": 0, "text/html": 1}.get(str(kind), 2))
    if ranks != sorted(ranks):
        yield FieldProblem("text/plain comes first, then text/html, then any other type.", field)


def attachment(value: object, field: str) -> Iterator[FieldProblem]:
    """Base64 ``content``, a ``filename``, a ``disposition`` that is inline or attachment."""
    if not isinstance(value, dict):
        yield from wrong_type(value, dict, field)
        return
    known = frozenset({"content", "type", "filename", "disposition", "content_id"})
    yield from unknown_keys(value, known, field)
    if not _is_base64(value.get("content")):
        yield FieldProblem("The attachment content must be base64 encoded.", f"{field}.content")
    for name in ("filename", "type", "content_id"):
        text = value.get(name, "" if name == "filename" else "-")
        if not isinstance(text, str) or not text or "\r" in text or "\n" in text:
            yield FieldProblem(f"The {name} is a string of one line.", f"{field}.{name}")
    if value.get("disposition", "attachment") not in ("inline", "attachment"):
        yield FieldProblem('The disposition is "inline" or "attachment".', f"{field}.disposition")


def _is_base64(text: object) -> bool:
    if not isinstance(text, str) or not text:
        return False
    try:
        return bool(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return False
