"""One line of a simulation: what becomes of one reminder."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from worker.core.cards import Destination, Language
from worker.core.reminders import ReminderState, Subject


class SimulatedEnding(StrEnum):
    """How a reminder ends if nothing fails. ``GUARDIAN``: the keeper of the book is told of it."""

    SEND = "send"
    SUPPRESSED = "suppressed"
    SUPERSEDED = "superseded"
    MISSED = "missed"
    GUARDIAN = "guardian"


OUTCOMES = {
    ReminderState.SENT: SimulatedEnding.SEND,
    ReminderState.SUPPRESSED: SimulatedEnding.SUPPRESSED,
    ReminderState.SUPERSEDED: SimulatedEnding.SUPERSEDED,
    ReminderState.MISSED: SimulatedEnding.MISSED,
}


# What makes a message to a guardian one: it is about cards of many holders.
Digest = tuple[object, ...]


@dataclass(slots=True)
class SimulatedNotice:
    """A reminder's end at the instant ``at``; ``digest`` is the message that tells a guardian.

    ``leads``: it is the first of its message. The message's SMS ``segments`` and the ``route``
    they are paid for (see ``prices``) stand there, so that every sum over notices is true.
    """

    at: datetime
    card: int
    holder: str
    deadline: Subject
    deadline_on: date
    window: str
    to: Destination
    language: Language
    outcome: SimulatedEnding
    reason: str | None = None
    segments: int = 0
    leads: bool = False
    route: str | None = None
    digest: Digest | None = None

    @property
    def identity(self) -> tuple[object, ...]:
        """What two simulations must agree on for the notice to be the same in both."""
        return (
            *(self.at, self.card, self.deadline, self.deadline_on, self.window),
            *(self.to, self.outcome, self.reason),
        )

    def as_json(self) -> dict[str, Any]:
        """The notice as it is told; ``at`` in UTC."""
        return {
            "at": self.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "card": self.card,
            "holder": self.holder,
            "deadline": self.deadline.value,
            "deadline_on": self.deadline_on.isoformat(),
            "window": self.window,
            "channel": self.to.value,
            "language": self.language.value,
            "outcome": self.outcome.value,
            "reason": self.reason,
            "segments": self.segments,
        }
