"""When to try again: exponential backoff with full jitter, as a pure function."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from worker.core.cards import Channel
from worker.core.outcomes import Outcome, OutcomeKind, Wait
from worker.core.reminders import MessageState


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """``base`` doubles with each attempt up to ``longest``; after ``most`` attempts it is over.

    ``quick``: the first pause after a call that certainly never left. ``park``: how long an
    unknown rests before the provider is asked. ``hold``: the pause while the provider's
    configuration is wrong. ``resend``: the channels on which a message that may have been sent is
    sent once more if nobody can tell. ``fetch_after``: how long after its acceptance a text
    without a receipt is asked about, ``None`` for never.
    """

    base: timedelta = timedelta(seconds=30)
    longest: timedelta = timedelta(hours=1)
    quick: timedelta = timedelta(seconds=5)
    park: timedelta = timedelta(seconds=150)
    hold: timedelta = timedelta(minutes=15)
    most: int = 12
    resend: frozenset[Channel] = frozenset(Channel)
    fetch_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Next:
    """The state of a message after an attempt; ``at`` is when to look at it again, if ever."""

    state: MessageState
    at: datetime | None
    reason: str | None


def after_attempt(
    outcome: Outcome,
    attempts: int,
    now: datetime,
    useful_until: datetime,
    policy: RetryPolicy,
    jitter: float,
) -> Next:
    """What becomes of a message after attempt number ``attempts`` (from 1) ended in ``outcome``.

    ``jitter`` is a random number from 0 to 1. A retry never lies past ``useful_until``.
    """
    match outcome.kind:
        case OutcomeKind.ACCEPTED:
            return Next(MessageState.SENT, None, None)
        case OutcomeKind.AMBIGUOUS:
            return Next(MessageState.UNKNOWN, now + policy.park, outcome.code)
        case OutcomeKind.RECIPIENT_DEAD | OutcomeKind.MESSAGE_DEAD:
            return Next(MessageState.FAILED, None, outcome.code)
        case OutcomeKind.CONFIG_FAULT | OutcomeKind.DOWN:
            return _again(MessageState.HELD, now, policy.hold, policy.quick, useful_until, outcome)
        case OutcomeKind.NOT_SENT | OutcomeKind.TRANSIENT:
            if attempts >= min(policy.most, outcome.most or policy.most):
                return Next(MessageState.FAILED, None, f"{outcome.code}: {attempts} attempts")
            least = asked_for(outcome, now, policy) + policy.quick
            wait = pause(outcome, attempts, now, policy, jitter)
            return _again(MessageState.RETRYABLE, now, wait, least, useful_until, outcome)


def pause(
    outcome: Outcome, attempts: int, now: datetime, policy: RetryPolicy, jitter: float
) -> timedelta:
    """How long to wait: backoff with full jitter, on top of what the provider asked for."""
    base = policy.quick if outcome.kind is OutcomeKind.NOT_SENT else policy.base
    # 2 ** 20 is past any `longest`; the cap keeps the product inside what timedelta can hold.
    doubled: timedelta = base * 2 ** min(attempts - 1, 20)
    backoff = min(doubled, policy.longest)
    return asked_for(outcome, now, policy) + policy.quick + backoff * jitter


def asked_for(outcome: Outcome, now: datetime, policy: RetryPolicy) -> timedelta:
    """How long the provider wants to be left alone, by its header or by the meaning of its code.

    A header counts up to ``policy.longest``: a wrong one must not silence a notice.
    """
    # Seconds first: a header may name more of them than timedelta can hold.
    asked = timedelta(seconds=min(outcome.retry_after or 0, policy.longest.total_seconds()))
    match outcome.wait:
        case Wait.HOURS:
            return max(asked, timedelta(hours=4))
        case Wait.UNTIL_PACIFIC_MIDNIGHT:
            return max(asked, _pacific_midnight(now) - now)
        case None:
            return asked


def _pacific_midnight(now: datetime) -> datetime:
    local = now.astimezone(ZoneInfo("America/Los_Angeles"))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=1)


def _again(
    state: MessageState,
    now: datetime,
    wait: timedelta,
    least: timedelta,
    useful_until: datetime,
    outcome: Outcome,
) -> Next:
    """Try again after ``wait``; where that would be too late, after half of the time that is left,
    but not before ``least``."""
    if now + wait >= useful_until:
        wait = max((useful_until - now) / 2, least)
    if now + wait >= useful_until:
        return Next(MessageState.FAILED, None, f"{outcome.code}: no longer useful")
    return Next(state, now + wait, outcome.code)
