"""Outcomes on their way into the ledger: those of all batches of a process, in common groups.

A transaction for each outcome would cost more than the call; alone, a batch that shares the calls
with others ends too few at a time to make a group.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from worker.core.reminders import MessageState
from worker.errors import UnreachableError
from worker.pipeline.delivery.following import renamed
from worker.pipeline.delivery.stages import Ended
from worker.pipeline.group_commit import GroupCommit

log = structlog.get_logger(__name__)

# Enough to be cheap, few enough to lose little in a crash.
_GROUP = 100
# How long an outcome waits for others (seconds). A crash meanwhile makes it unknown, no more.
_LINGER = 0.025

# Writes a group; returns what became of each message, in order.
Write = Callable[[Sequence[Ended]], list[str]]


class Recorder:
    """Writes with ``write``, and for ``patience`` if the database is away: what others have settled
    meanwhile stays as it is, but that something was sent is never too late to be told."""

    def __init__(self, write: Write, patience: timedelta) -> None:
        self.write, self._patience = write, patience
        self._commits = GroupCommit[Ended, str](self._patiently, self._singly, _GROUP, _LINGER)

    async def record(self, ended: Ended) -> str:
        """The state of the message once the outcome is written. Raises ``UnreachableError``."""
        return await self._commits.add(ended)

    async def _singly(self, ended: Ended) -> str:
        """Write one outcome by itself: under a name of our own if the provider's is taken already,
        for what was taken must not be sent again. What cannot be written at all is unknown once
        its lease is over, and settled with the provider."""
        for one in (ended, renamed(ended)):
            if not one.was_taken and one is not ended:
                break
            try:
                [state] = await self._patiently([one])
            except UnreachableError:
                break
            except Exception:
                log.exception("alarm", cause="outcome_not_recorded", message=one.outgoing.id)
            else:
                return state
        return MessageState.UNKNOWN

    async def _patiently(self, group: Sequence[Ended]) -> list[str]:
        """What the provider took must not be forgotten because the database restarts."""
        give_up = time.monotonic() + self._patience.total_seconds()
        pause = 0.5
        while True:
            try:
                return await asyncio.to_thread(self.write, group)
            except UnreachableError:
                if time.monotonic() + pause > give_up:
                    raise
                log.warning("outcomes_wait_for_the_database", count=len(group))
                await asyncio.sleep(pause)
                pause = min(pause * 2, 8.0)
