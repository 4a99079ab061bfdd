"""Before the call: claim, look once more, render, and commit the attempts. One transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Engine

from worker.content.render import Content
from worker.core.breaker import Lane, is_down
from worker.core.cards import Channel
from worker.core.pace import PACE, Budget, last_chance
from worker.core.recheck import Item, recheck
from worker.core.reminders import MessageState
from worker.core.rules import Rules
from worker.core.tokens import Links
from worker.core.ways import Ways
from worker.delivery.capping import Capping
from worker.delivery.erring import Erring
from worker.delivery.gate import Gate
from worker.delivery.limits import Limits
from worker.delivery.look import Look, Wanted
from worker.delivery.mailing import Mailing
from worker.delivery.rendering import check_storable, contents, digest_of, render
from worker.delivery.writes import Writes
from worker.errors import ConfigError
from worker.providers.base import EmailOut, SmsOut
from worker.store import attempts as attempt_store
from worker.store import parcels as parcel_store
from worker.store import quarantine, suppressions
from worker.store.engine import reading, writing
from worker.store.parcels import Parcel
from worker.store.plans import by_index
from worker.store.usage import Use

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ready:
    """A message whose attempt is committed: nothing may stand between it and the call. ``probe``:
    it shows whether a breaker may close (``tries_down``: that of a provider that is down);
    ``spare``: another provider could carry it."""

    parcel: Parcel
    items: tuple[Item, ...]
    out: SmsOut | EmailOut
    lane: Lane | None = None
    use: Use | None = None
    probe: bool = False
    spare: bool = False
    tries_down: bool = False


@dataclass(frozen=True, slots=True)
class Preparation:
    """Makes claimed messages ready to send at ``now``; ``lease`` must outlast the longest call.
    ``hold``: the pause while a text of ours is broken. A channel without a lane is off.
    ``reply_to``: where answers to emails go, instead of to each book's guardian. ``live``: real
    people are reached."""

    engine: Engine
    rules: Rules
    content: Content
    lease: timedelta
    hold: timedelta
    lanes: Mapping[Channel, Ways]
    links: Links | None = None
    limits: Limits = field(default_factory=Limits)
    erring: Erring = field(default_factory=Erring)
    reply_to: str | None = None
    live: bool = False

    @property
    def mailing(self) -> Mailing:
        """What is true of all emails. Calendars know an entry by the address it came from first,
        so it is the preferred provider's, whoever carries the email."""
        lane = self.lanes.get(Channel.EMAIL)
        sender = lane.lanes[0].sender if lane else ""
        return Mailing(sender if "@" in sender else None, self.reply_to)

    def run(self, channel: Channel, ids: Sequence[int], now: datetime) -> list[Ready]:
        """Claim the due ones of ``ids``, end or postpone what must not go now, return the rest."""
        lane = self.lanes.get(channel) or Ways((Lane(channel, "", ""),))
        budget = self.limits.budget(lane, channel, len(ids))
        try:
            with writing(self.engine, durable=True) as conn:
                by_index(conn)
                if quarantine.current(conn) is not None:  # what was sent already is not known
                    return []
                ready = _Batch(self, conn, channel, budget, now).run(ids)
        except BaseException:
            budget.used = budget.queued = 0
            raise
        finally:
            self.limits.settle(lane, budget)
        return ready

    def stands(self, ready: Ready, now: datetime) -> bool:
        """Would the last look let the message go at ``now`` just as it is? Changes nothing.
        Raises ``UnreachableError``."""
        parcel, lane, rules = ready.parcel, self.lanes.get(ready.parcel.channel), self.rules
        with reading(self.engine) as conn:
            loaded = parcel_store.load(conn, [parcel.id])
            own = lane.channel if lane else parcel.channel
            dead = suppressions.why(suppressions.reasons(conn, own, {ready.out.to}))
        for found in loaded:
            verdict = recheck(
                found.items, found.holder, parcel.channel, now, rules.hours, rules.ladder, dead
            )
            kept = {item.id for item in verdict.keep}
            same = kept == {item.id for item in ready.items} and verdict.address == ready.out.to
            return same and verdict.postpone is None and found.attempts == parcel.attempts + 1
        return False


