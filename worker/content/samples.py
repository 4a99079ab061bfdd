"""Letters to try templates with and to preview them; nobody's data."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from worker.content.dates import deadline_words
from worker.content.events import ANSWERABLE, QUESTIONS, TRAVEL_EVENTS
from worker.content.languages import SPEECH
from worker.content.letter import Letter, Notice, OperatorGuide
from worker.core.cards import Kind, Language
from worker.core.deadlines import DeadlineKind
from worker.core.wording import ALL_EVENTS, GUARDIAN_EVENT, LIFE_EVENTS, kind_of

SAMPLE_DAYS: Final = {
    "plan_end_far": 30,
    "plan_end_near": 7,
    "plan_end_tomorrow": 1,
    "plan_end_today": 0,
    "plan_ended": -3,
    "line_loss_far": 60,
    "line_loss_near": 15,
    "line_loss_tomorrow": 1,
    "line_lost": -1,
    "outgoing_block_near": 3,
    "outgoing_block_past": -1,
    "balance_loss_near": 7,
    "balance_loss_past": -1,
    "reassignment_near": 15,
    "reassignment_past": -1,
    **dict.fromkeys(LIFE_EVENTS, 0),
    GUARDIAN_EVENT: 1,
}
REASONS: Final = ("no_address", "suppressed", "silent", "last_day")
TODAY: Final = date(2026, 6, 12)
_SITE: Final = "https://vigencia.example.com"
# The plan's end in days from the sample's today, where an event speaks of it.
_ENDS: Final = {
    "renewal_recorded": 30,
    "renewal_not_effective": 2,
    "renewal_failed": 2,
    "low_balance": 8,
    "low_data": 8,
    "suspended": -3,
}
# Events after which the line can still be lost, on a day that is known.
_ON_THE_WAY: Final = frozenset({"plan_ended", "suspended", "outgoing_block_past"})


def sample_notice(
    event: str,
    language: Language,
    *,
    operator: str = "Claro",
    tail: str = "5678",
    kind: Kind = Kind.DATA,
    plan: str | None = "Plan 30",
    days: int | None = None,
    abroad: bool = False,
) -> Notice:
    """One notice of ``event``, as many ``days`` before its deadline as is usual for it. ``abroad``:
    its reader is in Beijing, where the card's day ends at 12:59 of the next one."""
    left = SAMPLE_DAYS[event] if days is None else days
    day = TODAY + timedelta(days=left)
    ends = _ENDS.get(event)
    guardian = event == GUARDIAN_EVENT
    life = event in LIFE_EVENTS
    clock = None
    if abroad and not life:
        clock = "12:59" if event.startswith("plan_") else "13:00"
    last = day if event.startswith("plan_") and not abroad else day - timedelta(days=1)
    minute = datetime.combine(last, time(23, 59), ZoneInfo("America/Lima"))
    return Notice(
        event=event,
        operator=operator,
        tail=tail,
        kind=kind,
        plan=plan,
        deadline=_deadline(event),
        deadline_on=day,
        deadline_at=deadline_words(
            minute, "America/Lima", language, "Asia/Shanghai" if abroad else "America/Lima"
        ),
        days=left,
        clock=clock,
        card_on=(day - timedelta(days=event.startswith("plan_"))) if clock else None,
        ends_on=None if ends is None else TODAY + timedelta(days=ends),
        balance="S/ 2.00" if event in ("low_balance", "balance_loss_near") else None,
        balance_on=TODAY + timedelta(days=200) if event == "low_balance" else None,
        line_on=TODAY + timedelta(days=240) if event in _ON_THE_WAY else None,
        reassign_on=day + timedelta(days=90) if event.startswith("line_") else None,
        in_service=event not in ("suspended", "line_lost", "recycled"),
        receipt_ref="R-20260612" if event.startswith("renewal_") else None,
        reported_on=TODAY - timedelta(days=1) if event == "renewal_not_effective" else None,
        holder=SPEECH[language].sample_name if guardian else None,
        why=REASONS[0] if guardian else None,
        renewed_link=f"{_SITE}/renewed" if event in ANSWERABLE else None,
        tomorrow_link=f"{_SITE}/tomorrow" if event in ANSWERABLE else None,
        works_link=f"{_SITE}/works" if event in QUESTIONS else None,
        fails_link=f"{_SITE}/fails" if event in QUESTIONS else None,
    )


