"""The last look before a send: is every reminder of a message still true, and is now the time?"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import date, datetime

from worker.core.addressing import address_of, in_service
from worker.core.cards import Audience, Card, CardState, Channel, Destination, Holder
from worker.core.deadlines import DeadlineKind, Ladder
from worker.core.hours import Hours
from worker.core.life import LifeNotice
from worker.core.reminders import RENEWED, ReminderKey, ReminderState


@dataclass(frozen=True, slots=True)
class Item:
    """A waiting reminder inside a message, with its card as it is now. ``told`` is the card's
    holder, whom a message to the guardian is about, and ``why`` a reason that the card itself does
    not show (``SILENT`` or ``UNREACHED`` of ``windows``). ``owed_since``: when it was written,
    which of an event is when it was entered. ``dated``: beside news of a renewal, the deadlines
    that emails of the card told before, each with its latest day."""

    id: int
    key: ReminderKey
    due_at: datetime
    useful_until: datetime
    card: Card
    told: Holder | None = None
    why: str | None = None
    owed_since: datetime | None = None
    dated: tuple[tuple[DeadlineKind, date], ...] = ()


@dataclass(frozen=True, slots=True)
class End:
    """A reminder that will not be sent in this message; ``fall_back``: the other channel may."""

    item: Item
    state: ReminderState
    reason: str
    fall_back: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """``keep``: what may be sent to ``address`` now, or from ``postpone`` on if that is set.
    ``rerouted``: reminders whose card now has another holder, who is told instead."""

    keep: tuple[Item, ...]
    address: str | None
    postpone: datetime | None
    ended: tuple[End, ...] = field(default=())
    rerouted: tuple[Item, ...] = field(default=())


def recheck(
    items: Collection[Item],
    holder: Holder,
    channel: Channel,
    now: datetime,
    hours: Hours,
    ladder_of: Callable[[Card], Ladder],
    suppressed: Callable[[str, int], str | None],
    audience: Audience = Audience.HOLDER,
) -> Verdict:
    """Check ``items`` of one message to ``holder`` over ``channel`` once more at ``now``.

    ``suppressed`` gives the reason why an address must not be used for a card, or ``None``. To an
    ``audience`` of guardians ``holder`` stands for the keeper of the book.
    """
    opens = hours.next_open(now, holder.time_zone)
    keep: list[Item] = []
    ended: list[End] = []
    rerouted: list[Item] = []
    address: str | None = None
    for item in items:
        card = in_service(item.card, ladder_of(item.card), now)
        own = address_of(card, holder, channel, audience)
        if item.card.holder_id != holder.id and audience is Audience.HOLDER:
            rerouted.append(item)
        elif end := _end(item, own, now, opens, ladder_of, suppressed):
            ended.append(end)
        elif address is None or own == address:
            address = own
            keep.append(item)
        else:
            # No contact phone: each card is told on its own number, so in a message of its own.
            rerouted.append(item)
    postpone = opens if opens > now else None
    return Verdict(tuple(keep), address, postpone, tuple(ended), tuple(rerouted))


def _untrue(item: Item, ladder_of: Callable[[Card], Ladder]) -> str | None:
    """Why a notice no longer holds. What an event made untrue was ended with that event, so of
    life notices only the state of the card is asked."""
    subject, card = item.key.deadline, item.card
    gone = card.state in (CardState.RECYCLED, CardState.CLOSED)
    if gone and subject is not LifeNotice.RECYCLED:
        return card.state
    if card.paused:
        return "paused"
    if isinstance(subject, LifeNotice):
        return None
    if card.renewed_at is not None:
        return RENEWED  # who may have paid is not told to pay, even of a date that stayed the same
    deadline = ladder_of(card).get(subject)
    return RENEWED if deadline is None or deadline.on != item.key.on else None


def _end(
    item: Item,
    address: str | None,
    now: datetime,
    opens: datetime,
    ladder_of: Callable[[Card], Ladder],
    suppressed: Callable[[str, int], str | None],
) -> End | None:
    if reason := _untrue(item, ladder_of):
        return End(item, ReminderState.SUPERSEDED, reason)
    if now >= item.useful_until:
        return End(item, ReminderState.MISSED, "too_late")
    if opens >= item.useful_until:
        return End(item, ReminderState.MISSED, "quiet_hours")
    if reason := "no_address" if address is None else suppressed(address, item.card.id):
        to_holder = item.key.audience is Audience.HOLDER
        return End(item, ReminderState.SUPPRESSED, reason, to_holder)
    return None


def goes_over(
    end: End,
    holder: Holder,
    wanted: Callable[[Item], Collection[Destination]],
    is_opt_out: Callable[[str], bool],
) -> Item | None:
    """The reminder of ``end`` if the other channel (or, with no address there, the guardian) takes
    it over. Who unsubscribes from emails (``is_opt_out`` tells it of a reason) gets no SMS instead
    of what its policy (``wanted``) sends by email alone: that would be more of what
    was declined, and not less."""
    by_reader = end.item.key.channel is Channel.EMAIL and is_opt_out(end.reason)
    declined = by_reader and Destination.SMS not in wanted(end.item)
    reached = address_of(end.item.card, holder, Channel.SMS) is not None
    return end.item if end.fall_back and not (declined and reached) else None
