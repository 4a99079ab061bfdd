"""Reports on their way into the database: many requests at once, one transaction at a time."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from worker.core.reports import Report
from worker.errors import UnreachableError
from worker.web.tally import Tally

# Reports in one transaction, and how many may wait for theirs.
_GROUP: Final = 200
_MOST_WAITING: Final = 20_000

# ``app.receipts.take``: stores and applies reports, and counts what became of them.
Take = Callable[[Sequence[Report], datetime], dict[str, int]]


@dataclass(frozen=True, slots=True)
class _Waiting:
    reports: Sequence[Report]
    done: asyncio.Future[None]


class Intake:
    """Hands reports to ``take`` in a thread. While one transaction runs, what arrives meanwhile
    gathers for the next: the busier, the larger the groups, up to a bound."""

    def __init__(self, take: Take, now: Callable[[], datetime], tally: Tally) -> None:
        self._take, self._now, self._tally = take, now, tally
        self._waiting: deque[_Waiting] = deque()
        self._count = 0
        self._runner: asyncio.Task[None] | None = None

    async def add(self, reports: Sequence[Report], seconds: float) -> None:
        """Return once ``reports`` are stored. Raises ``UnreachableError`` if the database is away,
        if too many wait, or if it takes longer than ``seconds``; they may be stored all the same.
        """
        for start in range(0, len(reports), _GROUP):
            await self._add(reports[start : start + _GROUP], seconds)

    async def _add(self, reports: Sequence[Report], seconds: float) -> None:
        if self._count + len(reports) > _MOST_WAITING:
            raise UnreachableError("Too many reports wait to be stored.")
        waiting = _Waiting(reports, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._count += len(reports)
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        try:
            async with asyncio.timeout(seconds):
                await waiting.done
        except TimeoutError:
            raise UnreachableError("The database is slower than a provider waits.") from None

    async def _run(self) -> None:
        while self._waiting:
            group = self._next()
            try:
                await self._store([report for one in group for report in one.reports])
            except UnreachableError as error:
                _end(group, error)
            except Exception:
                await self._one_by_one(group)
            else:
                _end(group)

    def _next(self) -> list[_Waiting]:
        group, size = [self._waiting.popleft()], 0
        while self._waiting and size + len(self._waiting[0].reports) <= _GROUP:
            group.append(self._waiting.popleft())
            size += len(group[-1].reports)
        self._count -= sum(len(one.reports) for one in group)
        return group

    async def _one_by_one(self, group: Sequence[_Waiting]) -> None:
        """A report that cannot be stored must not keep out those of other requests."""
        for one in group:
            try:
                await self._store(one.reports)
            except Exception as error:
                _end([one], error)
            else:
                _end([one])

    async def _store(self, reports: Sequence[Report]) -> None:
        counts = await asyncio.to_thread(self._take, reports, self._now())
        for what, count in counts.items():
            self._tally.add("reports_taken", what, count)


def _end(group: Sequence[_Waiting], error: Exception | None = None) -> None:
    for one in group:
        if one.done.done():  # its request has given up
            continue
        if error is None:
            one.done.set_result(None)
        else:
            one.done.set_exception(error)
