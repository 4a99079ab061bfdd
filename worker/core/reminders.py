"""The unit of the promise: one notice owed for one card, and the states it can end in."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from worker.core.cards import Channel
from worker.core.deadlines import DeadlineKind


class ReminderState(StrEnum):
    """``PENDING`` until the notice ends; every other state is an end, with its reason beside it."""

    PENDING = "pending"
    SENT = "sent"
    DELIVERED = "delivered"
    SUPPRESSED = "suppressed"
    SUPERSEDED = "superseded"
    MISSED = "missed"


class MessageState(StrEnum):
    """Where a message is. ``PENDING``, ``RETRYABLE`` and ``HELD`` wait to be sent."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    RETRYABLE = "retryable"
    UNKNOWN = "unknown"
    HELD = "held"
    FAILED = "failed"
    CANCELLED = "cancelled"


WAITING = (MessageState.PENDING, MessageState.RETRYABLE, MessageState.HELD)


# Why a waiting reminder ends when its card gets another deadline.
RENEWED = "renewed"


@dataclass(frozen=True, slots=True)
class ReminderKey:
    """What makes a reminder unique for its card; a renewal moves ``on`` and so makes new ones."""

    deadline: DeadlineKind
    on: date
    window: str
    channel: Channel


@dataclass(frozen=True, slots=True)
class Known:
    """A reminder the ledger already has."""

    id: int
    key: ReminderKey
    state: ReminderState
    due_at: datetime
    reason: str | None = None

    @property
    def revivable(self) -> bool:
        """Was it ended only because its deadline had moved? Should that deadline hold again (a
        renewal entered by mistake, or without effect), the notice is owed again."""
        return self.state is ReminderState.SUPERSEDED and self.reason == RENEWED


@dataclass(frozen=True, slots=True)
class Planned:
    """A reminder to write: ``PENDING`` to send from ``due_at`` on and no later than
    ``useful_until``, or one that ends at once, with its ``reason``."""

    key: ReminderKey
    due_at: datetime
    useful_until: datetime
    urgency: tuple[int, int]
    state: ReminderState = ReminderState.PENDING
    reason: str | None = None
