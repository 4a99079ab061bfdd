"""After the call: what each outcome means for its message, its reminders and its address."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import structlog
from sqlalchemy import Connection

from worker.core.outcomes import OutcomeKind
from worker.core.reminders import MessageState
from worker.core.retry import Next, RetryPolicy
from worker.pipeline.delivery.elsewhere import Elsewhere
from worker.pipeline.delivery.following import plan, tries
from worker.pipeline.delivery.results import Taken, held_back, missed, sent, suppress
from worker.pipeline.delivery.stages import NO_FAULTS, Ended, Faults
from worker.store import attempts as attempt_store
from worker.store import message_states
from worker.store.committed import after_commit
from worker.store.message_states import Held, MessageChange

log = structlog.get_logger(__name__)


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
    outgoing, provider_id = one.outgoing, str(one.outcome.provider_id)
    return Taken(outgoing.id, outgoing.channel, provider_id, one.at, outgoing.audience)


def _change(one: Ended, following: Next) -> MessageChange:
    change = message_states.becomes(one.outgoing.id, one.outgoing.attempts + 1, following)
    return {**change, "tries": tries(one)}


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
