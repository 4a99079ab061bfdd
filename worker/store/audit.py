"""What people did, and who they were. A row is written in the transaction of the deed, or never;
nothing here changes one. Only a book that is removed whole leaves the rows that name it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from worker.store.tables import audit
from worker.store.upsert import upsert


@dataclass(frozen=True, slots=True)
class Doer:
    """Who does something: a user at an ``address``, or somebody at the command line.

    ``form_id``: of the form that he sent; what one form asks for is done once.
    """

    name: str
    user_id: int | None = None
    address: str | None = None
    form_id: str | None = None


COMMAND_LINE = Doer("command line")


def write(
    conn: Connection,
    doer: Doer,
    action: str,
    now: datetime,
    *,
    subject: str,
    subject_id: int | None = None,
    book_id: int | None = None,
    fields: Sequence[str] = (),
) -> bool:
    """Note that ``doer`` did ``action`` to the ``subject`` with this number; ``fields`` are names,
    never values. ``False``: the same form did it before, and nothing may be done now."""
    row = upsert(conn.dialect.name, audit).values(
        at=now,
        user_id=doer.user_id,
        name=doer.name,
        action=action,
        book_id=book_id,
        subject=subject,
        subject_id=subject_id,
        fields=list(fields),
        address=doer.address,
        form_id=doer.form_id,
    )
    once = row.on_conflict_do_nothing(index_elements=["form_id"]).returning(audit.c.id)
    return conn.execute(once).scalar() is not None


def done(conn: Connection, form_id: str) -> bool:
    """Was what this form asks for done already?"""
    return conn.execute(select(audit.c.id).where(audit.c.form_id == form_id)).first() is not None
