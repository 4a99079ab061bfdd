"""How the ledger stands: what the alarms look at, and the digests that tell of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, case, func, literal, select

from worker.core.optout import Said
from worker.core.reminders import MessageState, ReminderState
from worker.store import suppressions
from worker.store.alarms import NO_BOOK
from worker.store.open_messages import MOST, count, in_open_messages, open_messages
from worker.store.tables import attempts, books, cards, inbound, messages, reminders
from worker.store.types import Instant


@dataclass(frozen=True, slots=True)
class Standing:
    """What asks for somebody: counts, none above ``MOST``. ``missed``, ``dead`` (addresses that a
    provider calls dead) and ``unclear`` (what holders wrote and a person has to read) are of a span
    of time."""

    late: int = 0
    held: int = 0
    unknown: int = 0
    missed: int = 0
    checks_overdue: int = 0
    dead: int = 0
    unclear: int = 0


# How many by the id of their book; ``NO_BOOK`` of what belongs to none.
ByBook = Mapping[int, int]


def standing(
    conn: Connection,
    now: datetime,
    cutoffs: Mapping[str, timedelta],
    usual: timedelta,
    parked: timedelta,
    unchecked: timedelta,
    since: datetime,
) -> Standing:
    """How the ledger stands at ``now``; see ``by_book``."""
    return summed(by_book(conn, now, cutoffs, usual, parked, unchecked, since, since).news)


class Counts(NamedTuple):
    """The counts of ``Standing`` by book: ``news`` with what was lost since the last look, ``kept``
    with what was lost in a longer time."""

    news: Mapping[str, ByBook]
    kept: Mapping[str, ByBook]


def summed(found: Mapping[str, ByBook]) -> Standing:
    """The counts of all books."""
    return Standing(**{name: sum(counts.values()) for name, counts in found.items()})


def by_book(
    conn: Connection,
    now: datetime,
    cutoffs: Mapping[str, timedelta],
    usual: timedelta,
    parked: timedelta,
    unchecked: timedelta,
    since: datetime,
    kept_since: datetime,
) -> Counts:
    """The counts of ``Standing`` at ``now``, by book.

    A reminder is late ``cutoffs[window]`` (else ``usual``) after it was owed; an unknown asks for
    somebody ``parked`` after its last attempt, a check ``unchecked`` after it fell due; missed,
    dead and unclear are those that ended, or were found or received, after ``since``; and after
    ``kept_since``.
    """
    open_ = open_messages().subquery()
    due = func.coalesce(reminders.c.owed_at, reminders.c.due_at)
    limits = {window: literal(now - span, Instant) for window, span in cutoffs.items()}
    late = (
        select(messages.c.book_id)
        .select_from(reminders)
        .join(messages, messages.c.id == reminders.c.message_id)
        .where(
            in_open_messages(conn),
            reminders.c.state == ReminderState.PENDING,
            due < case(limits, value=reminders.c.window, else_=literal(now - usual, Instant)),
        )
    )
    recent = select(attempts.c.id).where(
        attempts.c.message_id == open_.c.id, attempts.c.started_at > now - parked
    )
    unknown = open_.c.state == MessageState.UNKNOWN, ~recent.exists()
    unclear = select(inbound.c.id).where(
        inbound.c.received_at > since, inbound.c.meaning == Said.UNCLEAR
    )
    unseen = select(cards.c.book_id).where(cards.c.check_since <= now - unchecked).limit(MOST)
    both = {
        "late": _by_book(conn, late),
        "held": _by_book(conn, select(open_.c.book_id).where(open_.c.state == MessageState.HELD)),
        "unknown": _by_book(conn, select(open_.c.book_id).where(*unknown)),
        "checks_overdue": _by_book(conn, unseen),
        "unclear": {NO_BOOK: count(conn, unclear.limit(MOST))},
    }
    new, missed = _missed(conn, since, min(since, kept_since))
    new_dead, dead = suppressions.newly_dead(conn, since, min(since, kept_since), MOST)
    return Counts(
        {**both, "missed": new, "dead": {NO_BOOK: new_dead}},
        {**both, "missed": missed, "dead": {NO_BOOK: dead}},
    )


def _missed(conn: Connection, since: datetime, before: datetime) -> tuple[ByBook, ByBook]:
    """What was missed after ``since``, and after ``before``, which is earlier."""
    each = (
        select(cards.c.book_id, (reminders.c.ended_at > since).label("is_new"))
        .select_from(reminders)
        .join(cards, cards.c.id == reminders.c.card_id)
        .where(reminders.c.state == _MISSED, reminders.c.ended_at > before)
        .order_by(reminders.c.ended_at.desc())
        .limit(MOST)
        .subquery()
    )
    new = func.sum(case((each.c.is_new, 1), else_=0))
    rows = conn.execute(select(each.c.book_id, new, func.count()).group_by(each.c.book_id)).all()
    return {row[0]: int(row[1]) for row in rows}, {row[0]: row[2] for row in rows}


def _by_book(conn: Connection, found: Select[tuple[int]]) -> ByBook:
    each = found.subquery()
    counted = select(each.c.book_id, func.count()).group_by(each.c.book_id)
    return {row[0]: row[1] for row in conn.execute(counted)}


def missed_since(conn: Connection, since: datetime, limit: int) -> Sequence[Row[Any]]:
    """Missed reminders by book and reason, most frequent first."""
    count = func.count().label("count")
    return conn.execute(
        select(books.c.name.label("book"), reminders.c.reason, count)
        .join(cards, cards.c.id == reminders.c.card_id)
        .join(books, books.c.id == cards.c.book_id)
        .where(reminders.c.state == _MISSED, reminders.c.ended_at > since)
        .group_by(books.c.name, reminders.c.reason)
        .order_by(count.desc(), books.c.name)
        .limit(limit)
    ).all()


# As a literal: only so can the databases see that the partial index of the missed applies.
_MISSED: ColumnElement[str] = literal(ReminderState.MISSED.value, literal_execute=True)
