"""Somebody's own settings: language, time zone, password, and where he is signed in."""

from functools import cache
from typing import Final
from zoneinfo import available_timezones

from starlette.exceptions import HTTPException
from starlette.responses import Response

from worker.core.console_languages import shown_in
from worker.pipeline.accounts.accounts import TooManyTriesError
from worker.pipeline.accounts.passwords import WeakPasswordError
from worker.web.console import asking
from worker.web.console.audited import may_read
from worker.web.console.catalogs import marked as _
from worker.web.console.shell import ConsolePage, Shell
from worker.web.console.visit import Visit, local_path

_DIFFER: Final = _("The two are not the same.")
_WEAK: Final = _(
    "Take 12 to 256 characters that are not easily guessed: some words in a row that have to do "
    "neither with your name nor with this program."
)


def pages(shell: Shell) -> list[ConsolePage]:
    """The addresses."""
    own = OwnPages(shell)
    return [
        ConsolePage("GET", "/me", own.look),
        ConsolePage("POST", "/me/language", own.speak),
        ConsolePage("POST", "/me/zone", own.move),
        ConsolePage("GET", "/me/password", own.ask_password, confirmed=True),
        ConsolePage("POST", "/me/password", own.set_password, confirmed=True),
        ConsolePage("POST", "/me/sessions/end", own.end_one),
        ConsolePage("POST", "/me/sessions/end-all", own.end_all),
    ]


class OwnPages:
    """Answers for them."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._accounts, self._people = shell.app.accounts, shell.app.people

    def look(self, visit: Visit) -> Response:
        """The page."""
        user = visit.own.user
        return self._shell.page(
            visit,
            "me",
            zones=_zones(),
            sessions=self._accounts.sessions(user, visit.token or "", visit.now),
            has_password=user.password is not None,
            may_audit=may_read(visit),
            done=visit.query.get("done") == "password",
        )

    def speak(self, visit: Visit) -> Response:
        """Show everything in another language from now on."""
        self._people.set_language(visit.own.user, shown_in(visit.field("language")))
        return visit.go(local_path(visit.field("next")))

    def move(self, visit: Visit) -> Response:
        """Show times in another zone from now on."""
        zone = visit.field("time_zone")
        if zone not in _zones():
            raise HTTPException(400)
        self._people.set_time_zone(visit.own.user, zone)
        return visit.go("/me")

    def ask_password(self, visit: Visit) -> Response:
        """The form for a new password."""
        return self._asking(visit, "")

    def set_password(self, visit: Visit) -> Response:
        """Take the new one: whoever is signed in elsewhere is so no more, and this browser anew."""
        first, second = (next(iter(visit.form.get(name, ())), "") for name in ("password", "again"))
        if first != second:
            return self._asking(visit, _DIFFER)
        name = visit.own.user.name
        try:
            self._people.set_password(name, first, visit.now, visit.doer())
        except WeakPasswordError:
            return self._asking(visit, _WEAK)
        try:
            token = self._accounts.sign_in(name, first, visit.address, visit.now)
        except TooManyTriesError:
            token = None
        if token is None:  # or it was changed once more at the same moment
            return asking.sign_out(visit.go("/sign-in"))
        return asking.sign_in(visit.go("/me?done=password"), token)

    def end_one(self, visit: Visit) -> Response:
        """Sign out in one browser."""
        key = visit.field("session")
        if not self._accounts.end_session(visit.own.user, key, visit.now, visit.doer()):
            raise HTTPException(404)
        return visit.go("/me")

    def end_all(self, visit: Visit) -> Response:
        """Sign out everywhere, here too."""
        self._accounts.end_sessions(visit.own.user, visit.now, visit.doer())
        return asking.sign_out(visit.go("/sign-in"))

    def _asking(self, visit: Visit, wrong: str) -> Response:
        told = self._shell.say(visit, wrong) if wrong else ""
        return self._shell.page(visit, "password", wrong=told)


@cache
def _zones() -> tuple[str, ...]:
    """Those that people live in, by their names."""
    areas = ("Africa/", "America/", "Antarctica/", "Asia/", "Atlantic/", "Australia/", "Europe/")
    known = (z for z in available_timezones() if z.startswith((*areas, "Indian/", "Pacific/")))
    return ("UTC", *sorted(known))
