"""Cards of the viewer's books: by their next deadline, by what they are, or by what was typed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from worker.core.cards import Audience, CardState
from worker.core.reminders import ReminderState
from worker.core.search_terms import after as end_of
from worker.core.search_terms import search_for
from worker.core.viewer import Viewer
from worker.store.bulk import among
from worker.store.card_index import NO_DEADLINE
from worker.store.console.pages import PAGE, Key, Mine, PageOf, cut, first_of_books
from worker.store.console.unreached import unreached
from worker.store.tables import books, cards, finder, holders, outlook, reminders
from worker.store.verdicts import written_out


class HolderTold(StrEnum):
    """What is known of the notices about a card's next deadline, from the best on: the holder has
    it; a provider took it; one waits; none reached him; none was owed yet."""

    DELIVERED = "delivered"
    SENT = "sent"
    WAITING = "waiting"
    UNREACHED = "unreached"
    NOTHING = "nothing"


_TOLD: Final[Mapping[str, HolderTold]] = {
    ReminderState.DELIVERED: HolderTold.DELIVERED,
    ReminderState.SENT: HolderTold.SENT,
    ReminderState.PENDING: HolderTold.WAITING,
    ReminderState.SUPPRESSED: HolderTold.UNREACHED,
    ReminderState.MISSED: HolderTold.UNREACHED,
}


# Up to how many cards with a word are counted, to look for the rarest word of several.
_COUNTED: Final = 500


@dataclass(frozen=True, slots=True)
class CardFilters:
    """Which cards of a list are wanted. ``within``: a deadline in so many days from today on;
    ``unreached``: nobody was reached about the present deadline."""

    operator: str | None = None
    kind: str | None = None
    state: str | None = None
    within: int | None = None
    paused: bool = False
    unreached: bool = False


@dataclass(frozen=True, slots=True)
class ListedCard:
    """A card in a list, with its next deadline (``None`` where no more is known). ``renewed_at``:
    a renewal was reported then, and nobody has said yet whether it works."""

    id: int
    book_id: int
    book: str
    operator: str
    kind: str
    msisdn: str | None
    iccid: str | None
    state: str
    paused: bool
    holder_id: int
    holder: str
    renewed_at: datetime | None
    deadline: str | None
    on_day: date | None
    told: HolderTold


def listing(
    conn: Connection,
    viewer: Viewer,
    filters: CardFilters,
    today: date,
    after: Key | None = None,
    size: int = PAGE,
) -> PageOf[ListedCard]:
    """Cards by their next deadline from ``today`` on, those without one last. Cards in a state
    that is rare, or paused, come in the order of import."""
    if filters.unreached:
        keys = unreached(conn, viewer, today, after, size + 1, _wanted(filters))
    elif filters.paused or filters.state not in (None, CardState.ACTIVE):
        keys = _rare(conn, viewer, filters, today, after, size + 1)
    else:
        keys = _by_day(conn, viewer, filters, today, after, size + 1)
    found = cut(keys, lambda key: (key[0].isoformat(), key[1]), size)
    return PageOf(rows(conn, [card for _, card in found.rows], today), found.after)


def search(
    conn: Connection,
    viewer: Viewer,
    text: str,
    today: date,
    after: Key | None = None,
    size: int = PAGE,
) -> PageOf[ListedCard]:
    """Cards by the end or the beginning of a number, or by words of their holder's name."""
    wanted = search_for(text)
    if wanted is None:
        return PageOf(())
    prefixes = sorted(wanted.any_of) or [_rarest(conn, viewer, wanted.all_of, after)]
    found: list[tuple[str, int]] = []
    for prefix in prefixes:
        if after is None or str(after[0]) < end_of(prefix):
            others = [one for one in wanted.all_of if one != prefix]
            meant = _with_prefix(prefix, prefixes, others, after)
            found += _found(conn, viewer, meant, size + 1 - len(found))
        if len(found) > size:
            break
    page = cut(found, lambda key: key, size)
    return PageOf(rows(conn, [card for _, card in page.rows], today), page.after)


def rows(conn: Connection, ids: Sequence[int], today: date) -> list[ListedCard]:
    """The cards ``ids`` as a list shows them, in that order. Whose they are was asked before."""
    next_ = and_(outlook.c.card_id == cards.c.id, *_is_next(today))
    query: Select[Any] = (
        select(
            *(cards.c[name] for name in ("id", "book_id", "operator", "kind", "msisdn", "iccid")),
            *(cards.c[name] for name in ("state", "paused", "holder_id", "renewed_at")),
            books.c.name.label("book"),
            holders.c.name.label("holder"),
            outlook.c.deadline,
            outlook.c.on_day,
        )
        .join(holders, holders.c.id == cards.c.holder_id)
        .join(books, books.c.id == cards.c.book_id)
        .outerjoin(outlook, next_)
        .where(among(conn, cards.c.id, ids))
    )
    found = {row.id: row for row in conn.execute(query)}
    told = _told(conn, found.values())
    return [_shown(found[card], told) for card in ids if card in found]


def _shown(row: Row[Any], told: Mapping[tuple[int, str, date], HolderTold]) -> ListedCard:
    known = bool(row.deadline)
    values = {
        **row._mapping,
        "deadline": row.deadline if known else None,
        "on_day": row.on_day if known else None,
    }
    return ListedCard(
        **values, told=told.get((row.id, row.deadline, row.on_day), HolderTold.NOTHING)
    )


