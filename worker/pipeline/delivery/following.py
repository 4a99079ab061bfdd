"""What becomes of a message after its attempt: a pure look at the outcome, but for the question
whether the notice can be told another way."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from worker.core.breaker import PREFIX, rest, rests_alone
from worker.core.outcomes import OutcomeKind
from worker.core.pace import last_chance
from worker.core.recheck import Item
from worker.core.reminders import MessageState, Obstacle
from worker.core.retry import Next, RetryPolicy, after_attempt
from worker.pipeline.delivery.elsewhere import Elsewhere
from worker.pipeline.delivery.stages import LATE, Ended, Faults
from worker.providers.registry import row_of

# What a provider's id may look like.
_NAME = re.compile(r"[\x21-\x7e]{1,100}", re.ASCII)

# A fault that is one recipient's is tried so often before another way takes over.
_ALONE = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of a message; ``over``: what goes over to the other channel at once."""

    following: Next
    over: Sequence[Item] = ()


def plan(
    conn: Connection,
    one: Ended,
    policy: RetryPolicy,
    faults: Faults,
    elsewhere: Elsewhere | None,
) -> Plan:
    """Decide on the message of ``one``. Changes nothing."""
    outgoing = one.outgoing
    if one.outcome == LATE:
        return Plan(Next(MessageState.RETRYABLE, one.at + policy.quick, LATE.code))
    if not one.was_not_taken:
        return Plan(_after(one, policy, outgoing.useful_until))
    code = one.outcome.code
    by_itself = outgoing.id in faults.alone or rests_alone(code, row_of(code))
    if is_held(one) and not by_itself:
        return Plan(_behind_breaker(one, policy, faults.until.get(outgoing.id)))
    helped = elsewhere.helped(conn, outgoing, one.ready.items) if elsewhere else []
    bounded = is_held(one) and outgoing.tries + 1 >= _ALONE
    if bounded and len(helped) == len(one.ready.items):
        why = f"{code}: {outgoing.tries + 1} attempts"
        return Plan(Next(MessageState.FAILED, None, why), helped)
    return _patiently(one, policy, elsewhere, helped)


def _behind_breaker(one: Ended, policy: RetryPolicy, until: datetime | None) -> Next:
    """Held ``until`` then (default: by the policy, if there is time)."""
    fault = one.outcome.code.removeprefix(PREFIX)
    at = until
    if at is None and (at := _after(one, policy, one.outgoing.useful_until).at) is None:
        return Next(MessageState.FAILED, None, PREFIX + fault)
    return Next(MessageState.HELD, at, PREFIX + fault, Obstacle.BREAKER, fault)


def _patiently(
    one: Ended, policy: RetryPolicy, elsewhere: Elsewhere | None, helped: Sequence[Item]
) -> Plan:
    """Once more, before the first of its notices ends; what would be too late for the other
    channel then goes over to it now."""
    items, zone = one.ready.items, one.outgoing.holder.time_zone
    all_helped = len(helped) == len(items)
    ends = sorted({item.useful_until for item in items}) or [one.outgoing.useful_until]
    if elsewhere:
        ends = [last_chance(end, elsewhere.hours, zone) for end in ends]
    found = [_after(one, policy, end, elsewhere=all_helped) for end in ends]
    following = next((n for n in found if n.state is not MessageState.FAILED), found[-1])
    if following.at is None:
        return Plan(following, helped if all_helped else ())
    if elsewhere is None:
        return Plan(following)
    late = [
        item
        for item in helped
        if rest(item.useful_until, [following.at], elsewhere.hours, zone) is None
    ]
    if late and len(late) == len(items):
        return Plan(Next(MessageState.FAILED, None, one.outcome.code), late)
    return Plan(following, late)


def _after(one: Ended, policy: RetryPolicy, until: datetime, *, elsewhere: bool = False) -> Next:
    jitter = random.random()  # noqa: S311 - spreads retries, keeps no secret
    tries = one.outgoing.tries + 1
    return after_attempt(one.outcome, tries, one.at, until, policy, jitter, elsewhere=elsewhere)


def tries(one: Ended) -> int:
    """How often in a row it was certainly not sent; what waits for others has not been tried."""
    if not one.was_not_taken:
        return 0
    waited = one.outcome == LATE or one.outcome.code.startswith(PREFIX)
    return one.outgoing.tries + (0 if waited else 1)


def storable(one: Ended) -> Ended:
    """The same with a provider's id that can be stored. A provider that took the message has taken
    it under whatever name: one that is no name at all is replaced by our own."""
    name = one.outcome.provider_id
    if name is None or _NAME.fullmatch(name):
        return one
    return renamed(one)


def renamed(one: Ended) -> Ended:
    """The same under a name of our own, which no other attempt has."""
    own = replace(one.outcome, provider_id=f"attempt-{one.attempt}")
    return replace(one, outcome=own)


def is_held(one: Ended) -> bool:
    """Does it wait for a fault of ours to be mended, or for a provider that is down?"""
    return one.outcome.kind in (OutcomeKind.CONFIG_FAULT, OutcomeKind.DOWN)
