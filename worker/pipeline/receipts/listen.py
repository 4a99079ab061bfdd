"""Use case: read the provider's list of what people wrote to us, for what could not be brought."""

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine

from worker.pipeline.consent import Consent
from worker.providers.base import Hearing, Written
from worker.store import inbound
from worker.store.engine import reading, writing

# Looks overlap: a provider's list may show a message late. What is read twice counts once.
_OVERLAP: Final = timedelta(hours=1)
# How far back the first look goes, and one after a long silence.
_FURTHEST: Final = timedelta(days=7)
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Listening:
    """Takes what came in while nobody listened; ``lists``: the providers that can be asked, by
    name; ``every``: the pause between two looks."""

    engine: Engine
    lists: Mapping[str, Hearing]
    consent: Consent
    every: timedelta

    def is_time(self, now: datetime) -> bool:
        """Was the last look ``every`` ago, or never? Raises ``UnreachableError``."""
        last = self._last()
        return last is None or not last <= now < last + self.every

    async def run(self, now: datetime) -> Counter[str] | None:
        """Look: what each message meant, counted (``seen``: it had been brought); ``None`` if a
        provider cannot tell now, after what the others tell was taken. Raises
        ``UnreachableError``."""
        if not self.lists:
            return None
        last, furthest = await asyncio.to_thread(self._last), now - _FURTHEST
        since = furthest if last is None else max(furthest, min(last, now) - _OVERLAP)
        counts: Counter[str] = Counter()
        all_told = True
        for name, provider in self.lists.items():
            found = await provider.written_to_us(since)
            all_told = all_told and found is not None
            counts += await asyncio.to_thread(self._take, name, found or (), now)
        if not all_told:
            return None
        await asyncio.to_thread(self._looked, now)
        return counts

    def _last(self) -> datetime | None:
        with reading(self.engine) as conn:
            return inbound.last_look(conn)

    def _take(self, provider: str, found: Sequence[Written], now: datetime) -> Counter[str]:
        counts: Counter[str] = Counter()
        for one in found:
            if _NUMBER.fullmatch(one.sender):
                word = self.consent.inbound(
                    *(one.sender, one.text, now),
                    brought=(provider, one.provider_id),
                    said_at=one.written_at,
                )
                counts[word] += 1
        return counts

    def _looked(self, now: datetime) -> None:
        with writing(self.engine) as conn:
            inbound.looked(conn, now)
