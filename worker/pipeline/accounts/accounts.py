"""Use case: somebody signs in, is known again at each request, and signs out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection, Engine

from worker.core.buckets import Rate
from worker.core.viewer import Viewer
from worker.errors import VigenciaError
from worker.pipeline.accounts import passwords
from worker.pipeline.accounts.names import folded
from worker.pipeline.accounts.tokens import bucket_key, kept, new_token
from worker.store import audit
from worker.store.accounts import buckets, sessions, users
from worker.store.accounts.sessions import SignInSession
from worker.store.accounts.users import User
from worker.store.audit import Doer
from worker.store.engine import reading, writing

log = structlog.get_logger(__name__)

LINK_LIFE: Final = timedelta(minutes=15)
# ASVS 5.0, 7.3: how long a session lives without a request, and at most.
IDLE: Final = timedelta(hours=8)
LONGEST: Final = timedelta(days=7)
# For how long what asks for the password again does not ask once more.
CONFIRMED: Final = timedelta(minutes=15)
# That somebody is there is noted once in this time: a request need not write.
_NOTED: Final = timedelta(minutes=1)
_TRIES: Final = {"name": Rate(10), "address": Rate(20)}


class TooManyTriesError(VigenciaError):
    """Somebody guesses: nothing was looked at."""

    code = "too_many_tries"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who asks: ``viewer`` is what he may do now, and ``confirmed`` whether he has shown who he is
    a short time ago."""

    user: User
    viewer: Viewer
    confirmed: bool


@dataclass(frozen=True, slots=True)
class OwnSession:
    """A browser in which a user is signed in; ``own``: the one that asks. ``key`` names it."""

    key: str
    created_at: datetime
    seen_at: datetime
    own: bool


@dataclass(frozen=True, slots=True)
class Accounts:
    """``secret``: what names and addresses that somebody tried are hashed with."""

    engine: Engine
    secret: bytes

    def sign_in(
        self, name: str, password: str, address: str, now: datetime, former: str | None = None
    ) -> str | None:
        """A token for the user ``name``; ``None`` for whatever is wrong. The session of the token
        ``former`` ends. Raises ``TooManyTriesError``."""
        called = folded(name)
        self._spend(called, address, now)
        with reading(self.engine) as conn:
            user = users.named(conn, called)
        fits = passwords.fits(password, user.password if user and not user.disabled else None)
        if user is None or not fits:
            log.warning("sign_in_refused", address=address)
            return None
        with writing(self.engine) as conn:
            return self._open(conn, user.id, "signed_in", address, now, former, user.password)

    def _spend(self, name: str, address: str, now: datetime) -> None:
        tried = {"name": name, "address": address}
        with writing(self.engine) as conn:
            left = [
                buckets.take(conn, bucket_key(self.secret, kind, tried[kind]), rate, now)
                for kind, rate in _TRIES.items()
            ]
        if not all(left):
            log.warning("sign_in_throttled", address=address)
            raise TooManyTriesError("That was tried too often.", "Wait some minutes.")

    def _open(
        self,
        conn: Connection,
        user_id: int,
        how: str,
        address: str,
        now: datetime,
        former: str | None,
        password: str | None,
    ) -> str | None:
        """Open a session, unless the user was disabled or got another password meanwhile."""
        user = users.with_id(conn, user_id)
        if user is None or user.disabled or user.password != password:
            return None
        if former is not None:
            sessions.end(conn, kept(former))
        token = new_token()
        sessions.open_session(conn, kept(token), user_id, now)
        doer = Doer(user.name, user.id, address)
        audit.write(conn, doer, how, now, subject="user", subject_id=user.id)
        return token

    def link(self, user: User, now: datetime) -> str:
        """The token of a link that signs ``user`` in once, within a quarter of an hour."""
        token = new_token()
        with writing(self.engine) as conn:
            sessions.add_link(conn, kept(token), user.id, now + LINK_LIFE)
        return token

    def link_for(self, token: str, now: datetime) -> str | None:
        """The name of whom a link would sign in; it stays usable."""
        with reading(self.engine) as conn:
            user_id = sessions.link_for(conn, kept(token), now)
            user = None if user_id is None else users.with_id(conn, user_id)
        return None if user is None or user.disabled else user.name

    def use_link(
        self, token: str, address: str, now: datetime, former: str | None = None
    ) -> str | None:
        """The token of a new session for whom a link was made; ``None`` for any other link."""
        with writing(self.engine) as conn:
            user_id = sessions.use_link(conn, kept(token), now)
            user = None if user_id is None else users.with_id(conn, user_id)
            if user is None:
                return None
            how = "signed_in_by_link"
            return self._open(conn, user.id, how, address, now, former, user.password)

    def signed_in(self, token: str, now: datetime) -> SignedIn | None:
        """Whose session this is, if it is one: rights are read anew each time."""
        mine = kept(token)
        with reading(self.engine) as conn:
            session = sessions.find(conn, mine)
            if session is None:
                return None
            if not _lives(session, now):
                return None
            user = users.with_id(conn, session.user_id)
            if user is None or user.disabled:
                return None
            viewer = users.viewer_of(conn, user)
        if now - session.seen_at >= _NOTED:
            with writing(self.engine) as conn:
                sessions.seen(conn, mine, now)
        # A clock that was fast and was put right has not stretched that time.
        return SignedIn(user, viewer, abs(now - session.confirmed_at) < CONFIRMED)

    def confirm(self, token: str, user: User, password: str, address: str, now: datetime) -> bool:
        """Let ``user`` show once more who he is. Raises ``TooManyTriesError``."""
        self._spend(user.name, address, now)
        if not passwords.fits(password, user.password):
            log.warning("confirmation_refused", user=user.id)
            return False
        with writing(self.engine) as conn:
            sessions.confirm(conn, kept(token), now)
        return True

    def sign_out(self, token: str) -> None:
        """End a session."""
        with writing(self.engine) as conn:
            sessions.end(conn, kept(token))

    def sessions(self, user: User, token: str, now: datetime) -> list[OwnSession]:
        """Where ``user`` is signed in; ``token`` is that of the browser which asks."""
        with reading(self.engine) as conn:
            found = sessions.of_user(conn, user.id)
        return [
            OwnSession(one.token_hash, one.created_at, one.seen_at, one.token_hash == kept(token))
            for one in found
            if _lives(one, now)
        ]

    def end_session(self, user: User, key: str, now: datetime, doer: Doer) -> bool:
        """Sign ``user`` out in one browser; whether he was signed in there."""
        with writing(self.engine) as conn:
            ended = sessions.end_of_user(conn, user.id, key)
            if ended:
                audit.write(conn, doer, "session_ended", now, subject="user", subject_id=user.id)
            return ended

    def end_sessions(self, user: User, now: datetime, doer: Doer) -> None:
        """Sign ``user`` out everywhere, by links that wait too."""
        with writing(self.engine) as conn:
            sessions.end_all(conn, user.id)
            audit.write(conn, doer, "sessions_ended", now, subject="user", subject_id=user.id)


def _lives(session: SignInSession, now: datetime) -> bool:
    return now - session.seen_at < IDLE and now - session.created_at < LONGEST
