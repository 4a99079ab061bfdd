"""Use case: ask about texts that were sent and of which nothing more was heard."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine

from worker.pipeline.receipts.apply import Receipts
from worker.pipeline.receipts.asking import ask_all
from worker.pipeline.receipts.seen import as_report
from worker.providers.base import Searchable, Sighting
from worker.store import attempts as attempt_store
from worker.store import message_states
from worker.store.attempts import Unconfirmed
from worker.store.engine import reading, writing

# A handset that did not confirm by then will not: carriers give up after three days.
_UNTIL = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Fetching:
    """Fetches what became of sent messages; ``lists``: the providers that can be asked, by name."""

    engine: Engine
    lists: Mapping[str, Searchable]
    receipts: Receipts

    async def run(self, ids: Sequence[int], now: datetime) -> Counter[str]:
        """Ask about those of ``ids`` that are still only sent, and apply the answers like
        receipts. Returns how many were ``fetched``, and what became of the answers.

        Each is asked about after pauses that double, and no more after three days: it stays
        ``sent``, since a receipt that never comes proves nothing.
        """
        waiting = await asyncio.to_thread(self._waiting, ids)
        seen = await ask_all(self._ask, waiting)
        reports = [
            as_report(sighting, one.provider, one.attempt, now)
            for one, sighting in zip(waiting, seen, strict=True)
            if sighting is not None
        ]
        counts = await asyncio.to_thread(self.receipts.take, reports, now)
        await asyncio.to_thread(self._look_again, waiting, now)
        return Counter(fetched=len(waiting)) + counts

    async def _ask(self, one: Unconfirmed) -> Sighting | None:
        asked = self.lists.get(one.provider)
        return await asked.fetch(one.provider_id) if asked else None

    def _waiting(self, ids: Sequence[int]) -> list[Unconfirmed]:
        with reading(self.engine) as conn:
            return attempt_store.unconfirmed(conn, ids)

    def _look_again(self, asked: Sequence[Unconfirmed], now: datetime) -> None:
        with writing(self.engine) as conn:
            for one in sorted(asked, key=lambda one: one.message_id):
                age = now - one.sent_at
                following = one.sent_at + min(2 * age, _UNTIL) if age < _UNTIL else None
                message_states.look_again(conn, one.message_id, one.provider_id, following)
