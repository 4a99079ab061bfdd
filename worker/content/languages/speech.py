"""What a language must have besides its templates."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from babel import Locale

from worker.core.cards import Kind
from worker.core.deadlines import DeadlineKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """One language. Patterns of dates are CLDR's (unicode.org/reports/tr35/tr35-dates.html)."""

    locale: Locale
    # A date with its weekday, for a sentence; a day and month, before an hour; and all that an SMS
    # has room for, where everything but 月 and 日 is of GSM 03.38 (``day`` and ``month`` are
    # numbers, ``name`` is one of ``months``).
    full_date: str
    day_before_hour: str
    short_date: str
    months: tuple[str, ...] = ("",) * 12
    # An instant on one clock, and on the reader's first with the card's in brackets.
    one_clock: str
    two_clocks: str
    # Time zones by the places that readers name them after, where CLDR's is another.
    places: Mapping[str, str]
    kinds: Mapping[Kind, str]
    # An entry of a calendar: how a card's last digits stand, how card and loss are put together,
    # and what is lost. Short: a phone shows some 30 characters.
    tail: str
    entry: str
    losses: Mapping[DeadlineKind, str]
    # A name for samples; nobody's.
    sample_name: str

    # What the check of texts knows of the language. ``plan``: only that ends, and the card, the
    # number and the balance live on. ``maybe``: how it says what is not certain. ``not_travel``:
    # what an eSIM for travellers has not (a store, a passport check, a number, OSIPTEL).
    plan: str
    maybe: re.Pattern[str]
    not_travel: re.Pattern[str]
    # Words that are another language's, in lower case.
    strangers: frozenset[str]
    # A set of characters that holds this script alone, and words of another place that a reader
    # would stumble over; for languages in Chinese characters.
    charset: str | None = None
    not_said: re.Pattern[str] | None = None
    # May its texts have letters beyond ASCII?
    ascii_only: bool = field(default=False)
