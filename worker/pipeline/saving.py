"""Use case: a card is renewed after a notice had arrived, which is counted with the renewal."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection

from worker.core.actor import Source
from worker.core.saves import days_before
from worker.store import saves


def renewed(
    conn: Connection, card_ids: Collection[int], at: datetime, source: Source | None
) -> None:
    """The cards were renewed ``at``, in this transaction: of each the last notice that had arrived
    is counted, if its deadline was still to come."""
    found = (
        (notice, days)
        for notice in saves.last_delivered(conn, card_ids, at)
        if (days := days_before(notice, at)) is not None
    )
    saves.add(
        conn,
        [
            {
                "book_id": notice.book,
                "card_id": notice.card,
                "at": at,
                "deadline": notice.deadline,
                "window": notice.window,
                "channel": notice.channel,
                "language": notice.language,
                "days_before": days,
                "source": source,
            }
            for notice, days in found
        ],
    )
