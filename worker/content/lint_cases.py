"""The letters that are tried: every kind, operator, length and boundary of days."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle, product
from typing import Final

from worker.content.letter import Letter, Notice
from worker.content.samples import bare, rich_letter, sample_letter, sample_notice
from worker.core.cards import Kind, Language
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
    """Every kind and operator alone and with one more card, and every operator with 99 more; and
    with a link, which goes with the languages that have room for it."""
    kinds = cycle(Kind)
    for days, operator in product(days_of(event), operators):
        for kind in Kind:
            notice = sample_notice(event, language, operator=operator, kind=kind, days=days)
            for one, others in product((notice, bare(notice)), (0, 1)):
                yield _letter(one, language, others)
        many = sample_notice(event, language, operator=operator, kind=next(kinds), days=days)
        yield _letter(many, language, _MANY)
        for one, others in product((many, bare(many)), (0, 1, _MANY)):
            if language not in NO_ROOM:
                yield replace(_letter(one, language, others), way_out=link)


def mail_cases(event: str, language: Language, operators: Sequence[str]) -> Iterator[Letter]:
    """Fewer, for an email takes longer: kinds and operators in turn, and the long ones once."""
    kinds = cycle(Kind)
    least, *further = days_of(event)
    for days, operator in [*product([least], operators), *product(further, operators[-1:])]:
        notice = sample_notice(event, language, operator=operator, kind=next(kinds), days=days)
        yield replace(_letter(notice, language, 0), unsubscribe=None)
    yield _letter(bare(notice), language, 1)
    yield _letter(notice, language, _MANY)
    yield rich_letter(event, language, tuple(e for e in ALL_EVENTS if e != GUARDIAN_EVENT))


def _letter(notice: Notice, language: Language, others: int) -> Letter:
    letter = sample_letter(notice.event, language)
    return replace(letter, notices=(notice,) * (others + 1))
