"""HTTP calls to the one who is told: a few at once, repeated a few times, to this machine only."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp
from yarl import URL

from worker.sandbox.webhooks import is_here

_PARALLEL_CALLS: Final = 32
_TIMEOUT_S: Final = 5.0
_LONGEST_PAUSE_S: Final = 4.0


@dataclass(frozen=True, slots=True)
class Post:
    """``items`` callbacks or events for ``url``, which has no fragment. ``sign`` is asked anew for
    each try; ``repeats`` tells by the answer's status (``None``: no answer) whether to try again.
    ``method``: GET for what is in the query alone.
    """

    url: str
    items: int
    body: bytes
    sign: Callable[[], Mapping[str, str]]
    tries: int
    repeats: Callable[[int | None], bool]
    method: str = "POST"


class Poster:
    """Makes the calls. Counts in ``counts`` what came of them: ``posts`` and ``retried`` in calls,
    the rest in items."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(_PARALLEL_CALLS)
        self._session: aiohttp.ClientSession | None = None

    def start(self, post: Post, pause: float) -> None:
        """Call in the background; ``pause`` (seconds) doubles with each try after the first."""
        if not is_here(post.url):
            self.counts["not_here"] += post.items
            return
        task = asyncio.get_running_loop().create_task(self._deliver(post, pause))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, post: Post, pause: float) -> None:
        counts = self.counts
        for left in range(post.tries - 1, -1, -1):
            async with self._slots:
                counts["posts"] += 1
                status, _ = await self.call(post.url, post.body, post.sign(), post.method)
            if status is not None and 200 <= status < 300:
                counts["acknowledged"] += post.items
                return
            if not left or not post.repeats(status):
                break
            counts["retried"] += 1
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)
        counts["given_up"] += post.items

    async def call(
        self, url: str, body: bytes, headers: Mapping[str, str], method: str = "POST"
    ) -> tuple[int | None, str]:
        """One call: the answer's status and text, or ``None`` and why there is no answer."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
            self._session = aiohttp.ClientSession(timeout=timeout)
        try:
            async with self._session.request(
                *(method, URL(url, encoded=True)),
                data=body or None,
                headers=headers,
                allow_redirects=False,
            ) as answer:
                return answer.status, await answer.text(errors="replace")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return None, type(error).__name__

    async def close(self) -> None:
        """Give up what is under way."""
        self.forget()
        if self._session is not None:
            await self._session.close()

    def forget(self) -> None:
        """Give up what is under way, and begin to count anew."""
        for task in self._tasks:
            task.cancel()
        self.counts = Counter()
