"""Before the call: claim, look once more, render, and commit the attempts. One transaction."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import structlog
from sqlalchemy import Connection, Engine

from worker.content.compose import compose
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
    """Makes claimed messages ready to send at ``now``; ``lease`` must outlast the longest call."""

    engine: Engine
    rules: Rules
    content: Content
    lease: timedelta
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
        try:
            out = self._render(parcel, verdict.keep, verdict.address, now)
        except ConfigError as error:
            log.exception("alarm", cause="template_failed", message=parcel.id, hint=error.hint)
            ids = [item.id for item in verdict.keep]
            ledger.end(conn, ids, ReminderState.MISSED, "template_failed", now)
            _settle(conn, parcel, MessageState.FAILED, "template_failed")
            return None
        return Ready(parcel, verdict.keep, out)

    def _render(
        self, parcel: Parcel, items: Sequence[Item], address: str, now: datetime
    ) -> SmsOut | EmailOut:
        letter = compose(items, parcel.holder, parcel.signature, self.rules, now)
        if parcel.channel is Channel.SMS:
            sms = self.content.sms(letter)
            return SmsOut(uuid4(), address, sms.text, parcel.useful_until - now)
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
                    "digest": digest(one.out.text),
                    "started_at": now,
                }
                for one in ready
            ],
        )
        message_store.set_contents(conn, [_contents(one) for one in ready])


def digest(text: str) -> str:
    """What an attempt keeps of its text, to be found again in a provider's list."""
    return hashlib.sha256(text.encode()).hexdigest()


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
