"""What every page stands in: the bar, the language, the time zone, and where the files are."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection
from starlette.responses import HTMLResponse, Response

from worker.core.console_languages import NAMES
from worker.core.hours import local_day
from worker.setup.app import App
from worker.store.engine import reading
from worker.store.postgresql import limit_statements
from worker.web.console.catalogs import catalog
from worker.web.console.catalogs import marked as _
from worker.web.console.statics import Statics
from worker.web.console.templates import render
from worker.web.console.visit import Visit

# Seconds that the database may take for what a page shows: who waits longer narrows the filter.
_READ_SECONDS: Final = 2
# The pages in the bar: what each is called, and where it is.
_BAR: Final = (
    (_("Today"), "/"),
    (_("Cards"), "/cards"),
    (_("Notices"), "/notices"),
    (_("Import"), "/imports"),
    (_("Texts"), "/texts"),
    (_("Forecast"), "/forecast"),
)


@dataclass(frozen=True, slots=True)
class ConsolePage:
    """One address of the console. ``do`` answers in a thread. ``open``: to everybody;
    ``confirmed``: to whom has shown a short time ago who he is. ``upload``: its form brings a file.
    """

    method: str
    path: str
    do: Callable[[Visit], Response]
    open: bool = False
    confirmed: bool = False
    upload: bool = False


@dataclass(frozen=True, slots=True)
class Shell:
    """Makes whole pages out of the templates."""

    app: App
    statics: Statics = field(default_factory=Statics)

    def page(self, visit: Visit, template: str, status: int = 200, **values: Any) -> Response:
        """The page ``template``, in the language of who asks."""
        html = render(template, visit.tongue, {**self._common(visit), **values})
        return HTMLResponse(html, status)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """The one transaction of a page, which may not take long."""
        with reading(self.app.engine) as conn:
            limit_statements(conn, _READ_SECONDS)
            yield conn

    @property
    def operators(self) -> dict[str, str]:
        """What each operator is called, by its code."""
        return {code: pack.name for code, pack in sorted(self.app.rules.packs.items())}

    def book_day(self, now: datetime) -> date:
        """Today, as the days of deadlines are counted."""
        return local_day(now, self.app.settings.book.time_zone)

    def say(self, visit: Visit, text: str) -> str:
        """``text``, which is marked, in the language of who asks."""
        return catalog(visit.tongue).gettext(text)

    def _common(self, visit: Visit) -> dict[str, Any]:
        say = partial(self.say, visit)
        return {
            "base": visit.base,
            "path": visit.path,
            "part": visit.part,
            "tongue": visit.tongue,
            "tongues": NAMES,
            "bar": [(say(text), path) for text, path in _BAR],
            "css": self.statics.path("console.css"),
            "icon": self.statics.path("icon.svg"),
            "scripts": [self.statics.path(name) for name in ("htmx-2.0.11.min.js", "console.js")],
            "user": visit.signed.user.name if visit.signed else None,
            "zone": visit.zone,
            "now": visit.now,
            "today": visit.today,
            "form_id": secrets.token_hex(16),
            "operators": self.operators,
            "sandboxed": self.app.gateways.sandboxed,
        }
