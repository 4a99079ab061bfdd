"""The comparison: what was owed, what the ledger says became of it, what the sandbox received."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, func, select

from benchmarks.storm.clock import AHEAD
from benchmarks.storm.kept_back import Passed, World, kept_back, missed_of
from benchmarks.storm.life import StormLife
from benchmarks.storm.weather import Weather
from worker.core.cards import Channel
from worker.core.reminders import ReminderState
from worker.demo.audit import unwritten
from worker.setup.app import App
from worker.store.engine import reading
from worker.store.tables import attempts, messages, receipts, reminders

_TOLD = (ReminderState.SENT, ReminderState.DELIVERED)
# How a provider says that what it accepted did not arrive.
_LOST = ("undelivered", "failed", "bounce", "blocked", "dropped")


@dataclass(frozen=True, slots=True)
class StormAccount:
    """``due``: reminders owed in the time. ``lost``: owed and not in the ledger, told by it
    without the sandbox knowing, or missed while its recipient was fine and a way was open.
    ``duplicates``: received beyond one for each message, or sent again after a receipt had said
    that it was delivered.
    ``still_open``: to be tried again later, and useful then. ``unexplained``: ended without a
    reason, not ended in its time, or received by the sandbox and known to nobody here.
    ``late_p99_s``: real seconds from due to accepted.
    """

    due: int
    accepted: int
    states: Mapping[str, int]
    reasons: Mapping[str, int]
    lost: int
    lost_how: Mapping[str, int]
    duplicates: int
    sent_after_renewal: int
    sent_after_opt_out: int
    still_open: int
    unexplained: int
    unexplained_how: Mapping[str, int]
    late_p99_s: float


def account(
    app: App, record: Sequence[Mapping[str, Any]], life: StormLife, weather: Weather,
    start: datetime, end: datetime, now: datetime, speed: float,
) -> StormAccount:  # fmt: skip
    """Compare the three for what was due from ``start`` to ``end``, as it stands at ``now``;
    ``record`` is the sandbox's list of accepted messages."""
    with reading(app.engine) as conn:
        ledger = conn.execute(select(reminders)).all()
        tried = {row.id: row for row in conn.execute(select(attempts))}
        confirmed = _confirmed(conn)
        sent_at = dict(conn.execute(select(messages.c.id, messages.c.sent_at)).all())
        until = dict(conn.execute(select(messages.c.id, messages.c.useful_until)).all())
        never_written = unwritten(app, conn, ledger, start, end)
        missed = missed_of(conn, [r for r in ledger if start <= r.due_at < end])
    taken = [(entry, tried.get(_uuid(entry["attempt"]))) for entry in record]
    # What failed on its way after it was accepted reached nobody, so it may be sent again.
    per_message = Counter(row.message_id for _, row in taken if row is not None)
    arrived = Counter(
        row.message_id for entry, row in taken if row is not None and entry["ending"] not in _LOST
    )
    told = [r for r in ledger if r.state in _TOLD]
    due = [r for r in ledger if start <= r.due_at < end]
    waiting = [r for r in due if r.state == ReminderState.PENDING]
    # A notice in a message with others ends when that is looked at again, at the latest at its end.
    unended = [r for r in waiting if until.get(r.message_id, r.useful_until) <= now]
    unreasoned = [
        r for r in ledger if r.state not in (*_TOLD, ReminderState.PENDING) and not r.reason
    ]
    per_message_tried = defaultdict(list)
    for row in tried.values():
        per_message_tried[row.message_id].append(row)
    lease = timedelta(seconds=app.settings.delivery.lease_seconds)
    world = World(weather.closed, app.rules.hours, lease)
    lost = {
        "not_in_ledger": len(never_written),
        "told_and_not_received": sum(1 for r in told if not per_message[r.message_id]),
        "kept_back": len(kept_back(missed, _passed(taken, ledger), per_message_tried, world)),
    }
    again = _after_delivery(taken, confirmed)
    unexplained = {
        "not_ended_in_time": len(unended),
        "ended_without_reason": len(unreasoned),
        "received_from_nobody": sum(1 for _, row in taken if row is None),
    }
    return StormAccount(
        due=len(due),
        accepted=len(record),
        states=dict(Counter(r.state for r in due)),
        reasons=dict(Counter(f"{r.state}: {r.reason}" for r in due if r.reason).most_common()),
        lost=sum(lost.values()),
        lost_how=lost,
        duplicates=sum(max(arrived[one] - 1, again[one]) for one in {*arrived, *again}),
        sent_after_renewal=_after_renewal(ledger, taken, life),
        sent_after_opt_out=after_opt_out(taken, life),
        still_open=len(waiting) - len(unended),
        unexplained=sum(unexplained.values()),
        unexplained_how=unexplained,
        late_p99_s=_late(told, sent_at, start, end, speed),
    )


