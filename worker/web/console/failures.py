"""What went wrong, as a page that says what to do; it tells nothing that is nobody's business."""

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from worker.web.console.catalogs import marked as _
from worker.web.console.shell import Shell
from worker.web.console.visit import Visit

# A heading and the next step, by the status.
_TEXTS: Final[Mapping[int, tuple[str, str]]] = {
    400: (_("That could not be read"), _("Go back, and send the form once more.")),
    403: (_("That is not yours to do"), _("Ask an administrator for the right to do it.")),
    404: (_("There is no such page"), _("It may have been removed, or belong to another book.")),
    409: (
        _("Somebody was faster"),
        _("It has changed since you looked. Look at it as it is now, then decide again."),
    ),
    413: (_("That is too large"), _("Send less at once.")),
    415: (_("That could not be read"), _("Send the form from its page.")),
    421: (
        _("This is not the address of the console"),
        _("Open it at the address in web.public_url, or at 127.0.0.1 on its own machine."),
    ),
    422: (_("That could not be read"), _("Go back, and send the form once more.")),
    429: (_("That was tried too often"), _("Wait some minutes, then try again.")),
    500: (_("Something broke"), _("It was noted in the log. Nothing was done halfway.")),
    503: (
        _("Not now"),
        _(
            "The database does not answer, or took too long. Try again in a moment, or narrow the "
            "filter; nothing was lost."
        ),
    ),
}
_RETRY: Final = {429: "60", 503: "5"}


def failure(
    shell: Shell,
    visit: Visit,
    status: int,
    back: str | None = None,
    texts: tuple[str, str] | None = None,
) -> Response:
    """The page for ``status``; ``back``: where it can be looked at as it is now. ``texts``: heading
    and next step, marked, where more is known than the status."""
    known = status if status in _TEXTS else 500 if status >= 500 else 400
    heading, advice = (shell.say(visit, text) for text in texts or _TEXTS[known])
    page = shell.page(
        visit, "failure", status, heading=heading, advice=advice, back=back, code=status
    )
    if status in _RETRY:
        page.headers["Retry-After"] = _RETRY[status]
    return page
