"""What a report changes: its attempt, its message, the reminders in it, and its address."""

import random
from dataclasses import replace
from datetime import datetime, time, timedelta

import structlog
from sqlalchemy import Connection

from worker.core.breaker import PREFIX, BreakerPolicy, rests_alone
from worker.core.cards import Channel
from worker.core.hours import Hours
from worker.core.life import LifeNotice
from worker.core.outcomes import Outcome, OutcomeKind, accepted
from worker.core.reminders import MessageState, Obstacle, ReminderState
from worker.core.reports import News, Phase, Report, advances, after_failure
from worker.core.retry import Next, RetryPolicy
from worker.pipeline import endings
from worker.pipeline.delivery.elsewhere import Elsewhere
from worker.pipeline.delivery.results import Taken, held_back, missed, sent, suppress
from worker.pipeline.receipts.faults import shown
from worker.pipeline.receipts.proof import is_proven
from worker.providers.registry import OPT_OUTS, is_doubtful, row_of, silence_of
from worker.store import attempts as attempt_store
from worker.store import message_states, outbox, reminder_changes, suppressions
from worker.store import receipts as receipt_store
from worker.store import reminders as ledger
from worker.store.attempts import Tried
from worker.store.committed import after_commit
from worker.store.outbox import OutgoingMessage

log = structlog.get_logger(__name__)

# Held for as long as it takes to look at it once more: then it is handed over, or waits.
_NEXT_LOOK = timedelta(seconds=1)
# Reports look at no hour: what goes over to the other channel waits there for the day.
_ALWAYS = Elsewhere(Hours(time.min, time.max), tuple(Channel))
# A refusal that is one recipient's is tried so often before another way takes over.
_ALONE = 3
# After one of these an older notice of an event is no longer true, or no longer news.
_NEWER = ("renewed", "confirmed", "renewal_not_effective", "renewal_unanswered",
          "renewal_failed", "suspended", "recycled", "reassigned", "paused", "closed",
          "registration_resolved")  # fmt: skip


def apply(
    conn: Connection,
    one: Tried,
    report: Report,
    told: News,
    policy: RetryPolicy,
    breaker: BreakerPolicy,
    now: datetime,
) -> None:
    """Let ``report``, which says ``told``, have its effect on the attempt ``one``.

    The message of ``one`` is locked. A repeated or overtaken report changes nothing, and any order
    of reports leads to the same end.
    """
    at = min(report.occurred_at or now, now)
    if told.opt_out:
        _opt_out(conn, one, report.provider, told.opt_out, at, now)
    if told.opt_in:
        _opt_in(conn, one, report.provider, told.opt_in, at, now)
    outcome = told.outcome
    dead = outcome is not None and outcome.kind is OutcomeKind.RECIPIENT_DEAD
    if outcome and dead and one.address and not told.opt_out:
        # Of a dead address nothing more is to be expected, whatever arrived there before.
        suppress(conn, one.channel, one.address, outcome.code, now)
    if one.phase is Phase.OPEN:
        one = _taken(conn, one, report, policy, now)
    if not advances(one.channel, one.phase, told.phase):
        return
    if told.phase is Phase.DELIVERED:
        attempt_store.confirm(conn, one.id)
        message_states.set_delivered(conn, one.message_id, str(one.provider_id), at)
        endings.delivered(conn, one.message_id, at, one.started_at)
        _works_after_all(conn, one, now)
    elif outcome is not None:
        _failed(conn, one, outcome, policy, breaker, now)


def _opt_out(
    conn: Connection, one: Tried, provider: str, reason: str, at: datetime, now: datetime
) -> None:
    """The reader asks for silence, unless that was taken back since: events come in any order."""
    if receipt_store.reported_since(conn, one.id, silence_of(provider).resumed, at):
        return
    address = one.address or _address_now(conn, one)
    if address:
        suppressions.add(conn, one.channel, {address: reason}, now, source="optout")


def _works_after_all(conn: Connection, one: Tried, now: datetime) -> None:
    """An SMS that arrives shows that its number lives, whatever was said of it before. Of an email
    ``delivered`` is only the word of the first mail server."""
    if one.channel is Channel.SMS and one.address:
        suppressions.revive(conn, Channel.SMS, one.address, OPT_OUTS, now, "delivered")


def _opt_in(
    conn: Connection, one: Tried, provider: str, reason: str, at: datetime, now: datetime
) -> None:
    """Lift what the reader had stopped with the provider, and nothing else: neither a dead address
    nor what was said by our own links."""
    silence = silence_of(provider)
    if receipt_store.reported_since(conn, one.id, silence.statuses, at):
        return
    if address := one.address or _address_now(conn, one):
        suppressions.lift_reported(conn, one.channel, address, silence.taken_back, now, reason)


def _address_now(conn: Connection, one: Tried) -> str | None:
    """Where the reader of a message is reached today: its own address is erased after a time, and
    who answers one that old must be heard all the same."""
    [outgoing] = outbox.load(conn, [one.message_id])
    by_email = one.channel is Channel.EMAIL
    return outgoing.holder.email if by_email else outgoing.holder.contact_phone


