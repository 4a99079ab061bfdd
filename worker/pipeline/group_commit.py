"""Group commit: what comes while one transaction runs goes into the next one, all in common.

A transaction for each would cost more than what is written: the busier, the larger the groups, up
to a bound.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from worker.errors import UnreachableError

One = TypeVar("One")
Answer = TypeVar("Answer")


def _each(_: object) -> int:
    return 1


@dataclass(slots=True)
class GroupCommit(Generic[One, Answer]):
    """``write`` writes a group, and answers for each of it in order. Where it fails although the
    database is there, ``write_one`` is tried with each: one that is odd must not undo what the
    others are. ``most``: the ``size`` of a group; ``linger``: seconds that a smaller one waits for
    others. Lives in whichever loop uses it, and has no task while nothing waits."""

    write: Callable[[Sequence[One]], Awaitable[Sequence[Answer]]]
    write_one: Callable[[One], Awaitable[Answer]]
    most: int
    linger: float = 0.0
    size: Callable[[One], int] = _each
    waiting: int = 0
    _queue: deque[tuple[One, asyncio.Future[Answer]]] = field(default_factory=deque)
    _task: asyncio.Task[None] | None = None

    async def add(self, one: One) -> Answer:
        """The answer for ``one`` once it is written. Raises what its writing raised."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._queue.append((one, future))
        self.waiting += self.size(one)
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._queue:
            if self.linger and self.waiting < self.most:
                await asyncio.sleep(self.linger)
            group = self._next()
            try:
                answers = await self.write([one for one, _ in group])
            except UnreachableError as error:
                for _, future in group:
                    _fail(future, error)
            except Exception:
                for one, future in group:
                    await self._singly(one, future)
            else:
                for (_, future), answer in zip(group, answers, strict=True):
                    _answer(future, answer)

    def _next(self) -> list[tuple[One, asyncio.Future[Answer]]]:
        group = [self._queue.popleft()]
        size = self.size(group[0][0])
        while self._queue and size + self.size(self._queue[0][0]) <= self.most:
            group.append(self._queue.popleft())
            size += self.size(group[-1][0])
        self.waiting -= size
        return group

    async def _singly(self, one: One, future: asyncio.Future[Answer]) -> None:
        try:
            answer = await self.write_one(one)
        except Exception as error:
            _fail(future, error)
        else:
            _answer(future, answer)


# Who waited may have given up meanwhile.


def _answer(future: asyncio.Future[Answer], answer: Answer) -> None:
    if not future.done():
        future.set_result(answer)


def _fail(future: asyncio.Future[Answer], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
