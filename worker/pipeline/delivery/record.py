"""After the call: what each outcome means for its message, its reminders and its address."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection

from worker.core.cards import Channel
from worker.core.outcomes import OutcomeKind
from worker.core.recheck import Item
from worker.core.reminders import MessageState, ReminderState
from worker.core.retry import Next, RetryPolicy
from worker.pipeline.delivery.elsewhere import Elsewhere
from worker.pipeline.delivery.fallback import fall_back
from worker.pipeline.delivery.following import NOT_TAKEN, Ended, plan, tries
from worker.providers.registry import is_opt_out
from worker.store import attempts as attempt_store
from worker.store import message_states, suppressions
from worker.store import reminders as ledger
from worker.store.committed import after_commit
from worker.store.outbox import OutgoingMessage

log = structlog.get_logger(__name__)


def record(
    conn: Connection,
    ended: Sequence[Ended],
    policy: RetryPolicy,
    held: Mapping[int, datetime] | None = None,
    told: Collection[int] = (),
    alone: Collection[int] = (),
    elsewhere: Elsewhere | None = None,
) -> list[Next]:
    """Write a group of outcomes; returns what becomes of each message, in order.

    ``held``: until when messages wait behind a breaker; ``told``: those whose fault is known;
    ``alone``: those that a fault concerns which concerns nobody else.
    """
    plans = [plan(conn, one, policy, held or {}, alone, elsewhere) for one in ended]
    nexts = [planned.following for planned in plans]
    # Messages before attempts: whoever applies a receipt locks them in this order too.
    counts = {one.ready.outgoing.id: one.ready.outgoing.attempts + 1 for one in ended}
    ours = message_states.still_sending(conn, counts)
    # A receipt may have overtaken the answer, and whose lease ran out was settled by others: then
    # only that it was sent is still news.
    taken, over = attempt_store.settled(conn, [one.ready.out.attempt for one in ended])
    _give_up_overtaken(conn, ended, ours)
    attempt_store.end(conn, [_attempt_row(one) for one in ended if _is_news(one, taken, over)])
    waiting: list[dict[str, Any]] = []
    news = [
        one
        for one, following in zip(ended, nexts, strict=True)
        if following.state is MessageState.SENT and _is_news(one, taken, over)
    ]
    _all_sent(conn, [one for one in news if one.ready.outgoing.id in ours], ours, policy)
    for one, planned in zip(ended, plans, strict=True):
        following = planned.following
        if one.outcome.alarm and one.ready.outgoing.id not in told:
            after_commit(log.error)(
                "alarm",
                cause=one.outcome.kind,
                code=one.outcome.code,
                message=one.ready.outgoing.id,
            )
        if following.state is MessageState.SENT:
            outgoing = one.ready.outgoing
            if outgoing.id not in ours and _is_news(one, taken, over):
                sent(
                    conn,
                    outgoing.id,
                    outgoing.channel,
                    str(one.outcome.provider_id),
                    one.at,
                    policy,
                )
            continue
        if one.ready.outgoing.id not in ours or one.ready.out.attempt in taken:
            continue
        waiting.append(
            {
                "message": one.ready.outgoing.id,
                "count": one.ready.outgoing.attempts + 1,
                "state": following.state,
                "reason": following.reason,
                "next_attempt_at": following.at,
                "tries": tries(one),
            }
        )
        if following.state is MessageState.FAILED:
            _failed(conn, one, following, goes_over=bool(planned.over))
        elif planned.over:
            held_back(conn, one.ready.outgoing, planned.over, str(following.reason), one.at)
    message_states.set_states(conn, waiting)
    spoiled = [one.ready.outgoing.id for one in ended if _costs_nothing(one)]
    message_states.not_counted(conn, ours.keys() & set(spoiled))
    _tell_of_long_waits(ended)
    return nexts


# After so many tries, some ten minutes, somebody should know.
_LONG = 6


def _give_up_overtaken(
    conn: Connection, ended: Sequence[Ended], ours: dict[int, str | None]
) -> None:
    """What certainly was not sent is not counted, so a later attempt may have the same number: of
    an answer that comes so late the message is not ours any more."""
    doubtful = {one.ready.outgoing.id: one for one in ended if one.outcome.kind in NOT_TAKEN}
    asked = ours.keys() & doubtful.keys()
    if not asked:
        return
    newest = attempt_store.newest(conn, asked)
    for message in asked:
        if doubtful[message].ready.out.attempt not in newest:
            del ours[message]


def _tell_of_long_waits(ended: Sequence[Ended]) -> None:
    long = [
        one
        for one in ended
        if one.outcome.kind in (OutcomeKind.NOT_SENT, OutcomeKind.TRANSIENT)
        and one.ready.outgoing.tries + 1 == _LONG
    ]
    for code in sorted({one.outcome.code for one in long}):
        same = [one.ready.outgoing.id for one in long if one.outcome.code == code]
        after_commit(log.error)(
            "alarm", cause="not_taken_yet", code=code, messages=len(same), message=same[0]
        )


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
        message, provider_id = one.ready.outgoing.id, str(one.outcome.provider_id)
        if taken[message] is None:
            wake_at = _ask_at(one.ready.outgoing.channel, one.at, policy)
            row = {"row_id": message, "provider_id": provider_id, "sent_at": one.at}
            rows.append({**row, "wake_at": wake_at})
            taken[message] = provider_id
        if taken[message] == provider_id:
            told.append(message)
        else:
            after_commit(log.error)("alarm", cause="sent_twice", message=message)
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
        after_commit(log.error)("alarm", cause="sent_twice", message=message_id, channel=channel)


def _costs_nothing(one: Ended) -> bool:
    """Was it certainly not taken, and is it tried again?"""
    return one.outcome.kind in NOT_TAKEN


def _failed(conn: Connection, one: Ended, following: Next, *, goes_over: bool) -> None:
    """It was never taken, and is not tried again."""
    if one.outcome.kind is OutcomeKind.RECIPIENT_DEAD:
        suppress(conn, one.ready.outgoing.channel, one.ready.out.to, one.outcome.code, one.at)
        held_back(conn, one.ready.outgoing, one.ready.items, one.outcome.code, one.at)
    elif goes_over:
        held_back(conn, one.ready.outgoing, one.ready.items, str(following.reason), one.at)
    else:
        missed(conn, one.ready.outgoing, one.ready.items, str(following.reason), one.at)


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
    ledger.end(conn, [item.id for item in items], ReminderState.SUPPRESSED, reason, now)
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
    ledger.end(conn, [item.id for item in items], ReminderState.MISSED, reason, now)
    if outgoing.channel is not Channel.GUARDIAN:
        fall_back(conn, outgoing, items, now, alarm=False)


def _attempt_row(one: Ended) -> dict[str, Any]:
    return {
        "attempt": one.ready.out.attempt,
        "outcome": one.outcome.kind,
        "code": one.outcome.code,
        "provider_id": one.outcome.provider_id,
        "ended_at": one.at,
    }
