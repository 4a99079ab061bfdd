"""Messages of the viewer's books: those that ask for somebody first, then those that have ended."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    bindparam,
    literal,
    select,
    tuple_,
)

from worker.core.lifecycle import ENDS
from worker.core.reminders import MessageState
from worker.core.viewer import Viewer
from worker.store import views
from worker.store.bulk import among
from worker.store.console.pages import PAGE, Key, Mine, PageOf, cut, first_of_books
from worker.store.tables import cards, messages
from worker.store.types import Instant

# What has not gone as it should, and what is few: there is an index of these alone.
TROUBLED: Final = (MessageState.HELD, MessageState.UNKNOWN, MessageState.RETRYABLE)
LOST: Final = (MessageState.FAILED, MessageState.UNDELIVERED, MessageState.CANCELLED)
# Where the list begins: nothing was to be looked at before.
_BEFORE_ALL: Final = datetime(1970, 1, 1, tzinfo=UTC)

Message = dict[str, Any]


def open_(
    conn: Connection,
    viewer: Viewer,
    after: Key | None = None,
    states: Collection[str] = TROUBLED,
    size: int = PAGE,
) -> PageOf[Message]:
    """Messages in one of ``states``, which are among ``TROUBLED`` and ``LOST``, the newest first;
    rows as `vigencia messages list` has them."""
    found: list[int] = []
    for state in states:
        # Written out: only so can the database see that the index of these states applies.
        which = [_is(MessageState(state)), *_below(after)]
        found += _ids(conn, viewer, which, size + 1)
    return _page(conn, sorted(found, reverse=True), size)


def waiting(
    conn: Connection, viewer: Viewer, after: Key | None = None, size: int = PAGE
) -> PageOf[Message]:
    """Every message that has not ended, the one that is looked at next first. Reads those of all
    books: none of them waits for long."""
    since, number = after or (_BEFORE_ALL.isoformat(), 0)
    at = literal(datetime.fromisoformat(str(since)), Instant)
    query = select(messages.c.wake_at, messages.c.id).where(
        messages.c.wake_at.is_not(None),
        messages.c.wake_at >= at,
        tuple_(messages.c.wake_at, messages.c.id) > tuple_(at, literal(number)),
        among(conn, messages.c.book_id, viewer.books),
    )
    found = conn.execute(query.order_by(messages.c.wake_at, messages.c.id).limit(size + 1)).all()
    page = cut(found, lambda row: (row.wake_at.isoformat(), row.id), size)
    by_id = {row["id"]: row for row in views.messages_by(conn, [row.id for row in page.rows])}
    return PageOf([by_id[row.id] for row in page.rows if row.id in by_id], page.after)


def ended(
    conn: Connection, viewer: Viewer, after: Key | None = None, size: int = PAGE
) -> PageOf[Message]:
    """Messages that have ended, however they did, the newest first."""
    which = [messages.c.wake_at.is_(None), messages.c.state.in_(ENDS), *_below(after)]
    return _page(conn, _ids(conn, viewer, which, size + 1), size)


def show(conn: Connection, viewer: Viewer, message_id: int) -> Message | None:
    """The message with its ``reminders``, ``tries``, ``reports`` and the ``cards`` it speaks of;
    ``None`` if there is none, or its book is not the viewer's."""
    own = select(messages.c.book_id).where(messages.c.id == message_id)
    book_id = conn.execute(own).scalar()
    if book_id not in viewer.roles:
        return None
    found = views.show_message(conn, message_id)
    if found is None:
        return None
    named = [cards.c[name] for name in ("id", "operator", "kind", "msisdn", "iccid", "state")]
    mine = among(conn, cards.c.id, {row["card_id"] for row in found["reminders"]})
    spoken = conn.execute(select(*named).where(mine).order_by(cards.c.id)).mappings()
    return {**found, "book_id": book_id, "cards": list(map(dict, spoken))}


def _ids(
    conn: Connection, viewer: Viewer, which: Sequence[ColumnElement[bool]], size: int
) -> list[int]:
    def query(mine: Mine) -> Select[Any]:
        return select(messages.c.id).where(mine(messages.c.book_id), *which)

    return [row.id for row in first_of_books(conn, viewer, query, ("id",), size, newest=True)]


def _page(conn: Connection, ids: Sequence[int], size: int) -> PageOf[Message]:
    found = cut(ids, lambda one: (one,), size)
    return PageOf(views.messages_by(conn, found.rows), found.after)


def _is(state: MessageState) -> ColumnElement[bool]:
    return messages.c.state.in_(
        bindparam(None, [state.value], String, expanding=True, literal_execute=True)
    )


def _below(after: Key | None) -> list[ColumnElement[bool]]:
    return [] if after is None else [messages.c.id < after[0]]
