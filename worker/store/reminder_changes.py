"""The ledger, written: notices that are owed from now on, and how each of them ends."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any, NamedTuple, TypedDict

from sqlalchemy import Connection, Row, Update, and_, func, or_, select, update

from worker.core.cards import Audience, Channel
from worker.core.reminders import REVIVABLE, UNCHECKED, Planned, ReminderState, Subject
from worker.store.bulk import among, as_source, source_values
from worker.store.tables import attempts, reminders
from worker.store.upsert import upsert


class NewReminder(TypedDict):
    """A reminder to insert."""

    card_id: int
    deadline: Subject
    deadline_on: date
    window: str
    channel: Channel
    audience: Audience
    due_at: datetime
    owed_at: datetime | None
    useful_until: datetime
    state: ReminderState
    reason: str | None
    message_id: int | None
    created_at: datetime
    ended_at: datetime | None


def as_row(card_id: int, planned: Planned, message_id: int | None, now: datetime) -> NewReminder:
    """A planned reminder as a row to insert."""
    ended = planned.state is not ReminderState.PENDING
    return {
        "card_id": card_id,
        "deadline": planned.key.deadline,
        "deadline_on": planned.key.on,
        "window": planned.key.window,
        "channel": planned.key.channel,
        "audience": planned.key.audience,
        "due_at": planned.due_at,
        "owed_at": planned.owed_at,
        "useful_until": planned.useful_until,
        "state": planned.state,
        "reason": planned.reason,
        "message_id": message_id,
        "created_at": now,
        "ended_at": now if ended else None,
    }


class ReminderChange(NamedTuple):
    """A reminder as it is after a change, for those who count; ``owed_at``: since when it was
    owed."""

    id: int
    state: str
    channel: str
    audience: str
    reason: str | None
    window: str
    owed_at: datetime
    message_id: int | None


_CHANGE = (
    *(reminders.c[name] for name in ("id", "state", "channel", "audience", "reason", "window")),
    func.coalesce(reminders.c.owed_at, reminders.c.due_at),
    reminders.c.message_id,
)


def insert_new(conn: Connection, rows: Sequence[NewReminder]) -> list[ReminderChange]:
    """Insert the rows that are not there yet; returns those inserted.

    The unique key decides: whoever comes second writes nothing. Only a reminder that had ended
    with its deadline is written over, since that deadline holds again, and one that a clock which
    was ahead had called missed.
    """
    if not rows:
        return []
    statement = _insertion(conn.dialect.name, tuple(rows[0]))
    return _changes(conn.execute(statement, source_values(conn, reminders, rows)))


def changed(conn: Connection, statement: Update) -> list[ReminderChange]:
    """Change reminders; returns them as they are then."""
    return _changes(conn.execute(statement.returning(*_CHANGE)))


def _changes(found: Iterable[Row[Any]]) -> list[ReminderChange]:
    return [ReminderChange._make(row) for row in found]


@cache
def _insertion(dialect: str, names: tuple[str, ...]) -> Any:
    source = as_source(dialect, reminders, names)
    statement = upsert(dialect, reminders).from_select(list(names), source)
    # With the instant at which it is made: an event is told as of when it was entered last, and
    # only what happened after that overtakes it.
    again = (
        *("due_at", "owed_at", "useful_until", "state", "reason", "message_id", "ended_at"),
        "created_at",
    )
    statement = statement.on_conflict_do_update(
        index_elements=["card_id", "deadline", "deadline_on", "window", "channel", "audience"],
        set_={name: statement.excluded[name] for name in again},
        where=or_(
            (reminders.c.state == ReminderState.SUPERSEDED)
            & or_(*(reminders.c.reason == reason for reason in sorted(REVIVABLE))),
            (reminders.c.state == ReminderState.MISSED)
            & (reminders.c.reason == UNCHECKED)
            & (reminders.c.ended_at > statement.excluded.created_at),
        ),
    )
    return statement.returning(*_CHANGE)


def end(
    conn: Connection, ids: Iterable[int], state: ReminderState, reason: str | None, now: datetime
) -> list[ReminderChange]:
    """End the waiting reminders ``ids``; one that has ended stays as it is."""
    wanted = list(ids)
    if not wanted:
        return []
    ended = (
        update(reminders)
        .where(among(conn, reminders.c.id, wanted), reminders.c.state == ReminderState.PENDING)
        .values(state=state, reason=reason, ended_at=now)
    )
    return _changes(conn.execute(ended.returning(*_CHANGE)))


def told(
    conn: Connection, message_ids: Collection[int], at: datetime, begun: datetime | None = None
) -> list[ReminderChange]:
    """The provider has the messages: what they carry was told ``at``.

    That holds too for a notice that an event ended after the attempt that carried it had
    ``begun`` (default: the last one of its message): it was on its way, and must not be owed again
    should the event be taken back. So it does for one that was given up meanwhile.
    """
    last = select(func.max(attempts.c.started_at)).where(
        attempts.c.message_id == reminders.c.message_id
    )
    was_missed = reminders.c.state == ReminderState.MISSED
    since = last.scalar_subquery() if begun is None else begun
    return _carried(conn, message_ids, ReminderState.SENT, at, since, was_missed)


def delivered(
    conn: Connection, message_id: int, at: datetime, begun: datetime
) -> tuple[list[ReminderChange], list[ReminderChange]]:
    """The message has arrived, in the attempt that had ``begun`` then: all that it carried was
    told, even what was thought to have failed. Returns what nobody knew to be told, and what was
    known to be sent."""
    given_up = reminders.c.state.in_((ReminderState.MISSED, ReminderState.SUPPRESSED))
    news = _carried(conn, [message_id], ReminderState.DELIVERED, at, begun, given_up)
    arrived = (
        update(reminders)
        .where(reminders.c.message_id == message_id, reminders.c.state == ReminderState.SENT)
        .values(state=ReminderState.DELIVERED)
    )
    return news, _changes(conn.execute(arrived.returning(*_CHANGE)))


def _carried(
    conn: Connection,
    message_ids: Collection[int],
    state: ReminderState,
    at: datetime,
    begun: Any,
    given_up: Any,
) -> list[ReminderChange]:
    overtaken = and_(
        reminders.c.state == ReminderState.SUPERSEDED, reminders.c.reason.in_(REVIVABLE)
    )
    on_its_way = and_(or_(overtaken, given_up), reminders.c.ended_at > begun)
    told = (
        update(reminders)
        .where(
            among(conn, reminders.c.message_id, message_ids),
            or_(reminders.c.state == ReminderState.PENDING, on_its_way),
        )
        .values(state=state, reason=None, ended_at=at)
    )
    return _changes(conn.execute(told.returning(*_CHANGE)))


def reopen(conn: Connection, message_id: int) -> None:
    """What the message told did not arrive: it is owed again."""
    conn.execute(
        update(reminders)
        .where(
            reminders.c.message_id == message_id,
            reminders.c.state.in_((ReminderState.SENT, ReminderState.DELIVERED)),
        )
        .values(state=ReminderState.PENDING, reason=None, ended_at=None)
    )


def miss(conn: Connection, ids: Iterable[int]) -> list[ReminderChange]:
    """Nobody was told: what was only held back on its channel has been missed."""
    missed = (
        update(reminders)
        .where(reminders.c.id.in_(list(ids)), reminders.c.state == ReminderState.SUPPRESSED)
        .values(state=ReminderState.MISSED)
    )
    return _changes(conn.execute(missed.returning(*_CHANGE)))


def move(conn: Connection, ids: Iterable[int], message_id: int) -> None:
    """Let the waiting reminders ``ids`` travel with another message."""
    conn.execute(
        update(reminders)
        .where(among(conn, reminders.c.id, list(ids)))
        .values(message_id=message_id)
    )