def _taken(
    conn: Connection, one: Tried, report: Report, policy: RetryPolicy, now: datetime
) -> Tried:
    """A report proves that the provider has it, even where the answer to the call was lost."""
    provider_id = report.provider_id or f"attempt-{one.id}"
    attempt_store.end(conn, [attempt_store.ended(one.id, accepted(provider_id), now)])
    # It took it in the call, whenever we hear of it.
    taken = Taken(one.message_id, one.channel, provider_id, one.started_at, one.audience)
    sent(conn, [taken], policy, begun=one.started_at)
    return attempt_store.tried(conn, one.id) or one


def _failed(
    conn: Connection,
    one: Tried,
    outcome: Outcome,
    policy: RetryPolicy,
    breaker: BreakerPolicy,
    now: datetime,
) -> None:
    known = replace(outcome, provider_id=one.provider_id)
    attempt_store.end(conn, [attempt_store.ended(one.id, known, now)])
    if is_doubtful(outcome.code) and one.address and is_proven(conn, one, now):
        outcome = replace(outcome, kind=OutcomeKind.RECIPIENT_DEAD)
        suppress(conn, one.channel, one.address, outcome.code, now)
        after_commit(log.info)("address_dead", code=outcome.code, message=one.message_id)
    stopped = shown(conn, one, outcome, breaker, now)
    is_ours = outcome.kind is OutcomeKind.CONFIG_FAULT
    if outcome.alarm and not (is_ours and stopped):  # a breaker raises its own
        after_commit(log.error)(
            "alarm", cause=outcome.kind, code=outcome.code, message=one.message_id
        )
    is_the_one = one.provider_id == one.message_provider_id
    if not is_the_one or one.state not in (MessageState.SENT, MessageState.DELIVERED):
        return
    if other := attempt_store.also_taken(conn, one.message_id, one.id):
        message_states.set_provider(conn, one.message_id, other)
        return
    _undelivered(conn, one, outcome, policy, now, stopped=is_ours and stopped)


def _undelivered(
    conn: Connection,
    one: Tried,
    outcome: Outcome,
    policy: RetryPolicy,
    now: datetime,
    *,
    stopped: bool,
) -> None:
    """Nobody was told after all: once more later, or the other way. ``stopped``: by a breaker; the
    next look finds it, and holds the message or hands it over."""
    reminder_changes.reopen(conn, one.message_id)
    _end_overtaken(conn, one.message_id, now)
    [outgoing] = outbox.load(conn, [one.message_id])
    helped = _ALWAYS.helped(conn, outgoing, outgoing.items)
    elsewhere = bool(outgoing.items) and len(helped) == len(outgoing.items)
    following = _next(conn, outgoing, outcome, policy, now, elsewhere=elsewhere)
    if stopped and following.at is not None:
        following = Next(
            *(MessageState.HELD, now + _NEXT_LOOK, PREFIX + outcome.code),
            *(Obstacle.BREAKER, outcome.code),
        )
    if not outgoing.items:
        following = Next(MessageState.UNDELIVERED, None, outcome.code)
    message_states.set_undelivered(conn, outgoing.id, following)
    if outcome.kind is OutcomeKind.CONFIG_FAULT:
        message_states.not_counted(conn, [outgoing.id])
    after_commit(log.info)(
        "undelivered", channel=outgoing.destination, code=outcome.code, state=following.state
    )
    if following.at is not None or not outgoing.items:
        return
    is_ours = outcome.kind is OutcomeKind.CONFIG_FAULT and not elsewhere
    if outcome.kind is OutcomeKind.MESSAGE_DEAD or is_ours:
        missed(conn, outgoing, outgoing.items, outcome.code, now)
        return
    dead = outcome.kind is OutcomeKind.RECIPIENT_DEAD
    lost = held_back(conn, outgoing, outgoing.items, outcome.code, now, alarm=dead)
    if lost and not dead:
        after_commit(log.error)(
            "alarm", cause="reminder_missed", reason=outcome.code, message=outgoing.id
        )
        endings.miss(conn, [item.id for item in lost])


def _next(
    conn: Connection,
    outgoing: OutgoingMessage,
    outcome: Outcome,
    policy: RetryPolicy,
    now: datetime,
    *,
    elsewhere: bool,
) -> Next:
    failures = attempt_store.failed_behind(conn, outgoing.id)
    is_ours = outcome.kind is OutcomeKind.CONFIG_FAULT
    alone = rests_alone(outcome.code, row_of(outcome.code))
    if is_ours and elsewhere and alone and failures >= _ALONE:
        return Next(MessageState.UNDELIVERED, None, outcome.code)
    return after_failure(
        outcome,
        failures,
        outgoing.attempts,
        now,
        outgoing.useful_until,
        policy,
        outgoing.channel,
        random.random(),  # noqa: S311 - spreads retries, keeps no secret
        elsewhere=elsewhere,
    )


def _end_overtaken(conn: Connection, message_id: int, now: datetime) -> None:
    """Before a send only deadlines are looked at again: news of an event lasts until the next."""
    [outgoing] = outbox.load(conn, [message_id])
    events = [item.id for item in outgoing.items if isinstance(item.key.deadline, LifeNotice)]
    for reminder, event in ledger.overtaken(conn, events, _NEWER).items():
        endings.end(conn, [reminder], ReminderState.SUPERSEDED, event, now)
