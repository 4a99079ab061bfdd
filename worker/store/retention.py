"""Erasing what is older than its use: content first, then addresses, in the end the proof itself.

Every function does one batch in the caller's transaction, at a cost that follows the batch and not
what is stored. Nobody is waited for: a row that somebody holds is left to the next pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from worker.core.lifecycle import ENDS
from worker.core.reminders import ReminderState
from worker.store import jobs
from worker.store.bulk import among
from worker.store.tables import (
    alarms,
    attempts,
    audit,
    card_events,
    digests,
    inbound,
    messages,
    rate_buckets,
    receipts,
    reminders,
    saves,
    sessions,
    sign_in_links,
    tallies,
    tally_days,
    usage,
)
from worker.store.types import Instant

# What a holder said stays: it is the reason why somebody is written to, or not.
CONSENT: Final = ("opted_out", "opted_in")

# A message goes with about so many other rows.
_WITH_IT: Final = 5
# As a literal: only so can the databases see that the partial index applies.
_NO_ADDRESS: Final[ColumnElement[str]] = literal("", literal_execute=True)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one batch did to how many ``rows``, and ``after`` what the next one goes on; ``None``:
    there is nothing more."""

    rows: int
    after: Any = None


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """What lies at or before these may go. ``settled``: no window of a deadline of that day, and
    no notice useful until then, can be owed again."""

    content: datetime
    address: datetime
    proof: datetime
    settled: datetime
    digest: datetime
    now: datetime


def overwrite(conn: Connection) -> None:
    """What this connection deletes must not stay readable in the free pages of an SQLite file."""
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql("PRAGMA secure_delete = ON")


