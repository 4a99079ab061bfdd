"""After the call: what each outcome means for its message, its reminders and its address."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection

from worker.core.cards import Channel
from worker.core.outcomes import Outcome, OutcomeKind
from worker.core.reminders import MessageState, ReminderState
from worker.core.retry import Next, RetryPolicy, after_attempt
from worker.delivery.fallback import fall_back
from worker.delivery.prepare import Ready
from worker.store import attempts as attempt_store
from worker.store import messages as message_store
from worker.store import reminders as ledger
from worker.store import suppressions

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that is over, and how."""

    ready: Ready
    outcome: Outcome
    at: datetime


def record(conn: Connection, ended: Sequence[Ended], policy: RetryPolicy) -> list[Next]:
    """Write a group of outcomes; returns what becomes of each message, in order."""
    nexts = [_next(one, policy) for one in ended]
    attempt_store.end(conn, [_attempt_row(one) for one in ended])
    # Whose lease ran out was settled by others: only that it was sent is still news.
    counts = {one.ready.parcel.id: one.ready.parcel.attempts + 1 for one in ended}
    ours = message_store.still_sending(conn, counts)
    waiting: list[dict[str, Any]] = []
    for one, following in zip(ended, nexts, strict=True):
        if one.outcome.alarm:
            log.error(
                "alarm", cause=one.outcome.kind, code=one.outcome.code, message=one.ready.parcel.id
            )
        if following.state is MessageState.SENT:
            sent(conn, one.ready.parcel.id, one.outcome, one.at)
            continue
        if one.ready.parcel.id not in ours:
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
    message_store.set_states(conn, waiting)
    spoiled = [one.ready.parcel.id for one in ended if one.outcome.kind is OutcomeKind.CONFIG_FAULT]
    message_store.not_counted(conn, ours.intersection(spoiled))
    return nexts


def sent(conn: Connection, message_id: int, outcome: Outcome, at: datetime) -> None:
    """The provider has the message: its reminders are told."""
    message_store.set_sent(conn, {message_id: str(outcome.provider_id)}, at)
    ledger.told(conn, message_id, at)


def _next(one: Ended, policy: RetryPolicy) -> Next:
    parcel = one.ready.parcel
    jitter = random.random()  # noqa: S311 - spreads retries, keeps no secret
    return after_attempt(
        one.outcome, parcel.attempts + 1, one.at, parcel.useful_until, policy, jitter
    )


def _failed(conn: Connection, one: Ended, following: Next) -> None:
    """A dead recipient is not tried again, and the other channel takes over; anything else that
    fails for good is a notice missed, with its cause."""
    parcel, items = one.ready.parcel, one.ready.items
    ids = [item.id for item in items]
    if one.outcome.kind is OutcomeKind.RECIPIENT_DEAD:
        by_email = Channel.EMAIL if parcel.channel is Channel.GUARDIAN else parcel.channel
        suppressions.add(conn, by_email, {one.ready.out.to: one.outcome.code}, one.at)
        ledger.end(conn, ids, ReminderState.SUPPRESSED, one.outcome.code, one.at)
        if parcel.channel is not Channel.GUARDIAN:
            fall_back(conn, parcel, items, one.at)
        return
    log.error("alarm", cause="reminder_missed", reason=following.reason, message=parcel.id)
    ledger.end(conn, ids, ReminderState.MISSED, following.reason, one.at)


def _attempt_row(one: Ended) -> dict[str, Any]:
    return {
        "attempt": one.ready.out.attempt,
        "outcome": one.outcome.kind,
        "code": one.outcome.code,
        "provider_id": one.outcome.provider_id,
        "ended_at": one.at,
    }
