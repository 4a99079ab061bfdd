"""A walk through the console in a real browser: nothing is logged, nothing comes from elsewhere,
and axe finds nothing that keeps a reader of screens out."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.console_helpers import Console, console_of, world_of_its_own
from tests.integration.helpers import NOW, World
from tests.patience import patient
from worker.content.render import Content
from worker.core.rules import Rules
from worker.core.viewer import Role
from worker.processes.jobs.work import work
from worker.store.audit import COMMAND_LINE
from worker.store.tables import card_events, cards, messages
from worker.web.console.sample import import_sample

RENEWED = "2026-07-20"
CHROMIUM = Path("/usr/bin/chromium")
# Beside what is serious: what a page of one column would be for.
_GRAVE = ("serious", "critical")

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium here")


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path, rules: Rules, content: Content
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("walk")
    with world_of_its_own(migrated_sqlite, folder, rules, content) as found:
        yield found


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

    def __init__(self, chromium: Any, console: Console, *, scripts: bool, **how: Any) -> None:
        self.scripts = scripts
        self.context = chromium.new_context(java_script_enabled=scripts, **how)
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
        if not self.scripts:
            self.page.click("main button")
        if self.page.url != f"{self.console.url}/":
            self.page.wait_for_url(f"{self.console.url}/")

    def looks_right(self) -> None:
        """Nobody is kept out, and nothing is wider than the screen. Axe is a script, too."""
        if not self.scripts:
            return
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


# A card each, by the languages and widths of the walks.
_WALKS = {
    ("zh-Hans", 390, "light", True): "987654301",
    ("es", 1280, "dark", True): "987654302",
    ("zh-Hans", 1280, "light", False): "987654303",
    ("es", 390, "dark", False): "987654304",
}
_HEAD = "msisdn,expires,email,language,operator,kind,holder"


@pytest.mark.parametrize(("language", "width", "scheme", "scripts"), _WALKS)
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
    """Import a book, see today, find the card, renew it, take that back, and renew it again."""
    number = _WALKS[language, width, scheme, scripts]
    console.app.people.set_language(console.app.people.named("rosa"), language)
    walk = Watched(
        chromium,
        console,
        scripts=scripts,
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        locale=language,
    )
    page, url = walk.page, console.url
    page.goto(f"{url}/sign-in")
    walk.looks_right()
    walk.sign_in()
    assert page.url == f"{url}/"
    walk.looks_right()
    import_a_book(walk, number)
    page.goto(f"{url}/")
    walk.looks_right()
    card = find_the_card(walk, number[-4:])
    walk.looks_right()
    before = row_of(world, card).plan_end
    renew(walk, card)
    walk.looks_right()
    page.click(f"form[action='/cards/{card}/undo'] button")
    page.wait_for_url(f"{url}/cards/{card}?done=undone")
    assert row_of(world, card).plan_end == before
    renew(walk, card)
    assert str(row_of(world, card).plan_end) == RENEWED
    trail = [row.event for row in world.rows(card_events) if row.card_id == card]
    assert trail == ["imported", "renewed", "undone", "renewed"]
    for path in (f"cards/{card}/recycle", f"cards/{card}/reassign", "me", "settings/audit"):
        page.goto(f"{url}/{path}")
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


def import_a_book(walk: Watched, number: str) -> None:
    """A file is sent and looked at, and then written."""
    page, url = walk.page, walk.console.url
    page.goto(f"{url}/imports")
    walk.looks_right()
    row = f"{number},2026-06-20,walk@example.com,es-PE,claro,data,Walk"
    content = f"{_HEAD}\n{row}\n".encode()
    sent = {"name": f"{number}.csv", "mimeType": "text/csv", "buffer": content}
    page.set_input_files("#file", files=[sent])
    page.select_option("#book", "")
    page.fill("#name", f"walk {number}")
    for click in ("main form .main", "button[name=rows]"):
        left = page.url
        page.click(click)
        page.wait_for_url(
            lambda there, left=left: re.search(r"/imports/\d+$", there) and there != left
        )
        work(walk.console.app, int(page.url.rpartition("/")[2]))
        if walk.scripts:  # the page looks on by itself
            page.locator("#progress").wait_for(state="detached")
            page.locator("dl.counts").wait_for()
        else:
            page.reload()
        walk.looks_right()


def find_the_card(walk: Watched, digits: str) -> int:
    page = walk.page
    page.goto(f"{walk.console.url}/cards")
    walk.looks_right()
    if walk.scripts:
        page.keyboard.press("Escape")
        page.fill("#q", digits)
        page.wait_for_url(f"**q={digits}*")
        page.locator(".list .name").nth(1).wait_for(state="detached")
    else:
        page.fill("#q", digits)
        page.press("#q", "Enter")
    page.locator(".list .name").first.click()
    page.wait_for_url(re.compile(r"/cards/\d+$"))
    return int(page.url.rpartition("/")[2])


def renew(walk: Watched, card: int) -> None:
    page = walk.page
    page.click("summary.main")
    page.fill("#plan_end", RENEWED)
    page.click("button[value=renewed]")
    page.wait_for_url(f"{walk.console.url}/cards/{card}?done=renewed")
    assert page.locator("[role=status]").is_visible()


def row_of(world: World, card: int) -> Any:
    return {row.id: row for row in world.rows(cards)}[card]
