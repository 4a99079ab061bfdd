"""What happened to one message, from the instant it was owed, in the order of time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from worker.core.masking import masked_address

Values = Mapping[str, Any]

_GOOD: Final = ("accepted", "delivered", "read")
_BAD: Final = ("recipient_dead", "message_dead", "undelivered", "failed", "bounce", "dropped")


@dataclass(frozen=True, slots=True)
class MessageStep:
    """``kind``: ``owed``, ``attempt`` (with its ``number``) or ``report``."""

    kind: str
    at: datetime
    row: Values
    number: int
    tone: str


def owed_at(message: Values) -> datetime | None:
    """When the first notice in it was owed."""
    return min((one["owed_at"] or one["due_at"] for one in message["reminders"]), default=None)


def steps(message: Values) -> Sequence[MessageStep]:
    """All of it; addresses are masked."""
    found = []
    if (at := owed_at(message)) is not None:
        found.append(MessageStep("owed", at, {}, 0, ""))
    for number, row in enumerate(message["tries"], 1):
        shown = {**row, "address": masked_address(row["address"]) if row["address"] else ""}
        found.append(
            MessageStep("attempt", row["started_at"], shown, number, _tone(row["outcome"]))
        )
    for row in message["reports"]:
        at = row["occurred_at"] or row["received_at"]
        found.append(MessageStep("report", at, row, 0, _tone(row["status"])))
    return sorted(found, key=lambda one: one.at)


def _tone(word: str | None) -> str:
    return "good" if word in _GOOD else "bad" if word in _BAD else "care" if word is None else ""
