"""After the call: what each outcome means for its message, its reminders and its address."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import Connection

from worker.core.cards import Channel
from worker.core.lifecycle import check
from worker.core.outcomes import OutcomeKind
from worker.core.recheck import Item
from worker.core.reminders import MessageState, ReminderState
from worker.core.retry import Next, RetryPolicy
from worker.pipeline import endings
from worker.pipeline.delivery.elsewhere import Elsewhere
from worker.pipeline.delivery.fallback import fall_back
from worker.pipeline.delivery.following import plan, tries
from worker.pipeline.delivery.stages import NO_FAULTS, Ended, Faults
from worker.providers.registry import is_opt_out
from worker.store import attempts as attempt_store
from worker.store import message_states, suppressions
from worker.store.committed import after_commit
from worker.store.message_states import Held, MessageChange, SentMessage
from worker.store.outbox import OutgoingMessage

log = structlog.get_logger(__name__)


class Taken(NamedTuple):
    """A provider has a message since ``at``, under its id of it."""

    message: int
    channel: Channel
    provider_id: str
    at: datetime


def record(
    conn: Connection,
    ended: Sequence[Ended],
    policy: RetryPolicy,
    faults: Faults = NO_FAULTS,
    elsewhere: Elsewhere | None = None,
) -> list[Next]:
    """Write a group of outcomes; returns what becomes of each message, in order."""
    plans = [plan(conn, one, policy, faults, elsewhere) for one in ended]
    # Messages before attempts: whoever applies a receipt locks them in this order too.
    held = message_states.hold(conn, {one.outgoing.id for one in ended})
    ours = _ours(conn, ended, held)
    # A receipt may have overtaken the answer, and whose lease ran out was settled by others: then
    # only that it was sent is still news.
    taken, over = attempt_store.settled(conn, [one.attempt for one in ended])
    news = [one for one in ended if one.attempt not in (taken if one.was_taken else over)]
    attempt_store.end(conn, [attempt_store.ended(e.attempt, e.outcome, e.at) for e in news])
    sent(conn, [_taken(one) for one in news if one.was_taken], policy, held)
    changes: list[MessageChange] = []
    for one, planned in zip(ended, plans, strict=True):
        if one.outcome.alarm and one.outgoing.id not in faults.known:
            after_commit(log.error)(
                "alarm", cause=one.outcome.kind, code=one.outcome.code, message=one.outgoing.id
            )
        if one.was_taken or one.attempt not in ours or one.attempt in taken:
            continue
        changes.append(_change(one, planned.following))
        if planned.following.state is MessageState.FAILED:
            _failed(conn, one, planned.following, goes_over=bool(planned.over))
        elif planned.over:
            held_back(conn, one.outgoing, planned.over, str(planned.following.reason), one.at)
    message_states.set_states(conn, changes)
    spoiled = [one.outgoing.id for one in ended if one.was_not_taken and one.attempt in ours]
    message_states.not_counted(conn, spoiled)
    _tell_of_long_waits(ended)
    return [planned.following for planned in plans]


def _ours(conn: Connection, ended: Sequence[Ended], held: Mapping[int, Held]) -> set[UUID]:
    """The attempts whose message nobody else has settled meanwhile.

    What certainly was not sent is not counted, so a later attempt may have the same number: if the
    word of that comes so late, the message is not ours any more.
    """
    ours = [one for one in ended if _is_sending(one, held.get(one.outgoing.id))]
    doubtful = {one.outgoing.id for one in ours if one.was_not_taken}
    newest = attempt_store.newest(conn, doubtful) if doubtful else set()
    return {one.attempt for one in ours if not one.was_not_taken or one.attempt in newest}


def _is_sending(one: Ended, held: Held | None) -> bool:
    if held is None or held.state is not MessageState.SENDING:
        return False
    return held.attempts == one.outgoing.attempts + 1


def _taken(one: Ended) -> Taken:
    return Taken(one.outgoing.id, one.outgoing.channel, str(one.outcome.provider_id), one.at)


def _change(one: Ended, following: Next) -> MessageChange:
    return {
        "message": one.outgoing.id,
        "count": one.outgoing.attempts + 1,
        "state": following.state,
        "reason": following.reason,
        "next_attempt_at": following.at,
        "tries": tries(one),
    }


# After so many tries, some ten minutes, somebody should know.
_LONG = 6


def _tell_of_long_waits(ended: Sequence[Ended]) -> None:
    long = [
        one
        for one in ended
        if one.outcome.kind in (OutcomeKind.NOT_SENT, OutcomeKind.TRANSIENT)
        and one.outgoing.tries + 1 == _LONG
    ]
    for code in sorted({one.outcome.code for one in long}):
        same = [one.outgoing.id for one in long if one.outcome.code == code]
        after_commit(log.error)(
            "alarm", cause="not_taken_yet", code=code, messages=len(same), message=same[0]
        )


def sent(
    conn: Connection,
    taken: Sequence[Taken],
    policy: RetryPolicy,
    held: Mapping[int, Held] | None = None,
    begun: datetime | None = None,
) -> None:
    """Providers have these messages: their reminders are told. Where one is known to be taken under
    another id, the first one stays, and it was sent twice.

    ``held``: the messages as this transaction holds them; ``begun``: when the attempts began that
    were taken (default: the last of each message).
    """
    held = held or message_states.hold(conn, {one.message for one in taken})
    names = {message: one.provider_id for message, one in held.items()}
    taken = [one for one in taken if one.message in held]  # the others were removed meanwhile
    new = {held[one.message].state for one in taken if names[one.message] is None}
    check(new, MessageState.SENT)
    rows: list[SentMessage] = []
    told: list[int] = []
    for message, channel, provider_id, at in taken:
        if names[message] is None:
            names[message] = provider_id
            rows.append(
                {
                    "row_id": message,
                    "provider_id": provider_id,
                    "sent_at": at,
                    "wake_at": _ask_at(channel, at, policy),
                }
            )
        if names[message] == provider_id:
            told.append(message)
        else:
            after_commit(log.error)("alarm", cause="sent_twice", message=message, channel=channel)
    message_states.set_sent(conn, rows)
    if told:
        endings.told(conn, told, max(one.at for one in taken), begun)


def _ask_at(channel: Channel, at: datetime, policy: RetryPolicy) -> datetime | None:
    """When to ask what became of it; only of SMS can be asked."""
    ask = policy.fetch_after if channel is Channel.SMS else None
    return None if ask is None else at + ask


def _failed(conn: Connection, one: Ended, following: Next, *, goes_over: bool) -> None:
    """It was never taken, and is not tried again."""
    items = one.ready.items
    if one.outcome.kind is OutcomeKind.RECIPIENT_DEAD:
        suppress(conn, one.outgoing.channel, one.ready.out.to, one.outcome.code, one.at)
        held_back(conn, one.outgoing, items, one.outcome.code, one.at)
    elif goes_over:
        held_back(conn, one.outgoing, items, str(following.reason), one.at)
    else:
        missed(conn, one.outgoing, items, str(following.reason), one.at)


# How long a provider's word that an address is dead holds. Numbers are given to others, mailboxes
# are opened again, and providers err: after that it is tried once more.
_DEAD_FOR = timedelta(days=90)


def suppress(conn: Connection, channel: Channel, address: str, reason: str, now: datetime) -> None:
    """The provider says that an address is dead, or that its holder has opted out: it is not used
    any more. A dead one is tried again after a time."""
    by_email = Channel.EMAIL if channel is Channel.GUARDIAN else channel
    until = None if is_opt_out(reason) else now + _DEAD_FOR
    suppressions.add(conn, by_email, {address: reason}, now, expires_at=until)


def held_back(
    conn: Connection,
    outgoing: OutgoingMessage,
    items: Sequence[Item],
    reason: str,
    now: datetime,
    *,
    alarm: bool = True,
) -> list[Item]:
    """These cannot be told on their channel, so the other takes over; returns those that nobody
    will be told of. ``alarm``: is it one if no way is left to the holder?"""
    endings.end(conn, [item.id for item in items], ReminderState.SUPPRESSED, reason, now)
    if outgoing.channel is not Channel.GUARDIAN:
        return fall_back(conn, outgoing, items, now, alarm=alarm)
    after_commit(log.error)(
        "alarm", cause="guardian_unreachable", reason=reason, message=outgoing.id
    )
    return []


def missed(
    conn: Connection, outgoing: OutgoingMessage, items: Sequence[Item], reason: str, now: datetime
) -> None:
    """These were not told on their channel, and ought to have been: an alarm, with the cause. The
    notice may still reach its holder the other way."""
    after_commit(log.error)("alarm", cause="reminder_missed", reason=reason, message=outgoing.id)
    endings.end(conn, [item.id for item in items], ReminderState.MISSED, reason, now)
    if outgoing.channel is not Channel.GUARDIAN:
        fall_back(conn, outgoing, items, now, alarm=False)
