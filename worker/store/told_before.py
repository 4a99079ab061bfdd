"""What a card was told of its deadlines before, for whoever wants it told again."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, select

from worker.core.cards import Audience
from worker.core.deadlines import DeadlineKind
from worker.core.reminders import Known, MessageState, ReminderState
from worker.store.bulk import among
from worker.store.reminders import key_of
from worker.store.tables import messages, reminders


class Earlier(NamedTuple):
    """A reminder to the holder of a card, with the message it is or was in, if in any."""

    card: int
    known: Known
    created_at: datetime
    message: int | None
    message_state: MessageState | None


def of_cards(conn: Connection, card_ids: Collection[int]) -> list[Earlier]:
    """All reminders of the deadlines of these cards, the oldest first."""
    return _found(conn, among(conn, reminders.c.card_id, card_ids))


def of_message(conn: Connection, message_id: int) -> list[Earlier]:
    """The reminders of deadlines that a message carries."""
    return _found(conn, reminders.c.message_id == message_id)


def _found(conn: Connection, which: object) -> list[Earlier]:
    rows = conn.execute(
        select(reminders, messages.c.state.label("message_state"))
        .outerjoin(messages, messages.c.id == reminders.c.message_id)
        .where(
            which,  # type: ignore[arg-type]
            reminders.c.audience == Audience.HOLDER,
            reminders.c.deadline.in_(sorted(DeadlineKind)),
        )
        .order_by(reminders.c.id)
    )
    return [
        Earlier(
            row.card_id,
            Known(row.id, key_of(row), ReminderState(row.state), row.due_at, row.reason),
            row.created_at,
            row.message_id,
            MessageState(row.message_state) if row.message_state else None,
        )
        for row in rows
    ]
