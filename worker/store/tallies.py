"""The account of a day in sums: worked out by the database, and kept for whoever only looks."""

from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    case,
    delete,
    func,
    select,
    tuple_,
    union_all,
)

from worker.store.bulk import add_many, batched
from worker.store.planner_hints import by_index
from worker.store.tables import cards, messages, reminders, tallies, tally_days
from worker.store.upsert import upsert
from worker.store.verdicts import Judge, cause, destination, late

_KEY: Final = ("book_id", "channel", "verdict", "state", "window", "reason")
_SECOND: Final = 1_000_000
_WITHIN: Final = (5, 60, 300, 3600)

Sums = list[tuple[Any, ...]]


def work_out(conn: Connection, judge: Judge, since: datetime, until: datetime) -> Sums:
    """The sums of all reminders due in [since, until), in the order of the columns of ``tallies``
    after its day."""
    by_index(conn)
    # The book of its message is at hand; its card is asked only where there is no message.
    carried = _each(judge, messages.c.book_id, since, until).join(
        messages, messages.c.id == reminders.c.message_id
    )
    alone = (
        _each(judge, cards.c.book_id, since, until)
        .join(cards, cards.c.id == reminders.c.card_id)
        .outerjoin(messages, messages.c.id == reminders.c.message_id)
        .where(reminders.c.message_id.is_(None))
    )
    each = union_all(carried, alone).subquery("each")
    key = [each.c[name] for name in _KEY]
    sums = [func.count(), *(_number(each.c.late <= span * _SECOND) for span in _WITHIN)]
    slowest = func.coalesce(func.max(each.c.late), 0)
    found = conn.execute(select(*key, *sums, slowest).group_by(*key))
    return [(*row[:-1], -(-max(row[-1], 0) // _SECOND)) for row in found]


def _each(judge: Judge, book: ColumnElement[int], since: datetime, until: datetime) -> Select[Any]:
    verdict = judge.verdict()
    return (
        select(
            book.label("book_id"),
            destination().label("channel"),
            verdict.label("verdict"),
            reminders.c.state.label("state"),
            reminders.c.window.label("window"),
            cause().label("reason"),
            late().label("late"),
        )
        .select_from(reminders)
        .where(reminders.c.due_at >= since, reminders.c.due_at < until)
    )


def _number(which: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((which, 1), else_=0)), 0)


def keep(
    conn: Connection, day: date, begins: datetime, ends: datetime, found: Sums, now: datetime
) -> None:
    """Make the sums of ``day`` those that were found at ``now``. Only what differs is written."""
    columns = [column for column in tallies.c if column.name != "day"]
    kept = conn.execute(select(*columns).where(tallies.c.day == day))
    there = {tuple(row) for row in kept}
    wanted = set(found)
    size = len(_KEY)
    key = tuple_(*(tallies.c[name] for name in _KEY))
    for some in batched([row[:size] for row in there - wanted], 1_000):
        conn.execute(delete(tallies).where(tallies.c.day == day, key.in_(some)))
    names = [column.name for column in columns]
    new = ({"day": day, **dict(zip(names, row, strict=True))} for row in sorted(wanted - there))
    add_many(conn, tallies, new)
    values = {"begins_at": begins, "ends_at": ends, "made_at": now}
    made = upsert(conn.dialect.name, tally_days).values(day=day, **values)
    conn.execute(made.on_conflict_do_update(index_elements=["day"], set_=values))


def made(conn: Connection, first: date) -> dict[date, Row[Any]]:
    """When the sums of each day from ``first`` on were made, and of which span of time."""
    rows = conn.execute(select(tally_days).where(tally_days.c.day >= first))
    return {row.day: row for row in rows}
