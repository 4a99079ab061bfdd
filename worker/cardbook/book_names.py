"""Which book a name means: a slip of the finger must not make a second one."""

from difflib import get_close_matches

from sqlalchemy import Connection

from worker.cardbook.wording import listed
from worker.errors import CardBookError
from worker.store import books as book_store

_SHOWN = 5


def settled_name(conn: Connection, name: str, *, new: bool) -> str:
    """The name of the book that ``name`` means, as the store has it.

    A book that is not there must be asked for (``new``), else two people's cards lie in "tienda"
    and "tienad", and one holder is told everything twice. Raises CardBookError.
    """
    found = book_store.named_like(conn, name)
    if found is None:
        if new:
            return name
        known = book_store.names(conn)
        close = get_close_matches(name, known, 1)
        there = f"there are {listed(map(repr, known), _SHOWN)}" if known else "there is none yet"
        raise CardBookError(
            f"There is no card book {name!r}; {there}",
            f"did you mean --book {close[0]!r}? If not, add --new-book"
            if close
            else "add --new-book to make it",
        )
    if new and found[1] != name:
        raise CardBookError(
            f"There is a card book {found[1]!r}, which is the same name",
            "leave out --new-book to import into it, or choose another name",
        )
    return found[1]
