"""What a provider reports about an attempt later, unasked, and what that means for its message."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from worker.core.cards import Channel
from worker.core.outcomes import (
    DELIVERED,
    OPT_OUTS,
    PROGRESS,
    SENDGRID_EVENTS,
    Outcome,
    OutcomeKind,
    from_sendgrid_event,
    from_twilio_status,
)
from worker.core.reminders import MessageState
from worker.core.retry import Next, RetryPolicy, after_attempt

# What an accepted attempt's code becomes with its receipt.
CONFIRMED = "delivered"

# The reader wants emails again: it lifts what the reader's own `unsubscribe` had stopped.
OPT_INS = frozenset({"group_resubscribe"})

_TWILIO_ENDS = frozenset({"failed", "undelivered", "canceled"})


@dataclass(frozen=True, slots=True)
class Report:
    """What a provider reports about one attempt, later and unasked.

    ``event_id`` is what a repeated report has in common with the first (``<SID>:delivered``,
    SendGrid's ``sg_event_id``; at most 200 characters). ``status`` is the provider's word in lower
    case; a SendGrid bounce of type ``blocked`` is ``blocked``. ``code`` is the provider's error
    code or class of reason, never an address; of a drop it is SendGrid's own fixed reason.
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
    is set when the reader asks for silence, ``opt_in`` when the reader takes that back."""

    phase: Phase
    outcome: Outcome | None = None
    opt_out: str | None = None
    opt_in: str | None = None


def news(report: Report) -> News | None:
    """The meaning of ``report``, ``None`` for what is nothing to us (an `open`, a `click`)."""
    status = report.status
    if report.provider == "twilio" and status in _TWILIO_ENDS:
        code = int(report.code) if report.code and report.code.isdecimal() else None
        return News(Phase.FAILED, from_twilio_status(status, code))
    if status in OPT_OUTS:
        return News(Phase.TAKEN, opt_out=f"{report.provider}:{status}")
    if status in OPT_INS and report.provider != "twilio":
        return News(Phase.TAKEN, opt_in=f"{report.provider}:{status}")
    if status in DELIVERED:
        return News(Phase.DELIVERED)
    if status in PROGRESS:
        return News(Phase.TAKEN)
    if report.provider == "twilio":
        return None
    blocked = status == "bounce" and report.code == "blocked"
    event = "blocked" if blocked else status
    if event not in SENDGRID_EVENTS:
        return None
    return News(Phase.FAILED, from_sendgrid_event(report.provider, event, report.code))


def phase(outcome: str | None, code: str | None, provider_id: str | None) -> Phase:
    """How far an attempt has come, by what its row says."""
    if provider_id is None:
        return Phase.OPEN
    if outcome != OutcomeKind.ACCEPTED:
        return Phase.FAILED
    return Phase.DELIVERED if code == CONFIRMED else Phase.TAKEN


def advances(channel: Channel, now: Phase, then: Phase) -> bool:
    """Does ``then`` lie beyond ``now``?"""
    order = _ORDER[Channel.SMS if channel is Channel.SMS else Channel.EMAIL]
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
) -> Next:
    """What becomes of a message that the provider took and that failed behind it.

    ``failures``: how many of its ``attempts`` ended so. What may pass (a handset that is off, a
    carrier's unknown error, a mail server that refuses for now) gets one late retry, if the notice
    is useful by then; an end that may hide a delivery only where ``policy`` resends at all.
    """
    over = Next(MessageState.UNDELIVERED, None, outcome.code)
    match outcome.kind:
        case OutcomeKind.CONFIG_FAULT:
            following = after_attempt(outcome, attempts, now, useful_until, policy, jitter)
        case OutcomeKind.TRANSIENT | OutcomeKind.AMBIGUOUS:
            hidden = outcome.kind is OutcomeKind.AMBIGUOUS
            if attempts >= policy.most or (hidden and channel not in policy.resend):
                return over
            again = replace(outcome, kind=OutcomeKind.TRANSIENT)
            following = after_attempt(again, failures, now, useful_until, policy, jitter)
        case _:
            return over
    return following if following.state is not MessageState.FAILED else over
