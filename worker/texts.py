"""The texts of a process that sends: none of them may keep it from starting."""

from functools import cache
from pathlib import Path

from worker.bounded import bounded
from worker.content.pages import Pages
from worker.content.render import Content


@cache
def texts(directory: Path) -> Content:
    """Every template below ``directory``, compiled and tried, once for this process and those that
    are forked from it. It is tried in a process of its own first, for a template can be without an
    end. Raises ``ConfigError`` for the first one that is wrong."""
    bounded(lambda: Content.load(directory) is not None)
    content, _ = Content.collect(directory)
    return content


def pages(directory: Path) -> Pages:
    """The pages behind links, compiled in the same way. Raises ``ConfigError``."""
    bounded(lambda: Pages.load(directory) is not None)
    return Pages.load(directory)
