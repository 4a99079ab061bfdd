"""A notice that cannot go the way it was meant to go: the other channel, or another holder."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from worker.core.addressing import address_of
from worker.core.cards import Audience, Destination, told_by
from worker.core.recheck import Item
from worker.core.reminders import Planned
from worker.pipeline.owe import OwedNotice, owe
from worker.providers.registry import is_providers_word
from worker.store import messages as message_store
from worker.store import reminder_changes
from worker.store import reminders as ledger
from worker.store.committed import after_commit
from worker.store.messages import NewMessage
from worker.store.outbox import OutgoingMessage

log = structlog.get_logger(__name__)

# These messages get no hint: the sweep finds them at the next tick.
_NO_HINT = timedelta()


def fall_back(
    conn: Connection,
    outgoing: OutgoingMessage,
    items: Sequence[Item],
    now: datetime,
    *,
    alarm: bool = True,
) -> list[Item]:
    """Owe the notices of ``items`` on the other channel, unless they are owed there already or no
    longer useful; tell the guardian of those that have come to nothing on both. Returns those that
    nobody will be told of. ``alarm``: is it one if no way is left to the holder?"""
    other = told_by(outgoing.channel.other, Audience.HOLDER)
    useful = [item for item in items if item.useful_until > now]
    there = [item for item in useful if address_of(item.card, outgoing.holder, other.channel)]
    owe(conn, [_over(outgoing, item, other, now) for item in there], now)
    dead = ledger.without_hope(conn, [(item.card.id, item.key) for item in items])
    lost = [i for i in items if (i.card.id, i.key.to(Destination.GUARDIAN)) in dead]
    if alarm:
        _tell_unreached(outgoing, dead.values())
    told = [item for item in lost if item in useful and item.card.guardian_email]
    owe(conn, [_over(outgoing, item, Destination.GUARDIAN, now) for item in told], now)
    return [item for item in lost if item not in told]


def _tell_unreached(outgoing: OutgoingMessage, reasons: Iterable[Collection[str]]) -> None:
    """No way is left to a holder, by the word of providers and not by the holder's own."""
    words = sorted({word for several in reasons for word in several if is_providers_word(word)})
    if words:
        after_commit(log.error)(
            "alarm", cause="holder_unreached", reason=words[0], message=outgoing.id
        )


def reroute(
    conn: Connection, outgoing: OutgoingMessage, items: Sequence[Item], now: datetime
) -> None:
    """Move waiting reminders into messages of their own, to the holder their card has now."""
    groups: dict[tuple[int, int | None], list[Item]] = defaultdict(list)
    for item in items:
        same_holder = item.card.holder_id == outgoing.holder.id
        groups[item.card.holder_id, item.card.id if same_holder else None].append(item)
    for (holder_id, _), members in groups.items():
        _move(conn, outgoing, holder_id, members, now)


def split(
    conn: Connection, outgoing: OutgoingMessage, items: Sequence[Item], now: datetime
) -> None:
    """Move waiting reminders that a message does not name into another one to its reader."""
    _move(conn, outgoing, outgoing.holder.id, items, now)


def _move(
    conn: Connection,
    outgoing: OutgoingMessage,
    holder_id: int,
    items: Sequence[Item],
    now: datetime,
) -> None:
    until = max(item.useful_until for item in items)
    new = NewMessage(outgoing.book_id, holder_id, outgoing.channel, now, until, outgoing.audience)
    [message_id] = message_store.create(conn, [new], now, _NO_HINT)
    reminder_changes.move(conn, [item.id for item in items], message_id)


def _over(outgoing: OutgoingMessage, item: Item, to: Destination, now: datetime) -> OwedNotice:
    planned = Planned(item.key.to(to), now, item.useful_until, urgency=(0, 0))
    return OwedNotice(item.card, outgoing.holder, planned)
