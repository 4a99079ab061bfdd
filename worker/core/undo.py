"""What a person recorded of a card by mistake: whether it can be taken back, and what was before.

Pure. Within the time that its notice waits for, an event is undone as if it had not been entered;
after that the notice is on its way, and only another event can tell what is true.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from worker.core.cards import Card
from worker.core.life import LifeEvent
from worker.core.reminders import UNDONE

# What a person enters and may have mistaken. A number that was taken back is never contacted again,
# and the holder before is forgotten: these two stay.
UNDOABLE: Final = frozenset(
    {
        LifeEvent.RENEWED,
        LifeEvent.CORRECTED,
        LifeEvent.CONFIRMED,
        LifeEvent.RENEWAL_FAILED,
        LifeEvent.LOW_BALANCE,
        LifeEvent.LOW_DATA,
        LifeEvent.SUSPENDED,
        LifeEvent.REGISTRATION_NOTICE,
        LifeEvent.REGISTRATION_RESOLVED,
        LifeEvent.PAUSED,
        LifeEvent.RESUMED,
    }
)
# What the trail tells beside the events of a card: it changes nothing of the card itself, so an
# event before it can still be undone.
BESIDE: Final = frozenset(
    {
        "holder_answered",
        "opted_out",
        "opted_in",
        "told_again",
        "message_retried",
        "message_cancelled",
        "message_settled",
    }
)


@dataclass(frozen=True, slots=True)
class Before:
    """What an event found: the ``columns`` of the card that it changed, the reminders it ``ended``
    (by id, each with the reason it had), and those it ``made``."""

    columns: Mapping[str, object]
    ended: Mapping[int, str | None] = field(default_factory=dict)
    made: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """The last event of a card; ``until``: how long it can be undone, ``None`` for never."""

    id: int
    event: str
    at: datetime
    until: datetime | None
    before: Before | None

    def refusal(self, now: datetime) -> str | None:
        """Why it cannot be undone at ``now``, as the end of a sentence; ``None`` if it can."""
        if self.event == UNDONE:
            return "what was recorded last has been undone already"
        if self.until is None or self.before is None:
            return f"the last event, {self.event}, was not recorded so that it can be undone"
        if now >= self.until:
            return f"the time in which {self.event} could be undone is over"
        return None


def columns_of(card: Card, changed: Mapping[str, object]) -> dict[str, object]:
    """The values that ``card`` has in the columns which an event is about to change."""
    return {name: getattr(card, name) for name in changed}
