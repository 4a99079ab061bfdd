"""The console with the sample book, as a keeper of cards sees it: Today, and a card."""

import json
from typing import Final

from benchmarks.pictures.browser import Browser, Viewport
from benchmarks.pictures.play import PicturesStage

PICTURES: Final = {
    "console-today-desktop.png": "Today in the console: what was promised, what comes, who is in "
    "danger",
    "console-today-phone.png": "Today on a phone",
    "console-card-desktop.png": "A card in the console: its deadlines, what comes next, what was "
    "told",
    "console-card-phone.png": "A card on a phone",
}
_VIEWS: Final = {
    "desktop": Viewport(1280, tallest=1100),
    "phone": Viewport(390, phone=True, tallest=1500),
}
_SIGNED_IN: Final = "location.pathname == '/' && document.readyState == 'complete'"
_SAMPLE: Final = "document.querySelector('form[action=\"/sample\"]').requestSubmit() || true"
_CARDS: Final = "[...document.querySelectorAll('.list.cards li')]"
# The first whose holder has a notice, so that there is something to see.
_TOLD: Final = f"{_CARDS}.find(li => li.querySelector('.chip.good'))?.querySelector('.name').href"


async def take(chromium: str, stage: PicturesStage) -> dict[str, bytes]:
    """The pictures by their file names."""
    with stage.web():
        profile = stage.scratch / "browser-console"
        async with Browser.started(chromium, profile, "en-GB") as browser:
            link = json.loads(stage.run("console", "link", "--json"))["link"]
            await browser.answer(link, _SIGNED_IN, _SAMPLE, f"{_CARDS}.length")
            stage.run("once")
            today = link.partition("/sign-in/")[0] + "/"
            card = await browser.answer(today, _TOLD)
            return {
                f"console-{name}-{place}.png": await browser.picture(url, view)
                for name, url in (("today", today), ("card", card))
                for place, view in _VIEWS.items()
            }