class _Batch:
    """The messages of one claim, inside its transaction."""

    def __init__(
        self,
        own: Preparation,
        conn: Connection,
        channel: Channel,
        budget: Budget,
        now: datetime,
    ) -> None:
        self._own, self._conn, self._now = own, conn, now
        self._channel, self._budget = channel, budget
        self._writes = Writes()
        self._kept: list[dict[str, Any]] = []
        limits, rules, until = own.limits, own.rules, now + own.lease
        self._gate = Gate(conn, own.lanes, limits, rules.hours, now, until)
        self._look = Look(
            conn,
            rules,
            channel,
            own.lanes,
            self._gate,
            self._writes,
            now,
            own.erring.away(now),
            own.live,
        )
        self._capping = Capping(conn, channel, limits, rules.routes, rules.hours, now)

    def run(self, ids: Sequence[int]) -> list[Ready]:
        """Claim, look, bound, and commit what is left."""
        parcels = parcel_store.claim(self._conn, self._channel, ids, self._now)
        wanted = self._look.wanted(parcels)
        batch = [o.parcel.id for o in wanted]
        books = {o.parcel.book_id for o in wanted}
        self._capping.look({o.address for o in wanted}, books, batch)
        ready = [found for one in wanted if (found := self._ready(one))]
        self._writes.flush(self._conn, self._now)
        self._commit_attempts(ready)
        self._capping.write()
        return ready

    def _ready(self, one: Wanted) -> Ready | None:
        """A ``Ready`` if the message may go now; else it waits, and another may be the probe."""
        found = self._bounded(one)
        if found is None:
            self._gate.give_back(one.parcel, one.tries)
        return found

    def _bounded(self, one: Wanted) -> Ready | None:
        parcel, writes = one.parcel, self._writes
        zone = parcel.holder.time_zone
        if met := self._capping.free_at(one.address, one.items, zone):
            self._capping.hold(parcel, one.items, met, writes)
            return None
        if not self._budget.is_open:
            writes.settle(parcel, MessageState.PENDING, PACE, self._place(one))
            return None
        try:
            own = self._own
            text = render(
                own.content,
                own.rules,
                parcel,
                one.items,
                one.address,
                self._now,
                own.links,
                one.lane.sender,
                own.mailing,
            )
            kept = contents(parcel, text.out)
            check_storable(kept, text.out)
        except Exception as error:
            # Ours to mend, so it waits for that; the next look ends what became useless meanwhile.
            # Whatever it is: its neighbours have nothing to do with it.
            hint = error.hint if isinstance(error, ConfigError) else type(error).__name__
            log.exception("alarm", cause="template_failed", message=parcel.id, hint=hint)
            writes.settle(parcel, MessageState.HELD, "template_failed", self._now + own.hold)
            return None
        segments = kept["segments"] or 0
        if met := self._capping.use(parcel, one.address, segments):
            self._capping.hold(parcel, one.items, met, writes)
            return None
        self._budget.spend(max(1, segments))
        self._kept.append(kept)
        writes.split(parcel, text.left)
        use = self._capping.uses[-1]
        down = any(is_down(breaker.code) for breaker in one.tries)
        return Ready(parcel, text.items, text.out, one.lane, use, bool(one.tries), one.spare, down)

    def _place(self, one: Wanted) -> datetime:
        """When a message that finds the bucket empty comes back."""
        until = min(item.useful_until for item in one.items)
        last = last_chance(until, self._own.rules.hours, one.parcel.holder.time_zone)
        return self._budget.place(self._now, last, waited=one.parcel.reason == PACE)

    def _commit_attempts(self, ready: Sequence[Ready]) -> None:
        attempt_store.add(
            self._conn,
            [
                {
                    "id": one.out.attempt,
                    "message_id": one.parcel.id,
                    "address": one.out.to,
                    "digest": digest_of(one.out),
                    "started_at": self._now,
                    "provider": one.lane.provider if one.lane else None,
                    "sender": one.lane.sender if one.lane else None,
                }
                for one in ready
            ],
        )
        parcel_store.begin(self._conn, self._kept, self._now + self._own.lease)
