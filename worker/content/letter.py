"""What a text may speak of: the only values a template ever sees."""

from dataclasses import dataclass, field
from datetime import date

from worker.core.cards import Kind, Language


@dataclass(frozen=True, slots=True)
class Notice:
    """One reminder, as a template sees it; all days and hours are those of the reader's clock.

    ``event`` names the template folder. ``tail`` is the last 4 digits of the number.
    ``deadline_on``: of a plan its last day, of another deadline the day from which something can
    be lost. ``clock`` is the minute of it ("12:59") and ``card_on`` the day in the card's own time
    zone, both ``None`` for a reader whose day ends with the card's. ``days`` counts from the
    reader's today to ``deadline_on``: less than 0 once a plan is over, and -1 once a loss can
    happen at any moment. ``deadline_at`` is the last minute in which acting is certain to help, on
    the reader's clock and then on the card's, already in words for the language.

    For a life event ``deadline_on`` is the day of the event, and ``ends_on`` the plan's last day
    where it is known. ``balance`` is formatted, such as ``S/ 2.00``, and ``balance_on`` the day
    from which it can be lost. ``line_on`` and ``reassign_on`` are the days from which the number
    can be lost and given to somebody else, where they are known and still ahead.

    ``reported_on`` is the day on which a renewal was reported that nobody has answered for, and
    ``early``: less than the 24 hours have passed since that a top-up may take to show.

    ``travel``: an eSIM of a provider abroad, without a Peruvian number: it has no store, no line
    and no number to lose. ``in_service``: the card itself can still receive, a login code too.
    ``holder`` and ``why`` (``no_address``, ``suppressed``, ``silent`` or ``last_day``) are for the
    keeper of the card book. The links lead to where the holder says so: ``renewed_link`` and
    ``tomorrow_link`` to a deadline, ``works_link`` and ``fails_link`` to a reported renewal.
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
    clock: str | None = None
    card_on: date | None = None
    ends_on: date | None = None
    balance: str | None = None
    balance_on: date | None = None
    line_on: date | None = None
    reassign_on: date | None = None
    travel: bool = False
    in_service: bool = True
    receipt_ref: str | None = None
    reported_on: date | None = None
    early: bool = False
    holder: str | None = None
    why: str | None = None
    renewed_link: str | None = None
    tomorrow_link: str | None = None
    works_link: str | None = None
    fails_link: str | None = None


@dataclass(frozen=True, slots=True)
class OperatorGuide:
    """How to reach and top up one operator; only verified values, blank ones are left out.

    ``hotline`` is a short or free number that answers in Peru only, ``phone`` one that can be
    called from anywhere. ``online``, ``in_person`` and ``abroad`` name sites, counters and the
    like. ``travel``: the operator of travel eSIMs, who has no store.
    """

    name: str
    hotline: str | None = None
    website: str | None = None
    checked_on: date | None = None
    app: str | None = None
    online: tuple[str, ...] = ()
    in_person: tuple[str, ...] = ()
    abroad: tuple[str, ...] = ()
    phone: str | None = None
    topup: str | None = None
    travel: bool = False


@dataclass(frozen=True, slots=True)
class Letter:
    """All that goes to one holder over one channel; ``notices``: most urgent first, never empty.

    ``others``: how many further cards it speaks of beside the first notice's. ``abroad``: its
    reader is not in Peru. ``unsubscribe``: the link of an email. ``way_out``: that of an SMS, where
    a reply would not arrive; ``replies``: whether it would.
    """

    language: Language
    signature: str
    holder_name: str
    notices: tuple[Notice, ...]
    guides: tuple[OperatorGuide, ...] = field(default=())
    unsubscribe: str | None = None
    way_out: str | None = None
    others: int = 0
    abroad: bool = False
    replies: bool = True
