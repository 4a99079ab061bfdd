"""When to try again: exponential backoff with full jitter, as a pure function."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from worker.core.cards import Channel
from worker.core.outcomes import Outcome, OutcomeKind, Wait
from worker.core.reminders import MessageState, Obstacle

# A pause is at most this part of the time that is left.
_TRIES_LEFT = 6
# How long a handset that is off is left alone at first.
_OFF = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """``base`` doubles with each attempt up to ``longest``; after ``most`` attempts of which nobody
    knows whether they arrived it is over. What certainly was not sent is not counted.

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
    """The next state of a message; ``at`` is when to look at it again, if ever. ``reason`` is for
    people; what decides later is the ``obstacle`` that it waits for, and the code of the ``fault``
    for which it is held."""

    state: MessageState
    at: datetime | None
    reason: str | None
    obstacle: Obstacle | None = None
    fault: str | None = None


def after_attempt(
    outcome: Outcome,
    attempts: int,
    now: datetime,
    useful_until: datetime,
    policy: RetryPolicy,
    jitter: float,
    *,
    elsewhere: bool = False,
) -> Next:
    """What becomes of a message after attempt number ``attempts`` (from 1, in a row that was not
    sent) ended in ``outcome``.

    ``jitter`` is a random number from 0 to 1. What certainly was not sent is tried while it is
    useful, ever more rarely, and never past ``useful_until``; only where the code bounds the
    attempts and the notice can go ``elsewhere`` is it over before.
    """
    match outcome.kind:
        case OutcomeKind.ACCEPTED:
            return Next(MessageState.SENT, None, None)
        case OutcomeKind.AMBIGUOUS:
            return Next(MessageState.UNKNOWN, now + policy.park, outcome.code)
        case OutcomeKind.RECIPIENT_DEAD | OutcomeKind.MESSAGE_DEAD:
            return Next(MessageState.FAILED, None, outcome.code)
        case OutcomeKind.CONFIG_FAULT | OutcomeKind.DOWN:
            held = _doubled(policy.hold, attempts, max(policy.hold, policy.longest))
            held *= 1 + jitter / 4 if attempts > 1 else 1
            return _again(MessageState.HELD, now, held, policy.quick, useful_until, outcome)
        case OutcomeKind.NOT_SENT | OutcomeKind.TRANSIENT:
            if elsewhere and outcome.most and attempts >= outcome.most:
                return Next(MessageState.FAILED, None, f"{outcome.code}: {attempts} attempts")
            least = asked_for(outcome, now, policy, attempts) + policy.quick
            wait = pause(outcome, attempts, now, policy, jitter, useful_until - now)
            return _again(MessageState.RETRYABLE, now, wait, least, useful_until, outcome)


def pause(
    outcome: Outcome,
    attempts: int,
    now: datetime,
    policy: RetryPolicy,
    jitter: float,
    left: timedelta | None = None,
) -> timedelta:
    """How long to wait: backoff with full jitter, on top of what the provider asked for.

    ``left``: how long the notice is useful, if that matters. The pauses double with the attempts
    and shrink with what is left, so that there are several tries before the end.
    """
    base = policy.quick if outcome.kind is OutcomeKind.NOT_SENT else policy.base
    longest = policy.longest
    if left is not None:
        longest = max(policy.quick, min(longest, left / _TRIES_LEFT))
    backoff = _doubled(base, attempts, longest)
    return asked_for(outcome, now, policy, attempts) + policy.quick + backoff * jitter


def _doubled(base: timedelta, attempts: int, longest: timedelta) -> timedelta:
    # 2 ** 20 is past any `longest`; the cap keeps the product inside what timedelta can hold.
    doubled: timedelta = base * 2 ** min(max(attempts, 1) - 1, 20)
    return min(doubled, longest)


def asked_for(outcome: Outcome, now: datetime, policy: RetryPolicy, attempts: int = 1) -> timedelta:
    """How long the provider wants to be left alone, by its header or by the meaning of its code;
    a handset that stays off is tried ever more rarely.

    A header counts up to ``policy.longest``: a wrong one must not silence a notice.
    """
    # Seconds first: a header may name more of them than timedelta can hold.
    asked = timedelta(seconds=min(outcome.retry_after or 0, policy.longest.total_seconds()))
    match outcome.wait:
        case Wait.HOURS:
            return max(asked, _OFF * min(max(attempts, 1), 3))
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
    fault = outcome.code if state is MessageState.HELD else None
    return Next(state, now + wait, outcome.code, fault=fault)
