"""What the tests of the texts share: the shipped templates, loaded once, and events by channel."""

from functools import cache
from pathlib import Path

from worker.content.render import Content
from worker.core.wording import ALL_EVENTS, GUARDIAN_EVENT
from worker.setup.load_texts import texts

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "templates"
# What a holder is told; the keeper of a card book is told otherwise, and not by SMS.
HOLDER_EVENTS = tuple(event for event in ALL_EVENTS if event != GUARDIAN_EVENT)


@cache
def content() -> Content:
    """The shipped texts."""
    return texts(TEMPLATES)