def bare(notice: Notice) -> Notice:
    """The same without all that may be unknown."""
    known = replace(notice, plan=None, ends_on=None, balance=None, receipt_ref=None)
    days = replace(known, balance_on=None, line_on=None, reassign_on=None)
    linked = replace(days, renewed_link=None, tomorrow_link=None)
    return replace(linked, works_link=None, fails_link=None)


def _deadline(event: str) -> str:
    if event in LIFE_EVENTS:
        return event
    return DeadlineKind.LINE_LOSS if event == GUARDIAN_EVENT else kind_of(event)


def sample_letter(event: str, language: Language, *, others: int = 0) -> Letter:
    """A letter about a card with ``event`` and ``others`` more cards with more time left."""
    kinds = tuple(Kind)
    further = GUARDIAN_EVENT if event == GUARDIAN_EVENT else "plan_end_far"
    more = (
        sample_notice(
            further,
            language,
            operator="Movistar",
            tail=f"{index:04}",
            kind=kinds[index % len(kinds)],
            days=SAMPLE_DAYS[further] + index,
        )
        for index in range(1, others + 1)
    )
    if further == GUARDIAN_EVENT:
        more = (replace(n, why=REASONS[i % len(REASONS)]) for i, n in enumerate(more, 1))
    return Letter(
        language=language,
        signature="Vigencia",
        holder_name=SPEECH[language].sample_name,
        notices=(sample_notice(event, language), *more),
        guides=(
            OperatorGuide(
                "Claro",
                "123",
                "https://operator.example.com",
                date(2026, 1, 31),
                phone="+51 1 555 0100",
                topup="https://operator.example.com/topup",
            ),
            OperatorGuide("Movistar"),
        ),
        unsubscribe=f"{_SITE}/stop",
        others=others,
    )


def travel_letter(event: str, language: Language) -> Letter:
    """A letter of ``event`` about an eSIM for travellers, to a reader abroad."""
    notice = bare(sample_notice(event, language, operator="eSIM", kind=Kind.ESIM, abroad=True))
    guides = (OperatorGuide("eSIM", travel=True),)
    return Letter(
        language,
        "Vigencia",
        SPEECH[language].sample_name,
        (replace(notice, travel=True),),
        guides,
        abroad=True,
    )


def sample_letters() -> Iterator[Letter]:
    """For every event and language letters rich and bare, so that no branch is spared; what cards
    of all events show together stands in the shared layout, and is tried once a language."""
    events = tuple(event for event in ALL_EVENTS if event != GUARDIAN_EVENT)
    for event in ALL_EVENTS:
        for language in Language:
            yield sample_letter(event, language, others=1)
            if event in TRAVEL_EVENTS:
                yield travel_letter(event, language)
            if event in (events[0], GUARDIAN_EVENT):
                yield rich_letter(event, language, events)
            last = 0 if event == "line_loss_tomorrow" else None
            poor = bare(sample_notice(event, language, kind=Kind.ESIM, days=last))
            yield Letter(language, "Vigencia", "", (poor,))


def rich_letter(event: str, language: Language, further: tuple[str, ...]) -> Letter:
    """A letter of ``event`` with a card of each of the ``further`` events, and all that packs can
    tell; one to the keeper of a card book has a card for each reason."""
    if event == GUARDIAN_EVENT:
        notices = tuple(replace(sample_notice(event, language), why=why) for why in REASONS)
    else:
        notices = tuple(sample_notice(each, language) for each in (event, *further))
    letter = sample_letter(event, language)
    guide = replace(letter.guides[0], app="App", online=("A", "B"), in_person=("C",), abroad=("D",))
    return replace(letter, notices=notices, guides=(guide,))
