"""A holder with all that is known of the cards at the start, loaded range by range."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from worker.core.addressing import address_of
from worker.core.cards import Channel, Destination, Holder
from worker.core.recheck import Item
from worker.core.reminders import WAITING, Known, ReminderState
from worker.core.windows import REMEMBERED
from worker.store import reminders as ledger
from worker.store import suppressions
from worker.store.cards import Watched, to_watched, watched_columns
from worker.store.reminders import key_of
from worker.store.tables import cards, messages, reminders

# An address of a channel that is silent for one card, or for everything (no card).
Silenced = tuple[Channel, str, int | None]


class HolderRange(NamedTuple):
    """Holders with ids from ``first`` to ``last``, and how many cards they have."""

    first: int
    last: int
    cards: int


@dataclass(frozen=True, slots=True)
class WaitingMessage:
    """A message of the ledger that is still to be sent, at ``at`` or when the simulation begins."""

    id: int
    to: Destination
    at: datetime
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Household:
    """``known``: the ledger's reminders by card. ``suppressed``: what is silent, and why."""

    holder: Holder
    cards: Sequence[Watched]
    known: Mapping[int, Sequence[Known]]
    waiting: Sequence[WaitingMessage]
    suppressed: Mapping[Silenced, str]


def spans(conn: Connection, book: int | None, size: int) -> Iterator[HolderRange]:
    """All holders who have cards, in ranges of about ``size`` cards; a holder is never split."""
    query = select(cards.c.holder_id, func.count()).group_by(cards.c.holder_id)
    if book is not None:
        query = query.where(cards.c.book_id == book)
    first, last, count = None, 0, 0
    for holder, number in conn.execute(query.order_by(cards.c.holder_id)).yield_per(10_000):
        first = holder if first is None else first
        last, count = holder, count + number
        if count >= size:
            yield HolderRange(first, last, count)
            first, count = None, 0
    if first is not None:
        yield HolderRange(first, last, count)


def load(
    conn: Connection, span: HolderRange, book: int | None, begin: datetime
) -> Iterator[Household]:
    """The holders of ``span`` in the order of their ids, with the ledger as it stands.

    A card that was imported after ``begin`` counts as known from ``begin`` on.
    """
    query = watched_columns().where(cards.c.holder_id.between(span.first, span.last))
    if book is not None:
        query = query.where(cards.c.book_id == book)
    rows = conn.execute(query.order_by(cards.c.holder_id, cards.c.id))
    found = [_from(to_watched(row), begin) for row in rows]
    by_id = {watched.card.id: watched for watched in found}
    known = ledger.known(conn, list(by_id), (begin - REMEMBERED).date())
    waiting = _waiting(conn, by_id)
    suppressed = _suppressed(conn, found)
    for holder_id, members in groupby(found, key=lambda watched: watched.holder.id):
        own = list(members)
        ledger_rows = {w.card.id: known[w.card.id] for w in own if w.card.id in known}
        yield Household(own[0].holder, own, ledger_rows, waiting.get(holder_id, ()), suppressed)


def _from(watched: Watched, begin: datetime) -> Watched:
    if watched.card.watched_since <= begin:
        return watched
    return replace(watched, card=replace(watched.card, watched_since=begin))


def _waiting(conn: Connection, watched: Mapping[int, Watched]) -> dict[int, list[WaitingMessage]]:
    """By holder: the messages that wait, each with the reminders of the cards this holder has.

    A card given to another holder takes its reminders along, as a recheck would decide.
    """
    rows = conn.execute(
        select(reminders, messages.c.next_attempt_at)
        .join(messages, messages.c.id == reminders.c.message_id)
        .where(
            reminders.c.card_id.in_(list(watched)),
            reminders.c.state == ReminderState.PENDING,
            messages.c.state.in_(WAITING),
        )
        .order_by(messages.c.next_attempt_at, messages.c.id, reminders.c.id)
    ).all()
    found: dict[int, list[WaitingMessage]] = defaultdict(list)
    for message_id, carried in groupby(rows, key=lambda row: row.message_id):
        by_holder: dict[int, list[Item]] = defaultdict(list)
        for row in carried:
            card = watched[row.card_id].card
            item = Item(row.id, key_of(row), row.due_at, row.useful_until, card)
            by_holder[card.holder_id].append(item)
        for holder, items in by_holder.items():
            to = items[0].key.destination
            found[holder].append(WaitingMessage(message_id, to, row.next_attempt_at, tuple(items)))
    return found


def _suppressed(conn: Connection, found: Sequence[Watched]) -> dict[Silenced, str]:
    reasons: dict[Silenced, str] = {}
    for channel in (Channel.SMS, Channel.EMAIL):
        wanted = {a for w in found if (a := address_of(w.card, w.holder, channel))}
        if channel is Channel.EMAIL:
            wanted |= {w.card.guardian_email for w in found if w.card.guardian_email}
        told = suppressions.reasons(conn, channel, wanted)
        reasons |= {(channel, *key): reason for key, reason in told.items()}
    return reasons
