"""Use case: settle what is unknown, by asking the provider what it took."""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from worker.core.breaker import BreakerPolicy
from worker.core.cards import Channel
from worker.core.outcomes import Outcome, OutcomeKind
from worker.core.recheck import Item
from worker.core.reminders import MessageState, ReminderState
from worker.core.reports import News, Phase, news
from worker.core.retry import RetryPolicy
from worker.delivery.rendering import digest
from worker.providers.base import Searchable, Sighting
from worker.receipts.effects import apply
from worker.receipts.seen import as_report
from worker.store import attempts as attempt_store
from worker.store import message_states
from worker.store import reminders as ledger
from worker.store import unknowns as unknown_store
from worker.store.engine import reading, writing
from worker.store.unknowns import Unknown

log = structlog.get_logger(__name__)

# Twilio's dates have no fractions of a second, and its clock is not ours.
_CLOCKS = timedelta(seconds=5)
# Calls at once: the list is asked for what went wrong, not for everything.
_AT_ONCE = 8
# Codes of attempts that are behind us: it was not in the list; nobody could tell.
_NOT_FOUND, _RESENT = "reconciled:not_found", "unknown_resent"


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Settles unknown messages; ``sms`` is whom to ask (``None``: nobody can tell)."""

    engine: Engine
    sms: Searchable | None
    retry: RetryPolicy
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)

    async def run(self, ids: Sequence[int], now: datetime) -> Counter[str]:
        """Settle what can be settled of ``ids``; returns how many messages are now in which state
        (``settled_elsewhere``: another process was first).

        SMS: a message in the provider's list with the attempt's address, text and time was sent;
        one that is not there was not, and is sent again. Where that happens twice, or with email,
        which has no such list, nobody can tell: ``retry.resend`` decides whether it is sent once
        more. What is unknown even then stays so, alarmed once its notice is no longer useful.
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
            return unknown_store.unknowns(conn, channel, ids)

    def _settle(self, one: Unknown, sightings: list[Sighting] | None, now: datetime) -> str:
        try:
            with writing(self.engine) as conn:
                # The provider was asked without a lock: somebody else may have settled it.
                if not unknown_store.still_unknown(conn, one):
                    return "settled_elsewhere"
                if one.parcel.channel is not Channel.SMS:
                    return self._unsettled(conn, one, now)
                # While a twin is in its call, what the list shows may be the twin's.
                if sightings is None or unknown_store.has_open_twin(conn, one):
                    return self._wait(conn, one, self.retry.park, now)
                found = [s for s in sightings if _is_ours(one, s)]
                taken = unknown_store.adopted(conn, [s.provider_id for s in found])
                if sighting := _earliest(found, taken):
                    return self._adopt(conn, one, sighting, now)
                return self._not_there(conn, one, now)
        except IntegrityError:  # somebody adopted the same message this moment: look again later
            return MessageState.UNKNOWN

    def _adopt(self, conn: Connection, one: Unknown, sighting: Sighting, now: datetime) -> str:
        """It was taken, and by now more may be known of it."""
        report = as_report(sighting, one.attempt, now)
        told = news(report) or News(Phase.TAKEN)
        if attempt := attempt_store.tried(conn, one.attempt):
            apply(conn, attempt, report, told, self.retry, self.breaker, now)
        after = attempt_store.tried(conn, one.attempt)
        return after.state if after else MessageState.UNKNOWN

    def _not_there(self, conn: Connection, one: Unknown, now: datetime) -> str:
        never = Outcome(OutcomeKind.NOT_SENT, _NOT_FOUND)
        if now >= one.parcel.useful_until:
            attempt_store.end(conn, [_attempt(one, never, now)])
            return self._give_up(conn, one, "not_sent_in_time", now)
        if one.parcel.attempts >= self.retry.most:
            attempt_store.end(conn, [_attempt(one, never, now)])
            return self._give_up(conn, one, f"not_found: {one.parcel.attempts} attempts", now)
        if attempt_store.codes(conn, one.parcel.id)[_NOT_FOUND]:
            # A list that has lost two in a row may be behind: it proves nothing any more.
            return self._unsettled(conn, one, now)
        attempt_store.end(conn, [_attempt(one, never, now)])
        return _set(conn, one, MessageState.RETRYABLE, never.code, now)

    def _unsettled(self, conn: Connection, one: Unknown, now: datetime) -> str:
        """Nobody can tell whether it was sent: what to do is a matter of configuration."""
        if now >= one.parcel.useful_until:
            return self._give_up(conn, one, "unknown_outcome", now)
        resent = attempt_store.codes(conn, one.parcel.id)[_RESENT]
        channel = one.parcel.channel
        if resent or channel not in self.retry.resend:
            log.info("unknown_held", channel=channel, message=one.parcel.id)
            return self._wait(conn, one, self.retry.longest, now)
        perhaps = Outcome(OutcomeKind.AMBIGUOUS, _RESENT)
        attempt_store.end(conn, [_attempt(one, perhaps, now)])
        log.info("unknown_resent", channel=channel, message=one.parcel.id)
        return _set(conn, one, MessageState.RETRYABLE, _RESENT, now)

    def _wait(self, conn: Connection, one: Unknown, pause: timedelta, now: datetime) -> str:
        if now >= one.parcel.useful_until:
            return self._give_up(conn, one, "unknown_outcome", now)
        _miss(conn, one, [i for i in one.parcel.items if now >= i.useful_until], now)
        ends = [i.useful_until for i in one.parcel.items if now < i.useful_until]
        again = min(now + pause, one.parcel.useful_until, *ends)
        return _set(conn, one, MessageState.UNKNOWN, "unknown_outcome", again)

    def _give_up(self, conn: Connection, one: Unknown, reason: str, now: datetime) -> str:
        _miss(conn, one, one.parcel.items, now, reason)
        return _set(conn, one, MessageState.FAILED, reason, None)


def _miss(
    conn: Connection,
    one: Unknown,
    items: Collection[Item],
    now: datetime,
    reason: str = "unknown_outcome",
) -> None:
    """Nobody can tell whether these were told, and now it is too late."""
    if items:
        log.error("alarm", cause="reminder_missed", reason=reason, message=one.parcel.id)
        ledger.end(conn, [item.id for item in items], ReminderState.MISSED, reason, now)


def _is_ours(one: Unknown, sighting: Sighting) -> bool:
    recent = sighting.created_at >= one.started_at - _CLOCKS
    return recent and one.digest in ("", digest(sighting.text))


def _earliest(found: Collection[Sighting], taken: Collection[str]) -> Sighting | None:
    free = [s for s in found if s.provider_id not in taken]
    return min(free, key=lambda s: s.created_at, default=None)


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
    message_states.set_states(conn, [row], expected=(MessageState.UNKNOWN,))
    return state
