"""The notice behind a link, with its card: looked up anew each time, for both may have changed."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row

from worker.store import cards as card_store
from worker.store import recipients
from worker.store.cards import Watched

Found = tuple[Row[Any], Watched]


def find(
    conn: Connection, reminder_id: int, subjects: Collection[str], *, lock: bool = False
) -> Found | None:
    """The reminder, if it is about one of ``subjects``, and its card, if that is still with the
    holder whom it was sent to."""
    row = recipients.reminder(conn, reminder_id)
    if row is None or row.deadline not in subjects:
        return None
    if lock:
        watched = card_store.hold(conn, row.card_id)
    else:
        watched = card_store.load(conn, [row.card_id]).get(row.card_id)
    return None if watched is None or watched.holder.id != row.told_id else (row, watched)