def contents(conn: Connection, cut: Cutoffs, after: Any, limit: int) -> Batch:
    """Empty subject and body of messages that ended; digests in their attempts stay."""
    old = (
        select(messages.c.id)
        .where(old_content(cut))
        .order_by(messages.c.next_attempt_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    emptied = update(messages).where(messages.c.id.in_(old)).values(subject=None, body=None)
    return _again(conn.execute(emptied).rowcount, limit)


def old_content(cut: Cutoffs) -> ColumnElement[bool]:
    """Of which messages the content may go."""
    return and_(
        messages.c.body.is_not(None),
        messages.c.wake_at.is_(None),
        messages.c.state.in_(ENDS),
        messages.c.next_attempt_at <= cut.content,
        func.coalesce(messages.c.delivered_at, messages.c.sent_at, messages.c.next_attempt_at)
        <= cut.content,
    )


def addresses(conn: Connection, cut: Cutoffs, after: Any, limit: int) -> Batch:
    """Empty the addresses of attempts; the provider's ids and the instants stay."""
    old = (
        select(attempts.c.id)
        .where(old_address(cut))
        .order_by(attempts.c.started_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    emptied = update(attempts).where(attempts.c.id.in_(old)).values(address="")
    return _again(conn.execute(emptied).rowcount, limit)


def old_address(cut: Cutoffs) -> ColumnElement[bool]:
    """Of which attempts the address may go: it is needed while the end of one is unknown."""
    own = and_(messages.c.id == attempts.c.message_id, messages.c.wake_at.is_(None))
    return and_(
        attempts.c.address != _NO_ADDRESS,
        attempts.c.started_at <= cut.address,
        exists().where(own),
    )


def proofs(conn: Connection, cut: Cutoffs, after: Any, limit: int) -> Batch:
    """Delete messages with all that belongs to them: reminders, attempts, receipts."""
    limit = max(1, limit // _WITH_IT)
    page = conn.execute(
        select(messages.c.id, messages.c.created_at)
        .where(messages.c.id > (after or 0))
        .order_by(messages.c.id)
        .limit(limit)
    ).all()
    old = conn.execute(
        select(messages.c.id)
        .where(among(conn, messages.c.id, [row.id for row in page]), old_message(cut))
        .order_by(messages.c.id)
        .with_for_update(skip_locked=True)
    )
    rows = _delete_messages(conn, cut, list(old.scalars()))
    return _onward(rows, page, cut.proof, limit)


def _delete_messages(conn: Connection, cut: Cutoffs, ids: Sequence[int]) -> int:
    if not ids:
        return 0
    tried = conn.execute(
        select(attempts.c.id, attempts.c.provider_id).where(among(conn, attempts.c.message_id, ids))
    ).all()
    names = [row.provider_id for row in tried if row.provider_id is not None]
    doomed: tuple[tuple[Table, ColumnElement[bool]], ...] = (
        (receipts, among(conn, receipts.c.attempt_id, [row.id for row in tried])),
        (receipts, among(conn, receipts.c.provider_id, names)),
        (attempts, among(conn, attempts.c.message_id, ids)),
        # One that is owed again this moment is left, and then its message cannot be deleted.
        (reminders, and_(among(conn, reminders.c.message_id, ids), old_reminder(cut))),
        (messages, among(conn, messages.c.id, ids)),
    )
    return sum(conn.execute(delete(table).where(which)).rowcount for table, which in doomed)


def old_message(cut: Cutoffs) -> ColumnElement[bool]:
    """Which messages may go as a whole: ended, and so are all notices they carried."""
    other = and_(reminders.c.message_id == messages.c.id, ~old_reminder(cut))
    return and_(
        messages.c.created_at <= cut.proof,
        messages.c.wake_at.is_(None),
        messages.c.state.in_(ENDS),
        func.coalesce(messages.c.sent_at, messages.c.created_at) <= cut.proof,
        ~exists().where(other),
    )


def old_reminder(cut: Cutoffs) -> ColumnElement[bool]:
    """Which reminders may go: their row is what keeps a notice from being owed a second time."""
    return and_(
        reminders.c.state != ReminderState.PENDING,
        reminders.c.due_at <= cut.proof,
        func.coalesce(reminders.c.ended_at, reminders.c.due_at) <= cut.proof,
        reminders.c.useful_until <= cut.settled,
        reminders.c.deadline_on <= cut.settled.date(),
    )


def unsent(conn: Connection, cut: Cutoffs, after: Any, limit: int) -> Batch:
    """Delete reminders that never were in a message, such as those that were missed."""
    # Those with a message are few here, and to ask for the others would read them all, old or not.
    query = select(reminders.c.id, reminders.c.due_at).where(reminders.c.due_at <= cut.proof)
    if after is not None:
        at, number = after
        key = tuple_(reminders.c.due_at, reminders.c.id)
        query = query.where(key > tuple_(literal(at, Instant), literal(number)))
    page = conn.execute(query.order_by(reminders.c.due_at, reminders.c.id).limit(limit)).all()
    mine = among(conn, reminders.c.id, [row.id for row in page])
    alone = reminders.c.message_id.is_(None)
    gone = conn.execute(delete(reminders).where(mine, alone, old_reminder(cut))).rowcount
    last = page[-1] if len(page) == limit else None
    return Batch(gone, (last.due_at, last.id) if last else None)


def reports(conn: Connection, cut: Cutoffs, after: Any, limit: int) -> Batch:
    """Delete receipts of attempts that are not here: nobody claimed them."""
    page = _page(conn, receipts, receipts.c.received_at, after, limit)
    ids = [row.id for row in page if row.created_at <= cut.proof]
    known = or_(
        exists().where(attempts.c.id == receipts.c.attempt_id),
        exists().where(attempts.c.provider_id == receipts.c.provider_id),
    )
    lost = delete(receipts).where(among(conn, receipts.c.id, ids), ~known)
    return _onward(conn.execute(lost).rowcount, page, cut.proof, limit)


def events(conn: Connection, cut: Cutoffs, after: Any, limit: int) -> Batch:
    """Delete what happened to cards, except what holders said of being written to."""
    page = _page(conn, card_events, card_events.c.at, after, limit)
    ids = [row.id for row in page if row.created_at <= cut.proof]
    mine = among(conn, card_events.c.id, ids)
    gone = conn.execute(delete(card_events).where(mine, card_events.c.event.not_in(CONSENT)))
    return _onward(gone.rowcount, page, cut.proof, limit)


def undoable(conn: Connection, cut: Cutoffs, after: Any, limit: int) -> Batch:
    """Empty what was before events that can no longer be undone: a trail keeps no values."""
    old = select(card_events.c.id).where(card_events.c.undo_until <= cut.digest).limit(limit)
    kept = update(card_events).where(card_events.c.id.in_(old.with_for_update(skip_locked=True)))
    return _again(conn.execute(kept.values(undo_until=None, before=None)).rowcount, limit)


def saved(conn: Connection, cut: Cutoffs, after: Any, limit: int) -> Batch:
    """Delete which notices renewals came after, of which no proof is left."""
    return _by_key(conn, saves, saves.c.at <= cut.proof, (saves.c.id,), limit)


def heard(conn: Connection, cut: Cutoffs, after: Any, limit: int) -> Batch:
    """Empty what holders wrote, and who wrote it; delete that it was written when nobody can ask.
    Texts for somebody to read go as early as those of messages."""
    read = select(inbound.c.id).where(
        inbound.c.received_at <= cut.content, inbound.c.text.is_not(None)
    )
    rows = conn.execute(
        update(inbound).where(inbound.c.id.in_(read.limit(limit))).values(text=None)
    ).rowcount
    named = select(inbound.c.id).where(
        inbound.c.received_at <= cut.address, inbound.c.address != ""
    )
    rows += conn.execute(
        update(inbound).where(inbound.c.id.in_(named.limit(limit))).values(address="")
    ).rowcount
    old = select(inbound.c.id).where(inbound.c.received_at <= cut.proof).limit(limit)
    rows += conn.execute(delete(inbound).where(inbound.c.id.in_(old))).rowcount
    return Batch(rows, True if rows >= limit else None)


def used(conn: Connection, cut: Cutoffs, after: Any, limit: int) -> Batch:
    """Delete what books used on days of which no proof is left."""
    old = usage.c.day < cut.proof.date()
    return _by_key(conn, usage, old, (usage.c.book_id, usage.c.day, usage.c.channel), limit)


def summed(conn: Connection, cut: Cutoffs, after: Any, limit: int) -> Batch:
    """Delete the sums of days of which no proof is left."""
    last = cut.proof.date()
    conn.execute(delete(tally_days).where(tally_days.c.day < last))
    key = tuple(tallies.primary_key.columns)
    return _by_key(conn, tallies, tallies.c.day < last, key, limit)


def alarmed(conn: Connection, cut: Cutoffs, after: Any, limit: int) -> Batch:
    """Delete alarms that ended when there was still proof of other things."""
    return _by_key(conn, alarms, alarms.c.ended_at <= cut.proof, (alarms.c.id,), limit)


def told(conn: Connection, cut: Cutoffs, after: Any, limit: int) -> Batch:
    """Delete marks of what was told or done in an hour or on a day long over."""
    return _by_key(conn, digests, digests.c.at <= cut.digest, (digests.c.kind, digests.c.at), limit)


def signed_in(conn: Connection, cut: Cutoffs, after: Any, limit: int) -> Batch:
    """Delete sessions, sign-in links and counts of tries that nobody can use any more."""
    doomed = (
        (sessions, sessions.c.seen_at <= cut.digest, sessions.c.token_hash),
        (sign_in_links, sign_in_links.c.expires_at <= cut.digest, sign_in_links.c.token_hash),
        (rate_buckets, rate_buckets.c.at <= cut.digest, rate_buckets.c.key),
    )
    gone = [_by_key(conn, table, old, (key,), limit) for table, old, key in doomed]
    return Batch(sum(one.rows for one in gone), True if any(one.after for one in gone) else None)


def deeds(conn: Connection, cut: Cutoffs, after: Any, limit: int) -> Batch:
    """Delete what people did, when nobody can ask for it any more."""
    page = _page(conn, audit, audit.c.at, after, limit)
    ids = [row.id for row in page if row.created_at <= cut.proof]
    gone = conn.execute(delete(audit).where(among(conn, audit.c.id, ids)))
    return _onward(gone.rowcount, page, cut.proof, limit)


def asked(conn: Connection, cut: Cutoffs, _: Any, limit: int) -> Batch:
    """Delete jobs, with the files that were sent for them, once their time is over."""
    return _again(jobs.erase(conn, cut.now, limit), limit)


def count(conn: Connection, table: Table, which: ColumnElement[bool]) -> int:
    """How many rows of ``table`` there are. Reads all that is old."""
    return int(conn.execute(select(func.count()).select_from(table).where(which)).scalar_one())


def _by_key(
    conn: Connection,
    table: Table,
    old: ColumnElement[bool],
    key: tuple[ColumnElement[Any], ...],
    limit: int,
) -> Batch:
    some = select(*key).where(old).limit(limit)
    return _again(conn.execute(delete(table).where(tuple_(*key).in_(some))).rowcount, limit)


def _page(
    conn: Connection, table: Table, at: ColumnElement[Any], after: Any, limit: int
) -> Sequence[Any]:
    """The next rows by number, which is the order in which they were written."""
    query = select(table.c.id, at.label("created_at")).where(table.c.id > (after or 0))
    return conn.execute(query.order_by(table.c.id).limit(limit)).all()


def _onward(rows: int, page: Sequence[Any], before: datetime, limit: int) -> Batch:
    ended = len(page) < limit or page[-1].created_at > before
    return Batch(rows, None if ended else page[-1].id)


def _again(rows: int, limit: int) -> Batch:
    return Batch(rows, True if rows == limit else None)
