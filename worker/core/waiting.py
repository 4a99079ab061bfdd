"""What a message that has not ended waits for, and until when: for people who ask where it is."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from worker.core.caps import Cap
from worker.core.hours import Hours
from worker.core.reminders import WAITING, MessageState, Obstacle
from worker.core.retry import Next

_CAPS: Final = {
    Cap.ROUTE: "the most that this number gets in a day",
    Cap.ADDRESS: "the most that one address gets in a day",
    Cap.BOOK: "the most that this book sends in a day",
    Cap.SPEND: "the most that this book spends in a day",
}


@dataclass(frozen=True, slots=True)
class WaitReason:
    """``why`` in words; ``until``: the next look at it, ``None`` where it is due now; ``obstacle``:
    what keeps it, where it is more than its time."""

    why: str
    until: datetime | None
    obstacle: Obstacle | None = None


def put_last(row: Mapping[str, Any]) -> Next:
    """A message as it was put last, out of its row."""
    obstacle = row["obstacle"]
    return Next(
        MessageState(row["state"]),
        row["next_attempt_at"],
        row["reason"],
        Obstacle(obstacle) if obstacle else None,
        row["fault"],
    )


def waits_for(message: Next, now: datetime, hours: Hours, reader_zone: str) -> WaitReason | None:
    """Why a ``message`` that is as it was put last is not sent at ``now``; ``None`` of one that has
    ended. ``reader_zone``: where its reader lives."""
    state, again_at = message.state, message.at
    if state is MessageState.SENDING:
        return WaitReason("it is being sent", None)
    soon = again_at is None or again_at <= now
    if state is MessageState.UNKNOWN:
        return WaitReason("whether it was sent is being found out", None if soon else again_at)
    if state not in WAITING:
        return None
    if soon:
        return WaitReason("due now", None)
    # Nobody is woken: the next look is when the reader's hours open.
    if message.obstacle is None and hours.next_open(now, reader_zone) == again_at:
        message = replace(message, obstacle=Obstacle.HOURS)
    return WaitReason(_why(message), again_at, message.obstacle)


def _why(message: Next) -> str:
    reason = message.reason or ""
    if message.state is MessageState.RETRYABLE:
        return f"tried again after {reason or 'a fault'}"
    if message.state is MessageState.HELD:
        if message.obstacle is Obstacle.BREAKER:
            return f"held: the provider refuses or is away ({message.fault})"
        return f"held: a fault of ours is to be mended ({reason.replace('_', ' ')})"
    match message.obstacle:
        case Obstacle.PACE:
            return "its turn in the sender's pace"
        case Obstacle.CAP:
            return _CAPS[Cap(reason)]
        case Obstacle.HOURS:
            return "quiet hours"
        case Obstacle.GATHERING:
            return "more for the same keeper, to go in one email"
    return "its time"
