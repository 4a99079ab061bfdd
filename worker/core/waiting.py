"""What a message that has not ended waits for, and until when: for people who ask where it is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from worker.core.breaker import PREFIX
from worker.core.caps import Cap
from worker.core.hours import Hours
from worker.core.pace import PACE
from worker.core.reminders import WAITING, MessageState

_CAPS: Final = {
    Cap.ROUTE: "the most that this number gets in a day",
    Cap.ADDRESS: "the most that one address gets in a day",
    Cap.BOOK: "the most that this book sends in a day",
    Cap.SPEND: "the most that this book spends in a day",
}


@dataclass(frozen=True, slots=True)
class WaitReason:
    """``why`` in words; ``until``: the next look at it, ``None`` where it is due now."""

    why: str
    until: datetime | None


def waits_for(
    state: MessageState,
    reason: str | None,
    again_at: datetime,
    now: datetime,
    hours: Hours,
    reader_zone: str,
) -> WaitReason | None:
    """Why a message is not sent at ``now``; ``None`` of one that has ended.

    ``again_at`` is the next look at it, ``reader_zone`` where its reader lives.
    """
    if state is MessageState.SENDING:
        return WaitReason("it is being sent", None)
    if state is MessageState.UNKNOWN:
        why = "whether it was sent is being found out"
        return WaitReason(why, again_at if again_at > now else None)
    if state not in WAITING:
        return None
    if again_at <= now:
        return WaitReason("due now", None)
    return WaitReason(_why(state, reason or "", again_at, now, hours, reader_zone), again_at)


def _why(
    state: MessageState, reason: str, again_at: datetime, now: datetime, hours: Hours, zone: str
) -> str:
    if state is MessageState.HELD:
        if reason.startswith(PREFIX):
            return f"held: the provider refuses or is away ({reason.removeprefix(PREFIX)})"
        return f"held: a fault of ours is to be mended ({reason.replace('_', ' ')})"
    if state is MessageState.RETRYABLE:
        return f"tried again after {reason or 'a fault'}"
    if reason in _CAPS:
        return _CAPS[Cap(reason)]
    if reason == "gathering":
        return "more for the same keeper, to go in one email"
    if reason == PACE:
        return "its turn in the sender's pace"
    # Nobody is woken: the next look is when the reader's hours open.
    if reason == "quiet_hours" or hours.next_open(now, zone) == again_at:
        return "quiet hours"
    return "its time"
