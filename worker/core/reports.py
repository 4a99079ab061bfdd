"""What a provider reports about an attempt later, unasked, and what that means for its message."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from worker.core.cards import Channel
from worker.core.outcomes import Outcome, OutcomeKind
from worker.core.reminders import MessageState
from worker.core.retry import Next, RetryPolicy, after_attempt

# The status of a report that says that a message arrived, whatever the provider's own word for it;
# people read it as the code of its attempt then.
CONFIRMED = "delivered"


@dataclass(frozen=True, slots=True)
class Report:
    """What a provider reports about one attempt, later and unasked.

    ``event_id`` is what a repeated report has in common with the first (the id of an event, or of a
    message with its status; at most 200 characters). ``status`` is the provider's word in lower
    case, ``CONFIRMED`` where it arrived. ``code`` is the provider's error code, or one of a fixed
    set of reasons, and never an address.
    """

    provider: str
    event_id: str
    status: str
    attempt: UUID | None
    provider_id: str | None
    code: str | None
    occurred_at: datetime | None


class Phase(StrEnum):
    """How far an attempt has come, by all that is known of it. ``OPEN``: not known to be taken."""

    OPEN = "open"
    TAKEN = "taken"
    DELIVERED = "delivered"
    FAILED = "failed"


# A phase only gives way to a later one, so the order in which reports arrive changes nothing.
# SMS: a handset has confirmed, and no carrier can take that back. Email: `delivered` is the word
# of the first mail server, and a bounce after it that of the one behind it: nobody has read it.
_ORDER = {
    Channel.SMS: (Phase.OPEN, Phase.TAKEN, Phase.FAILED, Phase.DELIVERED),
    Channel.EMAIL: (Phase.OPEN, Phase.TAKEN, Phase.DELIVERED, Phase.FAILED),
}


@dataclass(frozen=True, slots=True)
class News:
    """What a report says: the ``phase`` it proves, with the ``outcome`` of a failure; ``opt_out``
    is set when the reader asks for silence, ``opt_in`` when for messages again. ``parts``: of how
    many parts of the message it tells of one; delivered is what all of them are."""

    phase: Phase
    outcome: Outcome | None = None
    opt_out: str | None = None
    opt_in: str | None = None
    parts: int = 1


def phase_after(outcome: Outcome) -> Phase:
    """How far an attempt has come that ended in ``outcome``. What failed under a provider's id was
    taken by it before."""
    if outcome.provider_id is None:
        return Phase.OPEN
    return Phase.TAKEN if outcome.kind is OutcomeKind.ACCEPTED else Phase.FAILED


def advances(channel: Channel, now: Phase, then: Phase) -> bool:
    """Does ``then`` lie beyond ``now``?"""
    order = _ORDER[channel]
    return order.index(then) > order.index(now)


def after_failure(
    outcome: Outcome,
    failures: int,
    attempts: int,
    now: datetime,
    useful_until: datetime,
    policy: RetryPolicy,
    channel: Channel,
    jitter: float,
    *,
    elsewhere: bool = True,
) -> Next:
    """What becomes of a message that the provider took and that failed behind it.

    ``failures``: how many of its ``attempts`` ended so. What may pass (a handset that is off, a
    mail server that refuses for now) gets one late retry if the notice can go ``elsewhere`` then,
    and else late retries while it is useful. An end that may hide a delivery (a carrier's unknown
    error) gets one, and only where ``policy`` resends at all.
    """
    over = Next(MessageState.UNDELIVERED, None, outcome.code)
    match outcome.kind:
        case OutcomeKind.CONFIG_FAULT:
            following = after_attempt(outcome, failures, now, useful_until, policy, jitter)
        case OutcomeKind.TRANSIENT | OutcomeKind.AMBIGUOUS:
            hidden = outcome.kind is OutcomeKind.AMBIGUOUS
            if hidden and (attempts >= policy.most or channel not in policy.resend):
                return over
            again = replace(outcome, kind=OutcomeKind.TRANSIENT)
            following = after_attempt(
                again, failures, now, useful_until, policy, jitter, elsewhere=elsewhere or hidden
            )
        case _:
            return over
    return following if following.state is not MessageState.FAILED else over
