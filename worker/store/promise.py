"""What the account of the promise asks of the ledger. A page of it costs what is on it."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from worker.core.cards import Audience
from worker.core.outcomes import OutcomeKind
from worker.core.reminders import ReminderState
from worker.store.bulk import among
from worker.store.open_messages import MOST, count
from worker.store.planner_hints import by_index
from worker.store.tables import attempts, books, cards, messages, receipts, reminders
from worker.store.types import Instant
from worker.store.verdicts import Judge


def page(
    conn: Connection,
    since: datetime,
    until: datetime,
    book_ids: Collection[int] | None,
    after: tuple[datetime, int] | None,
    size: int,
    *,
    columns: Sequence[ColumnElement[Any]] = (),
    which: Sequence[ColumnElement[bool]] = (),
) -> Sequence[Row[Any]]:
    """Up to ``size`` reminders due in [since, until) after the key ``after``, by due instant; of
    some books, those of ``which`` only, and with further ``columns``."""
    query: Select[Any] = (
        select(
            *(reminders.c[name] for name in ("id", "card_id", "deadline", "deadline_on", "window")),
            *(reminders.c[name] for name in ("channel", "audience", "due_at", "owed_at")),
            *(reminders.c[name] for name in ("useful_until", "state", "reason", "message_id")),
            cards.c.holder_id,
            cards.c.operator,
            cards.c.msisdn,
            cards.c.iccid,
            books.c.name.label("book"),
            messages.c.state.label("message_state"),
            messages.c.reason.label("message_reason"),
            messages.c.wake_at,
            messages.c.useful_until.label("message_until"),
            messages.c.created_at.label("message_since"),
            messages.c.sent_at,
            messages.c.provider_id,
            *columns,
        )
        .join(cards, cards.c.id == reminders.c.card_id)
        .join(books, books.c.id == cards.c.book_id)
        .outerjoin(messages, messages.c.id == reminders.c.message_id)
        .where(reminders.c.due_at >= since, reminders.c.due_at < until, *which)
        .order_by(reminders.c.due_at, reminders.c.id)
        .limit(size)
    )
    if book_ids is not None:
        query = query.where(of_books(conn, cards.c.book_id, book_ids))
    if after is not None:
        at, number = after
        key = tuple_(reminders.c.due_at, reminders.c.id)
        query = query.where(key > tuple_(literal(at, Instant), literal(number)))
    return conn.execute(query).all()


def sums(
    conn: Connection,
    judge: Judge,
    since: datetime,
    until: datetime,
    book_ids: Collection[int] | None,
) -> Sequence[Row[Any]]:
    """How many of the reminders due in [since, until) are alike: ``verdict``, ``state``, ``reason``
    and the number of ``notices``."""
    by_index(conn)
    columns = (reminders.c.state, reminders.c.reason, judge.verdict().label("verdict"))
    each = select(*columns).outerjoin(messages, messages.c.id == reminders.c.message_id)
    each = each.where(reminders.c.due_at >= since, reminders.c.due_at < until)
    if book_ids is not None:
        each = each.join(cards, cards.c.id == reminders.c.card_id)
        each = each.where(of_books(conn, cards.c.book_id, book_ids))
    found = each.subquery()
    key = (found.c.verdict, found.c.state, found.c.reason)
    return conn.execute(select(*key, func.count().label("notices")).group_by(*key)).all()


def of_books(
    conn: Connection, column: ColumnElement[int], book_ids: Collection[int]
) -> ColumnElement[bool]:
    """Is it one of these books? A single one is written out: the database then knows whether it has
    most of all notices, or few and those are found by their cards."""
    if len(book_ids) == 1:
        return column == literal(next(iter(book_ids)), literal_execute=True)
    return among(conn, column, book_ids)


def reached(conn: Connection, rows: Sequence[Row[Any]]) -> set[tuple[int, str, date, str]]:
    """The notices among ``rows`` (card, deadline, its date, window) that the holder was told over
    any channel, or may still be. What the guardian was told did not reach the holder."""
    asked = {(row.card_id, row.deadline, row.deadline_on, row.window) for row in rows}
    if not asked:
        return set()
    columns = (reminders.c.card_id, reminders.c.deadline, reminders.c.deadline_on)
    found = conn.execute(
        select(*columns, reminders.c.window).where(
            among(conn, reminders.c.card_id, {card for card, *_ in asked}),
            reminders.c.state.not_in((ReminderState.SUPPRESSED, ReminderState.MISSED)),
            reminders.c.audience == Audience.HOLDER,
        )
    )
    return {(row[0], row[1], row[2], row[3]) for row in found} & asked


def accepted(conn: Connection, message_ids: Sequence[int]) -> dict[int, Row[Any]]:
    """By message: the attempt that a provider took."""
    query: Select[Any] = (
        select(
            attempts.c.id,
            attempts.c.message_id,
            attempts.c.provider,
            attempts.c.provider_id,
            attempts.c.ended_at,
        )
        .where(
            attempts.c.message_id.in_(message_ids),
            attempts.c.outcome == OutcomeKind.ACCEPTED,
        )
        .order_by(attempts.c.started_at.desc())
    )
    return {row.message_id: row for row in conn.execute(query)}


def last_tries(conn: Connection, message_ids: Sequence[int]) -> dict[int, datetime]:
    """By message: when its last attempt ended, or began if nobody knows."""
    at = func.max(func.coalesce(attempts.c.ended_at, attempts.c.started_at)).label("at")
    rows = conn.execute(
        select(attempts.c.message_id, at)
        .where(attempts.c.message_id.in_(message_ids))
        .group_by(attempts.c.message_id)
    )
    return {row.message_id: row.at for row in rows}


def last_receipts(conn: Connection, tried: Sequence[Row[Any]]) -> dict[Any, Row[Any]]:
    """The latest receipt of each attempt, by its id and by its provider's id."""
    told = func.coalesce(receipts.c.occurred_at, receipts.c.received_at).label("at")
    found: dict[Any, Row[Any]] = {}
    for column, keys in (
        (receipts.c.attempt_id, [one.id for one in tried]),
        (receipts.c.provider_id, [one.provider_id for one in tried if one.provider_id]),
    ):
        rows = conn.execute(
            select(column.label("key"), receipts.c.provider, receipts.c.status, told)
            .where(column.in_(keys))
            .order_by(told, receipts.c.id)
        )
        found.update({row.key: row for row in rows})
    return found


def checks_overdue(conn: Connection, before: datetime, book_id: int | None = None) -> int:
    """Cards whose check is owed since before ``before``, handed out or not."""
    since = (cards.c.next_check_at, cards.c.check_since, cards.c.check_asked_at)
    found = select(cards.c.id).where(or_(*(at <= before for at in since))).limit(MOST)
    return count(conn, found if book_id is None else found.where(cards.c.book_id == book_id))
