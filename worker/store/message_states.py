"""The states of messages after a look or a call, each changed only from where it is expected."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NotRequired, TypedDict

from sqlalchemy import Connection, bindparam, func, or_, select, update

from worker.core.lifecycle import before, check
from worker.core.reminders import WAITING, MessageState, Obstacle
from worker.core.retry import Next
from worker.store.bulk import among, update_many
from worker.store.tables import messages


@dataclass(frozen=True, slots=True)
class Held:
    """A locked message: where it is, and under which provider's id it is known to be taken."""

    state: MessageState
    attempts: int
    provider_id: str | None


class MessageChange(TypedDict):
    """What becomes of the ``message`` that has ``count`` attempts; ``next_attempt_at`` is ``None``
    where it has ended."""

    message: int
    count: int
    state: MessageState
    reason: str | None
    obstacle: Obstacle | None
    fault: str | None
    next_attempt_at: datetime | None
    tries: NotRequired[int]


def becomes(message: int, count: int, following: Next) -> MessageChange:
    """The change of the ``message`` that has ``count`` attempts into ``following``."""
    return {
        "message": message,
        "count": count,
        "state": following.state,
        "reason": following.reason and following.reason[:_MOST_REASON],
        "obstacle": following.obstacle,
        "fault": following.fault,
        "next_attempt_at": following.at,
    }


_MOST_REASON = 100


class SentMessage(TypedDict):
    """The message ``row_id``, which the provider took; what became of it is asked at ``wake_at``,
    if ever."""

    row_id: int
    provider_id: str
    sent_at: datetime
    wake_at: datetime | None


def hold(conn: Connection, ids: Collection[int]) -> dict[int, Held]:
    """Lock the messages ``ids``, in the one order that everybody keeps to."""
    rows = conn.execute(
        select(messages.c.id, messages.c.state, messages.c.attempts, messages.c.provider_id)
        .where(among(conn, messages.c.id, ids))
        .order_by(messages.c.id)
        .with_for_update()
    )
    return {row.id: Held(MessageState(row.state), row.attempts, row.provider_id) for row in rows}


def set_states(
    conn: Connection,
    changes: Sequence[MessageChange],
    expected: Collection[MessageState] = (MessageState.SENDING,),
) -> None:
    """Change the states of messages.

    A compare-and-set: only a message still in one of ``expected`` with as many attempts changes,
    so a process that comes back late cannot undo what another has settled. Raises ``ValueError``
    for a change that a message cannot make.
    """
    for new in {one["state"] for one in changes}:
        check(expected, new)
    statement = update(messages).where(
        messages.c.id == bindparam("message"),
        messages.c.attempts == bindparam("count"),
        or_(*(messages.c.state == state for state in expected)),
    )
    again = [{**one, "wake_at": at} for one in changes if (at := one["next_attempt_at"])]
    ended = [
        {key: value for key, value in one.items() if key != "next_attempt_at"} | {"wake_at": None}
        for one in changes
        if one["next_attempt_at"] is None
    ]
    for rows in (again, ended):
        if rows:
            conn.execute(statement, rows)


# What arrived, or is on its way, waits for nothing.
_NO_REASON = dict.fromkeys(("reason", "obstacle", "fault"))


def set_sent(conn: Connection, rows: Sequence[SentMessage]) -> None:
    """Record that the provider took messages that this transaction holds."""
    update_many(conn, messages, rows, state=MessageState.SENT, **_NO_REASON)


def set_delivered(conn: Connection, message_id: int, provider_id: str, at: datetime) -> None:
    """Record that a message has arrived; the first time that was said stays."""
    conn.execute(
        update(messages)
        .where(messages.c.id == message_id, messages.c.state.in_(before(MessageState.DELIVERED)))
        .values(
            state=MessageState.DELIVERED,
            **_NO_REASON,
            wake_at=None,
            delivered_at=at,
            provider_id=func.coalesce(messages.c.provider_id, provider_id),
        )
    )


def set_undelivered(conn: Connection, message_id: int, following: Next) -> None:
    """Record that a message that was taken did not arrive: it ends, or is tried again as if the
    provider did not have it."""
    may = messages.c.state.in_(before(following.state))
    changed = update(messages).where(messages.c.id == message_id, may)
    changed = changed.values(
        state=following.state,
        reason=following.reason,
        obstacle=following.obstacle,
        fault=following.fault,
        wake_at=following.at,
        delivered_at=None,
    )
    if following.at is not None:
        changed = changed.values(next_attempt_at=following.at, provider_id=None)
    conn.execute(changed)


def look_again(
    conn: Connection, message_id: int, provider_id: str, wake_at: datetime | None
) -> None:
    """Ask about a sent message again at ``wake_at``, or never."""
    conn.execute(
        update(messages)
        .where(
            messages.c.id == message_id,
            messages.c.provider_id == provider_id,
            messages.c.state == MessageState.SENT,
        )
        .values(wake_at=wake_at)
    )


def look_now(conn: Connection, message_id: int, now: datetime) -> None:
    """Let a waiting message that this transaction holds be looked at by the next tick."""
    conn.execute(
        update(messages)
        .where(messages.c.id == message_id, messages.c.state.in_(WAITING))
        .values(next_attempt_at=now, wake_at=now)
    )


def set_provider(conn: Connection, message_id: int, provider_id: str) -> None:
    """Follow another attempt of a message from here on."""
    conn.execute(
        update(messages).where(messages.c.id == message_id).values(provider_id=provider_id)
    )


def not_counted(conn: Connection, ids: Iterable[int]) -> None:
    """Take back the count of attempts that our own configuration spoiled."""
    if wanted := list(ids):
        conn.execute(
            update(messages)
            .where(messages.c.id.in_(wanted), messages.c.attempts > 0)
            .values(attempts=messages.c.attempts - 1)
        )
