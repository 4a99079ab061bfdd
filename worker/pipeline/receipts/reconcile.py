"""Use case: settle what is unknown, by asking the provider what it took."""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from worker.clock import Stopwatch
from worker.core.breaker import BreakerPolicy
from worker.core.cards import Channel
from worker.core.likeness import Likeness, likeness
from worker.core.outcomes import Outcome, OutcomeKind
from worker.core.reminders import MessageState
from worker.core.reports import News, Phase
from worker.core.retry import RetryPolicy
from worker.pipeline.receipts.asking import ask_all
from worker.pipeline.receipts.effects import apply
from worker.pipeline.receipts.seen import as_report
from worker.pipeline.receipts.settling import end, give_up, miss, settle
from worker.providers.base import Searchable, Sighting
from worker.providers.registry import can_be_asked, news_of
from worker.store import attempts as attempt_store
from worker.store import unknowns as unknown_store
from worker.store.committed import after_commit
from worker.store.engine import reading, writing
from worker.store.unknowns import Unknown

log = structlog.get_logger(__name__)

# How far before its attempt a text of ours may stand in the list. Its dates may be whole seconds,
# and neither its clock nor that of the worker that called is ours. Equal texts to one number may
# change places without harm, so the bound can be wide.
_CLOCKS = timedelta(minutes=10)
# A text that the list does not show: it is ours if nothing else can be at that time.
_BEFORE, _AFTER = timedelta(seconds=30), timedelta(minutes=3)
# With `hold` a list has so long to show a text before it is believed that there is none.
_CATCHES_UP = timedelta(minutes=15)
# What the list said so long ago says nothing of now: the process stood still in between.
_FRESH = timedelta(seconds=30)
# Codes of attempts that are behind us: it was not in the list; nobody could tell.
_NOT_FOUND, _RESENT = "reconciled:not_found", "unknown_resent"


