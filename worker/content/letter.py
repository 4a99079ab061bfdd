"""What a text may speak of: the only values a template ever sees."""

from dataclasses import dataclass, field
from datetime import date

from worker.core.cards import Kind, Language


@dataclass(frozen=True, slots=True)
class Notice:
    """One reminder, as a template sees it.

    ``event`` names the template folder. ``days`` counts from the reader's today to
    ``deadline_on`` (negative once it has passed). ``tail`` is the last 4 digits of the number.
    ``deadline_at`` is the exact end in the card's time zone, already in words for the language.
    """

    event: str
    operator: str
    tail: str
    kind: Kind
    plan: str | None
    deadline: str
    deadline_on: date
    deadline_at: str
    days: int


@dataclass(frozen=True, slots=True)
class OperatorGuide:
    """How to reach and top up one operator; only verified values, blank ones are left out."""

    name: str
    hotline: str | None = None
    website: str | None = None
    checked_on: date | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """All that goes to one holder over one channel; ``notices``: most urgent first, never empty."""

    language: Language
    signature: str
    holder_name: str
    notices: tuple[Notice, ...]
    guides: tuple[OperatorGuide, ...] = field(default=())
    unsubscribe: str | None = None
