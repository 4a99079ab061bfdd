"""The ladder of a card: its deadlines, and the notices before and after them, on one line of time.

Places are per cent of the line, so that the drawing is as wide as its page and its words keep their
size.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from worker.core.deadlines import Ladder
from worker.core.window_times import Span

_EDGE: Final = 3.0
# Labels nearer than this would stand on each other: the next one goes a row lower.
_APART: Final = 30.0
_ROWS: Final = 3
# What is known of a notice, from the one that matters most on.
_ORDER: Final = ("delivered", "sent", "pending", "missed", "suppressed", "superseded")


@dataclass(frozen=True, slots=True)
class LadderRung:
    """A deadline. ``row``: which row its words stand in; ``anchor``: which end of them is at
    ``x``."""

    deadline: str
    on: date
    x: float
    past: bool
    row: int
    anchor: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A notice: ``state`` of its reminder, or ``to_come``."""

    deadline: str
    window: str
    at: datetime
    x: float
    state: str


@dataclass(frozen=True, slots=True)
class LadderLine:
    """All of it, in order of time; ``now`` is where today is."""

    rungs: Sequence[LadderRung]
    marks: Sequence[Mark]
    now: float


def line(
    steps: Ladder, spans: Sequence[Span], reminders: Sequence[Mapping[str, Any]], now: datetime
) -> LadderLine:
    """The line of the deadlines ``steps``, their windows, and what became of the notices."""
    known = _states(reminders)
    marks = [
        (span, state)
        for span in spans
        if not span.window.closes and (state := _state(span, known, now)) is not None
    ]
    instants = [now, *(step.at for step in steps.values()), *(span.at for span, _ in marks)]
    first, last = min(instants), max(instants)
    whole = (last - first).total_seconds() or 1.0

    def place(at: datetime) -> float:
        return round(_EDGE + (100 - 2 * _EDGE) * ((at - first).total_seconds() / whole), 2)

    return LadderLine(
        tuple(_rungs(steps, place(now), {kind: place(one.at) for kind, one in steps.items()})),
        tuple(
            Mark(span.deadline.kind, span.window.name, span.at, place(span.at), state)
            for span, state in marks
        ),
        place(now),
    )


def _states(reminders: Sequence[Mapping[str, Any]]) -> dict[tuple[str, date, str], str]:
    """What became of the notices of a window, over whichever channel it went best."""
    best: dict[tuple[str, date, str], str] = {}
    for row in reminders:
        key = (row["deadline"], row["deadline_on"], row["window"])
        best[key] = min(best.get(key, row["state"]), row["state"], key=_rank)
    return best


def _rank(state: str) -> int:
    return _ORDER.index(state) if state in _ORDER else len(_ORDER)


def _state(span: Span, known: Mapping[tuple[str, date, str], str], now: datetime) -> str | None:
    """``None``: it was never owed, since the card came later."""
    found = known.get((span.deadline.kind, span.deadline.on, span.window.name))
    return found or ("to_come" if span.at > now else None)


def _rungs(steps: Ladder, now: float, places: Mapping[Any, float]) -> Iterator[LadderRung]:
    ends = [now, *([-100.0] * (_ROWS - 1))]  # the first row has the word for today
    for kind, step in sorted(steps.items(), key=lambda one: (one[1].at, one[0])):
        x = places[kind]
        row = next((n for n, end in enumerate(ends) if abs(x - end) >= _APART), _ROWS - 1)
        ends[row] = x
        anchor = "start" if x < 15 else "end" if x > 85 else "middle"
        yield LadderRung(kind.value, step.on, x, x < now, row, anchor)
