"""The states of messages after a look or a call, each changed only from where it is expected."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, or_, select, update

from worker.core.lifecycle import before, check
from worker.core.reminders import MessageState
from worker.store.bulk import among, update_many
from worker.store.tables import messages


def still_sending(conn: Connection, counts: Mapping[int, int]) -> dict[int, str | None]:
    """Those of the messages that are ``sending`` with this count of attempts, and the provider's
    id of any attempt that is known to have been taken. All are locked."""
    rows = conn.execute(
        select(messages.c.id, messages.c.attempts, messages.c.state, messages.c.provider_id)
        .where(among(conn, messages.c.id, list(counts)))
        .order_by(messages.c.id)
        .with_for_update()
    ).all()
    sending = [row for row in rows if row.state == MessageState.SENDING]
    return {row.id: row.provider_id for row in sending if row.attempts == counts[row.id]}


def set_states(
    conn: Connection,
    rows: Sequence[Mapping[str, Any]],
    expected: Collection[MessageState] = (MessageState.SENDING,),
) -> None:
    """Update messages by ``message`` and ``count``: their ``state``, ``reason``, and
    ``next_attempt_at`` (``None`` where they have ended).

    A compare-and-set: only a message still in one of ``expected`` with ``count`` attempts changes,
    so a process that comes back late cannot undo what another has settled. Raises ``ValueError``
    for a change that a message cannot make.
    """
    for new in {row["state"] for row in rows}:
        check(expected, new)
    statement = update(messages).where(
        messages.c.id == bindparam("message"),
        messages.c.attempts == bindparam("count"),
        or_(*(messages.c.state == state for state in expected)),
    )
    again = [{**row, "wake_at": row["next_attempt_at"]} for row in rows if row["next_attempt_at"]]
    ended = [
        {key: row[key] for key in row if key != "next_attempt_at"} | {"wake_at": None}
        for row in rows
        if row["next_attempt_at"] is None
    ]
    for changes in (again, ended):
        if changes:
            conn.execute(statement, changes)


def set_all_sent(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Record that the provider took messages that this transaction holds: ``row_id provider_id
    sent_at wake_at``."""
    update_many(conn, messages, rows, state=MessageState.SENT, reason=None)


def set_sent(
    conn: Connection, message_id: int, provider_id: str, at: datetime, wake_at: datetime | None
) -> bool:
    """Record that the provider took a message under ``provider_id``, and look again at
    ``wake_at``. False if it is known to have been taken under another id: the first one stays.
    """
    taken = conn.execute(
        update(messages)
        .where(
            messages.c.id == message_id,
            messages.c.provider_id.is_(None),
            messages.c.state.in_(before(MessageState.SENT)),
        )
        .values(
            state=MessageState.SENT,
            reason=None,
            wake_at=wake_at,
            sent_at=at,
            provider_id=provider_id,
        )
    )
    if taken.rowcount:
        return True
    known = select(messages.c.provider_id).where(messages.c.id == message_id)
    return conn.execute(known).scalar() == provider_id


def set_delivered(conn: Connection, message_id: int, provider_id: str, at: datetime) -> None:
    """Record that a message has arrived; the first time that was said stays."""
    conn.execute(
        update(messages)
        .where(messages.c.id == message_id, messages.c.state.in_(before(MessageState.DELIVERED)))
        .values(
            state=MessageState.DELIVERED,
            reason=None,
            wake_at=None,
            delivered_at=at,
            provider_id=func.coalesce(messages.c.provider_id, provider_id),
        )
    )


def set_undelivered(
    conn: Connection,
    message_id: int,
    state: MessageState,
    reason: str | None,
    again_at: datetime | None,
) -> None:
    """Record that a message that was taken did not arrive: it ends in ``state``, or is tried again
    at ``again_at``, as if the provider did not have it."""
    values: dict[str, Any] = {
        "state": state,
        "reason": reason,
        "wake_at": again_at,
        "delivered_at": None,
    }
    if again_at is not None:
        values |= {"next_attempt_at": again_at, "provider_id": None}
    conn.execute(
        update(messages)
        .where(messages.c.id == message_id, messages.c.state.in_(before(state)))
        .values(**values)
    )


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
