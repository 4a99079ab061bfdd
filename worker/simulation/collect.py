"""Adds up what comes out of the processes, and writes the notices down meanwhile."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import IO, Any

from worker.core.prices import Prices
from worker.simulation.chunks import Side
from worker.simulation.document import Document
from worker.simulation.period import Period
from worker.simulation.totals import Totals


@dataclass(frozen=True, slots=True)
class Collected:
    """For each set of rules its totals, as they are told, and how many of its notices the other
    set does not yield."""

    totals: list[dict[str, Any]]
    different: list[int]


@dataclass(frozen=True, slots=True)
class Paper:
    """Where the document is written, and with how many notices at most."""

    out: IO[str]
    most: int | None


def collect(
    results: Iterable[Sequence[Side]],
    heads: Sequence[dict[str, Any]],
    period: Period,
    prices: Prices,
    paper: Paper | None,
) -> Collected:
    """Add everything up; on ``paper`` write it as one JSON document, each part as it comes."""
    sums, different = [Totals() for _ in heads], [0 for _ in heads]
    document: Document | None = None
    for sides in results:
        for index, side in enumerate(sides):
            sums[index].merge(side.totals)
            different[index] += side.different
        if paper:
            # Only now: whatever fails before the first part has the output for itself.
            document = document or Document(paper.out, heads, paper.most)
            document.add(sides)
    told = [one.as_json(period, prices) for one in sums]
    if paper:
        (document or Document(paper.out, heads, paper.most)).close(told)
    return Collected(told, different)
