"""How many cards one message may speak of: a card that a message does not name is not told of."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from worker.core.cards import Card, Channel
from worker.core.life import LifeNotice
from worker.core.reminders import ReminderKey

T = TypeVar("T")

# Cards named in one SMS: at its longest each of our texts has room for the tails of so many.
NAMED = 4
# Cards listed in one email. With their links they take some 90 KB; mail programs cut off what is
# longer than about 100, and with it the link to unsubscribe.
LISTED = 125


def alike(card: Card, key: ReminderKey) -> tuple[object, ...] | None:
    """What two cards must have in common for one sentence of an SMS to be true of both; ``None``
    where a message has a line for each card."""
    if key.channel is not Channel.SMS:
        return None
    # What has happened to a card is told with the end that its plan has now.
    ends = card.plan_end if isinstance(key.deadline, LifeNotice) else None
    return key.deadline, key.on, card.operator, card.time_zone, ends


def parts(members: Sequence[T], channel: Channel) -> Iterator[Sequence[T]]:
    """``members`` in portions of which a message of ``channel`` can name every one."""
    most = NAMED if channel is Channel.SMS else LISTED
    for start in range(0, len(members), most):
        yield members[start : start + most]
