"""Use case: who has an account, and what each may do. Every change is in the audit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from worker.core.viewer import Role
from worker.errors import VigenciaError
from worker.pipeline.accounts import passwords
from worker.pipeline.accounts.names import folded, require_name
from worker.store import audit, books
from worker.store.accounts import sessions, users
from worker.store.accounts.users import User
from worker.store.audit import COMMAND_LINE, Doer
from worker.store.engine import reading, writing

# Whom a link signs in where nobody has an account yet: without a password, nobody can guess it.
FIRST = "admin"


@dataclass(frozen=True, slots=True)
class People:
    """``time_zone``: in which a new user sees times; his language is the browser's until he has
    chosen one."""

    engine: Engine
    time_zone: str

    def add(
        self, name: str, role: Role, of: Sequence[str], now: datetime, doer: Doer = COMMAND_LINE
    ) -> User:
        """A new user without a password; his role holds in the books ``of``, or in all."""
        called = require_name(name)
        with writing(self.engine) as conn:
            ids = [_book(conn, book) for book in of]
            everywhere = None if ids else role
            made = users.add(conn, called, everywhere, self.time_zone, now)
            if made is None:
                raise VigenciaError(
                    f"There is a user {called} already.", "List them with: vigencia users list"
                )
            for book_id in ids:
                users.set_membership(conn, made, book_id, role)
            _note(conn, doer, "user_added", made, now, ["role"])
            return _found(conn, called)

    def first(self, now: datetime) -> User:
        """The administrator whom the possession of the database stands for: the oldest one, made
        where there is none."""
        with reading(self.engine) as conn:
            able = users.administrators(conn)
        if able:
            return able[0]
        with reading(self.engine) as conn:
            taken = users.named(conn, FIRST)
        if taken is None:
            return self.add(FIRST, Role.ADMIN, (), now)
        raise VigenciaError(
            "No administrator of all books is enabled.",
            "Make one with: vigencia users add NAME --role admin",
        )

    def named(self, name: str) -> User:
        """The user ``name``. Raises ``VigenciaError``."""
        with reading(self.engine) as conn:
            return _found(conn, folded(name))

    def everybody(self) -> list[tuple[User, dict[str, Role]]]:
        """All users with what each may do in single books."""
        with reading(self.engine) as conn:
            return users.everybody(conn)

    def set_role(
        self,
        name: str,
        role: Role | None,
        of: Sequence[str],
        now: datetime,
        doer: Doer = COMMAND_LINE,
    ) -> User:
        """Let a role hold from now on in the books ``of``, or in all; ``None`` takes it away."""
        with writing(self.engine) as conn:
            user = _found(conn, folded(name))
            for book in of:
                users.set_membership(conn, user.id, _book(conn, book), role)
            if not of:
                users.change(conn, user.id, {"role": role})
            _note(conn, doer, "role_changed", user.id, now, ["role"])
            return _found(conn, user.name)

    def set_language(self, user: User, language: str) -> None:
        """Show ``user`` the console in another language."""
        with writing(self.engine) as conn:
            users.change(conn, user.id, {"language": language})

    def set_time_zone(self, user: User, time_zone: str) -> None:
        """Show ``user`` times in another zone."""
        with writing(self.engine) as conn:
            users.change(conn, user.id, {"time_zone": time_zone})

    def disable(self, name: str, now: datetime, *, off: bool, doer: Doer = COMMAND_LINE) -> User:
        """Let nobody sign in as ``name`` any more (``off``), and end his sessions; or let him
        again."""
        with writing(self.engine) as conn:
            user = _found(conn, folded(name))
            users.change(conn, user.id, {"disabled_at": now if off else None})
            if off:
                sessions.end_all(conn, user.id)
            _note(conn, doer, "user_disabled" if off else "user_enabled", user.id, now, [])
            return _found(conn, user.name)

    def set_password(
        self, name: str, password: str, now: datetime, doer: Doer = COMMAND_LINE
    ) -> int:
        """A new password; every session of the user ends. In how many browsers he was signed in.
        Raises ``WeakPasswordError``."""
        called = folded(name)
        passwords.require_strong(password, called)
        kept = passwords.hashed(password)  # takes a tenth of a second: before the transaction
        with writing(self.engine) as conn:
            user = _found(conn, called)
            users.change(conn, user.id, {"password": kept})
            _note(conn, doer, "password_changed", user.id, now, ["password"])
            return sessions.end_all(conn, user.id)


def _found(conn: Connection, name: str) -> User:
    user = users.named(conn, name)
    if user is None:
        raise VigenciaError(f"There is no user {name!r}.", "List them with: vigencia users list")
    return user


def _book(conn: Connection, name: str) -> int:
    found = books.find(conn, name)
    if found is None:
        raise VigenciaError(
            f"There is no card book {name!r}.", "List them with: vigencia books list"
        )
    return found


def _note(
    conn: Connection, doer: Doer, action: str, user_id: int, now: datetime, fields: list[str]
) -> None:
    audit.write(conn, doer, action, now, subject="user", subject_id=user_id, fields=fields)
