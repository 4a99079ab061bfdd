"""Before the call: the caps of a day, as one batch finds them and uses them up."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import structlog
from sqlalchemy import Connection

from worker.core.addressing import address_of
from worker.core.breaker import can_wait
from worker.core.caps import Cap, next_day
from worker.core.cards import Audience, Channel, told_by
from worker.core.hours import Hours
from worker.core.recheck import Item
from worker.core.reminders import Obstacle, ReminderState
from worker.core.routes import Routes
from worker.pipeline.delivery.batch_writes import Writes
from worker.pipeline.delivery.limits import Limits
from worker.store import digests, recent_attempts, usage
from worker.store.committed import after_commit
from worker.store.open_messages import Waiting, waiting_for
from worker.store.outbox import OutgoingMessage
from worker.store.usage import Use

log = structlog.get_logger(__name__)

_DAY = timedelta(days=1)
# How long after the more urgent ones are tried what has yielded to them is looked at.
_AFTER = timedelta(minutes=5)


@dataclass(slots=True)
class Capping:
    """What addresses and books have used, and what this batch adds to it."""

    conn: Connection
    channel: Channel
    limits: Limits
    routes: Routes
    hours: Hours
    now: datetime
    audience: Audience = Audience.HOLDER
    uses: list[Use] = field(default_factory=list)
    _tried: dict[str, list[datetime]] = field(default_factory=dict)
    _waiting: dict[str, list[Waiting]] = field(default_factory=dict)
    _books: dict[int, tuple[int, Decimal]] = field(default_factory=dict)

    @property
    def day(self) -> date:
        """The UTC day that is counted."""
        return self.now.astimezone(UTC).date()

    def look(
        self, addresses: Collection[str], books: Collection[int], batch: Collection[int] = ()
    ) -> None:
        """Read what was used already, and what else waits beside the messages of ``batch``, once
        for all of them; books stay locked."""
        bounded = [address for address in addresses if self._bounds(address)]
        if bounded:
            self._tried = recent_attempts.started_since(self.conn, bounded, self.now - _DAY)
            self._waiting = waiting_for(self.conn, self.channel, bounded, batch)
        if self.limits.caps.of_books and books:
            self._books = usage.lock(self.conn, books, self.day)

    def free_at(
        self, address: str, items: Sequence[Item], time_zone: str
    ) -> tuple[Cap, datetime] | None:
        """The bound that one more message to ``address``, with ``items``, would break, and when it
        is free. What can wait leaves the last room to what waits as well and is more urgent."""
        tried = self._tried.get(address, [])
        until = min(item.useful_until for item in items)
        for cap, most in self._bounds(address).items():
            if len(tried) >= most:
                return cap, tried[-most] + _DAY
            if again := self._after_the_urgent(address, most - len(tried), until, time_zone):
                return cap, again
        return None

    def _after_the_urgent(
        self, address: str, room: int, until: datetime, time_zone: str
    ) -> datetime | None:
        """When to look again, where more urgent messages need all the ``room`` there is."""
        urgent = [
            max(one.next_attempt_at, self.now)
            for one in self._waiting.get(address, ())
            if one.useful_until < until and self.now < one.useful_until
            if one.next_attempt_at < self.now + _DAY
        ]
        if len(urgent) < room:
            return None
        looks = [max(urgent) + _AFTER, self.now + _AFTER]
        return next((at for at in looks if can_wait(until, at, self.hours, time_zone)), None)

    def use(
        self, outgoing: OutgoingMessage, address: str, segments: int
    ) -> tuple[Cap, datetime] | None:
        """Count a message that goes out now; or the bound of its book that it would break."""
        cost = self.limits.tariff.cost(self.channel, address, segments)
        messages, spent = self._books.get(outgoing.book_id, (0, Decimal(0)))
        cap = self.limits.caps.met(messages, spent, cost)
        if cap and self.audience is Audience.HOLDER:
            return cap, next_day(self.now)
        self._books[outgoing.book_id] = (messages + 1, spent + cost)
        self._tried.setdefault(address, []).append(self.now)
        to = told_by(self.channel, self.audience)
        self.uses.append(Use(outgoing.book_id, self.day, to, segments, cost))
        return None

    def hold(
        self,
        outgoing: OutgoingMessage,
        items: Sequence[Item],
        met: tuple[Cap, datetime],
        writes: Writes,
    ) -> None:
        """Wait until there is room again; what cannot wait goes the other way, or is missed."""
        cap, again = met
        zone = outgoing.holder.time_zone
        urgent = [i for i in items if not can_wait(i.useful_until, again, self.hours, zone)]
        for item in urgent:
            over = self._helps(cap, outgoing, item)
            state = ReminderState.SUPPRESSED if over else ReminderState.MISSED
            writes.end(item, state, cap)
        if outgoing.audience is Audience.HOLDER:
            writes.go_over(outgoing, urgent)
        if len(urgent) < len(items):
            writes.wait(outgoing, Obstacle.CAP, cap, again)
        else:
            writes.cancel(outgoing, cap)
        kind = f"{cap}:{outgoing.book_id}"[:30]
        if cap is not Cap.ROUTE and digests.claim_day(self.conn, kind, self.day):
            after_commit(log.error)(
                "alarm", cause="cap_reached", cap=cap.value, book=outgoing.book_id
            )

    def write(self) -> None:
        """Count what the batch uses."""
        usage.add(self.conn, self.uses)

    def _helps(self, cap: Cap, outgoing: OutgoingMessage, item: Item) -> bool:
        """Is the other channel free of this bound, and is there an address?"""
        if cap is Cap.BOOK or outgoing.audience is Audience.GUARDIAN:
            return False
        if cap is Cap.SPEND and outgoing.channel is not Channel.SMS:
            return False
        return bool(address_of(item.card, outgoing.holder, outgoing.channel.other))

    def _bounds(self, address: str) -> Mapping[Cap, int]:
        """How many attempts an address may have in 24 hours. What goes to the guardian has no
        bound: it is the last resort."""
        found: dict[Cap, int] = {}
        per_day = self.routes.route(address).per_day if self.channel is Channel.SMS else None
        if per_day is not None:
            found[Cap.ROUTE] = per_day
        if self.limits.caps.per_address is not None and self.audience is Audience.HOLDER:
            found[Cap.ADDRESS] = self.limits.caps.per_address
        return found
