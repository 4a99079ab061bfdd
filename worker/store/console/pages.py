"""Lists a page at a time: by the key of the last row, never by its number; nothing is counted."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, Row, Select, func, select, true

from worker.core.viewer import Viewer
from worker.store.bulk import among, listed
from worker.store.engine import reading
from worker.store.planner_hints import by_index
from worker.store.types import RowId

PAGE: Final = 50

T = TypeVar("T")
# The key of a row in its list: texts and numbers only, so that it can stand in an address.
Key = tuple[str | int, ...]
# Is this the column of a book that is meant?
Mine = Callable[[ColumnElement[int]], ColumnElement[bool]]


@contextmanager
def looking(engine: Engine, seconds: float = 2.0) -> Iterator[Connection]:
    """A transaction for the reads of a page. On PostgreSQL rows are found along indexes, and what
    takes longer than ``seconds`` is ended: ``UnreachableError``, whoever asks is to ask for less.
    """
    with reading(engine) as conn:
        by_index(conn)
        if conn.dialect.name == "postgresql":
            longest = str(int(seconds * 1000))
            conn.execute(select(func.set_config("statement_timeout", longest, True)))
        yield conn


@dataclass(frozen=True, slots=True)
class PageOf(Generic[T]):
    """Some rows of a list; ``after`` is the key to ask for the next ones with, ``None`` of the
    last page."""

    rows: Sequence[T]
    after: Key | None = None


def cut(found: Sequence[T], key: Callable[[T], Key], size: int = PAGE) -> PageOf[T]:
    """The first ``size`` of ``found``, of which one more was read to know whether there is more."""
    rows = found[:size]
    return PageOf(rows, key(rows[-1]) if len(found) > size else None)


def first_of_books(
    conn: Connection,
    viewer: Viewer,
    query: Callable[[Mine], Select[Any]],
    order: Sequence[str],
    size: int,
    *,
    newest: bool = False,
) -> Sequence[Row[Any]]:
    """The first ``size`` rows of ``query`` in the ``order`` of these of its columns (``newest``:
    from their ends), which an index of one book has.

    Of several books PostgreSQL reads the first of each, and not all that any of them has.
    """
    if not viewer.books:
        return []
    if conn.dialect.name != "postgresql" or len(viewer.books) == 1:
        one = viewer.books[0] if len(viewer.books) == 1 else None
        mine = query(lambda c: among(conn, c, viewer.books) if one is None else c == one)
        by = (_way(mine.selected_columns[name], newest=newest) for name in order)
        return conn.execute(mine.order_by(*by).limit(size)).all()

    def of(books: Collection[int], each: int) -> list[Row[Any]]:
        own = listed(conn, books, RowId)
        mine = query(lambda column: column == own.c.value)
        by = (_way(mine.selected_columns[name], newest=newest) for name in order)
        part = mine.order_by(*by).limit(each).lateral("part")
        every = select(part, own.c.value.label("of_book")).select_from(own.join(part, true()))
        return list(conn.execute(every).all())

    def key(row: Row[Any]) -> tuple[Any, ...]:
        return tuple(row._mapping[name] for name in order)

    # Few of each book first: most have none among the first of all.
    few = min(size, max(2, 2 * size // len(viewer.books)))
    found = sorted(of(viewer.books, few), key=key, reverse=newest)
    given = Counter(row.of_book for row in found[:size])
    cut_off = [book for book, number in given.items() if number == few < size]
    if cut_off:
        whole = [row for row in found if row.of_book not in set(cut_off)]
        found = sorted([*whole, *of(cut_off, size)], key=key, reverse=newest)
    return found[:size]


def _way(column: ColumnElement[Any], *, newest: bool) -> ColumnElement[Any]:
    return column.desc() if newest else column.asc()
