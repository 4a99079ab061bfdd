"""A walk through the console in a real browser: nothing is logged, nothing comes from elsewhere,
and axe finds nothing that keeps a reader of screens out."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.console_helpers import Console, console_of
from tests.integration.helpers import NOW, World
from tests.patience import patient
from worker.content.render import Content
from worker.core.rules import Rules
from worker.core.viewer import Role
from worker.store.audit import COMMAND_LINE
from worker.store.engine import open_engine
from worker.store.tables import card_events, cards, messages
from worker.web.console.sample import import_sample

CHROMIUM = Path("/usr/bin/chromium")
# Beside what is serious: what a page of one column would be for.
_GRAVE = ("serious", "critical")

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium here")


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path, rules: Rules, content: Content
) -> Iterator[World]:
    path = tmp_path_factory.mktemp("walk") / "vigencia.db"
    shutil.copy(migrated_sqlite, path)
    engine = open_engine(f"sqlite:///{path}")
    yield World(engine, "http://127.0.0.1:9", None, rules, content)
    engine.dispose()


@pytest.fixture(scope="module")
def console(world: World) -> Iterator[Console]:
    with console_of(world) as served:
        served.user("rosa", Role.ADMIN)
        import_sample(served.app, COMMAND_LINE, NOW)
        world.check(ids=[row.id for row in world.rows(cards)][:40])
        yield served


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox"], timeout=patient(60) * 1000
        )
        yield browser
        browser.close()


class Watched:
    """A page of which everything is noted that should not be."""

    def __init__(self, chromium: Any, console: Console, **how: Any) -> None:
        self.context = chromium.new_context(**how)
        self.context.set_default_timeout(patient(10) * 1000)
        self.page = self.context.new_page()
        self.noise: list[str] = []
        self.page.on("console", lambda message: self.noise.append(message.text))
        self.page.on("pageerror", lambda error: self.noise.append(str(error)))
        self.page.on("dialog", lambda dialog: self.noise.append(dialog.message))
        self.page.on("request", lambda request: self._asked(request.url, console.url))
        self.console = console

    def _asked(self, url: str, own: str) -> None:
        if not url.startswith((f"{own}/", "data:")):
            self.noise.append(f"asked for {url}")

    def sign_in(self) -> None:
        app = self.console.app
        token = app.accounts.link(app.people.named("rosa"), self.console.moment)
        self.page.goto(f"{self.console.url}/sign-in/{token}")
        if self.page.url != f"{self.console.url}/":
            self.page.wait_for_url(f"{self.console.url}/")

    def looks_right(self) -> None:
        """Nobody is kept out, and nothing is wider than the screen."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        grave = [
            (one["id"], [node["html"][:200] for node in one["nodes"]])
            for one in found
            if one["impact"] in _GRAVE
        ]
        assert grave == []
        wide, screen = (
            self.page.evaluate(f"document.documentElement.{name}Width")
            for name in ("scroll", "client")
        )
        assert wide <= screen


@pytest.mark.parametrize(
    ("language", "width", "scheme", "scripts"),
    [
        ("zh-Hans", 390, "light", True),
        ("es", 1280, "dark", True),
        ("zh-Hans", 1280, "light", False),
        ("es", 390, "dark", False),
    ],
)
@pytest.mark.timeout(240)
def test_a_walk_through_the_console(
    console: Console,
    world: World,
    chromium: Any,
    language: str,
    width: int,
    scheme: str,
    scripts: bool,
) -> None:
    console.app.people.set_language(console.app.people.named("rosa"), language)
    walk = Watched(
        chromium,
        console,
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        locale=language,
        java_script_enabled=scripts,
    )
    page, url = walk.page, console.url
    page.goto(f"{url}/sign-in")
    if scripts:  # axe is a script, too
        walk.looks_right()
        walk.sign_in()
    else:
        app = console.app
        page.goto(f"{url}/sign-in/{app.accounts.link(app.people.named('rosa'), NOW)}")
        page.click("main button")
    assert page.url == f"{url}/"
    if scripts:
        walk.looks_right()
    page.goto(f"{url}/cards")
    if scripts:
        walk.looks_right()
        page.keyboard.press("Escape")
        page.fill("#q", "4241")
        page.wait_for_url("**q=4241*")
        page.locator(".list .name").nth(5).wait_for(state="detached")
    else:
        page.fill("#q", "4241")
        page.press("#q", "Enter")
    page.locator(".list .name").first.click()
    page.wait_for_url(re.compile(r"/cards/\d+$"))
    card = int(page.url.rpartition("/")[2])
    if scripts:
        walk.looks_right()
    events = [row for row in world.rows(card_events) if row.card_id == card]
    paused = {row.id: row.paused for row in world.rows(cards)}[card]
    page.click(f"form:has(input[value={'resumed' if paused else 'paused'}]) button")
    page.wait_for_url(f"{url}/cards/{card}?done=*")
    assert page.locator("[role=status]").is_visible()
    assert len([row for row in world.rows(card_events) if row.card_id == card]) == len(events) + 1
    if scripts:
        walk.looks_right()
    page.goto(f"{url}/cards/{card}/recycle")
    if scripts:
        walk.looks_right()
    for path in (
        *("/notices", "/messages?state=waiting", f"/messages/{world.rows(messages)[0].id}"),
        *("/texts", "/texts/one?event=plan_end_near&language=es-PE", "/mailbox"),
    ):
        page.goto(f"{url}{path}")
        assert page.locator("h1").count() == 1
        if scripts:
            walk.looks_right()
    assert walk.noise == []
    walk.context.close()
