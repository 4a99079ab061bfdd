"""The unit of the promise: one notice owed for one card, and the states it can end in."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from worker.core.cards import Audience, Channel, Destination, told_by
from worker.core.deadlines import DeadlineKind
from worker.core.life import LifeNotice


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


class Obstacle(StrEnum):
    """What keeps a message that waits from being sent, where it is more than its own time: an open
    breaker, the sender's pace, a cap of the day, the reader's hours, or others that shall go in the
    same email."""

    BREAKER = "breaker"
    PACE = "pace"
    CAP = "cap"
    HOURS = "hours"
    GATHERING = "gathering"


# What a notice is about: a loss that is coming, or something that has happened.
Subject = DeadlineKind | LifeNotice

# Why a waiting reminder ends when its card gets another deadline.
RENEWED = "renewed"
# Why a notice ends whose event was taken back before anybody was told.
UNDONE = "undone"
# Reasons that may cease to hold. Should they, the notice is owed again: a renewal entered by
# mistake or without effect, a pause that is over, a new holder who was told nothing yet, an event
# that was taken back and is entered anew. Which ones do is a rule, and stands here once: a column
# would repeat it in every row as it was at that time, and a rule that changes would not hold for
# the notices that had ended before.
REVIVABLE = frozenset(
    {
        RENEWED,
        UNDONE,
        "corrected",
        "renewal_not_effective",
        "renewal_unanswered",
        "renewal_failed",
        "paused",
        "reassigned",
    }
)


@dataclass(frozen=True, slots=True)
class ReminderKey:
    """What makes a reminder unique for its card; a renewal moves ``on`` and so makes new ones."""

    deadline: Subject
    on: date
    window: str
    channel: Channel
    audience: Audience = Audience.HOLDER

    @property
    def destination(self) -> Destination:
        """Where the notice goes."""
        return told_by(self.channel, self.audience)

    def to(self, destination: Destination) -> "ReminderKey":
        """The same notice, sent to ``destination``."""
        return replace(self, channel=destination.channel, audience=destination.audience)


# Why a notice is missed whose window passed while nobody looked.
UNCHECKED = "not_checked_in_time"


@dataclass(frozen=True, slots=True)
class Known:
    """A reminder the ledger already has. ``mute``: it went through a provider that reports no
    deliveries, so that not having heard of it means nothing. ``ended_at`` of one that has ended,
    where that is known."""

    id: int
    key: ReminderKey
    state: ReminderState
    due_at: datetime
    reason: str | None = None
    mute: bool = False
    ended_at: datetime | None = None

    def foretold(self, now: datetime) -> bool:
        """Was it called missed by a clock that was ahead of ``now``? Nothing ends in the future."""
        unchecked = self.state is ReminderState.MISSED and self.reason == UNCHECKED
        return unchecked and self.ended_at is not None and self.ended_at > now

    @property
    def revivable(self) -> bool:
        """Was it ended for a reason that may have ceased to hold?"""
        return self.state is ReminderState.SUPERSEDED and self.reason in REVIVABLE


@dataclass(frozen=True, slots=True)
class Planned:
    """A reminder to write: ``PENDING`` to send from ``due_at`` on and no later than
    ``useful_until``, or one that ends at once, with its ``reason``. ``owed_at``: since when it is
    owed, where that is earlier than ``due_at`` because nobody looked."""

    key: ReminderKey
    due_at: datetime
    useful_until: datetime
    urgency: tuple[int, int]
    state: ReminderState = ReminderState.PENDING
    reason: str | None = None
    owed_at: datetime | None = field(default=None, compare=False)
