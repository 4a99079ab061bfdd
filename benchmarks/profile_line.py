"""Where the time goes between a card that is due and its recorded send: a profile by stages.

`python -m benchmarks.profile_line [sqlite|postgresql] [CARDS]` sends that many notices through one
process and one thread, so that one profile sees all of it. A profiler makes Python's own code look
slower than the rest: read the shares, not the seconds.
"""

import asyncio
import contextlib
import cProfile
import os
import pstats
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.stage.providers import Providers
from benchmarks.throughput import load
from benchmarks.throughput.ours import settings
from benchmarks.throughput.servers import postgresql_for_many
from worker.core.cards import Channel
from worker.setup.app import App
from worker.setup.build import build_ready
from worker.store import cards as card_store
from worker.store.bulk import batched
from worker.store.engine import open_engine, writing
from worker.store.migrate import upgrade

_STAGES = {
    "check: load cards": ("store/cards.py", "lock"),
    "check: all": ("worker/pipeline/check.py", "run"),
    "prepare: claim and load": ("store/outbox.py", "claim"),
    "prepare: render": ("delivery/rendering.py", "render"),
    "prepare: all": ("delivery/dispatch.py", "_prepare"),
    "call: over the wire": ("providers/transport.py", "request"),
    "call: all, with the SDK": ("delivery/dispatch.py", "_measured"),
    "record: all": ("delivery/outcomes.py", "write"),
}


def main(database: str, cards: int) -> None:
    """Fill a database, warm up, profile, print."""
    with line(database, cards) as app, asyncio.Runner() as loop:
        once(app, cards // 4, loop)
        profile = cProfile.Profile(time.process_time)
        with in_one_thread():
            profile.enable()
            sent = once(app, cards, loop)
            profile.disable()
        loop.run(app.close())
    _tell(pstats.Stats(profile), sent)


@contextlib.contextmanager
def line(database: str, cards: int) -> Iterator[App]:
    """The app on a database of its own with ``cards`` due, and a quarter more to warm up with."""
    with tempfile.TemporaryDirectory() as name, Providers() as providers:
        folder = Path(name)
        sqlite = contextlib.nullcontext(f"sqlite:///{folder}/profile.db")
        with sqlite if database == "sqlite" else postgresql_for_many(folder) as url:
            engine = open_engine(url)
            upgrade(engine)
            load.fill(engine, cards * 2, cards + cards // 4)
            engine.dispose()
            os.environ.update(settings(url, "unix:///none", providers.url, 128, folder / "clock"))
            providers.reset(0.01)
            app = build_ready()
            yield app
            app.engine.dispose()


def once(app: App, cards: int, loop: asyncio.Runner) -> int:
    """Check ``cards`` that are due, and send what they owe; returns how many were sent."""
    with writing(app.engine) as conn:
        claimed = card_store.claim_due(conn, load.NOW, cards, timedelta(seconds=120))
    ids = [one.card for one in claimed]
    due: dict[Channel, list[int]] = defaultdict(list)
    for batch in batched(ids, app.settings.scheduler.check_batch):
        for channel, found in app.checks.run(batch, load.NOW).due.items():
            due[channel] += found

    async def send() -> int:
        runs = (app.delivery.run(channel, found, load.NOW) for channel, found in due.items())
        return sum(count.total() for count in await asyncio.gather(*runs))

    return loop.run(send())


@contextlib.contextmanager
def in_one_thread() -> Iterator[None]:
    """What goes to other threads is done here and now."""

    async def here(work: Callable[..., Any], *given: Any) -> Any:
        return work(*given)

    kept, asyncio.to_thread = asyncio.to_thread, here  # type: ignore[assignment]
    try:
        yield
    finally:
        asyncio.to_thread = kept


def _tell(stats: pstats.Stats, sent: int) -> None:
    total = stats.total_tt  # type: ignore[attr-defined]
    print(f"{sent} sent, {total / sent * 1e6:.0f} us each under the profiler\n")
    for stage, (file, function) in _STAGES.items():
        spent = sum(
            row[3]
            for (path, _, name), row in stats.stats.items()  # type: ignore[attr-defined]
            if name == function and file in path and "/worker/" in path
        )
        print(f"{stage:28} {spent / total:6.1%}")
    print()
    stats.sort_stats("tottime").print_stats(15)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "postgresql", int((sys.argv[2:] or ["4000"])[0]))