Taken = Sequence[tuple[Mapping[str, Any], Row[Any] | None]]


def _uuid(text: str | None) -> UUID | None:
    return UUID(text) if text else None


def _confirmed(conn: Connection) -> dict[UUID, datetime]:
    """By attempt: when it was first heard that its text was delivered."""
    rows = conn.execute(
        select(receipts.c.attempt_id, func.min(receipts.c.received_at))
        .where(receipts.c.status == "delivered", receipts.c.attempt_id.is_not(None))
        .group_by(receipts.c.attempt_id)
    )
    return {row[0]: row[1] for row in rows}


def _after_delivery(taken: Taken, confirmed: Mapping[UUID, datetime]) -> Counter[int]:
    """By message: how many of the received texts were begun after another one of the same message
    was known to be delivered. That it had been called undelivered before is no excuse. An email may
    still bounce after its first server has called it delivered, so only texts count."""
    texts = [row for entry, row in taken if row is not None and entry["channel"] == Channel.SMS]
    known = {row.message_id: confirmed[row.id] for row in texts if row.id in confirmed}
    return Counter(
        row.message_id
        for row in texts
        if row.message_id in known and row.started_at - AHEAD > known[row.message_id]
    )


def _passed(taken: Taken, ledger: Sequence[Row[Any]]) -> list[Passed]:
    """What the providers took, once for each reminder that it told."""
    carried = defaultdict(list)
    for row in ledger:
        carried[row.message_id].append(row)
    return [
        Passed(
            *(attempt.address, entry["channel"], attempt.started_at),
            *(row.due_at, row.useful_until),
        )
        for entry, attempt in taken
        if attempt is not None
        for row in carried[attempt.message_id]
    ]


def _after_renewal(ledger: Sequence[Row[Any]], taken: Taken, life: StormLife) -> int:
    """Received messages with a notice of a plan end that was over when their attempt began. By
    whose clock is not known: one of the workers has one that is ahead."""
    carried = defaultdict(list)
    for row in ledger:
        carried[row.message_id].append(row)
    renewed = {(r.card_id, r.former): r.at for r in life.renewals}
    return sum(
        1
        for _, attempt in taken
        if attempt is not None
        and any(
            attempt.started_at - AHEAD > renewed[row.card_id, row.deadline_on]
            for row in carried[attempt.message_id]
            if row.state in _TOLD
            and row.deadline == "plan_end"
            and (row.card_id, row.deadline_on) in renewed
        )
    )


def after_opt_out(taken: Taken, life: StormLife) -> int:
    """Received messages whose attempt began after their address was certainly suppressed, and
    before that was lifted, if it ever was."""

    def is_forbidden(channel: str, attempt: Row[Any]) -> bool:
        since = life.opt_outs.get((channel, attempt.address))
        until = life.lifted.get((channel, attempt.address))
        if since is None or attempt.started_at - AHEAD <= since:
            return False
        return until is None or attempt.started_at < until

    return sum(1 for entry, row in taken if row is not None and is_forbidden(entry["channel"], row))


def _late(
    told: Sequence[Row[Any]], sent_at: Mapping[int, datetime | None], start: datetime,
    end: datetime, speed: float,
) -> float:  # fmt: skip
    delays = sorted(
        (at - row.due_at).total_seconds() / speed
        for row in told
        if start <= row.due_at < end and (at := sent_at.get(row.message_id))
    )
    return round(delays[int(len(delays) * 0.99)], 2) if delays else 0.0
