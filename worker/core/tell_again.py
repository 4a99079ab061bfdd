"""One more reminder of a deadline of a card, because its keeper wants its holder told again."""

import re
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final

from worker.core.cards import Card, CardState, Destination, Holder
from worker.core.deadlines import Deadline, DeadlineKind
from worker.core.reminders import Known, Planned, ReminderKey
from worker.core.rules import Rules

# So often a day a keeper has the holder of one card told again.
MOST_A_DAY: Final = 3
_WINDOW: Final = "again-"
# Not those a holder has asked for, which are named for their day.
_NUMBERED: Final = re.compile(rf"{_WINDOW}(\d+)")


def is_again(window: str) -> bool:
    """Is a reminder of this window one that a keeper has asked for?"""
    return _NUMBERED.fullmatch(window) is not None


def next_window(windows: Iterable[str]) -> str:
    """The window after those that a deadline has already: ``again-1`` is the first."""
    numbers = (int(found[1]) for one in windows if (found := _NUMBERED.fullmatch(one)))
    return f"{_WINDOW}{max(numbers, default=0) + 1}"


def refusal(card: Card) -> str | None:
    """Why nothing of the deadlines of ``card`` may be told at present; ``None`` if it may."""
    if card.state not in (CardState.ACTIVE, CardState.SUSPENDED):
        return f"the card is {card.state}"
    if card.paused:
        return "the card is paused"
    if card.renewed_at is not None:
        return "a renewal was reported, and nobody has said yet whether it works"
    return None


def last_told(known: Collection[Known], steps: Collection[Deadline]) -> Deadline | None:
    """The deadline of ``steps`` that the last of the reminders ``known`` was about."""
    there = {(step.kind, step.on): step for step in steps}
    told = [k for k in known if (k.key.deadline, k.key.on) in there]
    last = max(told, key=lambda k: (k.due_at, k.id), default=None)
    if last is None:
        return None
    return next(step for key, step in there.items() if key == (last.key.deadline, last.key.on))


def wanted(card: Card, rules: Rules, kind: DeadlineKind) -> list[Destination]:
    """Where the policy of ``card`` tells its holder of ``kind``, in any of its windows."""
    windows = [one for one in rules.policies[card.kind].windows if one.deadline is kind]
    there = {to for one in windows for to in one.destinations}
    return [to for to in (Destination.SMS, Destination.EMAIL) if to in there]


def again(
    step: Deadline,
    window: str,
    to: Destination,
    card: Card,
    holder: Holder,
    rules: Rules,
    now: datetime,
) -> Planned | None:
    """The reminder of ``step``, due as soon as the holder may be disturbed; ``None`` if it has lost
    its use by then. It is useful for a day, and before a loss no longer than acting helps."""
    due_at = rules.hours.next_open(now, holder.time_zone)
    spans = [s for s in rules.spans(card, holder) if s.deadline == step and not s.window.closes]
    ends = max((span.until for span in spans), default=step.at)
    if now < step.begins:
        ends = min(ends, step.begins)
    if due_at >= ends:
        return None
    key = ReminderKey(step.kind, step.on, window, to.channel, to.audience)
    return Planned(key, due_at, min(ends, due_at + timedelta(days=1)), urgency=(0, 0))
