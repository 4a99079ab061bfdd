"""Before the call: claim, look once more, render, and commit the attempts. One transaction."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import structlog
from sqlalchemy import Connection, Engine

from worker.content.compose import compose, fill
from worker.content.render import Content
from worker.core.cards import Channel
from worker.core.recheck import Item, Verdict, recheck
from worker.core.reminders import MessageState, ReminderState
from worker.core.rules import Rules
from worker.core.segments import measure
from worker.core.windows import address_of
from worker.delivery.fallback import fall_back, reroute
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
                if one := self._apply(conn, parcel, verdict, now):
                    ready.append(one)
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
        return suppressions.reasons(conn, channel, addresses)

    def _apply(
        self, conn: Connection, parcel: Parcel, verdict: Verdict, now: datetime
    ) -> Ready | None:
        """Write what the verdict says; a ``Ready`` if something is left to send now."""
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
        if free_at := self._free_at(conn, parcel.channel, verdict.address, now):
            _settle(conn, parcel, MessageState.PENDING, "daily_cap", free_at)
            return None
        try:
            out = self._render(parcel, verdict.keep, verdict.address, now)
        except ConfigError as error:
            # Ours to mend, so it waits for that; the next look ends what became useless meanwhile.
            log.exception("alarm", cause="template_failed", message=parcel.id, hint=error.hint)
            _settle(conn, parcel, MessageState.HELD, "template_failed", now + self.hold)
            return None
        return Ready(parcel, verdict.keep, out)

    def _free_at(
        self, conn: Connection, channel: Channel, address: str, now: datetime
    ) -> datetime | None:
        """When a number on a route with a daily cap may be tried again, ``None`` for at once."""
        per_day = self.rules.routes.route(address).per_day if channel is Channel.SMS else None
        if per_day is None:
            return None
        day = timedelta(days=1)
        tried = attempt_store.started_since(conn, address, now - day)
        return tried[-per_day] + day if len(tried) >= per_day else None

    def _render(
        self, parcel: Parcel, items: Sequence[Item], address: str, now: datetime
    ) -> SmsOut | EmailOut:
        holder, sign, rules = parcel.holder, parcel.signature, self.rules
        if parcel.channel is Channel.SMS:
            route = rules.routes.route(address)
            language = route.language_for(holder.language)
            letter = compose(items, holder, sign, rules, now, language)
            text = self.content.sms(letter).text
            registered = route.templates.get((letter.notices[0].event, language))
            filled = fill(registered, letter) if registered else None
            useful = max(item.useful_until for item in items) - now
            return SmsOut(uuid4(), address, text, useful, filled)
        letter = compose(items, holder, sign, rules, now)
        email = self.content.email(letter)
        return EmailOut(uuid4(), address, parcel.signature, email.subject, email.text, email.html)

    def _commit_attempts(self, conn: Connection, ready: Sequence[Ready], now: datetime) -> None:
        attempt_store.add(
            conn,
            [
                {
                    "id": one.out.attempt,
                    "message_id": one.parcel.id,
                    "address": one.out.to,
                    "digest": _digest_of(one.out),
                    "started_at": now,
                }
                for one in ready
            ],
        )
        message_store.set_contents(conn, [_contents(one) for one in ready])


def digest(text: str) -> str:
    """What an attempt keeps of its text, to be found again in a provider's list."""
    return hashlib.sha256(text.encode()).hexdigest()


def _digest_of(out: SmsOut | EmailOut) -> str:
    """Of a registered text the provider's list shows its own rendering: any text may be ours."""
    registered = isinstance(out, SmsOut) and out.template is not None
    return "" if registered else digest(out.text)


def _contents(one: Ready) -> dict[str, Any]:
    sms = isinstance(one.out, SmsOut)
    return {
        "message": one.parcel.id,
        "subject": None if isinstance(one.out, SmsOut) else one.out.subject,
        "body": one.out.text,
        "segments": measure(one.out.text).segments if sms else None,
    }


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
