"""Reports on their way into the database: many requests at once, one transaction at a time."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from worker.core.reports import Report
from worker.errors import UnreachableError
from worker.pipeline.group_commit import GroupCommit
from worker.web.tally import Tally

# Reports in one transaction, and how many may wait for theirs.
_GROUP: Final = 200
_MOST_WAITING: Final = 20_000

# ``app.receipts.take``: stores and applies reports, and counts what became of them.
Take = Callable[[Sequence[Report], datetime], dict[str, int]]


class Intake:
    """Hands reports to ``take`` in a thread, those of many requests at once."""

    def __init__(self, take: Take, now: Callable[[], datetime], tally: Tally) -> None:
        self._take, self._now, self._tally = take, now, tally
        self._commits = GroupCommit[Sequence[Report], None](
            self._store_all, self._store, _GROUP, size=len
        )

    async def add(self, reports: Sequence[Report], seconds: float) -> None:
        """Return once ``reports`` are stored. Raises ``UnreachableError`` if the database is away,
        if too many wait, or if it takes longer than ``seconds``; they may be stored all the same.
        """
        for start in range(0, len(reports), _GROUP):
            await self._add(reports[start : start + _GROUP], seconds)

    async def _add(self, reports: Sequence[Report], seconds: float) -> None:
        if self._commits.waiting + len(reports) > _MOST_WAITING:
            raise UnreachableError("Too many reports wait to be stored.")
        try:
            async with asyncio.timeout(seconds):
                await self._commits.add(reports)
        except TimeoutError:
            raise UnreachableError("The database is slower than a provider waits.") from None

    async def _store_all(self, requests: Sequence[Sequence[Report]]) -> Sequence[None]:
        await self._store([report for reports in requests for report in reports])
        return [None] * len(requests)

    async def _store(self, reports: Sequence[Report]) -> None:
        counts = await asyncio.to_thread(self._take, reports, self._now())
        for what, count in counts.items():
            self._tally.add("reports_taken", what, count)