@dataclass(frozen=True, slots=True)
class _Asked:
    """An unknown message and what the provider's list showed, ``None`` if it could not be had;
    ``watch`` runs since the question."""

    one: Unknown
    sightings: list[Sighting] | None
    watch: Stopwatch = field(default_factory=Stopwatch)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Settles unknown messages; ``lists``: the providers that can be asked, by name."""

    engine: Engine
    lists: Mapping[str, Searchable]
    retry: RetryPolicy
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)

    async def run(self, ids: Sequence[int], now: datetime) -> Counter[str]:
        """Settle what can be settled of ``ids``; returns how many messages are now in which state
        (``settled_elsewhere``: another process was first).

        A message in its provider's list with the attempt's address, time and text (but for what
        providers change in it) was sent; one that is not there was not, and is sent again. While a
        text is there that may be ours, nothing is sent. Where there was none twice, or where the
        provider has no such list, nobody can tell: ``retry.resend`` decides whether it is sent once
        more. What is unknown even then stays so, alarmed once its notice is no longer useful.
        """
        states: Counter[str] = Counter()
        for channel in Channel:
            found = await asyncio.to_thread(self._unknown, channel, ids)
            # One after the other: of two equal texts to one number each must find its own.
            for asked in await ask_all(self._ask, found):
                states[await asyncio.to_thread(self._settle, asked, now)] += 1
        return states

    async def _ask(self, one: Unknown) -> _Asked:
        watch, whom = Stopwatch(), self.lists.get(one.provider)
        since = one.started_at - _CLOCKS
        return _Asked(one, await whom.find(one.address, since) if whom else None, watch)

    def _unknown(self, channel: Channel, ids: Sequence[int]) -> list[Unknown]:
        with reading(self.engine) as conn:
            return unknown_store.unknowns(conn, channel, ids)

    def _settle(self, asked: _Asked, now: datetime) -> str:
        one = asked.one
        try:
            with writing(self.engine) as conn:
                # The provider was asked without a lock: somebody else may have settled it.
                if not unknown_store.still_unknown(conn, one):
                    return "settled_elsewhere"
                if not can_be_asked(one.outgoing.channel, one.provider):
                    return self._unsettled(conn, one, now)
                if asked.sightings is None or asked.watch.longest() > _FRESH:
                    return self._wait(conn, one, self.retry.park, now)
                return self._look(conn, one, asked.sightings, now)
        except IntegrityError:  # somebody adopted the same message this moment: look again later
            return MessageState.UNKNOWN

    def _look(
        self, conn: Connection, one: Unknown, sightings: Collection[Sighting], now: datetime
    ) -> str:
        """What the list says of ``one``."""
        seen = _seen(conn, one, sightings)
        hidden = seen[Likeness.HIDDEN]
        # While a twin is in its call, what the list shows may be the twin's.
        if unknown_store.has_open_twin(conn, one, any_text=bool(hidden)):
            return self._wait(conn, one, self.retry.park, now)
        if same := seen[Likeness.SAME]:
            return self._adopt(conn, one, _earliest(same), now)
        in_time = [s for s in hidden if -_BEFORE <= s.created_at - one.started_at <= _AFTER]
        if in_time and len(in_time) > unknown_store.rivals(conn, one):
            return self._adopt(conn, one, _earliest(in_time), now)
        if hidden or seen[Likeness.ALIKE]:
            log.warning("unknown_may_be_there", message=one.outgoing.id)
            return self._wait(conn, one, self.retry.park, now)
        holds = one.outgoing.channel not in self.retry.resend
        if holds and now < min(one.started_at + _CATCHES_UP, one.outgoing.useful_until):
            return self._wait(conn, one, self.retry.park, now)
        return self._not_there(conn, one, now)

    def _adopt(self, conn: Connection, one: Unknown, sighting: Sighting, now: datetime) -> str:
        """It was taken, and by now more may be known of it."""
        report = as_report(sighting, one.provider, one.attempt, now)
        told = news_of(report) or News(Phase.TAKEN)
        if attempt := attempt_store.tried(conn, one.attempt):
            apply(conn, attempt, report, told, self.retry, self.breaker, now)
        after = attempt_store.tried(conn, one.attempt)
        return after.state if after else MessageState.UNKNOWN

    def _not_there(self, conn: Connection, one: Unknown, now: datetime) -> str:
        never = Outcome(OutcomeKind.NOT_SENT, _NOT_FOUND)
        if now >= one.outgoing.useful_until:
            end(conn, one, never, now)
            return give_up(conn, one, "not_sent_in_time", now)
        if one.outgoing.attempts >= self.retry.most:
            end(conn, one, never, now)
            return give_up(conn, one, f"not_found: {one.outgoing.attempts} attempts", now)
        if attempt_store.codes(conn, one.outgoing.id)[_NOT_FOUND]:
            # A list that has lost two in a row may be behind: it proves nothing any more.
            return self._unsettled(conn, one, now)
        end(conn, one, never, now)
        return settle(conn, one, MessageState.RETRYABLE, never.code, now)

    def _unsettled(self, conn: Connection, one: Unknown, now: datetime) -> str:
        """Nobody can tell whether it was sent: what to do is a matter of configuration."""
        if now >= one.outgoing.useful_until:
            return give_up(conn, one, "unknown_outcome", now)
        resent = attempt_store.codes(conn, one.outgoing.id)[_RESENT]
        to = one.outgoing.destination
        if resent or to.channel not in self.retry.resend:
            after_commit(log.info)("unknown_held", channel=to, message=one.outgoing.id)
            return self._wait(conn, one, self.retry.longest, now)
        perhaps = Outcome(OutcomeKind.AMBIGUOUS, _RESENT)
        end(conn, one, perhaps, now)
        after_commit(log.info)("unknown_resent", channel=to, message=one.outgoing.id)
        return settle(conn, one, MessageState.RETRYABLE, _RESENT, now)

    def _wait(self, conn: Connection, one: Unknown, pause: timedelta, now: datetime) -> str:
        if now >= one.outgoing.useful_until:
            return give_up(conn, one, "unknown_outcome", now)
        miss(conn, one, [i for i in one.outgoing.items if now >= i.useful_until], now)
        ends = [i.useful_until for i in one.outgoing.items if now < i.useful_until]
        again = min(now + pause, one.outgoing.useful_until, *ends)
        return settle(conn, one, MessageState.UNKNOWN, "unknown_outcome", again)


def _seen(
    conn: Connection, one: Unknown, sightings: Collection[Sighting]
) -> dict[Likeness, list[Sighting]]:
    """The sightings that nobody has adopted and that may be of the attempt of ``one``, by how they
    are like its text. Whatever is not the very text must also have been created soon after. What
    names its attempt is that one's, whatever its text and its time, and nobody else's."""
    taken = unknown_store.adopted(conn, [s.provider_id for s in sightings])
    found: dict[Likeness, list[Sighting]] = {kind: [] for kind in Likeness}
    for sighting in sightings:
        if sighting.provider_id in taken or sighting.attempt not in (None, one.attempt):
            continue
        if sighting.attempt is not None:
            found[Likeness.SAME].append(sighting)
            continue
        kind = likeness(one.digest, one.text, sighting.text)
        after = sighting.created_at - one.started_at
        if after >= -_CLOCKS and (kind is Likeness.SAME or after <= _CLOCKS):
            found[kind].append(sighting)
    return found


def _earliest(found: Collection[Sighting]) -> Sighting:
    return min(found, key=lambda s: s.created_at)
