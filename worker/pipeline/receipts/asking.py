"""Questions to a provider, a few at once: its list is asked for what went wrong, not for all."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

One = TypeVar("One")
Answer = TypeVar("Answer")

_IN_PARALLEL = 8


async def ask_all(ask: Callable[[One], Awaitable[Answer]], ones: Iterable[One]) -> list[Answer]:
    """What ``ask`` says of each of ``ones``, in their order."""
    slots = asyncio.Semaphore(_IN_PARALLEL)

    async def in_turn(one: One) -> Answer:
        async with slots:
            return await ask(one)

    return await asyncio.gather(*(in_turn(one) for one in ones))
