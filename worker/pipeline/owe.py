"""The one way to owe notices: their rows in the ledger, and the messages that carry them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from worker.core.addressing import address_of
from worker.core.cards import Audience, Card, Holder
from worker.core.hours import local_day
from worker.core.naming import alike, parts
from worker.core.reminders import Planned, ReminderState
from worker.pipeline.endings import count
from worker.store import books
from worker.store import messages as message_store
from worker.store import reminder_changes as ledger
from worker.store.messages import NewMessage

# The workers are not told: the scheduler finds the message at its next tick.
_NO_HINT = timedelta()


@dataclass(frozen=True, slots=True)
class OwedNotice:
    """A notice about a card. Its ``holder`` reads it, unless it is planned for the guardian."""

    card: Card
    holder: Holder
    planned: Planned


@dataclass(frozen=True, slots=True)
class NewlyOwed:
    """What was not owed yet: how many ``reminders`` and their ``ids``, and by id the ``messages``
    they are in."""

    reminders: int
    ids: tuple[int, ...]
    messages: dict[int, NewMessage]


def owe(
    conn: Connection, notices: Iterable[OwedNotice], now: datetime, hint: timedelta = _NO_HINT
) -> NewlyOwed:
    """Write those of ``notices`` that are not owed yet; one that ends at once is in no message.

    There is one message for each reader, destination, address and day; or several, where one has no
    room for all of its cards or cannot speak truly of all. ``hint``: how long a worker may take to
    pick up a message that it will be told of.
    """
    rows = []
    groups: dict[tuple[Any, ...], list[OwedNotice]] = defaultdict(list)
    guardians: dict[int, int] = {}
    for one in notices:
        card, holder, planned = one.card, one.holder, one.planned
        if planned.state is not ReminderState.PENDING:
            rows.append(ledger.as_row(card.id, planned, None, now))
            continue
        channel, audience, reader = planned.key.channel, planned.key.audience, holder.id
        if audience is Audience.GUARDIAN:  # one digest about all holders of the book
            if card.book_id not in guardians:
                guardians[card.book_id] = books.guardian_of(conn, card.book_id, now)
            reader = guardians[card.book_id]
        address = address_of(card, holder, channel, audience)
        day = local_day(planned.due_at, holder.time_zone)
        groups[reader, planned.key.destination, address, day, alike(card, planned.key)].append(one)
    letters = [
        (reader, part)
        for (reader, to, *_), group in groups.items()
        for part in parts(sorted(group, key=lambda one: one.planned.useful_until), to.channel)
    ]
    new = [_message(reader, part) for reader, part in letters]
    ids = message_store.create(conn, new, now, hint)
    for message, (_, part) in zip(ids, letters, strict=True):
        rows += [ledger.as_row(one.card.id, one.planned, message, now) for one in part]
    inserted = ledger.insert_new(conn, rows)
    count(inserted)
    carrying = {one.message_id for one in inserted}
    message_store.drop(conn, [message for message in ids if message not in carrying])
    messages = zip(ids, new, strict=True)
    carried = {id_: message for id_, message in messages if id_ in carrying}
    return NewlyOwed(len(inserted), tuple(one.id for one in inserted), carried)


def _message(reader: int, part: Sequence[OwedNotice]) -> NewMessage:
    """A message to ``reader``: due with its first notice, useful as long as its last."""
    key = part[0].planned.key
    return NewMessage(
        book_id=part[0].card.book_id,
        holder_id=reader,
        channel=key.channel,
        audience=key.audience,
        due_at=min(one.planned.due_at for one in part),
        useful_until=max(one.planned.useful_until for one in part),
    )
