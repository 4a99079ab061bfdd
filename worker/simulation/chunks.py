"""A range of holders under one or two sets of rules: totals, and notices ready to be printed."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Engine

from worker.simulation.conditions import Conditions
from worker.simulation.follow import follow
from worker.simulation.household import HolderRange, load
from worker.simulation.notices import SimulatedNotice
from worker.simulation.period import Period
from worker.simulation.totals import Totals
from worker.store.engine import reading


@dataclass(frozen=True, slots=True)
class Task:
    """What to simulate. ``book``: an id, or ``None`` for all. ``listed``: are notices wanted, or
    their totals only?"""

    period: Period
    book: int | None
    listed: bool


@dataclass(slots=True)
class Side:
    """What one set of rules yields: ``notices`` as JSON texts, and those that the other set does
    not yield (``only`` stays empty where there is no other)."""

    totals: Totals = field(default_factory=Totals)
    notices: list[str] = field(default_factory=list)
    only: list[str] = field(default_factory=list)
    different: int = 0


def simulate(
    engine: Engine, variants: Sequence[Conditions], task: Task, span: HolderRange
) -> list[Side]:
    """Simulate the holders of ``span`` under each of ``variants``, in one reading transaction."""
    sides = [Side() for _ in variants]
    with reading(engine) as conn:
        for household in load(conn, span, task.book, task.period.begin):
            found = []
            for side, given in zip(sides, variants, strict=True):
                followed = follow(household, given, task.period)
                side.totals.cards += len(household.cards)
                side.totals.broken += followed.broken
                side.totals.add(followed.notices)
                found.append(followed.notices)
                if task.listed:
                    side.notices += map(_text, followed.notices)
            if len(found) == 2:
                _compare(sides, found, task.listed)
    return sides


def _compare(
    sides: Sequence[Side], found: Sequence[Sequence[SimulatedNotice]], listed: bool
) -> None:
    for side, own, other in zip(sides, found, reversed(found), strict=True):
        only = _without(own, other)
        side.different += len(only)
        if listed:
            side.only += map(_text, only)


def _without(
    own: Iterable[SimulatedNotice], other: Iterable[SimulatedNotice]
) -> list[SimulatedNotice]:
    there = Counter(notice.identity for notice in other)
    only = []
    for notice in own:
        if there[notice.identity]:
            there[notice.identity] -= 1
        else:
            only.append(notice)
    return only


def _text(notice: SimulatedNotice) -> str:
    return json.dumps(notice.as_json(), ensure_ascii=False)
