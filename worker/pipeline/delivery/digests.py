"""One digest for each book and day: what the guardian is told goes together, and waits for the next
day where it can."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from worker.core.hours import Hours, local_day
from worker.core.recheck import Item
from worker.core.reminders import MessageState, Obstacle
from worker.core.retry import Next
from worker.pipeline.delivery.batch_writes import Writes
from worker.store import books as book_store
from worker.store import messages as message_store
from worker.store import outbox, recent_attempts
from worker.store import reminder_changes as ledger
from worker.store.outbox import OutgoingMessage

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

    def together(self, all_outgoing: Sequence[OutgoingMessage]) -> list[OutgoingMessage]:
        """Those to send now, at most one for each book. The others are in it, or wait."""
        # One that was tried may prove to have been taken: nothing is added to it.
        tried = [outgoing for outgoing in all_outgoing if outgoing.attempts or not outgoing.items]
        groups: dict[int, list[OutgoingMessage]] = defaultdict(list)
        for outgoing in all_outgoing:
            if outgoing not in tried:
                groups[outgoing.holder.id].append(outgoing)
        # Of two processes with digests of one book the second must see what the first has begun.
        book_store.take_turns(self.conn, {group[0].book_id for group in groups.values()})
        found = (self._one(self._joined(group)) for group in groups.values())
        return [*tried, *(outgoing for outgoing in found if outgoing)]

    def _joined(self, group: Sequence[OutgoingMessage]) -> OutgoingMessage:
        first, *others = group
        for outgoing in others:
            self.writes.cancel(outgoing, "in_another_digest")
        # Those that wait elsewhere are left empty, and end with their next look.
        waiting = outbox.waiting_digests(
            self.conn, first.holder.id, [outgoing.id for outgoing in group], self.now
        )
        items: list[Item] = [item for outgoing in (*others, *waiting) for item in outgoing.items]
        if not items:
            return first
        until = max(item.useful_until for item in (*first.items, *items))
        ledger.move(self.conn, [item.id for item in items], first.id)
        message_store.extend(self.conn, first.id, until)
        return replace(first, items=(*first.items, *items), useful_until=until)

    def _one(self, outgoing: OutgoingMessage) -> OutgoingMessage | None:
        zone, now = outgoing.holder.time_zone, self.now
        first = min(item.useful_until for item in outgoing.items)
        full = min(item.due_at for item in outgoing.items) + self.gather
        if now < full and full + _MARGIN < first:
            self.writes.wait(outgoing, Obstacle.GATHERING, "gathering", full)
            return None
        today = local_day(now, zone)
        addresses = {str(item.card.guardian_email) for item in outgoing.items}
        begins = self.hours.opening(today, zone).replace(hour=0, minute=0)
        tomorrow = self.hours.opening(today + timedelta(days=1), zone)
        if tomorrow + _MARGIN < first and recent_attempts.digest_since(
            self.conn, outgoing.book_id, addresses, begins
        ):
            self.writes.settle(outgoing, Next(MessageState.PENDING, tomorrow, "one_digest_a_day"))
            return None
        return outgoing
