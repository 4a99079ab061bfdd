"""Fast-forward: from one instant of change to the next, through the real scheduler and workers."""

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, or_, select

from worker.core.reminders import WAITING, MessageState
from worker.demo.incidents import incidents
from worker.demo.stage import Stage
from worker.processes.scheduler import tick
from worker.store.engine import reading
from worker.store.tables import cards, messages
from worker.store.views import next_look

# Instants closer than this are played as one step: the demo shows days, not seconds.
_STEP = timedelta(minutes=10)


def play(
    stage: Stage, start: datetime, end: datetime, progress: Callable[[datetime], None]
) -> datetime:
    """Play from ``start`` to ``end``, and on until every message that was begun has ended.

    Calls ``progress`` with each new time; returns the last.
    """
    now = start
    coming = deque(incidents(stage.app, start))
    while True:
        stage.set_time(now)
        progress(now)
        while coming and coming[0].at <= now:
            coming.popleft().happen(now)
        if tick(stage.app, now, stage.hints):
            now = _settle(stage, now)
        following = _next(stage, now, end, coming[0].at if coming else None)
        if following is None:
            return now
        now = following


def _next(stage: Stage, now: datetime, end: datetime, incident: datetime | None) -> datetime | None:
    """The next instant to play, rounded up to a step; ``None`` when the play is over."""
    with reading(stage.app.engine) as conn:
        following = next_look(conn)
        open_messages = conn.execute(
            select(func.count()).where(messages.c.wake_at.is_not(None))
        ).scalar()
    if incident is not None and incident < end:
        following = min(following or incident, incident)
    if following is None or (following > end and not open_messages):
        return None
    late = max(following, now) - datetime(2000, 1, 1, tzinfo=UTC)
    return datetime(2000, 1, 1, tzinfo=UTC) + -(-late // _STEP) * _STEP


def _settle(stage: Stage, now: datetime) -> datetime:
    """Wait until the workers have done all that is due at ``now``; returns the time then.

    If nothing moves any more (a killed queue server took the hints with it), time goes on until
    the sweep repeats them, exactly as it would in real life.
    """
    lease = timedelta(seconds=stage.app.settings.scheduler.check_lease_seconds)
    stage.patience.begin()
    while (left := _left(stage, now, lease)) > 0:
        if stage.patience.must_repeat(left):
            now += lease
            stage.set_time(now)
            tick(stage.app, now, stage.hints)
    return now


def _left(stage: Stage, now: datetime, lease: timedelta) -> int:
    """How many cards are claimed and unchecked, and messages hinted and unsent."""
    waiting = (*WAITING, MessageState.UNKNOWN)
    claimed = select(func.count()).where(
        or_(cards.c.next_check_at <= now + lease, cards.c.check_asked_at.is_not(None))
    )
    unsent = select(func.count()).where(
        messages.c.wake_at > now,  # the rest is for the next tick to find
        or_(
            messages.c.state == MessageState.SENDING,
            messages.c.state.in_(waiting) & (messages.c.next_attempt_at <= now),
        ),
    )
    both = select(claimed.scalar_subquery() + unsent.scalar_subquery())
    with reading(stage.app.engine) as conn:
        return int(conn.execute(both).scalar_one())
