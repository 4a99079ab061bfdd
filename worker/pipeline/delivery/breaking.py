"""After the call: faults of our own configuration, and providers that are down, open breakers;
answers to probes close them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, Engine

from worker.core.breaker import PREFIX, BreakerPolicy, is_down, rest, rests_alone
from worker.core.hours import Hours
from worker.core.outcomes import Outcome, OutcomeKind, Scope
from worker.errors import UnreachableError
from worker.pipeline.delivery.limits import country_of
from worker.pipeline.delivery.stages import Ended, Faults, Ready
from worker.providers.registry import row_of
from worker.store import attempts as attempt_store
from worker.store import breakers as breaker_store
from worker.store import digests, message_states, recent_attempts
from worker.store.breakers import Breaker
from worker.store.committed import after_commit
from worker.store.engine import writing

log = structlog.get_logger(__name__)

# Messages made due in one transaction after a breaker closed.
_RELEASED = 5_000
# What the provider answers only to those it lets in. A timeout or a 429 shows nothing.
_ANSWERS = (OutcomeKind.ACCEPTED, OutcomeKind.RECIPIENT_DEAD, OutcomeKind.MESSAGE_DEAD)
_FAULTS = (OutcomeKind.CONFIG_FAULT, OutcomeKind.DOWN)
# Held for as long as it takes to look at it once more: then it is handed over, or waits.
_NEXT_LOOK = timedelta(seconds=1)
# The longest name of what is told once a day.
_KIND = 30


@dataclass(slots=True)
class Tripped:
    """The faults that one batch has met: what stands behind them is not even tried."""

    _codes: dict[str, str] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def note(self, one: Ready, outcome: Outcome, *, down: bool = False) -> None:
        """Remember a fault, or that the provider is down. What concerns one recipient stands in
        nobody's way, and who has met the fault before may be the only one that meets it."""
        if not (down or outcome.kind is OutcomeKind.CONFIG_FAULT):
            return
        code = one.sender.down if down else outcome.code
        row = row_of(code)
        if rests_alone(code, row):
            return
        key = one.sender.key(code, row, country_of(one.out.to) or "*")
        if _waited_for(one, code) and not one.probe and key not in self._seen:
            self._seen.add(key)
            return
        self._codes.setdefault(key, code)

    def answer(self, one: Ready) -> Outcome | None:
        """The end of an attempt that the same fault would meet, without a call."""
        if not self._codes:
            return None
        for key in one.sender.keys(country_of(one.out.to)):
            if code := self._codes.get(key):
                kind = OutcomeKind.DOWN if is_down(code) else OutcomeKind.CONFIG_FAULT
                return Outcome(kind, PREFIX + code)
        return None


def settle(conn: Connection, ended: Sequence[Ended], policy: BreakerPolicy, hours: Hours) -> Faults:
    """Open, keep open and close breakers by how these attempts ended. Nearly always: nothing."""
    faults = [e for e in ended if e.down or e.outcome.kind in _FAULTS]
    probes = [e for e in ended if e.ready.probe]
    if not faults and not probes:
        return Faults()
    # Messages before breakers, as everybody does.
    message_states.hold(conn, {e.outgoing.id for e in ended})
    found = Faults()
    alone = [e for e in faults if _rests_alone(e) or _is_the_only_one(conn, e)]
    found.alone.update(e.outgoing.id for e in alone)
    found.known.update(_known(conn, alone))
    faults = [e for e in faults if e.outgoing.id not in found.alone]
    groups: dict[str, list[Ended]] = defaultdict(list)
    for one in faults:
        code, country = _code(one), country_of(one.ready.out.to) or "*"
        groups[one.ready.sender.key(code, row_of(code), country)].append(one)
    for key in sorted(groups):
        _trip(conn, key, groups[key], policy, hours, found)
    answers = (*_ANSWERS, OutcomeKind.CONFIG_FAULT)  # another fault: then the first one is gone
    answered = [e.outgoing.id for e in probes if e.outcome.kind in answers]
    found.closed.extend(breaker_store.close(conn, answered))
    again = ended[0].at + policy.probe
    taken = {e.outgoing.id for e in probes if e.outcome.kind is OutcomeKind.ACCEPTED}
    for breaker in breaker_store.wait_for_reports(conn, sorted(taken), again):
        breaker_store.release(conn, breaker, again, 1)  # somebody must look again then
    silent = [e.outgoing.id for e in probes if e.outgoing.id not in taken]
    breaker_store.unanswered(conn, silent, again)
    for breaker in found.closed:
        after_commit(log.info)("breaker_closed", key=breaker.key, code=breaker.code)
    return found


