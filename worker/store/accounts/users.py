"""Users of the console: what is known of each, and what each may do in which book."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update

from worker.core.viewer import Role, Viewer
from worker.store.tables import books, memberships, users
from worker.store.upsert import upsert

# The language of who has chosen none.
_NOT_CHOSEN = ""


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account; ``role`` holds in every book, those to come too. ``language`` is
    ``None`` as long as he has chosen none."""

    id: int
    name: str
    password: str | None
    role: Role | None
    language: str | None
    time_zone: str
    disabled: bool


def add(
    conn: Connection, name: str, role: Role | None, time_zone: str, now: datetime
) -> int | None:
    """Make a user without a password; ``None`` where the name is taken."""
    new = upsert(conn.dialect.name, users).values(
        name=name, role=role, language=_NOT_CHOSEN, time_zone=time_zone, created_at=now
    )
    made = new.on_conflict_do_nothing(index_elements=["name"]).returning(users.c.id)
    return conn.execute(made).scalar()


def named(conn: Connection, name: str) -> User | None:
    """The user with this name, disabled or not."""
    row = conn.execute(select(users).where(users.c.name == name)).one_or_none()
    return None if row is None else _user(row)


def with_id(conn: Connection, user_id: int) -> User | None:
    """The user with this number, disabled or not."""
    row = conn.execute(select(users).where(users.c.id == user_id)).one_or_none()
    return None if row is None else _user(row)


def everybody(conn: Connection) -> list[tuple[User, dict[str, Role]]]:
    """All users in order of their names, each with the roles he has in single books by name."""
    of_books: dict[int, dict[str, Role]] = {}
    for user_id, book, role in conn.execute(
        select(memberships.c.user_id, books.c.name, memberships.c.role)
        .join(books, books.c.id == memberships.c.book_id)
        .where(books.c.removed_at.is_(None))
        .order_by(books.c.name)
    ):
        of_books.setdefault(user_id, {})[book] = Role(role)
    rows = conn.execute(select(users).order_by(users.c.name)).all()
    return [(_user(row), of_books.get(row.id, {})) for row in rows]


def viewer_of(conn: Connection, user: User) -> Viewer:
    """What ``user`` may do now: in every book that there is, or in those he is a member of."""
    there = books.c.removed_at.is_(None)
    if user.role is not None:
        ids = conn.execute(select(books.c.id).where(there)).scalars()
        roles = dict.fromkeys(ids, user.role)
    else:
        roles = {}
    own = (
        select(memberships.c.book_id, memberships.c.role)
        .join(books, books.c.id == memberships.c.book_id)
        .where(memberships.c.user_id == user.id, there)
    )
    # Of two rights the greater one holds.
    for book_id, role in conn.execute(own):
        held = Viewer(user.name, roles)
        if not held.may(Role(role), book_id):
            roles[book_id] = Role(role)
    return Viewer(user.name, roles)


def books_named(conn: Connection, viewer: Viewer) -> dict[int, str]:
    """The books of ``viewer`` by their ids, in order of their names."""
    rows = conn.execute(
        select(books.c.id, books.c.name)
        .where(books.c.id.in_(viewer.books))
        .order_by(func.lower(books.c.name), books.c.id)
    )
    return {row.id: row.name for row in rows}


def change(conn: Connection, user_id: int, values: Mapping[str, Any]) -> None:
    """Set columns of a user."""
    conn.execute(update(users).where(users.c.id == user_id).values(**values))


def set_membership(conn: Connection, user_id: int, book_id: int, role: Role | None) -> None:
    """Give a role in one book, or take it away."""
    if role is None:
        mine = (memberships.c.user_id == user_id, memberships.c.book_id == book_id)
        conn.execute(delete(memberships).where(*mine))
        return
    row = upsert(conn.dialect.name, memberships).values(user_id=user_id, book_id=book_id, role=role)
    conn.execute(
        row.on_conflict_do_update(index_elements=["user_id", "book_id"], set_={"role": role})
    )


def administrators(conn: Connection) -> Sequence[User]:
    """Those who may do everything everywhere, the oldest first."""
    able = (users.c.role == Role.ADMIN, users.c.disabled_at.is_(None))
    return [_user(row) for row in conn.execute(select(users).where(*able).order_by(users.c.id))]


def _user(row: Row[Any]) -> User:
    role = None if row.role is None else Role(row.role)
    disabled = row.disabled_at is not None
    language = row.language if row.language != _NOT_CHOSEN else None
    return User(row.id, row.name, row.password, role, language, row.time_zone, disabled)
