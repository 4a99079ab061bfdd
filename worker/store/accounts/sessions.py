"""Who is signed in, and the links that sign a person in once. Tokens come here as their hashes."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from worker.store.tables import sessions, sign_in_links


@dataclass(frozen=True, slots=True)
class SignInSession:
    """A browser in which somebody is signed in."""

    token_hash: str
    user_id: int
    created_at: datetime
    seen_at: datetime
    confirmed_at: datetime


def open_session(conn: Connection, token_hash: str, user_id: int, now: datetime) -> None:
    """Sign a user in."""
    instants = dict.fromkeys(("created_at", "seen_at", "confirmed_at"), now)
    conn.execute(insert(sessions).values(token_hash=token_hash, user_id=user_id, **instants))


def find(conn: Connection, token_hash: str) -> SignInSession | None:
    """The session with this token, whatever its age."""
    row = conn.execute(select(sessions).where(sessions.c.token_hash == token_hash)).one_or_none()
    if row is None:
        return None
    return SignInSession(**row._mapping)


def of_user(conn: Connection, user_id: int) -> list[SignInSession]:
    """The sessions of a user, whatever their age, the one that was used last first."""
    mine = select(sessions).where(sessions.c.user_id == user_id)
    rows = conn.execute(mine.order_by(sessions.c.seen_at.desc(), sessions.c.token_hash))
    return [SignInSession(**row._mapping) for row in rows]


def seen(conn: Connection, token_hash: str, now: datetime) -> None:
    """Note that it was used."""
    mine = sessions.c.token_hash == token_hash
    conn.execute(update(sessions).where(mine).values(seen_at=now))


def confirm(conn: Connection, token_hash: str, now: datetime) -> None:
    """Note that the user showed once more who he is."""
    mine = sessions.c.token_hash == token_hash
    conn.execute(update(sessions).where(mine).values(confirmed_at=now))


def end(conn: Connection, token_hash: str) -> bool:
    """Sign one browser out; whether it was signed in."""
    gone = delete(sessions).where(sessions.c.token_hash == token_hash)
    return conn.execute(gone).rowcount > 0


def end_of_user(conn: Connection, user_id: int, token_hash: str) -> bool:
    """Sign a user out in one browser; whether it was his, and signed in."""
    mine = sessions.c.user_id == user_id, sessions.c.token_hash == token_hash
    return conn.execute(delete(sessions).where(*mine)).rowcount > 0


def end_all(conn: Connection, user_id: int) -> int:
    """Sign a user out everywhere, links that wait included; in how many browsers he was."""
    conn.execute(delete(sign_in_links).where(sign_in_links.c.user_id == user_id))
    return conn.execute(delete(sessions).where(sessions.c.user_id == user_id)).rowcount


def add_link(conn: Connection, token_hash: str, user_id: int, expires_at: datetime) -> None:
    """Keep a link for one use."""
    row = {"token_hash": token_hash, "user_id": user_id, "expires_at": expires_at}
    conn.execute(insert(sign_in_links).values(**row))


def link_for(conn: Connection, token_hash: str, now: datetime) -> int | None:
    """Whom a link would sign in; it stays usable."""
    held = select(sign_in_links.c.user_id).where(
        sign_in_links.c.token_hash == token_hash, sign_in_links.c.expires_at > now
    )
    return conn.execute(held).scalar()


def use_link(conn: Connection, token_hash: str, now: datetime) -> int | None:
    """Whom a link signs in; of several who use it at once one is told, and it is gone."""
    mine = sign_in_links.c.token_hash == token_hash
    used = delete(sign_in_links).where(mine, sign_in_links.c.expires_at > now)
    return conn.execute(used.returning(sign_in_links.c.user_id)).scalar()
