"""A browser without a window for the tests of the console: it keeps cookies and follows nothing."""

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.integration.helpers import NOW, World
from tests.integration.sandbox_helpers import Reply, call
from tests.integration.web_helpers import serving
from worker.content.render import Content
from worker.core.rules import Rules
from worker.core.viewer import Role
from worker.setup.app import App
from worker.store.engine import open_engine
from worker.web.console.asking import COOKIE

PASSWORD = "four plain words here"
FORM = "application/x-www-form-urlencoded"
_FIELD = re.compile(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)"')


@dataclass
class Browser:
    """Asks the console at ``url`` as a browser does that stands on one of its pages."""

    url: str
    cookie: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Reply:
        return self._call("GET", path, None, headers)

    def post(
        self, path: str, form: Mapping[str, str | Sequence[str]] | None = None, **headers: str
    ) -> Reply:
        given = {"Content-Type": FORM, "Sec-Fetch-Site": "same-origin", **headers}
        return self._call("POST", path, urlencode(form or {}, doseq=True), given)

    def send_raw(self, path: str, body: bytes, content_type: str) -> Reply:
        """A body that is no plain form, such as one with a file."""
        given = {"Content-Type": content_type, "Sec-Fetch-Site": "same-origin"}
        return self._call("POST", path, body, given)

    def send(self, page: str, action: str, **fields: str) -> Reply:
        """Fill in the form of ``page`` that goes to ``action``, with its hidden fields."""
        return self.post(action, {**hidden(self.get(page), action), **fields})

    def _call(
        self, method: str, path: str, body: str | bytes | None, headers: Mapping[str, str]
    ) -> Reply:
        own = {} if self.cookie is None else {"Cookie": f"{COOKIE}={self.cookie}"}
        given = {**self.headers, **own, **headers}
        reply = call(self.url, method, path, body, {k: v for k, v in given.items() if v})
        if (kept := reply.headers.get("set-cookie")) is not None:
            value = kept.split(";")[0].partition("=")[2]
            self.cookie = value or None
        return reply


def hidden(page: Reply, action: str) -> dict[str, str]:
    """The hidden fields of the form that goes to ``action``."""
    text = page.body.decode()
    form = re.search(rf'<form[^>]*action="{re.escape(action)}"[^>]*>(.*?)</form>', text, re.DOTALL)
    assert form is not None, f"no form for {action} in {text[:2000]}"
    return dict(_FIELD.findall(form[1]))


def where(reply: Reply) -> str:
    """Where a form leads on."""
    assert reply.status == 303, (reply.status, reply.body[:1000])
    return reply.headers["location"]


def text(reply: Reply) -> str:
    return reply.body.decode()


@dataclass
class Console:
    """The console of a world, served, with its people."""

    app: App
    url: str
    moment: datetime = NOW

    def user(
        self, name: str = "rosa", role: Role = Role.OPERATOR, books: Sequence[str] = ()
    ) -> str:
        self.app.people.add(name, role, books, self.moment)
        return name

    def browser(self, name: str | None = None) -> Browser:
        """A browser; of ``name`` where that user is to be signed in, by a link."""
        made = Browser(self.url)
        if name is not None:
            token = self.app.accounts.link(self.app.people.named(name), self.moment)
            assert where(made.post(f"/sign-in/{token}")) == "/"
        return made


@contextmanager
def console_of(world: World, **web: Any) -> Iterator[Console]:
    """Serve the console of ``world``; ``web``: settings of that section."""
    held: list[Console] = []

    def now() -> datetime:
        return held[0].moment if held else NOW

    app = world.app(now)
    # Afterwards: the sandbox's credentials and a public address do not go together.
    own = app.settings.web.model_copy(update=web)
    app.settings = app.settings.model_copy(update={"web": own})
    with serving(app) as url:
        held.append(Console(app, url))
        yield held[0]


@contextmanager
def world_of_its_own(
    migrated: Path, folder: Path, rules: Rules, content: Content
) -> Iterator[World]:
    """One for all tests of a module, where nothing depends on the database."""
    path = folder / "vigencia.db"
    shutil.copy(migrated, path)
    engine = open_engine(f"sqlite:///{path}")
    yield World(engine, "http://127.0.0.1:9", None, rules, content)
    engine.dispose()
