"""One digest for each book and day: what the guardian is told goes together, and waits for the next
day where it can."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from worker.core.hours import Hours, local_day
from worker.core.recheck import Item
from worker.core.reminders import MessageState
from worker.delivery.writes import Writes
from worker.store import books as book_store
from worker.store import lately
from worker.store import messages as message_store
from worker.store import parcels as parcel_store
from worker.store import reminders as ledger
from worker.store.parcels import Parcel

# What would be useful for less than this after the wait goes at once.
_MARGIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Digests:
    """One look at messages to guardians. ``gather``: how long the first notice waits for others."""

    conn: Connection
    hours: Hours
    gather: timedelta
    writes: Writes
    now: datetime

    def together(self, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Those to send now, at most one for each book. The others are in it, or wait."""
        # One that was tried may prove to have been taken: nothing is added to it.
        tried = [parcel for parcel in parcels if parcel.attempts or not parcel.items]
        groups: dict[int, list[Parcel]] = defaultdict(list)
        for parcel in parcels:
            if parcel not in tried:
                groups[parcel.holder.id].append(parcel)
        # Of two processes with digests of one book the second must see what the first has begun.
        book_store.take_turns(self.conn, {group[0].book_id for group in groups.values()})
        found = (self._one(self._joined(group)) for group in groups.values())
        return [*tried, *(parcel for parcel in found if parcel)]

    def _joined(self, group: Sequence[Parcel]) -> Parcel:
        first, *others = group
        for parcel in others:
            self.writes.settle(parcel, MessageState.CANCELLED, "in_another_digest")
        # Those that wait elsewhere are left empty, and end with their next look.
        waiting = parcel_store.waiting_digests(
            self.conn, first.holder.id, [parcel.id for parcel in group]
        )
        items: list[Item] = [item for parcel in (*others, *waiting) for item in parcel.items]
        if not items:
            return first
        until = max(item.useful_until for item in (*first.items, *items))
        ledger.move(self.conn, [item.id for item in items], first.id)
        message_store.extend(self.conn, first.id, until)
        return replace(first, items=(*first.items, *items), useful_until=until)

    def _one(self, parcel: Parcel) -> Parcel | None:
        zone, now = parcel.holder.time_zone, self.now
        first = min(item.useful_until for item in parcel.items)
        full = min(item.due_at for item in parcel.items) + self.gather
        if now < full and full + _MARGIN < first:
            self.writes.settle(parcel, MessageState.PENDING, "gathering", full)
            return None
        today = local_day(now, zone)
        addresses = {str(item.card.guardian_email) for item in parcel.items}
        begins = self.hours.opening(today, zone).replace(hour=0, minute=0)
        tomorrow = self.hours.opening(today + timedelta(days=1), zone)
        if tomorrow + _MARGIN < first and lately.digest_since(
            self.conn, parcel.book_id, addresses, begins
        ):
            self.writes.settle(parcel, MessageState.PENDING, "one_digest_a_day", tomorrow)
            return None
        return parcel