def _told(conn: Connection, found: Iterable[Row[Any]]) -> dict[tuple[int, str, date], HolderTold]:
    """By card, deadline and its day: the best that became of the notices to the holder."""
    ids = [row.id for row in found if row.deadline]
    if not ids:
        return {}
    key = (reminders.c.card_id, reminders.c.deadline, reminders.c.deadline_on)
    query = select(*key, reminders.c.state).where(
        among(conn, reminders.c.card_id, ids), reminders.c.audience == Audience.HOLDER
    )
    best: dict[tuple[int, str, date], HolderTold] = {}
    order = list(HolderTold)
    for card, deadline, on, state in conn.execute(query):
        told = _TOLD.get(state, HolderTold.NOTHING)
        best[card, deadline, on] = min(best.get((card, deadline, on), told), told, key=order.index)
    return best


def _is_next(today: date) -> tuple[ColumnElement[bool], ...]:
    """Is a row of the outlook its card's next deadline, or the end of its card's list?"""
    first = or_(outlook.c.after_day.is_(None), outlook.c.after_day < today)
    return outlook.c.on_day >= today, first


def _by_day(
    conn: Connection,
    viewer: Viewer,
    filters: CardFilters,
    today: date,
    after: Key | None,
    size: int,
) -> Sequence[tuple[date, int]]:
    which = [*_is_next(today), *_wanted(filters)]
    if filters.within is not None:
        which.append(outlook.c.on_day <= today + timedelta(days=filters.within))
        which.append(outlook.c.deadline != NO_DEADLINE)
    if after is not None:
        key = tuple_(outlook.c.on_day, outlook.c.card_id)
        which.append(key > tuple_(literal(date.fromisoformat(str(after[0]))), literal(after[1])))

    def query(mine: Mine) -> Select[Any]:
        found = select(outlook.c.on_day, outlook.c.card_id)
        if _wanted(filters):
            found = found.join(cards, cards.c.id == outlook.c.card_id)
        return found.where(mine(outlook.c.book_id), *which)

    found = first_of_books(conn, viewer, query, ("on_day", "card_id"), size)
    return [(row.on_day, row.card_id) for row in found]


def _rare(
    conn: Connection,
    viewer: Viewer,
    filters: CardFilters,
    today: date,
    after: Key | None,
    size: int,
) -> Sequence[tuple[date, int]]:
    which = [cards.c.removed_at.is_(None), *_wanted(filters)]
    if filters.state not in (None, CardState.ACTIVE):
        which.append(cards.c.state != written_out(CardState.ACTIVE))
    if filters.within is not None:
        there = outlook.c.card_id == cards.c.id
        last = today + timedelta(days=filters.within)
        days = outlook.c.on_day.between(today, last)
        which.append(select(outlook.c.card_id).where(there, days).exists())
    if after is not None:
        which.append(cards.c.id > after[1])

    def query(mine: Mine) -> Select[Any]:
        return select(cards.c.id).where(mine(cards.c.book_id), *which)

    return [(today, row.id) for row in first_of_books(conn, viewer, query, ("id",), size)]


def _wanted(filters: CardFilters) -> list[ColumnElement[bool]]:
    """What a card has to be, asked of ``cards``."""
    which: list[ColumnElement[bool]] = [
        cards.c[name] == value
        for name, value in (("operator", filters.operator), ("kind", filters.kind))
        if value
    ]
    if filters.state:
        # Written out: only so can the database see that the index of rare states applies.
        which.append(cards.c.state == written_out(CardState(filters.state)))
    if filters.paused:
        which.append(cards.c.paused.is_(True))
    return which


def _rarest(conn: Connection, viewer: Viewer, words: Sequence[str], after: Key | None) -> str:
    """The word by which cards are looked for, while they are asked for the others: the one that
    fewest have, as far as that is counted; on later pages the one of the first."""
    if after is not None:
        return next((one for one in words if str(after[0]).startswith(one)), words[0])
    if len(words) == 1:
        return words[0]

    def number(word: str) -> int:
        mine = among(conn, finder.c.book_id, viewer.books), _begins(finder.c.term, word)
        some = select(finder.c.card_id).where(*mine).limit(_COUNTED).subquery()
        return int(conn.execute(select(func.count()).select_from(some)).scalar_one())

    return min(words, key=number)


def _with_prefix(
    prefix: str, prefixes: Sequence[str], others: Sequence[str], after: Key | None
) -> list[ColumnElement[bool]]:
    """A row of a card with ``prefix``: its first with one of ``prefixes``, if the card has a term
    with each of the ``others`` too."""
    other = finder.alias("other")
    of_card = other.c.card_id == finder.c.card_id
    begins = or_(*(_begins(other.c.term, one) for one in prefixes))
    which = [
        _begins(finder.c.term, prefix),
        ~select(other.c.term).where(of_card, begins, other.c.term < finder.c.term).exists(),
        *(select(other.c.term).where(of_card, _begins(other.c.term, w)).exists() for w in others),
    ]
    if after is not None:
        key = tuple_(finder.c.term, finder.c.card_id)
        which.append(key > tuple_(literal(str(after[0])), literal(after[1])))
    return which


def _found(
    conn: Connection, viewer: Viewer, which: Sequence[ColumnElement[bool]], size: int
) -> list[tuple[str, int]]:
    """(term, card) of the rows that are meant."""

    def query(mine: Mine) -> Select[Any]:
        return select(finder.c.term, finder.c.card_id).where(mine(finder.c.book_id), *which)

    found = first_of_books(conn, viewer, query, ("term", "card_id"), size)
    return [(row.term, row.card_id) for row in found]


def _begins(term: ColumnElement[str], prefix: str) -> ColumnElement[bool]:
    return and_(term >= prefix, term < end_of(prefix))
