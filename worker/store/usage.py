"""What each book used on a UTC day, counted with the attempts: caps survive restarts."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, func, select

from worker.core.cards import Destination
from worker.store.tables import usage
from worker.store.upsert import upsert


@dataclass(frozen=True, slots=True)
class Use:
    """What one message uses, or (negative) gives back because it was refused."""

    book_id: int
    day: date
    to: Destination
    segments: int
    spend: Decimal
    messages: int = 1

    def back(self) -> "Use":
        """The same, taken back."""
        taken = (-self.segments, -self.spend, -self.messages)
        return Use(self.book_id, self.day, self.to, *taken)


def add(conn: Connection, uses: Iterable[Use]) -> None:
    """Count ``uses``; one statement, in one order everywhere, so that nobody waits in a circle."""
    sums: dict[tuple[int, date, str], list[Any]] = {}
    for one in uses:
        total = sums.setdefault((one.book_id, one.day, one.to), [0, 0, Decimal(0)])
        total[0] += one.messages
        total[1] += one.segments
        total[2] += one.spend
    if not sums:
        return
    names = ("book_id", "day", "channel", "messages", "segments", "spend")
    rows = [dict(zip(names, (*key, *sums[key]), strict=True)) for key in sorted(sums)]
    statement = upsert(conn.dialect.name, usage).values(rows)
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=["book_id", "day", "channel"],
            set_={name: usage.c[name] + statement.excluded[name] for name in names[3:]},
        )
    )


def lock(conn: Connection, books: Iterable[int], day: date) -> dict[int, tuple[int, Decimal]]:
    """Messages and spend of ``books`` on ``day``; until the end of the transaction nobody else
    adds to them."""
    wanted = set(books)
    add(conn, [Use(b, day, to, 0, Decimal(0), 0) for b in wanted for to in Destination])
    rows = conn.execute(
        select(usage.c.book_id, func.sum(usage.c.messages), func.sum(usage.c.spend))
        .where(usage.c.book_id.in_(wanted), usage.c.day == day)
        .group_by(usage.c.book_id)
    )
    return {book: (int(count), Decimal(spend)) for book, count, spend in rows}
