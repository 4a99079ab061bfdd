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

    For a life event ``deadline_on`` is the day of the event, and ``ends_on`` the plan's end where
    it is known. ``balance`` is formatted, such as ``S/ 2.00``. ``holder`` and ``why``
    (``no_address``, ``suppressed``, ``silent`` or ``last_day``) are for the keeper of the card
    book. ``renewed_link`` and ``tomorrow_link`` lead to where the holder says so.
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
    ends_on: date | None = None
    balance: str | None = None
    receipt_ref: str | None = None
    holder: str | None = None
    why: str | None = None
    renewed_link: str | None = None
    tomorrow_link: str | None = None


@dataclass(frozen=True, slots=True)
class OperatorGuide:
    """How to reach and top up one operator; only verified values, blank ones are left out.

    ``online``, ``in_person`` and ``abroad`` name sites, counters and the like.
    """

    name: str
    hotline: str | None = None
    website: str | None = None
    checked_on: date | None = None
    app: str | None = None
    online: tuple[str, ...] = ()
    in_person: tuple[str, ...] = ()
    abroad: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Letter:
    """All that goes to one holder over one channel; ``notices``: most urgent first, never empty.

    ``unsubscribe``: the link of an email. ``way_out``: that of an SMS, where a reply would not
    arrive.
    """

    language: Language
    signature: str
    holder_name: str
    notices: tuple[Notice, ...]
    guides: tuple[OperatorGuide, ...] = field(default=())
    unsubscribe: str | None = None
    way_out: str | None = None
