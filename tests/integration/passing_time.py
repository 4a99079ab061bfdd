"""Hours and days pass, with every look the scheduler would take on the way."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import func, select

from tests.integration.helpers import World
from worker.core.cards import Channel
from worker.store.engine import reading
from worker.store.tables import messages

# No notice needs more looks than this in the time that it is useful.
_LOOKS = 2_000

Send = Callable[[datetime, Channel, list[int]], object]


def next_look(world: World) -> datetime | None:
    """When something wants to be looked at next."""
    with reading(world.engine) as conn:
        found: datetime | None = conn.execute(select(func.min(messages.c.wake_at))).scalar()
    return found


def pass_time(world: World, start: datetime, end: datetime, send: Send | None = None) -> int:
    """Let all be done that is due from ``start`` to ``end``, each thing at its time; returns how
    many looks that took. ``send``: how (default: through the sandbox)."""
    now, looks = start, 0
    while looks < _LOOKS:
        due = next_look(world)
        if due is None or max(due, now) >= end:
            return looks
        now = max(due, now)
        woken = world.wake(now)
        for channel, ids in woken.send.items():
            if send is None:
                world.send(now, channel, ids=ids)
            else:
                send(now, channel, ids)
        if woken.reconcile:
            world.reconcile(now, ids=woken.reconcile)
        looks += 1
    raise AssertionError("it never came to rest")
