"""What happened to a card and was written about it, in one list, the newest first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from worker.core.reminders import MessageState as M
from worker.core.reminders import ReminderState as R

Values = Mapping[str, Any]

_TONES: Final[Mapping[str, str]] = {
    M.DELIVERED: "good",
    M.HELD: "care",
    M.UNKNOWN: "care",
    M.RETRYABLE: "care",
    M.FAILED: "bad",
    M.UNDELIVERED: "bad",
    R.MISSED: "bad",
    R.SUPPRESSED: "care",
}


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One thing that happened. ``kind``: ``message`` (with the ``notices`` of this card in it),
    ``notice`` (that never was in a message) or ``event``."""

    kind: str
    at: datetime
    row: Values
    notices: Sequence[Values]
    tone: str


def history(
    messages: Sequence[Values], reminders: Sequence[Values], events: Sequence[Values]
) -> list[HistoryEntry]:
    """All of them, the newest first."""
    carried: dict[int, list[Values]] = {}
    alone = []
    for row in reminders:
        if row["message_id"] is None:
            alone.append(row)
        else:
            carried.setdefault(row["message_id"], []).append(row)
    entries = [
        HistoryEntry("message", _when(row), row, carried.get(row["id"], ()), _tone(row))
        for row in messages
    ]
    entries += [
        HistoryEntry("notice", row["ended_at"] or row["due_at"], row, (row,), _tone(row))
        for row in alone
    ]
    entries += [HistoryEntry("event", row["at"], row, (), "") for row in events]
    return sorted(entries, key=lambda entry: entry.at, reverse=True)


def _when(message: Values) -> datetime:
    at: datetime = message["sent_at"] or message["created_at"]
    return at


def _tone(row: Values) -> str:
    return _TONES.get(row["state"], "")
