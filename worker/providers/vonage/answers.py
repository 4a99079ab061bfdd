"""What Vonage answers to a submitted message: an entry for each of its parts.

Source: developer.vonage.com/en/api/sms. Everything is said with HTTP 200.
"""

import json
import re
from dataclasses import replace
from typing import Final

from worker.core.outcomes import Fault, Outcome, OutcomeKind, accepted, from_fault
from worker.providers.vonage.outcomes import from_vonage

# An answer about more parts than the longest text has is none.
_MOST_PARTS: Final = 100
_STATUS: Final = re.compile(r"[0-9]{1,4}", re.ASCII)
_ID: Final = re.compile(r"[\x21-\x7e]{1,100}", re.ASCII)


def from_answer(body: bytes) -> Outcome:
    """What an answer with one entry for each part says of the whole. If one part was refused, the
    text was not sent, even if others are on their way: it is sent again as a whole, and their
    reports are those of an attempt that failed."""
    parts = _parts(body)
    if parts is None:
        return from_fault(Fault.BROKEN_REPLY)
    taken = [name for status, name in parts if status == 0]
    refused = [status for status, _ in parts if status != 0]
    if not refused:
        return accepted(taken[0]) if taken[0] else from_fault(Fault.BROKEN_REPLY)
    outcome = from_vonage(refused[0])
    if taken and outcome.kind is not OutcomeKind.AMBIGUOUS:
        outcome = replace(outcome, provider_id=taken[0] or None)
    return outcome


def _parts(body: bytes) -> list[tuple[int, str]] | None:
    """Status and id of each part, ``None`` for what is no answer of Vonage's."""
    try:
        messages = json.loads(body)["messages"]
        parts = [(_status(one["status"]), _name(one.get("message-id"))) for one in messages]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return parts if 0 < len(parts) <= _MOST_PARTS else None


def _status(value: object) -> int:
    """Raises ``ValueError`` for what is no status."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _STATUS.fullmatch(text):
        raise ValueError("no status")
    return int(text)


def _name(value: object) -> str:
    return value if isinstance(value, str) and _ID.fullmatch(value) else ""
