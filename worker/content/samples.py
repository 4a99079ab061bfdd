"""Letters to try templates with and to preview them; nobody's data."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from worker.content.dates import deadline_words
from worker.content.letter import Letter, Notice, OperatorGuide
from worker.core.cards import Kind, Language
from worker.core.deadlines import DeadlineKind
from worker.core.wording import ALL_EVENTS

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
}
_TODAY: Final = date(2026, 6, 12)
_NAMES: Final = {
    Language.ZH_HANS: "王小明",
    Language.ZH_HANT: "陳怡君",
    Language.ES_PE: "Rosa Quispe",
    Language.EN: "Alex Smith",
}


def sample_notice(
    event: str,
    language: Language,
    *,
    operator: str = "Claro",
    tail: str = "5678",
    kind: Kind = Kind.DATA,
    plan: str | None = "Plan 30",
    days: int | None = None,
) -> Notice:
    """One notice of ``event``, as many ``days`` before its deadline as is usual for it."""
    left = SAMPLE_DAYS[event] if days is None else days
    day = _TODAY + timedelta(days=left)
    return Notice(
        event=event,
        operator=operator,
        tail=tail,
        kind=kind,
        plan=plan,
        deadline=DeadlineKind.LINE_LOSS if event.startswith("line_") else DeadlineKind.PLAN_END,
        deadline_on=day,
        deadline_at=deadline_words(day, "America/Lima", language),
        days=left,
    )


def sample_letter(event: str, language: Language, *, others: int = 0) -> Letter:
    """A letter about a card with ``event`` and ``others`` more cards with more time left."""
    kinds = tuple(Kind)
    more = (
        sample_notice(
            "plan_end_far",
            language,
            operator="Movistar",
            tail=f"{index:04}",
            kind=kinds[index % len(kinds)],
            days=SAMPLE_DAYS["plan_end_far"] + index,
        )
        for index in range(1, others + 1)
    )
    return Letter(
        language=language,
        signature="Vigencia",
        holder_name=_NAMES[language],
        notices=(sample_notice(event, language), *more),
        guides=(
            OperatorGuide("Claro", "123", "https://operator.example.com", date(2026, 1, 31)),
            OperatorGuide("Movistar"),
        ),
        unsubscribe="https://vigencia.example.com/stop",
    )


def sample_letters() -> Iterator[Letter]:
    """For every event and language letters rich and bare, so that no branch is spared."""
    for event in ALL_EVENTS:
        for language in Language:
            yield sample_letter(event, language, others=1)
            yield replace(
                sample_letter(event, language),
                notices=tuple(sample_notice(each, language) for each in (event, *ALL_EVENTS)),
            )
            last = 0 if event == "line_loss_tomorrow" else None
            bare = sample_notice(event, language, plan=None, kind=Kind.ESIM, days=last)
            yield Letter(language, "Vigencia", "", (bare,))
