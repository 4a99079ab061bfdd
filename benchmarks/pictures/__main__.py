"""`python -m benchmarks.pictures [folder]` writes docs/pictures: six emails, three pages, and
the console.

Each is what the program itself sent or served: a small book is played through the whole line into
the sandbox, by a clock that stands still, and Debian's Chromium takes the pictures, for a phone and
a desktop, light and dark. Without Chromium nothing is done.
"""

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.pictures import console
from benchmarks.pictures.browser import Browser, Viewport
from benchmarks.pictures.play import Shown, play, stage
from benchmarks.pictures.png import small

_FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
_NAMES = ("chromium", "chromium-browser", "google-chrome")
# The languages of its forms are a package of their own; without the fonts Chinese is boxes.
_PACKAGES = "chromium chromium-l10n fonts-noto-cjk"
_PHONE = 375
_DESKTOP = {"email": 700, "page": 1280}
_HEAD = """\
# Pictures

Made by `make pictures` with Debian's Chromium: what the program sent to the sandbox, and served,
for a small card book on 12 and 13 June 2026; in the console it is the sample book. The texts are in
[docs/texts](../texts).
"""


def main(folder: Path) -> int:
    """Write all pictures and a page that shows them; returns the exit code."""
    chromium = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if chromium is None:
        print(f"skipped: there is no Chromium here (Debian: apt-get install {_PACKAGES})")
        return 0
    with (
        tempfile.TemporaryDirectory(prefix="vigencia-pictures-") as scratch,
        play(Path(scratch)) as shown,
    ):
        pictures = asyncio.run(_take(chromium, shown, Path(scratch)))
    with (
        tempfile.TemporaryDirectory(prefix="vigencia-pictures-") as scratch,
        stage(Path(scratch)) as sample,
    ):
        pictures |= asyncio.run(console.take(chromium, sample))
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    for name, picture in pictures.items():
        # A page of the console has few pixels in each of its colours, and they mean something.
        colours = 256 if name in console.PICTURES else 64
        (folder / name).write_bytes(small(picture, colours))
    (folder / "README.md").write_text(_index(shown), encoding="utf-8")
    total = sum(file.stat().st_size for file in folder.glob("*.png"))
    print(f"wrote {len(pictures)} pictures, {total / 1e6:.1f} MB, to {folder}")
    return 0


async def _take(chromium: str, shown: list[Shown], scratch: Path) -> dict[str, bytes]:
    """All pictures by file name; a browser for each language, whose forms speak it."""
    found = {}
    for language in dict.fromkeys(one.language for one in shown):
        profile = scratch / f"browser-{language}"
        async with Browser.started(chromium, profile, language) as browser:
            for one in (one for one in shown if one.language == language):
                for name, view in _views(one).items():
                    found[f"{one.name}-{name}.png"] = await browser.picture(one.url, view)
    return found


def _views(one: Shown) -> dict[str, Viewport]:
    return {
        f"{place}-{'dark' if dark else 'light'}": Viewport(width, dark=dark, phone=place == "phone")
        for place, width in (("phone", _PHONE), ("desktop", _DESKTOP[one.kind]))
        for dark in (False, True)
    }


def _index(shown: list[Shown]) -> str:
    lines = [_HEAD]
    for one in shown:
        lines += [f"## {one.title}", ""]
        for place, width in (("phone", 260), ("desktop", 480)):
            for scheme in ("light", "dark"):
                file = f"{one.name}-{place}-{scheme}.png"
                lines.append(
                    f'<img src="{file}" alt="{one.title}, {place}, {scheme}" width="{width}">'
                )
        lines.append("")
    lines += ["## The console", ""]
    for name, title in console.PICTURES.items():
        lines.append(f'<img src="{name}" alt="{title}" width="{260 if "phone" in name else 480}">')
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else _FOLDER))
