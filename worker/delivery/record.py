"""After the call: what each outcome means for its message, its reminders and its address."""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection

from worker.core.breaker import PREFIX
from worker.core.cards import Channel
from worker.core.outcomes import Outcome, OutcomeKind
from worker.core.recheck import Item
from worker.core.reminders import MessageState, ReminderState
from worker.core.retry import Next, RetryPolicy, after_attempt
from worker.delivery.fallback import fall_back
from worker.delivery.prepare import Ready
from worker.store import attempts as attempt_store
from worker.store import message_states, suppressions
from worker.store import reminders as ledger
from worker.store.parcels import Parcel

log = structlog.get_logger(__name__)

# Its batch was too slow for its lease: it goes back as it came.
LATE = Outcome(OutcomeKind.NOT_SENT, "lease_over_before_the_call")


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that is over, and how; ``down``: it shows that its provider answers nobody."""

    ready: Ready
    outcome: Outcome
    at: datetime
    down: bool = False


def record(
    conn: Connection,
    ended: Sequence[Ended],
    policy: RetryPolicy,
    held: Mapping[int, datetime] | None = None,
    told: Collection[int] = (),
) -> list[Next]:
    """Write a group of outcomes; returns what becomes of each message, in order.

    ``held``: until when messages wait behind a breaker; ``told``: those whose fault is known.
    """
    nexts = [_next(one, policy, held or {}) for one in ended]
    # Messages before attempts: whoever applies a receipt locks them in this order too.
    counts = {one.ready.parcel.id: one.ready.parcel.attempts + 1 for one in ended}
    ours = message_states.still_sending(conn, counts)
    # A receipt may have overtaken the answer, and whose lease ran out was settled by others: then
    # only that it was sent is still news.
    taken, over = attempt_store.settled(conn, [one.ready.out.attempt for one in ended])
    attempt_store.end(conn, [_attempt_row(one) for one in ended if _is_news(one, taken, over)])
    waiting: list[dict[str, Any]] = []
    news = [
        one
        for one, following in zip(ended, nexts, strict=True)
        if following.state is MessageState.SENT and _is_news(one, taken, over)
    ]
    _all_sent(conn, [one for one in news if one.ready.parcel.id in ours], ours, policy)
    for one, following in zip(ended, nexts, strict=True):
        if one.outcome.alarm and one.ready.parcel.id not in told:
            log.error(
                "alarm", cause=one.outcome.kind, code=one.outcome.code, message=one.ready.parcel.id
            )
        if following.state is MessageState.SENT:
            parcel = one.ready.parcel
            if parcel.id not in ours and _is_news(one, taken, over):
                sent(conn, parcel.id, parcel.channel, str(one.outcome.provider_id), one.at, policy)
            continue
        if one.ready.parcel.id not in ours or one.ready.out.attempt in taken:
            continue
        waiting.append(
            {
                "message": one.ready.parcel.id,
                "count": one.ready.parcel.attempts + 1,
                "state": following.state,
                "reason": following.reason,
                "next_attempt_at": following.at,
            }
        )
        if following.state is MessageState.FAILED:
            _failed(conn, one, following)
    message_states.set_states(conn, waiting)
    spoiled = [one.ready.parcel.id for one in ended if _is_held(one) or one.outcome == LATE]
    message_states.not_counted(conn, ours.keys() & set(spoiled))
    return nexts


def _all_sent(
    conn: Connection,
    ended: Sequence[Ended],
    known: Mapping[int, str | None],
    policy: RetryPolicy,
) -> None:
    """``sent`` for messages that are ours, what nearly always happens, in few statements.
    ``known``: under which id each of them was taken before."""
    taken = dict(known)
    rows: list[dict[str, Any]] = []
    told: list[int] = []
    for one in ended:
        message, provider_id = one.ready.parcel.id, str(one.outcome.provider_id)
        if taken[message] is None:
            wake_at = _ask_at(one.ready.parcel.channel, one.at, policy)
            row = {"row_id": message, "provider_id": provider_id, "sent_at": one.at}
            rows.append({**row, "wake_at": wake_at})
            taken[message] = provider_id
        if taken[message] == provider_id:
            told.append(message)
        else:
            log.error("alarm", cause="sent_twice", message=message)
    message_states.set_all_sent(conn, rows)
    if told:
        ledger.all_told(conn, told, max(one.at for one in ended))


def _ask_at(channel: Channel, at: datetime, policy: RetryPolicy) -> datetime | None:
    """When to ask what became of it; only of SMS can be asked."""
    ask = policy.fetch_after if channel is Channel.SMS else None
    return None if ask is None else at + ask


def _is_news(one: Ended, taken: Collection[UUID], over: Collection[UUID]) -> bool:
    attempt = one.ready.out.attempt
    return attempt not in (taken if one.outcome.kind is OutcomeKind.ACCEPTED else over)


def sent(
    conn: Connection,
    message_id: int,
    channel: Channel,
    provider_id: str,
    at: datetime,
    policy: RetryPolicy,
    begun: datetime | None = None,
) -> None:
    """The provider has had the message since ``at``, from the attempt ``begun`` then (default: the
    last): its reminders are told. If it has another one of the same message, that one stays."""
    wake_at = _ask_at(channel, at, policy)
    if message_states.set_sent(conn, message_id, provider_id, at, wake_at):
        ledger.told(conn, message_id, at, begun)
    else:
        log.error("alarm", cause="sent_twice", message=message_id, channel=channel)


def _next(one: Ended, policy: RetryPolicy, held: Mapping[int, datetime]) -> Next:
    parcel = one.ready.parcel
    jitter = random.random()  # noqa: S311 - spreads retries, keeps no secret
    following = after_attempt(
        one.outcome, parcel.attempts + 1, one.at, parcel.useful_until, policy, jitter
    )
    if one.outcome == LATE:
        return Next(MessageState.RETRYABLE, one.at + policy.quick, LATE.code)
    if not _is_held(one):
        return following
    reason = PREFIX + one.outcome.code.removeprefix(PREFIX)
    if until := held.get(parcel.id):
        return Next(MessageState.HELD, until, reason)
    return replace(following, reason=reason)


def _is_held(one: Ended) -> bool:
    return one.outcome.kind in (OutcomeKind.CONFIG_FAULT, OutcomeKind.DOWN)


def _failed(conn: Connection, one: Ended, following: Next) -> None:
    """It was never taken, and is not tried again."""
    if one.outcome.kind is OutcomeKind.RECIPIENT_DEAD:
        suppress(conn, one.ready.parcel.channel, one.ready.out.to, one.outcome.code, one.at)
        held_back(conn, one.ready.parcel, one.ready.items, one.outcome.code, one.at)
    else:
        missed(conn, one.ready.parcel, one.ready.items, str(following.reason), one.at)


def suppress(conn: Connection, channel: Channel, address: str, reason: str, now: datetime) -> None:
    """The provider says that an address is dead: it is not used any more."""
    by_email = Channel.EMAIL if channel is Channel.GUARDIAN else channel
    suppressions.add(conn, by_email, {address: reason}, now)


def held_back(
    conn: Connection, parcel: Parcel, items: Sequence[Item], reason: str, now: datetime
) -> list[Item]:
    """These cannot be told on their channel, so the other takes over; returns those that nobody
    will be told of."""
    ledger.end(conn, [item.id for item in items], ReminderState.SUPPRESSED, reason, now)
    if parcel.channel is not Channel.GUARDIAN:
        return fall_back(conn, parcel, items, now)
    log.error("alarm", cause="guardian_unreachable", reason=reason, message=parcel.id)
    return []


def missed(
    conn: Connection, parcel: Parcel, items: Sequence[Item], reason: str, now: datetime
) -> None:
    """These were not told on their channel, and ought to have been: an alarm, with the cause. The
    notice may still reach its holder the other way."""
    log.error("alarm", cause="reminder_missed", reason=reason, message=parcel.id)
    ledger.end(conn, [item.id for item in items], ReminderState.MISSED, reason, now)
    if parcel.channel is not Channel.GUARDIAN:
        fall_back(conn, parcel, items, now)


def _attempt_row(one: Ended) -> dict[str, Any]:
    return {
        "attempt": one.ready.out.attempt,
        "outcome": one.outcome.kind,
        "code": one.outcome.code,
        "provider_id": one.outcome.provider_id,
        "ended_at": one.at,
    }
