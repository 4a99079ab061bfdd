"""A request as the pages of the console see it, and the ways in which they answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from worker.core.console_languages import Tongue
from worker.core.hours import local_day
from worker.core.viewer import Viewer
from worker.pipeline.accounts.accounts import SignedIn
from worker.store.audit import Doer
from worker.web.console.upload import SentFile


@dataclass(frozen=True, slots=True)
class Visit:
    """Who asks, for what, and when. ``ids`` are the numbers in the path; ``base`` stands before
    every address; ``token`` is that of the session; ``part``: only a part of the page is wanted;
    ``file``: what was sent with the form."""

    method: str
    path: str
    base: str
    query: Mapping[str, str]
    form: Mapping[str, Sequence[str]]
    ids: Mapping[str, int]
    tongue: Tongue
    address: str
    now: datetime
    signed: SignedIn | None
    token: str | None
    part: bool
    file: SentFile | None = None

    @property
    def viewer(self) -> Viewer:
        """Who looks, and at which books."""
        return self.own.viewer

    @property
    def own(self) -> SignedIn:
        """The session; pages without one never ask."""
        if self.signed is None:
            raise HTTPException(401)
        return self.signed

    @property
    def zone(self) -> str:
        """The time zone in which times are shown."""
        return self.signed.user.time_zone if self.signed else "UTC"

    @property
    def today(self) -> date:
        """The day there."""
        return local_day(self.now, self.zone)

    def field(self, name: str) -> str:
        """A field of the form, empty where it is missing."""
        return next(iter(self.form.get(name, ())), "").strip()

    def doer(self) -> Doer:
        """Whom the audit names; the form that was sent, if it has a number."""
        user, form_id = self.own.user, self.field("form_id")
        known = form_id if len(form_id) == 32 and form_id.isalnum() else None
        return Doer(user.name, user.id, self.address, known)

    def go(self, path: str) -> Response:
        """After a form: look at ``path``."""
        return RedirectResponse(self.base + path, 303)


def local_path(text: str) -> str:
    """``text`` where it is a path of ours to go back to, else the first page."""
    plain = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return quote(text, safe="/?&=%:,-._~") if plain and len(text) < 500 else "/"