def _trip(
    conn: Connection,
    key: str,
    ended: Sequence[Ended],
    policy: BreakerPolicy,
    hours: Hours,
    found: Faults,
) -> None:
    at, code, channel = ended[0].at, _code(ended[0]), ended[0].ready.sender.channel
    ids = [one.outgoing.id for one in ended]
    policy = policy.of(code)
    probe_at, news = breaker_store.trip(conn, key, channel, code, ids, at, policy)
    if news and is_down(code):
        after_commit(log.error)(
            "alarm", cause="provider_down", code=code, probe_at=probe_at.isoformat()
        )
    held = (one for one in ended if one.outcome.kind in _FAULTS)
    # Who has met the fault is not the next to try it while others wait.
    urgent = sorted(held, key=lambda one: (_was_called(one), one.outgoing.useful_until))
    if not urgent:  # these are unknown now: of those that wait one must look again
        breaker_store.release(conn, Breaker(key, channel, code, at, probe_at, 1), probe_at, 1)
    looks = [probe_at]
    if news and urgent and _was_called(urgent[0]) and not is_down(code):
        breaker = Breaker(key, channel, code, at, probe_at, 1)
        soon = at + policy.probe
        if breaker_store.release(conn, breaker, soon, 1, unmet=True, besides=ids):
            looks = [at + policy.longest, probe_at]
    for one in urgent:
        outgoing = one.outgoing
        if one.ready.spare:  # another provider is there to take it over
            found.until[outgoing.id] = one.at + _NEXT_LOOK
            continue
        until = min(item.useful_until for item in one.ready.items)
        again = rest(until, looks, hours, outgoing.holder.time_zone)
        # No time for that: the next look hands it over, if there is anybody to hand it to.
        found.until[outgoing.id] = again or one.at + _NEXT_LOOK
        looks = [at + policy.longest, probe_at] if again else looks
    found.known.update(ids[1:] if news else ids)


def _was_called(one: Ended) -> bool:
    return not one.outcome.code.startswith(PREFIX)


def _waited_for(one: Ready, code: str) -> bool:
    """Has it met this fault before, and waited?"""
    return one.outgoing.fault == code


def _rests_alone(one: Ended) -> bool:
    code = _code(one)
    return rests_alone(code, row_of(code))


def _is_the_only_one(conn: Connection, one: Ended) -> bool:
    """Does this fault meet one message alone? It has met it before, and since then others were
    taken the same way."""
    ready, code = one.ready, _code(one)
    if is_down(code) or ready.probe or not _waited_for(ready, code):
        return False
    since = attempt_store.met(conn, [ready.outgoing.id], code).get(ready.outgoing.id)
    if since is None:
        return False
    taken = recent_attempts.taken_since(conn, ready.sender.provider, ready.sender.address, since)
    if row_of(code).scope in (Scope.COUNTRY, Scope.ROUTE):
        country = country_of(ready.out.to)
        taken = {address for address in taken if country_of(address) == country}
    return bool(taken - {ready.out.to})


def _known(conn: Connection, alone: Sequence[Ended]) -> set[int]:
    """Those whose fault was told of: it has met them before, or others today. An account on trial
    refuses one number after the other."""
    known = {e.outgoing.id for e in alone if _waited_for(e.ready, e.outcome.code)}
    news: dict[str, list[Ended]] = defaultdict(list)
    for one in alone:
        if one.outgoing.id not in known:
            news[one.outcome.code].append(one)
    for code in sorted(news):
        first, *others = news[code]
        tells = digests.claim_day(conn, f"fault:{code}"[:_KIND], first.at.date())
        known.update(e.outgoing.id for e in (others if tells else news[code]))
    return known


def _code(one: Ended) -> str:
    """Which fault: that of a provider that is down is the same for every end it comes with."""
    if one.down or one.outcome.kind is OutcomeKind.DOWN:
        return one.ready.sender.down
    return one.outcome.code.removeprefix(PREFIX)


def release(engine: Engine, closed: Sequence[Breaker], now: datetime) -> None:
    """Make due what waited for these. Should that not come to its end, each comes by itself."""
    for breaker in closed:
        try:
            count = _RELEASED
            while count == _RELEASED:
                with writing(engine) as conn:
                    count = breaker_store.release(conn, breaker, now, _RELEASED)
        except UnreachableError:
            log.warning("held_messages_wait_for_the_database", key=breaker.key)


def refused(ended: Sequence[Ended]) -> list[Ended]:
    """Those that the provider certainly did not take: they used nothing."""
    taken = (OutcomeKind.ACCEPTED, OutcomeKind.AMBIGUOUS)
    return [one for one in ended if one.outcome.kind not in taken]
