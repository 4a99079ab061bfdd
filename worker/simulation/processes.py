"""The whole table: small ones in this process, large ones in several, always in order."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from sqlalchemy import Engine

from worker.core.cards import Channel, Holder
from worker.core.prices import Prices
from worker.core.rules import Rules
from worker.errors import UnreachableError
from worker.setup.load_texts import texts
from worker.simulation.chunks import Side, Task, simulate
from worker.simulation.conditions import Conditions
from worker.simulation.household import HolderRange
from worker.store.engine import open_engine

# Cards in one piece of work: a second or less, and a few megabytes.
CHUNK = 2_000
# Fewer cards than this are done before another process has started.
_ALONE = 20_000
_MOST_PROCESSES = 4


@dataclass(frozen=True, slots=True)
class ProcessInput:
    """All that a process needs to make the same ``Conditions`` as every other one, one for each
    of ``rules``. ``url`` may hold a password."""

    url: str
    templates: Path
    rules: tuple[Rules, ...]
    prices: Prices
    channels: frozenset[Channel]
    guardians: Mapping[int, Holder]
    task: Task

    def conditions(self) -> list[Conditions]:
        """The texts are compiled here. Raises ``ConfigError`` if one is wrong."""
        content = texts(self.templates)
        return [
            Conditions(rules, content, self.prices, self.channels, self.guardians)
            for rules in self.rules
        ]


@dataclass(slots=True)
class _Here:
    engine: Engine
    variants: list[Conditions]
    task: Task


_here: _Here | None = None


def run(
    plan: ProcessInput, spans: Sequence[HolderRange]
) -> Iterator[tuple[HolderRange, list[Side]]]:
    """Simulate ``spans``; results come in their order, and few of them wait in memory.

    Raises ``ConfigError`` for a wrong text, ``UnreachableError`` for a database that goes away or
    a process that is killed.
    """
    variants = plan.conditions()  # first of all here, where a wrong text can be told
    processes = min(_cores(), _MOST_PROCESSES)
    if processes == 1 or sum(span.cards for span in spans) < _ALONE:
        engine = open_engine(plan.url)
        try:
            for span in spans:
                yield span, simulate(engine, variants, plan.task, span)
        finally:
            engine.dispose()
        return
    # Not forked: a child must not inherit connections.
    with ProcessPoolExecutor(processes, get_context("spawn"), _begin, (plan,)) as pool:
        try:
            yield from _in_order(pool, spans, ahead=2 * processes)
        except BrokenProcessPool:
            raise UnreachableError(
                "A process of the simulation was killed.", "Is there enough memory? Try again."
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _cores() -> int:
    """Those this process may use; not every system tells."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_order(
    pool: ProcessPoolExecutor, spans: Iterable[HolderRange], ahead: int
) -> Iterator[tuple[HolderRange, list[Side]]]:
    rest = iter(spans)
    begun: deque[tuple[HolderRange, Future[list[Side]]]] = deque(
        (span, pool.submit(_work, span)) for span in islice(rest, ahead)
    )
    while begun:
        span, future = begun.popleft()
        yield span, future.result()
        begun.extend((span, pool.submit(_work, span)) for span in islice(rest, 1))


def _begin(plan: ProcessInput) -> None:
    global _here  # a pool's process has no other place to keep what it is given
    _here = _Here(open_engine(plan.url, pool_size=1), plan.conditions(), plan.task)


def _work(span: HolderRange) -> list[Side]:
    assert _here is not None  # noqa: S101 - the pool calls _begin before any work
    return simulate(_here.engine, _here.variants, _here.task, span)
