"""Messages on their way: queued until they are due, looked at once more, rendered, counted."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count

from worker.content.one_sms import one_sms
from worker.core.addressing import address_of
from worker.core.cards import Audience, Channel, Destination, Holder, told_by
from worker.core.prices import EMAIL
from worker.core.recheck import Item, Verdict, goes_over, recheck
from worker.core.reminders import ReminderState
from worker.errors import ConfigError
from worker.providers.registry import is_opt_out
from worker.simulation.conditions import Conditions
from worker.simulation.household import Silenced
from worker.simulation.memory import Memory
from worker.simulation.notices import Digest

_DAY = timedelta(days=1)
_ORDER = tuple(Destination)


@dataclass(frozen=True, slots=True)
class Message:
    """Reminders that travel together; ``digest`` names the message to a guardian."""

    to: Destination
    items: Sequence[Item]
    digest: Digest


# By channel, address and card; card 0 stands for all.
Suppressed = Mapping[Silenced, str]


@dataclass(slots=True)
class HolderOutbox:
    """The messages to one holder, by the instant at which they are due."""

    memory: Memory
    given: Conditions
    signature: str
    suppressed: Suppressed
    _queue: list[tuple[datetime, int, Message]] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=count)
    _tried: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))

    def put(
        self, due: datetime, to: Destination, items: Sequence[Item], digest: Digest | None = None
    ) -> None:
        """Queue a message. ``digest`` names the message to a guardian of which it is a part;
        without a name it is a message of its own."""
        number = next(self._numbers)
        message = Message(to, items, digest or (self.memory.holder.id, number))
        heappush(self._queue, (due.astimezone(UTC), number, message))

    def next(self) -> datetime | None:
        """When the first message is due."""
        return self._queue[0][0] if self._queue else None

    def send(self, now: datetime) -> None:
        """Deal with all that is due at ``now``, and then with what becomes due by it; what goes
        the same way is sent together, as a tick hints at it."""
        while due := self._take(now):
            for message in sorted(due, key=lambda message: _ORDER.index(message.to)):
                if waiting := self.memory.waiting(message.items):
                    self._deliver(replace(message, items=waiting), now)

    def _take(self, now: datetime) -> list[Message]:
        due = []
        while self._queue and self._queue[0][0] <= now:
            due.append(heappop(self._queue)[2])
        return due

    def _reader(self, message: Message) -> Holder:
        holder = self.memory.holder
        if message.to.audience is Audience.HOLDER:
            return holder
        return self.given.guardians.get(message.items[0].card.book_id, holder)

    def _deliver(self, message: Message, now: datetime) -> None:
        rules, to = self.given.rules, message.to
        verdict = recheck(
            message.items,
            self._reader(message),
            to.channel,
            now,
            rules.hours,
            rules.ladder,
            self._reasons(to.channel),
            to.audience,
        )
        self._turn_away(verdict, to, now)
        if not verdict.keep or verdict.address is None:
            return
        if verdict.postpone is not None:
            self.put(verdict.postpone, to, verdict.keep, message.digest)
        elif free_at := self._free_at(to.channel, verdict.address, now):
            self._cap(to, verdict.keep, free_at, now)
        else:
            self._tell(replace(message, items=verdict.keep), verdict.address, now)

    def _cap(
        self, to: Destination, items: Sequence[Item], free_at: datetime, now: datetime
    ) -> None:
        """Wait until the number may be tried again; what cannot wait goes the other way."""
        urgent = [item for item in items if item.useful_until <= free_at]
        for item in urgent:
            self.memory.end(item, ReminderState.SUPPRESSED, "daily_cap", now)
        self._fall_back(to, urgent, now)
        self.put(free_at, to, items)

    def _free_at(self, channel: Channel, address: str, now: datetime) -> datetime | None:
        """When a number on a route with a daily cap may be tried again, ``None`` for at once."""
        per_day = self.given.rules.routes.route(address).per_day if channel is Channel.SMS else None
        if per_day is None:
            return None
        tried = [at for at in self._tried[address] if at > now - _DAY]
        return tried[-per_day] + _DAY if len(tried) >= per_day else None

    def _reasons(self, channel: Channel) -> Callable[[str, int], str | None]:
        """Why an address is not to be used; none is on a channel that nobody serves."""
        if channel not in self.given.channels:
            return lambda address, card: "channel_off"
        known = self.suppressed
        return lambda address, card: (
            known.get((channel, address, None)) or known.get((channel, address, card))
        )

    def _turn_away(self, verdict: Verdict, to: Destination, now: datetime) -> None:
        for end in verdict.ended:
            self.memory.end(end.item, end.state, end.reason, now)
        rules = self.given.rules

        def wanted(item: Item) -> Collection[Destination]:
            return rules.destinations(item.card, item.key)

        over = [goes_over(end, self.memory.holder, wanted, is_opt_out) for end in verdict.ended]
        self._fall_back(to, [item for item in over if item], now)
        alone: dict[int, list[Item]] = defaultdict(list)
        for item in verdict.rerouted:  # told on its own number, so in a message of its own
            alone[item.card.id].append(item)
        for members in alone.values():
            self.put(now, to, members)

    def _fall_back(self, to: Destination, lost: Sequence[Item], now: datetime) -> None:
        """The other channel, and of what has come to nothing on both, the guardian."""
        holder = self.memory.holder
        other = told_by(to.channel.other, Audience.HOLDER)
        there = [item for item in lost if address_of(item.card, holder, other.channel)]
        if instead := self.memory.owe(there, other, now):
            self.put(now, other, instead)
        kept = [item for item in self.memory.without_hope(lost) if item.card.guardian_email]
        if alert := self.memory.owe(kept, Destination.GUARDIAN, now):
            self.put(now, Destination.GUARDIAN, alert)

    def _tell(self, message: Message, address: str, now: datetime) -> None:
        items, reader = message.items, self._reader(message)
        language, segments, route = reader.language, 0, EMAIL
        if message.to is Destination.SMS:
            rules = self.given.rules
            language = rules.routes.route(address).language_for(reader.language)
            replies = rules.routes.route(address).replies
            content = self.given.content
            try:
                one = one_sms(
                    content, items, reader, self.signature, rules, now, language, replies=replies
                )
            except ConfigError:  # held until somebody mends the text, and here nobody does
                self.put(max(item.useful_until for item in items), message.to, items)
                return
            if one.left:
                self.put(now, message.to, one.left)
            items, segments = one.items, one.sms.segments.segments
            self._tried[address].append(now)
            route = self.given.prices.route_of(address)
        told = [self.memory.end(item, ReminderState.SENT, None, now, language) for item in items]
        if message.to.audience is Audience.GUARDIAN:
            for notice in told:
                notice.digest = message.digest
        else:
            told[0].leads, told[0].segments, told[0].route = True, segments, route
