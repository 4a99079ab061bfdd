"""Can a notice be told another way? A way that is there need not be tried to the very end."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from worker.core.addressing import address_of
from worker.core.cards import Audience, Channel
from worker.core.hours import Hours
from worker.core.recheck import Item
from worker.store import reminders as ledger
from worker.store import suppressions
from worker.store.outbox import OutgoingMessage


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The ``channels`` that are served, and when holders may be told."""

    hours: Hours
    channels: Collection[Channel]

    def helped(
        self, conn: Connection, outgoing: OutgoingMessage, items: Sequence[Item]
    ) -> list[Item]:
        """Those of ``items`` that the other channel has told, or may still tell: there is an
        address, nothing stands against it, and it has not been given up there."""
        other = outgoing.channel.other
        if outgoing.audience is Audience.GUARDIAN or other not in self.channels:
            return []
        found = {
            item.id: address
            for item in items
            if (address := address_of(item.card, outgoing.holder, other))
        }
        if not found:
            return []
        why = suppressions.why(suppressions.reasons(conn, other, set(found.values())))
        keys = {item.id: (item.card.id, replace(item.key, channel=other)) for item in items}
        ended = ledger.ended_untold(conn, list(keys.values()))
        return [
            item
            for item in items
            if item.id in found
            and keys[item.id] not in ended
            and why(found[item.id], item.card.id) is None
        ]
