"""What a door writes with a decision: in the same transaction, before anything of it is done."""

from collections.abc import Callable

from sqlalchemy import Connection

# Whatever it raises ends the decision, and nothing is written of either.
Note = Callable[[Connection], object]


def no_note(_conn: Connection) -> None:
    """Nothing is written with it."""
