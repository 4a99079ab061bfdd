"""One card with all that belongs to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import Connection, and_, or_, select

from worker.core.cards import Channel
from worker.core.viewer import Viewer
from worker.store import cards as card_store
from worker.store import suppressions as suppression_store
from worker.store import views
from worker.store.bulk import among
from worker.store.card_index import NO_DEADLINE
from worker.store.cards import Watched
from worker.store.tables import cards, outlook, suppressions

_MOST: Final = 500

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CardPage:
    """``card`` has the columns of the card, its holder and its book, as `vigencia cards show` has
    them; ``watched`` is the same for ``rules.ladder`` and ``rules.timetable``. ``deadlines``: (what
    is lost, on which day) in order. ``reminders``, ``messages`` and ``events`` come the newest
    first. ``suppressions`` are of the holder's addresses and of the card's own number; of those
    that were lifted, ``lifted_at`` says when."""

    card: Values
    watched: Watched
    deadlines: Sequence[tuple[str, date]]
    reminders: Sequence[Values]
    messages: Sequence[Values]
    events: Sequence[Values]
    suppressions: Sequence[Values]


def show(conn: Connection, viewer: Viewer, card_id: int) -> CardPage | None:
    """The card, ``None`` if there is none, it was removed, or its book is not the viewer's."""
    mine = and_(cards.c.id == card_id, cards.c.book_id.in_(viewer.books))
    found = views.card_by(conn, mine)
    if found is None:
        return None
    card = dict(found)
    days = select(outlook.c.deadline, outlook.c.on_day).where(
        outlook.c.card_id == card_id, outlook.c.deadline != NO_DEADLINE
    )
    reminders = views.reminders_of(conn, card_id, _MOST)
    carrying = sorted({row["message_id"] for row in reminders if row["message_id"] is not None})
    return CardPage(
        card,
        card_store.load(conn, [card_id])[card_id],
        [(row.deadline, row.on_day) for row in conn.execute(days.order_by(outlook.c.on_day))],
        reminders,
        views.messages_by(conn, carrying),
        views.events_of(conn, card_id, _MOST),
        _suppressions(conn, card),
    )


def _suppressions(conn: Connection, card: Values) -> list[dict[str, Any]]:
    """Of the addresses of this card only: they belong to no book, and may be known in others."""
    phones = [one for one in (card["contact_phone"], card["msisdn"]) if one]
    addresses = {Channel.SMS: phones, Channel.EMAIL: [card["email"]] if card["email"] else []}
    own = [
        and_(
            suppressions.c.channel == channel,
            among(
                conn,
                suppressions.c.address,
                {key for one in found for key in (one, suppression_store.stored_as(channel, one))},
            ),
        )
        for channel, found in addresses.items()
        if found
    ]
    if not own:
        return []
    query = select(suppressions).where(
        or_(*own),
        or_(
            suppressions.c.card_id.is_(suppression_store.EVERYTHING),
            suppressions.c.card_id == card["id"],
        ),
    )
    return [dict(row) for row in conn.execute(query.order_by(suppressions.c.id)).mappings()]
