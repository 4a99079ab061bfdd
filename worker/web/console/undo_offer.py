"""What a keeper recorded last of a card, as long as it can be taken back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any

from worker.core.reminders import ReminderState
from worker.core.undo import Recorded


@dataclass(frozen=True, slots=True)
class UndoOffer:
    """``event`` can be undone for so many ``seconds``. The holder is told after them (``soon``), at
    ``told_at``, or not at all (``None``)."""

    event: str
    seconds: int
    soon: bool
    told_at: datetime | None


def offer(
    recorded: Recorded | None, reminders: Iterable[Mapping[str, Any]], now: datetime
) -> UndoOffer | None:
    """What is offered at ``now``. ``reminders`` are those of the card."""
    if recorded is None or recorded.refusal(now) or recorded.until is None:
        return None
    made = recorded.before.made if recorded.before else ()
    due = [
        row["due_at"]
        for row in reminders
        if row["id"] in made and row["state"] == ReminderState.PENDING
    ]
    told_at = min(due, default=None)
    seconds = ceil((recorded.until - now).total_seconds())
    soon = told_at is not None and told_at <= recorded.until
    return UndoOffer(recorded.event, seconds, soon, told_at)
