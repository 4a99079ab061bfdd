"""Places for calls: how many a process makes at a time, and how many of them on one channel."""

import asyncio

from worker.core.cards import Channel


class Slots:
    """``in_flight`` calls at a time, given in the order they are asked for; one channel gets three
    quarters of them at most, so that a slow provider never holds those of the other."""

    def __init__(self, in_flight: int) -> None:
        self._all = asyncio.Semaphore(in_flight)
        share = max(1, in_flight - max(1, in_flight // 4))
        self._own = {channel: asyncio.Semaphore(share) for channel in Channel}

    async def take(self, channel: Channel, seconds: float) -> bool:
        """Wait for a place on ``channel`` up to ``seconds``; whether there was one. With no time
        left there is none, however many are free."""
        if seconds <= 0:
            return False
        own = self._own[channel]
        if not own.locked() and not self._all.locked():  # nearly free of charge, and usual
            return await own.acquire() and await self._all.acquire()
        try:
            async with asyncio.timeout(seconds):
                await own.acquire()
                try:
                    return await self._all.acquire()
                except BaseException:
                    own.release()
                    raise
        except TimeoutError:
            return False

    def give(self, channel: Channel) -> None:
        """Give a place back."""
        self._all.release()
        self._own[channel].release()
