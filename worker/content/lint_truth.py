"""What readers saw and no check did: a text that contradicts the calendar, its route or its card.

Each rule was a text that somebody read as it arrived. A rule looks at what is rendered, for only
there meet the words, the values and the variant that was chosen.
"""

import re
from collections.abc import Iterator
from datetime import date
from typing import Final

from worker.content.dates import full_date, long_date, short_date
from worker.content.languages import SPEECH
from worker.content.letter import Letter, Notice
from worker.core.cards import Language
from worker.core.deadlines import DeadlineKind
from worker.core.optout import Said, said
from worker.core.wording import DEADLINE_EVENTS, PAST

# The rule, and what is wrong.
Flaw = tuple[str, str]
_ASKS: Final = re.compile("[?？]")
_CERTAIN: Final = re.compile("预计|預計|必将|必將|一定会|一定會")
# Of which nobody can be sure: an operator may do it, and the sources disagree on the day.
_UNSURE: Final = tuple(e for e in DEADLINE_EVENTS if not e.startswith("plan_"))
# A top-up works within 24 hours at the latest, not always after 24 hours.
_WAIT: Final = re.compile("24 ?(?:小时|小時)")
_UP_TO: Final = re.compile("最长|最多|最長|内|內|超过|超過|后|後|满|滿|已")
# Times by the name that nobody uses.
_WRONG_TIME: Final = re.compile(r"上海(?:时间|時間)|Shanghai time|hora de Shangh", re.IGNORECASE)
# A short number cannot be called from abroad; a text may only say so of it.
_SHORT: Final = re.compile(r"(?<!\d)(?:1844|0800[ \d]{4,}|123)(?!\d)")
_ONLY_THERE: Final = re.compile("秘鲁|秘魯|Perú|Peru")
_CLOCK: Final = re.compile(r"(?<![\d:])\d{1,2}:\d\d(?![\d:])")
# A number there: some words are heard from the Mainland alone.
_MAINLAND: Final = "+86"
# What a reader is asked to answer.
_ANSWER: Final = re.compile(r"回[复覆]?([A-Z]{1,6})|\b([A-Z]{3,12})=|[Rr]eply (\w+)")


def sms_truth(letter: Letter, text: str) -> Iterator[Flaw]:
    """What an SMS says that is not so."""
    yield from _claims(letter, text)
    yield from _cannot_be_done(letter, text)
    heard = [word for word in _answers(text) if said(_MAINLAND, word) is Said.OUT]
    if heard and not letter.replies:
        yield "unheard", f"{heard[0]}: no answer arrives on this route"
    if letter.replies and not letter.way_out and not heard:
        yield "unheard", "tells no word that we hear to answer with"
    first = letter.notices[0]
    if first.clock and first.days in (0, 1) and first.clock not in text:
        yield "clock", f"does not say the reader's hour ({first.clock}) on the last day"


def subject_truth(letter: Letter, text: str) -> Iterator[Flaw]:
    """What a subject says that is not so."""
    yield from _claims(letter, text)


def mail_truth(letter: Letter, text: str) -> Iterator[Flaw]:
    """What an email says that is not so; ``text`` is its plain text or its HTML."""
    first = letter.notices[0]
    yield from _cannot_be_done(letter, text)
    yield from _time_names(text)
    over = first.event in PAST.values() or first.event not in DEADLINE_EVENTS
    if over and first.deadline_at in text:
        yield "past-deadline", "tells a deadline that is over, or none: deadline_at"
    if first.event in DEADLINE_EVENTS and len(letter.notices) == 1:
        yield from _one_deadline(letter, text)


def _claims(letter: Letter, text: str) -> Iterator[Flaw]:
    first, language = letter.notices[0], letter.language
    if first.event.startswith("plan_") and SPEECH[language].plan not in text.lower():
        yield "plan", f"only the plan ends, not the card: {SPEECH[language].plan} is missing"
    if first.event in _UNSURE and not (SPEECH[language].maybe.search(text) or _ASKS.search(text)):
        yield "certain", "tells as certain what only may happen"
    if firm := _CERTAIN.search(text):
        yield "certain", f"{firm[0]} claims more than the other languages do"
    yield from _time_names(text)
    for wait in _WAIT.finditer(text):
        if not _UP_TO.search(text[max(0, wait.start() - 6) : wait.end() + 4]):
            yield "certain", "24 hours are the longest, not the rule"


def _time_names(text: str) -> Iterator[Flaw]:
    if wrong := _WRONG_TIME.search(text):
        yield "time-name", f"{wrong[0]}: nobody says so"


def _cannot_be_done(letter: Letter, text: str) -> Iterator[Flaw]:
    """Advice that this reader or this card cannot follow."""
    travel = all(notice.travel for notice in letter.notices)
    if travel and (found := SPEECH[letter.language].not_travel.search(text)):
        yield "impossible", f"an eSIM for travellers has none of this: {found[0]}"
    if letter.abroad:
        for short in _SHORT.finditer(text):
            if not _ONLY_THERE.search(text[max(0, short.start() - 60) : short.end() + 60]):
                yield "impossible", f"{short[0]} cannot be called from abroad, and nothing says so"
                break


def _answers(text: str) -> list[str]:
    return ["".join(found) for found in _ANSWER.findall(text)]


def _one_deadline(letter: Letter, text: str) -> Iterator[Flaw]:
    """One deadline has one day and one hour: every date and hour in ``text`` must be known."""
    first, language = letter.notices[0], letter.language
    hours = set(_CLOCK.findall(first.deadline_at)) | {first.clock}
    for clock in _CLOCK.findall(re.sub(r"https?://\S+", "", text)):
        if clock not in hours:
            yield "two-deadlines", f"{clock} is not an hour of its deadline"
            return
    if _is_loss(first) and first.deadline_at in text:
        for words in _wordings(first.deadline_on, language):
            if any(f"{words}{gap}23:59" in text for gap in (" ", ", ", "，", "")):
                yield "two-deadlines", "may happen from the day that it names as the last one"
                return


def _is_loss(notice: Notice) -> bool:
    return notice.deadline != DeadlineKind.PLAN_END


def _wordings(day: date, language: Language) -> tuple[str, ...]:
    return long_date(day, language), full_date(day, language), short_date(day, language)
