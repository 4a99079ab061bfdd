"""The account of the promise: every reminder owed is in exactly one class, and the sums agree."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from worker.core.reminders import ReminderState


class Class(StrEnum):
    """Where a reminder stands. ``WAITING`` is not late yet; ``OVERDUE`` waits past its tolerance
    and is still useful, or ends with the next look at a message that carries others; ``UNREACHED``:
    no way reaches the holder, by the providers' word; ``UNEXPLAINED`` is what must never be: no end
    in time, no reason, no proof."""

    ON_TIME = "on_time"
    LATE = "late"
    WAITING = "waiting"
    OVERDUE = "overdue"
    SUPPRESSED = "suppressed"
    SUPERSEDED = "superseded"
    MISSED = "missed"
    UNREACHED = "unreached"
    UNEXPLAINED = "unexplained"


# What was owed to somebody and could have been on time: the base of the share.
JUDGED = (Class.ON_TIME, Class.LATE, Class.OVERDUE, Class.MISSED, Class.UNEXPLAINED)
# What breaks the promise.
BROKEN = (Class.MISSED, Class.UNREACHED, Class.UNEXPLAINED)


class VerdictFact(StrEnum):
    """What decides on the verdict of a reminder beside its state: in Python by ``classify``, for
    many at once in SQL by ``store.verdicts``."""

    NOT_TAKEN = "not_taken"  # no provider is known to have taken it
    LATE = "late"  # a provider took it after its tolerance
    OVER = "over"  # nobody is going to look at it any more
    OVERDUE = "overdue"  # its tolerance has passed
    UNREACHED = "unreached"  # the holder is told by no other way either
    UNREASONED = "unreasoned"


_TOLD = (ReminderState.SENT, ReminderState.DELIVERED)
_PENDING = (ReminderState.PENDING,)
_SUPPRESSED = (ReminderState.SUPPRESSED,)

# The one rule of the account: the first row that fits a reminder's state and facts is its class.
RULE: Final[tuple[tuple[tuple[ReminderState, ...], VerdictFact | None, Class], ...]] = (
    (_TOLD, VerdictFact.NOT_TAKEN, Class.UNEXPLAINED),
    (_TOLD, VerdictFact.LATE, Class.LATE),
    (_TOLD, None, Class.ON_TIME),
    (_PENDING, VerdictFact.OVER, Class.UNEXPLAINED),
    (_PENDING, VerdictFact.OVERDUE, Class.OVERDUE),
    (_PENDING, None, Class.WAITING),
    (_SUPPRESSED, VerdictFact.UNREACHED, Class.UNREACHED),
    (tuple(ReminderState), VerdictFact.UNREASONED, Class.UNEXPLAINED),
    (_SUPPRESSED, None, Class.SUPPRESSED),
    ((ReminderState.SUPERSEDED,), None, Class.SUPERSEDED),
    ((ReminderState.MISSED,), None, Class.MISSED),
)


@dataclass(frozen=True, slots=True)
class Owed:
    """What the account needs of one reminder. ``accepted_at``: when a provider took it;
    ``ends_by``: when a waiting one ends at the latest, since its message is looked at;
    ``reached``: was the holder told another way, or may still be?"""

    state: ReminderState
    reason: str | None
    owed_at: datetime
    useful_until: datetime
    accepted_at: datetime | None
    tolerance: timedelta
    ends_by: datetime | None = None
    reached: bool = True

    @property
    def late_seconds(self) -> float | None:
        """From being owed to being taken by a provider, never negative; ``None`` if it was not."""
        if self.accepted_at is None:
            return None
        return max(0.0, (self.accepted_at - self.owed_at).total_seconds())


def classify(owed: Owed, now: datetime) -> Class:
    """The one class of a reminder, as seen at ``now``."""
    late = owed.late_seconds
    facts = {
        VerdictFact.NOT_TAKEN: late is None,
        VerdictFact.LATE: late is not None and late > owed.tolerance.total_seconds(),
        VerdictFact.OVER: now >= (owed.ends_by or owed.useful_until),
        VerdictFact.OVERDUE: now > owed.owed_at + owed.tolerance,
        VerdictFact.UNREACHED: not owed.reached,
        VerdictFact.UNREASONED: not owed.reason,
    }
    return next(
        found
        for states, fact, found in RULE
        if owed.state in states and (fact is None or facts[fact])
    )


@dataclass(slots=True)
class Account:
    """The sums of a period; ``reasons`` by class."""

    owed: int = 0
    by_state: Counter[str] = field(default_factory=Counter)
    by_class: Counter[Class] = field(default_factory=Counter)
    reasons: dict[Class, Counter[str]] = field(default_factory=dict)

    def add(self, owed: Owed, now: datetime) -> Class:
        """Count one reminder; returns its class."""
        found = classify(owed, now)
        self.count(found, owed.state, owed.reason)
        return found

    def count(self, found: Class, state: str, reason: str | None, reminders: int = 1) -> None:
        """Count so many ``reminders`` of one class, state and reason."""
        self.owed += reminders
        self.by_state[str(state)] += reminders
        self.by_class[found] += reminders
        if found in (Class.SUPPRESSED, Class.SUPERSEDED, *BROKEN):
            self.reasons.setdefault(found, Counter())[reason or "no_reason"] += reminders

    @property
    def on_time_share(self) -> float | None:
        """Of what could have been on time, the part that was; ``None`` if there was nothing."""
        judged = sum(self.by_class[one] for one in JUDGED)
        return self.by_class[Class.ON_TIME] / judged if judged else None

    @property
    def kept(self) -> bool:
        """Is nothing missed, and everything explained?"""
        return not any(self.by_class[one] for one in BROKEN)


# Reasons of our own, as they stand in the ledger; those with a prefix are a provider's codes.
_OURS = frozenset(
    {
        "breaker_open",
        "cancelled_by_keeper",
        "channel_off",
        "closed",
        "confirmed",
        "corrected",
        "daily_cap",
        "held_out",
        "next_window_opens_first",
        "no_address",
        "not_checked_in_time",
        "not_sent_in_time",
        "one_sms_a_day",
        "opted_out",
        "paused",
        "quiet_hours",
        "reassigned",
        "recycled",
        "removed",
        "renewal_failed",
        "renewal_not_effective",
        "renewal_unanswered",
        "sample_book",
        "renewed",
        "too_late",
        "undone",
        "unknown_outcome",
    }
)


def reason_class(reason: str | None, providers: Collection[str]) -> str:
    """``reason`` as one of a few words, a code as the one of the ``providers`` that said it: a
    label of a metric must not take any value."""
    if reason is None:
        return ""
    if reason in _OURS:
        return reason
    return one_of(providers, reason.partition(":")[0])


def one_of(known: Collection[str], value: str) -> str:
    """``value`` if it is ``known``, else ``other``."""
    return value if value in known else "other"
