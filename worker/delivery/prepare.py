"""Before the call: claim, look once more, render, and commit the attempts. One transaction."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, Engine

from worker.content.render import Content
from worker.core.cards import Channel
from worker.core.recheck import Item, Verdict, recheck
from worker.core.reminders import MessageState, ReminderState
from worker.core.rules import Rules
from worker.core.windows import address_of
from worker.delivery.fallback import fall_back, reroute
from worker.delivery.rendering import contents, digest_of, render
from worker.errors import ConfigError
from worker.providers.base import EmailOut, SmsOut
from worker.store import attempts as attempt_store
from worker.store import messages as message_store
from worker.store import reminders as ledger
from worker.store import suppressions
from worker.store.engine import writing
from worker.store.messages import Parcel

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ready:
    """A message whose attempt is committed: nothing may stand between it and the call."""

    parcel: Parcel
    items: tuple[Item, ...]
    out: SmsOut | EmailOut


@dataclass(frozen=True, slots=True)
class Preparation:
    """Makes claimed messages ready to send at ``now``; ``lease`` must outlast the longest call.
    ``hold``: the pause while a text of ours is broken."""

    engine: Engine
    rules: Rules
    content: Content
    lease: timedelta
    hold: timedelta
    channels: frozenset[Channel]

    def run(self, channel: Channel, ids: Sequence[int], now: datetime) -> list[Ready]:
        """Claim the due ones of ``ids``, end or postpone what must not go now, return the rest."""
        with writing(self.engine) as conn:
            parcels = message_store.claim(conn, channel, ids, now, self.lease)
            dead = self._suppressed(conn, channel, parcels)
            ready: list[Ready] = []
            started: Counter[str] = Counter()
            for parcel in parcels:
                verdict = recheck(
                    parcel.items,
                    parcel.holder,
                    channel,
                    now,
                    self.rules.hours,
                    self.rules.ladder,
                    dead.get,
                )
                if one := self._apply(conn, parcel, verdict, now, started):
                    ready.append(one)
                    started[one.out.to] += 1
            self._commit_attempts(conn, ready, now)
        return ready

    def _suppressed(
        self, conn: Connection, channel: Channel, parcels: Sequence[Parcel]
    ) -> dict[str, str]:
        """Addresses not to be used, with the reason; all of them on a channel nobody serves."""
        addresses = {
            address
            for parcel in parcels
            for item in parcel.items
            if (address := address_of(item.card, parcel.holder, channel))
        }
        if channel not in self.channels:
            return dict.fromkeys(addresses, "channel_off")
        by_email = Channel.EMAIL if channel is Channel.GUARDIAN else channel
        return suppressions.reasons(conn, by_email, addresses)

    def _apply(
        self,
        conn: Connection,
        parcel: Parcel,
        verdict: Verdict,
        now: datetime,
        started: Mapping[str, int],
    ) -> Ready | None:
        """Write what the verdict says; a ``Ready`` if something is left to send now. ``started``:
        how many messages of this batch go to each address."""
        for end in verdict.ended:
            ledger.end(conn, [end.item.id], end.state, end.reason, now)
            if end.state is ReminderState.MISSED:
                log.error("alarm", cause="reminder_missed", reason=end.reason, reminder=end.item.id)
        fall_back(conn, parcel, [end.item for end in verdict.ended if end.fall_back], now)
        reroute(conn, parcel, verdict.rerouted, now)
        if not verdict.keep or verdict.address is None:
            reason = verdict.ended[0].reason if verdict.ended else "nothing_left_to_say"
            _settle(conn, parcel, MessageState.CANCELLED, reason)
            return None
        if verdict.postpone is not None:
            _settle(conn, parcel, MessageState.PENDING, "quiet_hours", verdict.postpone)
            return None
        here = started.get(verdict.address, 0)
        if free_at := self._free_at(conn, parcel.channel, verdict.address, now, here):
            self._cap(conn, parcel, verdict.keep, free_at, now)
            return None
        try:
            out = render(self.content, self.rules, parcel, verdict.keep, verdict.address, now)
        except ConfigError as error:
            # Ours to mend, so it waits for that; the next look ends what became useless meanwhile.
            log.exception("alarm", cause="template_failed", message=parcel.id, hint=error.hint)
            _settle(conn, parcel, MessageState.HELD, "template_failed", now + self.hold)
            return None
        return Ready(parcel, verdict.keep, out)

    def _free_at(
        self, conn: Connection, channel: Channel, address: str, now: datetime, here: int
    ) -> datetime | None:
        """When a number on a route with a daily cap may be tried again, ``None`` for at once."""
        per_day = self.rules.routes.route(address).per_day if channel is Channel.SMS else None
        if per_day is None:
            return None
        day = timedelta(days=1)
        tried = attempt_store.started_since(conn, address, now - day) + [now] * here
        return tried[-per_day] + day if len(tried) >= per_day else None

    def _cap(
        self,
        conn: Connection,
        parcel: Parcel,
        items: Sequence[Item],
        free_at: datetime,
        now: datetime,
    ) -> None:
        """Wait until the number may be tried again; what cannot wait goes the other way."""
        urgent = [item for item in items if item.useful_until <= free_at]
        ids = [item.id for item in urgent]
        ledger.end(conn, ids, ReminderState.SUPPRESSED, "daily_cap", now)
        fall_back(conn, parcel, urgent, now)
        if len(urgent) < len(items):
            _settle(conn, parcel, MessageState.PENDING, "daily_cap", free_at)
        else:
            _settle(conn, parcel, MessageState.CANCELLED, "daily_cap")

    def _commit_attempts(self, conn: Connection, ready: Sequence[Ready], now: datetime) -> None:
        attempt_store.add(
            conn,
            [
                {
                    "id": one.out.attempt,
                    "message_id": one.parcel.id,
                    "address": one.out.to,
                    "digest": digest_of(one.out),
                    "started_at": now,
                }
                for one in ready
            ],
        )
        message_store.set_contents(conn, [contents(one.parcel.id, one.out) for one in ready])


def _settle(
    conn: Connection,
    parcel: Parcel,
    state: MessageState,
    reason: str,
    again: datetime | None = None,
) -> None:
    row = {
        "message": parcel.id,
        "count": parcel.attempts,
        "state": state,
        "reason": reason,
        "next_attempt_at": again,
    }
    message_store.set_states(conn, [row])
