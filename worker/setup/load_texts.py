"""The texts of a process that sends: none of them may keep it from starting."""

from functools import cache
from pathlib import Path

from worker.content.compiled import Compiled
from worker.content.pages import Pages
from worker.content.render import Content
from worker.setup.bounded import bounded
from worker.setup.tried_texts import TriedTexts


def try_texts(directory: Path) -> None:
    """Try every template below ``directory``, in a process of its own, for one can be without an
    end. Raises ``ConfigError`` for the first one that is wrong."""
    _tried(directory)


@cache
def texts(directory: Path) -> Content:
    """Every template below ``directory``, tried and compiled, once for this process and those that
    are forked from it. Raises ``ConfigError`` for the first one that is wrong."""
    return Content.restore(_tried(directory))


def _tried(directory: Path) -> Compiled:
    kept = TriedTexts(directory)
    if (compiled := kept.read()) is not None:
        return compiled
    compiled = bounded(lambda: Content.load(directory).compiled)
    kept.write(compiled)
    return compiled


def pages(directory: Path) -> Pages:
    """The pages behind links, compiled in the same way. Raises ``ConfigError``."""
    bounded(lambda: Pages.load(directory) is not None)
    return Pages.load(directory)
