"""Signing in, by a password or a link for one use; signing out; showing once more who it is."""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from worker.pipeline.accounts.accounts import TooManyTriesError
from worker.web.console import asking
from worker.web.console.catalogs import marked as _
from worker.web.console.shell import ConsolePage, Shell
from worker.web.console.visit import Visit, local_path

# One sentence for whatever is wrong: it must not tell which names there are.
_WRONG = _("That name and password do not belong together.")
_OFTEN = _("That was tried too often. Wait some minutes, then try again.")


def pages(shell: Shell) -> list[ConsolePage]:
    """The addresses."""
    own = SignInPages(shell)
    return [
        ConsolePage("GET", "/sign-in", own.ask, open=True),
        ConsolePage("POST", "/sign-in", own.by_password, open=True),
        ConsolePage("GET", "/sign-in/{token}", own.ask_link, open=True),
        ConsolePage("POST", "/sign-in/{token}", own.by_link, open=True),
        ConsolePage("POST", "/sign-out", own.leave, open=True),
        ConsolePage("GET", "/confirm", own.ask_again),
        ConsolePage("POST", "/confirm", own.confirm),
    ]


class SignInPages:
    """Answers for them."""

    def __init__(self, shell: Shell) -> None:
        self._shell, self._accounts = shell, shell.app.accounts

    def ask(self, visit: Visit) -> Response:
        """The form for name and password."""
        if visit.signed is not None:
            return visit.go(local_path(visit.query.get("next", "/")))
        return self._form(visit, visit.query.get("next", "/"))

    def by_password(self, visit: Visit) -> Response:
        """Sign in, or say that it was wrong."""
        name, onward = visit.field("name"), visit.field("next")
        password = next(iter(visit.form.get("password", ())), "")
        try:
            token = self._accounts.sign_in(name, password, visit.address, visit.now, visit.token)
        except TooManyTriesError:
            return self._form(visit, onward, name, _OFTEN, 429)
        if token is None:
            return self._form(visit, onward, name, _WRONG)
        return asking.sign_in(visit.go(local_path(onward)), token)

    def ask_link(self, visit: Visit) -> Response:
        """Whom the link would sign in. A look uses it up by no means: programs that show a preview
        of a link look, too."""
        name = self._accounts.link_for(_token(visit), visit.now)
        return self._shell.page(visit, "sign_in_link", name=name)

    def by_link(self, visit: Visit) -> Response:
        """Sign in by the link, which is used up by that."""
        token = self._accounts.use_link(_token(visit), visit.address, visit.now, visit.token)
        if token is None:
            return self._shell.page(visit, "sign_in_link", name=None)
        return asking.sign_in(visit.go("/"), token)

    def leave(self, visit: Visit) -> Response:
        """Sign out."""
        if visit.token is not None:
            self._accounts.sign_out(visit.token)
        return asking.sign_out(visit.go("/sign-in"))

    def ask_again(self, visit: Visit) -> Response:
        """The form for the password alone, before something that cannot be undone."""
        return self._again(visit, visit.query.get("next", "/"))

    def confirm(self, visit: Visit) -> Response:
        """Go on, if it is the password."""
        own, onward = visit.own, visit.field("next")
        password = next(iter(visit.form.get("password", ())), "")
        try:
            right = self._accounts.confirm(
                visit.token or "", own.user, password, visit.address, visit.now
            )
        except TooManyTriesError:
            return self._again(visit, onward, _OFTEN, 429)
        return visit.go(local_path(onward)) if right else self._again(visit, onward, _WRONG)

    def _form(
        self, visit: Visit, onward: str, name: str = "", wrong: str = "", status: int = 200
    ) -> Response:
        told = self._shell.say(visit, wrong) if wrong else ""
        values = {"onward": local_path(onward), "name": name, "wrong": told}
        return self._shell.page(visit, "sign_in", status, **values)

    def _again(self, visit: Visit, onward: str, wrong: str = "", status: int = 200) -> Response:
        told = self._shell.say(visit, wrong) if wrong else ""
        has_one = visit.own.user.password is not None
        values = {"onward": local_path(onward), "wrong": told, "has_password": has_one}
        return self._shell.page(visit, "confirm", status, **values)


def _token(visit: Visit) -> str:
    """What stands at the end of the path."""
    token = visit.path.rpartition("/")[2]
    if not token:
        raise HTTPException(404)
    return token
