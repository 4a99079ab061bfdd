"""Bars of days, stacked by what is lost: numbers for the drawing, which holds no text."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from worker.core.deadlines import GRAVITY
from worker.store.console.today import DayOfDeadlines

WIDTH, HEIGHT = 300.0, 100.0


@dataclass(frozen=True, slots=True)
class Part:
    """``cards`` that lose the same on one day, as a rectangle."""

    deadline: str
    cards: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class DayBar:
    """One day. ``parts`` stand on each other, the gravest loss at the bottom."""

    on: date
    cards: int
    x: float
    width: float
    parts: Sequence[Part]


def bars(found: Sequence[DayOfDeadlines], first: date, days: int) -> list[DayBar]:
    """A bar for each of ``days`` from ``first`` on; the tallest is as high as the drawing."""
    of_day: dict[date, dict[str, int]] = {}
    for one in found:
        of_day.setdefault(one.on_day, {})[one.deadline] = one.cards
    most = max((sum(parts.values()) for parts in of_day.values()), default=0) or 1
    room = WIDTH / days
    return [
        _bar(first + timedelta(days=n), n * room, room, of_day, HEIGHT / most) for n in range(days)
    ]


def _bar(
    on: date, x: float, room: float, of_day: dict[date, dict[str, int]], each: float
) -> DayBar:
    parts, top = [], HEIGHT
    found = of_day.get(on, {})
    for kind in GRAVITY:
        if number := found.get(kind, 0):
            height = number * each
            top -= height
            parts.append(Part(kind.value, number, round(top, 2), round(height, 2)))
    return DayBar(on, sum(found.values()), round(x + room * 0.1, 2), round(room * 0.8, 2), parts)
