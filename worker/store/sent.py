"""What was sent of late, with all that one line about it needs."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from worker.core.cards import Audience, Channel
from worker.core.masking import last_four
from worker.core.outcomes import OutcomeKind
from worker.store.bulk import among
from worker.store.tables import attempts, books, cards, messages, reminders

# The last digits of so many cards are told.
_TAILS = 4


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a provider took ``at``; ``tails``: the last digits of the first cards it
    tells of, ``more``: how many others; ``zone``: the book's."""

    message: int
    channel: Channel
    audience: Audience
    address: str
    at: datetime
    zone: ZoneInfo
    what: str
    tails: tuple[str, ...]
    more: int


def sent_since(conn: Connection, since: datetime, limit: int) -> list[Sent]:
    """Messages whose last attempt began at or after ``since`` and was taken, in that order. The
    cost follows what was tried since then."""
    rows = conn.execute(
        select(
            messages.c.id,
            messages.c.channel,
            messages.c.audience,
            attempts.c.address,
            attempts.c.started_at,
            books.c.time_zone,
        )
        .join(messages, messages.c.id == attempts.c.message_id)
        .join(books, books.c.id == messages.c.book_id)
        .where(
            attempts.c.started_at >= since,
            attempts.c.address != "",
            attempts.c.outcome == OutcomeKind.ACCEPTED,
        )
        .order_by(attempts.c.started_at)
        .limit(limit)
    ).all()
    about = _about(conn, [row.id for row in rows])
    found = []
    for row in rows:
        what, tails = about.get(row.id, ("nothing", ()))
        zone = ZoneInfo(row.time_zone)
        some, more = tails[:_TAILS], len(tails[_TAILS:])
        reader = Channel(row.channel), Audience(row.audience)
        found.append(Sent(row.id, *reader, row.address, row.started_at, zone, what, some, more))
    return found


def _about(conn: Connection, ids: list[int]) -> dict[int, tuple[str, tuple[str, ...]]]:
    """By message: what its first reminder is about, and the ends of its cards' numbers."""
    if not ids:
        return {}
    rows = conn.execute(
        select(
            reminders.c.message_id,
            reminders.c.deadline,
            reminders.c.window,
            cards.c.msisdn,
            cards.c.iccid,
        )
        .join(cards, cards.c.id == reminders.c.card_id)
        .where(among(conn, reminders.c.message_id, ids))
        .order_by(reminders.c.id)
    )
    found: dict[int, tuple[str, tuple[str, ...]]] = {}
    for row in rows:
        subject = row.deadline.replace("_", " ")
        window = "" if row.window == "event" else f" ({row.window})"
        what, tails = found.get(row.message_id, (f"{subject}{window}", ()))
        tail = last_four(row.msisdn, row.iccid)
        found[row.message_id] = (what, tails if tail in tails else (*tails, tail))
    return found
