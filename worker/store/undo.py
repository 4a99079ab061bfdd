"""What was recorded of a card last, and what was before it, for as long as it can be undone."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import (
    Boolean,
    Connection,
    Numeric,
    String,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from worker.core.reminders import ReminderState
from worker.core.undo import BESIDE, Before, Recorded
from worker.store.bulk import among
from worker.store.cards import CardEvent
from worker.store.reminder_changes import ReminderChange, changed
from worker.store.tables import attempts, card_events, cards, messages, reminders
from worker.store.types import Instant


class Carried(NamedTuple):
    """A reminder with the message it is in: ``tried``, when the last attempt of that began."""

    reminder: Any
    message_state: str | None
    tried: datetime | None


def add(conn: Connection, event: CardEvent, until: datetime, before: Before) -> None:
    """Write an event that can be undone ``until`` then."""
    kept = {
        "columns": {name: _plain(value) for name, value in before.columns.items()},
        "ended": [[id_, reason] for id_, reason in before.ended.items()],
        "made": list(before.made),
    }
    conn.execute(insert(card_events).values(**event, undo_until=until, before=kept))


def last(conn: Connection, card_id: int) -> Recorded | None:
    """What was recorded of a card last."""
    row = conn.execute(
        select(card_events)
        .where(card_events.c.card_id == card_id, card_events.c.event.not_in(sorted(BESIDE)))
        .order_by(card_events.c.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    return Recorded(row.id, row.event, row.at, row.undo_until, _before(row.before))


def undoable(conn: Connection, card_ids: Collection[int], now: datetime) -> dict[int, datetime]:
    """Until when the last event can be undone, of those of the cards where it can."""
    if not card_ids:
        return {}
    later = card_events.alias()
    rows = conn.execute(
        select(card_events.c.card_id, card_events.c.undo_until).where(
            card_events.c.undo_until > now,
            among(conn, card_events.c.card_id, card_ids),
            ~exists().where(
                later.c.card_id == card_events.c.card_id,
                later.c.id > card_events.c.id,
                later.c.event.not_in(sorted(BESIDE)),
            ),
        )
    )
    return {row.card_id: row.undo_until for row in rows}


def close(conn: Connection, event_id: int, now: datetime) -> None:
    """The event was undone: it has not happened."""
    undone = update(card_events).where(card_events.c.id == event_id)
    conn.execute(undone.values(undone_at=now, undo_until=None, before=None))


def waited_for(conn: Connection, ids: Iterable[int]) -> dict[int, str | None]:
    """The waiting ones of the reminders ``ids``, each with its reason, if it has one."""
    rows = conn.execute(
        select(reminders.c.id, reminders.c.reason).where(
            among(conn, reminders.c.id, list(ids)), reminders.c.state == ReminderState.PENDING
        )
    )
    return {row.id: row.reason for row in rows}


def carried(conn: Connection, ids: Collection[int]) -> list[Carried]:
    """The reminders ``ids``, each with its message."""
    tried = (
        select(func.max(attempts.c.started_at))
        .where(attempts.c.message_id == reminders.c.message_id)
        .scalar_subquery()
    )
    rows = conn.execute(
        select(reminders, messages.c.state.label("message_state"), tried.label("tried"))
        .outerjoin(messages, messages.c.id == reminders.c.message_id)
        .where(among(conn, reminders.c.id, ids))
        .order_by(reminders.c.id)
    )
    return [Carried(row, row.message_state, row.tried) for row in rows]


def unsay(
    conn: Connection, ids: Collection[int], reason: str, now: datetime
) -> list[ReminderChange]:
    """What would have told of an event ends with it, also where nobody could be told of it."""
    ended = (
        update(reminders)
        .where(
            among(conn, reminders.c.id, ids),
            or_(*(reminders.c.state == state for state in _UNTOLD)),
        )
        .values(state=ReminderState.SUPERSEDED, reason=reason, ended_at=now)
    )
    return changed(conn, ended)


_UNTOLD = (ReminderState.PENDING, ReminderState.SUPPRESSED)


def release(conn: Connection, ids: Collection[int], reason: str) -> None:
    """What an event had ended no longer ends with it: it can be owed again."""
    ended = reminders.c.state == ReminderState.SUPERSEDED
    mine = update(reminders).where(among(conn, reminders.c.id, ids), ended)
    conn.execute(mine.values(reason=reason))


def revive(conn: Connection, reasons: Mapping[int, str | None]) -> None:
    """These wait again in the messages they are in, each with the reason it had."""
    for id_, reason in reasons.items():
        conn.execute(
            update(reminders)
            .where(reminders.c.id == id_, reminders.c.state == ReminderState.SUPERSEDED)
            .values(state=ReminderState.PENDING, reason=reason, ended_at=None)
        )


def date_back(conn: Connection, instants: Mapping[int, datetime]) -> None:
    """These reminders were made when they were first."""
    for id_, at in instants.items():
        conn.execute(update(reminders).where(reminders.c.id == id_).values(created_at=at))


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if hasattr(value, "isoformat") else value


def _before(kept: Mapping[str, Any] | None) -> Before | None:
    if kept is None:
        return None
    columns = {name: _value(name, value) for name, value in kept["columns"].items()}
    ended: Sequence[tuple[int, str | None]] = kept["ended"]
    return Before(columns, dict(ended), tuple(kept["made"]))


def _value(name: str, value: Any) -> object:
    """What ``_plain`` wrote, as the column ``name`` of a card holds it."""
    kind = cards.c[name].type
    if value is None or isinstance(kind, (String, Boolean)):
        return value
    if isinstance(kind, Numeric):
        return Decimal(value)
    made = datetime if isinstance(kind, Instant) else date
    return made.fromisoformat(value)
