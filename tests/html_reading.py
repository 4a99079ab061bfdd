"""What a mail program makes of HTML: the words that are read, and what it would load or follow."""

import re
from html import unescape
from html.parser import HTMLParser


def words(html: str) -> str:
    """What a reader sees of ``html``: no head, no tags, whitespace collapsed."""
    body = html[html.index("<body") :]
    return " ".join(unescape(re.sub(r"<!--.*?-->|<[^>]+>", " ", body, flags=re.S)).split())


class Links(HTMLParser):
    """Collects whatever a client would load, follow or run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.handlers: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in {"href", "src", "background", "action", "srcset", "data"}:
                self.links.append(str(value))
            if name.startswith("on"):
                self.handlers.append(name)
