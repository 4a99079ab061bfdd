"""After the storm: wait until everything that was begun has come to its end."""

import time
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import func, or_, select

from benchmarks.storm.life import StormLife
from benchmarks.storm.stage import StormStage
from worker.core.cards import Channel
from worker.core.reminders import WAITING, MessageState
from worker.errors import UnreachableError
from worker.store.engine import reading
from worker.store.tables import cards, messages

# On a machine of the usual pace.
_CALM_SECONDS = 180.0
_POLL_SECONDS = 0.25
# Nothing to do at this many looks in a row: the last hints have been worked off.
_QUIET_LOOKS = 8


def settle(
    on: StormStage, life: StormLife, pace: float, progress: Callable[[str, float], None]
) -> bool:
    """Let the processes work undisturbed until nothing is due; ``False`` if that took longer than
    180 seconds, on a machine of the usual ``pace``."""
    began = time.monotonic()
    longest = _CALM_SECONDS * pace
    quiet = 0
    while quiet < _QUIET_LOOKS:
        passed = time.monotonic() - began
        if passed > longest:
            return False
        life.observe()
        progress("calm", passed / longest)
        time.sleep(_POLL_SECONDS)
        quiet = quiet + 1 if _open(on, on.clock.now()) == 0 else 0
    return True


def _open(on: StormStage, now: datetime) -> int:
    """How many cards wait for a check (or are in one), and messages for their end, at ``now``."""
    unknown = messages.c.state == MessageState.UNKNOWN
    unsent = or_(
        messages.c.state == MessageState.SENDING,
        # Of an SMS the provider can be asked; an email without a report waits for days.
        unknown
        & or_(
            messages.c.channel == Channel.SMS,
            messages.c.wake_at <= now,
            messages.c.useful_until <= now,
        ),
        messages.c.state.in_(WAITING) & (messages.c.next_attempt_at <= now),
    )
    try:
        with reading(on.app.engine) as conn:
            unchecked = conn.execute(
                select(func.count()).where(
                    or_(
                        cards.c.next_check_at <= now,
                        cards.c.check_since.is_not(None),
                        cards.c.check_asked_at.is_not(None),
                    )
                )
            ).scalar()
            unended = conn.execute(
                select(func.count()).select_from(messages).where(unsent)
            ).scalar()
    except UnreachableError:
        return 1
    return int(unchecked or 0) + int(unended or 0)
