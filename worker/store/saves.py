"""Renewals that came after a notice: written with the renewal, and counted."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, case, delete, false, func, or_, select, update

from worker.core.cards import Audience
from worker.core.deadlines import DeadlineKind
from worker.core.holdout import HELD_OUT, WINDOW, OwedNotices
from worker.core.life import LifeEvent
from worker.core.reminders import ReminderState
from worker.core.saves import WITHIN, LastNotice
from worker.core.viewer import Viewer
from worker.store.bulk import Rows, add_many, among, batched
from worker.store.tables import card_events, cards, holders, messages, reminders, saves


def last_delivered(conn: Connection, card_ids: Collection[int], at: datetime) -> list[LastNotice]:
    """Of each card the last notice of a deadline that is known to have arrived at its holder, in
    the 60 days before ``at``."""
    if not card_ids:
        return []
    of_reminders = ("card_id", "deadline", "deadline_on", "window", "channel")
    rows = conn.execute(
        select(
            *(reminders.c[name] for name in of_reminders),
            cards.c.book_id,
            cards.c.time_zone,
            holders.c.language,
        )
        .join(cards, cards.c.id == reminders.c.card_id)
        .join(messages, messages.c.id == reminders.c.message_id)
        .join(holders, holders.c.id == messages.c.holder_id)
        .where(
            among(conn, reminders.c.card_id, card_ids),
            reminders.c.state == ReminderState.DELIVERED,
            reminders.c.audience == Audience.HOLDER,
            reminders.c.deadline.in_(sorted(DeadlineKind)),
            reminders.c.ended_at > at - WITHIN,
            reminders.c.ended_at <= at,
        )
        .order_by(reminders.c.ended_at, reminders.c.id)
    )
    last = {row.card_id: row for row in rows}
    return [
        LastNotice(
            row.card_id,
            row.book_id,
            row.deadline,
            row.deadline_on,
            row.window,
            row.channel,
            row.language,
            row.time_zone,
        )
        for row in last.values()
    ]


def add(conn: Connection, rows: Rows) -> None:
    """Write renewals that came after a notice."""
    if rows:
        add_many(conn, saves, rows)


def remove(conn: Connection, card_id: int, at: datetime) -> None:
    """The renewal of ``at`` was undone."""
    conn.execute(delete(saves).where(saves.c.card_id == card_id, saves.c.at == at))


def set_failed(conn: Connection, card_id: int, at: datetime, *, failed: bool) -> None:
    """The renewal of ``at`` had no effect, or it is not known that it had none."""
    mine = update(saves).where(saves.c.card_id == card_id, saves.c.at == at)
    conn.execute(mine.values(failed=failed))


def counted(
    conn: Connection, since: datetime, until: datetime, book_id: int | None
) -> Sequence[Row[Any]]:
    """How many there were in a period, by window, channel and language, the most first; without
    those that had no effect."""
    by = (saves.c.deadline, saves.c.window, saves.c.channel, saves.c.language)
    query = select(*by, func.count().label("renewed_after")).where(
        saves.c.at >= since, saves.c.at < until, saves.c.failed == false()
    )
    if book_id is not None:
        query = query.where(saves.c.book_id == book_id)
    return conn.execute(query.group_by(*by).order_by(func.count().desc(), *by)).all()


def number(conn: Connection, viewer: Viewer, since: datetime) -> int:
    """How many there were since then in the viewer's books, without those that had no effect."""
    mine = among(conn, saves.c.book_id, viewer.books), saves.c.at >= since
    query = select(func.count()).select_from(saves).where(*mine, saves.c.failed == false())
    return int(conn.execute(query).scalar_one())


def tried(conn: Connection, book_id: int, since: datetime, until: datetime) -> list[OwedNotices]:
    """The plans of a book whose early notice was due in a period and told or held back, each with
    the renewals of its card since then."""
    held = case((reminders.c.reason == HELD_OUT, 1), else_=0)
    was_told = reminders.c.state.in_((ReminderState.SENT, ReminderState.DELIVERED))
    plans = conn.execute(
        select(
            reminders.c.card_id,
            reminders.c.deadline_on,
            cards.c.time_zone,
            func.min(reminders.c.due_at).label("due_at"),
            func.max(held).label("held"),
        )
        .join(cards, cards.c.id == reminders.c.card_id)
        .where(
            reminders.c.due_at >= since,
            reminders.c.due_at < until,
            reminders.c.window == WINDOW,
            reminders.c.audience == Audience.HOLDER,
            cards.c.book_id == book_id,
            or_(reminders.c.reason == HELD_OUT, was_told),
        )
        .group_by(reminders.c.card_id, reminders.c.deadline_on, cards.c.time_zone)
    ).all()
    renewals: dict[int, list[datetime]] = defaultdict(list)
    for some in batched(sorted({plan.card_id for plan in plans})):
        rows = conn.execute(
            select(card_events.c.card_id, card_events.c.at).where(
                among(conn, card_events.c.card_id, some),
                card_events.c.event == LifeEvent.RENEWED,
                card_events.c.at >= since,
                card_events.c.undone_at.is_(None),
            )
        )
        for card, at in rows:
            renewals[card].append(at)
    return [
        OwedNotices(
            plan.deadline_on,
            plan.due_at,
            plan.time_zone,
            bool(plan.held),
            tuple(renewals[plan.card_id]),
        )
        for plan in plans
    ]
