"""Use case: settle what is unknown, by asking the provider what it took."""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from worker.core.cards import Channel
from worker.core.outcomes import Outcome, OutcomeKind, accepted, from_twilio
from worker.core.reminders import MessageState, ReminderState
from worker.core.retry import RetryPolicy
from worker.delivery.prepare import Ready
from worker.delivery.record import Ended, record, sent
from worker.delivery.rendering import digest
from worker.providers.base import Searchable, Sighting, SmsOut
from worker.store import attempts as attempt_store
from worker.store import messages as message_store
from worker.store import reminders as ledger
from worker.store.attempts import Unknown
from worker.store.engine import reading, writing

log = structlog.get_logger(__name__)

# Twilio's dates have no fractions of a second, and its clock is not ours.
_CLOCKS = timedelta(seconds=5)
# Calls at once: the list is asked for what went wrong, not for everything.
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Settles unknown messages; ``sms`` is whom to ask (``None``: nobody can tell)."""

    engine: Engine
    sms: Searchable | None
    retry: RetryPolicy

    async def run(self, ids: Sequence[int], now: datetime) -> Counter[str]:
        """Settle what can be settled of ``ids``; returns how many messages are now in which state
        (``settled_elsewhere``: another process was first).

        SMS: a message in the provider's list with the attempt's address, text and time was sent;
        one that is not there was not, and may be sent again. Email has no such list: it stays
        unknown, unsent and alarmed until its notice is no longer useful.
        """
        states: Counter[str] = Counter()
        slots = asyncio.Semaphore(_AT_ONCE)

        async def ask(one: Unknown) -> tuple[Unknown, list[Sighting] | None]:
            async with slots:
                return one, await self.sms.find(one.address) if self.sms else None

        texts = await asyncio.to_thread(self._unknown, Channel.SMS, ids)
        # One after the other: of two equal texts to one number each must find its own.
        for one, sightings in await asyncio.gather(*(ask(one) for one in texts)):
            states[await asyncio.to_thread(self._settle, one, sightings, now)] += 1
        for channel in (Channel.EMAIL, Channel.GUARDIAN):
            for one in await asyncio.to_thread(self._unknown, channel, ids):
                states[await asyncio.to_thread(self._settle, one, None, now)] += 1
        return states

    def _unknown(self, channel: Channel, ids: Sequence[int]) -> list[Unknown]:
        with reading(self.engine) as conn:
            return attempt_store.unknowns(conn, channel, ids)

    def _settle(self, one: Unknown, sightings: list[Sighting] | None, now: datetime) -> str:
        try:
            with writing(self.engine) as conn:
                # The provider was asked without a lock: somebody else may have settled it.
                if not attempt_store.still_unknown(conn, one):
                    return "settled_elsewhere"
                # While a twin is in its call, what the list shows may be the twin's.
                if sightings is None or attempt_store.has_open_twin(conn, one):
                    return self._wait(conn, one, now)
                found = [s for s in sightings if _is_ours(one, s)]
                taken = attempt_store.adopted(conn, [s.provider_id for s in found])
                if sighting := _earliest(found, taken):
                    return self._adopt(conn, one, sighting, now)
                return self._resend(conn, one, now)
        except IntegrityError:  # somebody adopted the same message this moment: look again later
            return MessageState.UNKNOWN

    def _adopt(self, conn: Connection, one: Unknown, sighting: Sighting, now: datetime) -> str:
        outcome = _outcome(sighting)
        if outcome.kind is OutcomeKind.ACCEPTED:
            attempt_store.end(conn, [_attempt(one, outcome, now)])
            sent(conn, one.parcel.id, outcome, now)
            return MessageState.SENT
        # Taken and failed since: from here on it is an attempt like any other.
        attempt_store.reopen(conn, one.parcel.id)
        out = SmsOut(one.attempt, one.address, "", timedelta())
        parcel = replace(one.parcel, attempts=one.parcel.attempts - 1)
        [following] = record(
            conn, [Ended(Ready(parcel, parcel.items, out), outcome, now)], self.retry
        )
        return following.state

    def _resend(self, conn: Connection, one: Unknown, now: datetime) -> str:
        never = Outcome(OutcomeKind.NOT_SENT, "reconciled:not_found")
        attempt_store.end(conn, [_attempt(one, never, now)])
        if now >= one.parcel.useful_until:
            return self._give_up(conn, one, "not_sent_in_time", now)
        if one.parcel.attempts >= self.retry.most:
            return self._give_up(conn, one, f"not_found: {one.parcel.attempts} attempts", now)
        return _set(conn, one, MessageState.RETRYABLE, never.code, now)

    def _wait(self, conn: Connection, one: Unknown, now: datetime) -> str:
        if now >= one.parcel.useful_until:
            return self._give_up(conn, one, "unknown_outcome", now)
        # An SMS will be found in the list once it answers; of an email nothing new is coming.
        pause = self.retry.park if one.parcel.channel is Channel.SMS else self.retry.longest
        again = min(now + pause, one.parcel.useful_until)
        return _set(conn, one, MessageState.UNKNOWN, "unknown_outcome", again)

    def _give_up(self, conn: Connection, one: Unknown, reason: str, now: datetime) -> str:
        log.error("alarm", cause="reminder_missed", reason=reason, message=one.parcel.id)
        ids = [item.id for item in one.parcel.items]
        ledger.end(conn, ids, ReminderState.MISSED, reason, now)
        return _set(conn, one, MessageState.FAILED, reason, None)


def _is_ours(one: Unknown, sighting: Sighting) -> bool:
    recent = sighting.created_at >= one.started_at - _CLOCKS
    return recent and one.digest in ("", digest(sighting.text))


def _earliest(found: Collection[Sighting], taken: Collection[str]) -> Sighting | None:
    free = [s for s in found if s.provider_id not in taken]
    return min(free, key=lambda s: s.created_at, default=None)


def _outcome(sighting: Sighting) -> Outcome:
    took = accepted(sighting.provider_id)
    if sighting.status not in ("failed", "undelivered", "canceled"):
        return took
    failed = from_twilio(None, sighting.error_code)
    # Lost somewhere behind the provider: it may have arrived, so it is not sent again.
    if failed.kind is OutcomeKind.AMBIGUOUS:
        return took
    return replace(failed, provider_id=sighting.provider_id)


def _attempt(one: Unknown, outcome: Outcome, now: datetime) -> dict[str, object]:
    return {
        "attempt": one.attempt,
        "outcome": outcome.kind,
        "code": outcome.code,
        "provider_id": outcome.provider_id,
        "ended_at": now,
    }


def _set(
    conn: Connection, one: Unknown, state: MessageState, reason: str, at: datetime | None
) -> str:
    row = {
        "message": one.parcel.id,
        "count": one.parcel.attempts,
        "state": state,
        "reason": reason,
        "next_attempt_at": at,
    }
    message_store.set_states(conn, [row], expected=MessageState.UNKNOWN)
    return state
