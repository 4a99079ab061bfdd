"""The letters that are tried: every kind, operator, length and boundary of days."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle, product
from typing import Final

from worker.content.events import TRAVEL_EVENTS
from worker.content.letter import Letter, Notice
from worker.content.samples import (
    bare,
    rich_letter,
    sample_letter,
    sample_notice,
    travel_letter,
)
from worker.core.cards import Kind, Language
from worker.core.naming import NAMED
from worker.core.routes import NO_ROOM
from worker.core.wording import ALL_EVENTS, EVENTS, GUARDIAN_EVENT, PAST

_MANY: Final = 99
_FURTHEST: Final = 365


def days_of(event: str) -> tuple[int, ...]:
    """The fewest and the most days left that ``event`` has to word."""
    for steps in EVENTS.values():
        upper = _FURTHEST
        for least, name in steps:
            if name == event:
                return tuple(dict.fromkeys((least, upper)))
            upper = least - 1
    if event in PAST.values():
        return (-1, -30)
    return (-1, 0, 1) if event == GUARDIAN_EVENT else (-1, 0)


def sms_cases(
    event: str, language: Language, operators: Sequence[str], link: str
) -> Iterator[Letter]:
    """Every kind and operator, alone and with as many cards as one SMS names; for readers in Peru
    and abroad, with each way out: an answer, a link where there is room for one, or neither."""
    kinds = cycle(Kind)
    for days, operator, abroad in product(days_of(event), operators, (False, True)):
        kind = next(kinds)
        notice = sample_notice(
            event, language, operator=operator, kind=kind, days=days, abroad=abroad
        )
        for one, named in product((notice, bare(notice)), (1, NAMED)):
            letter = replace(_letter(one, language, named), abroad=abroad)
            yield letter
            yield replace(letter, replies=False)
            if language not in NO_ROOM:
                yield replace(letter, replies=False, way_out=link)
    if event in TRAVEL_EVENTS:
        yield travel_letter(event, language)


def mail_cases(event: str, language: Language, operators: Sequence[str]) -> Iterator[Letter]:
    """Fewer, for an email takes longer: kinds and operators in turn, and the long ones once."""
    kinds = cycle(Kind)
    least, *further = days_of(event)
    for days, operator in [*product([least], operators), *product(further, operators[-1:])]:
        notice = sample_notice(event, language, operator=operator, kind=next(kinds), days=days)
        yield replace(_letter(notice, language, 1), unsubscribe=None)
    away = sample_notice(event, language, days=least, abroad=True)
    yield replace(_letter(away, language, 1), abroad=True)
    yield _letter(bare(notice), language, 2)
    yield _letter(notice, language, 1 + _MANY)
    yield rich_letter(event, language, tuple(e for e in ALL_EVENTS if e != GUARDIAN_EVENT))
    if event in TRAVEL_EVENTS:
        yield travel_letter(event, language)


def _letter(notice: Notice, language: Language, cards: int) -> Letter:
    letter = sample_letter(notice.event, language)
    notices = tuple(replace(notice, tail=f"{int(notice.tail) + n:04}") for n in range(cards))
    return replace(letter, notices=notices, others=cards - 1)
