"""What the account of the promise, the alarms and the gauges ask of the ledger.

A page of the account costs what is on it. Alarms and gauges look only at what has not ended, by
partial indexes, and at no more than ``MOST`` of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite

from worker.core.outcomes import OutcomeKind
from worker.core.reminders import WAITING, MessageState, ReminderState
from worker.store.cards import AT_ONCE
from worker.store.tables import (
    attempts,
    books,
    breakers,
    cards,
    digests,
    messages,
    receipts,
    reminders,
    usage,
)
from worker.store.types import Instant

# Beyond this many the gauges and alarms say "at least".
MOST = 100_000


def page(
    conn: Connection,
    since: datetime,
    until: datetime,
    book_id: int | None,
    after: tuple[datetime, int] | None,
    size: int,
) -> Sequence[Row[Any]]:
    """Up to ``size`` reminders due in [since, until) after the key ``after``, by due instant."""
    query: Select[Any] = (
        select(
            *(reminders.c[name] for name in ("id", "card_id", "deadline", "deadline_on", "window")),
            *(reminders.c[name] for name in ("channel", "due_at", "owed_at", "useful_until")),
            *(reminders.c[name] for name in ("state", "reason", "message_id")),
            cards.c.operator,
            cards.c.msisdn,
            cards.c.iccid,
            books.c.name.label("book"),
            messages.c.state.label("message_state"),
            messages.c.reason.label("message_reason"),
            messages.c.wake_at,
            messages.c.useful_until.label("message_until"),
            messages.c.created_at.label("message_since"),
            messages.c.sent_at,
            messages.c.provider_id,
        )
        .join(cards, cards.c.id == reminders.c.card_id)
        .join(books, books.c.id == cards.c.book_id)
        .outerjoin(messages, messages.c.id == reminders.c.message_id)
        .where(reminders.c.due_at >= since, reminders.c.due_at < until)
        .order_by(reminders.c.due_at, reminders.c.id)
        .limit(size)
    )
    if book_id is not None:
        query = query.where(cards.c.book_id == book_id)
    if after is not None:
        at, number = after
        key = tuple_(reminders.c.due_at, reminders.c.id)
        query = query.where(key > tuple_(literal(at, Instant), literal(number)))
    return conn.execute(query).all()


def accepted(conn: Connection, message_ids: Sequence[int]) -> dict[int, Row[Any]]:
    """By message: the attempt that a provider took."""
    query: Select[Any] = (
        select(
            attempts.c.id,
            attempts.c.message_id,
            attempts.c.provider,
            attempts.c.provider_id,
            attempts.c.ended_at,
        )
        .where(
            attempts.c.message_id.in_(message_ids),
            attempts.c.outcome == OutcomeKind.ACCEPTED,
        )
        .order_by(attempts.c.started_at.desc())
    )
    return {row.message_id: row for row in conn.execute(query)}


def last_tries(conn: Connection, message_ids: Sequence[int]) -> dict[int, datetime]:
    """By message: when its last attempt ended, or began if nobody knows."""
    at = func.max(func.coalesce(attempts.c.ended_at, attempts.c.started_at)).label("at")
    rows = conn.execute(
        select(attempts.c.message_id, at)
        .where(attempts.c.message_id.in_(message_ids))
        .group_by(attempts.c.message_id)
    )
    return {row.message_id: row.at for row in rows}


def last_receipts(conn: Connection, tried: Sequence[Row[Any]]) -> dict[Any, Row[Any]]:
    """The latest receipt of each attempt, by its id and by its provider's id."""
    told = func.coalesce(receipts.c.occurred_at, receipts.c.received_at).label("at")
    found: dict[Any, Row[Any]] = {}
    for column, keys in (
        (receipts.c.attempt_id, [one.id for one in tried]),
        (receipts.c.provider_id, [one.provider_id for one in tried if one.provider_id]),
    ):
        rows = conn.execute(
            select(column.label("key"), receipts.c.provider, receipts.c.status, told)
            .where(column.in_(keys))
            .order_by(told, receipts.c.id)
        )
        found.update({row.key: row for row in rows})
    return found


def checks_overdue(conn: Connection, before: datetime, book_id: int | None = None) -> int:
    """Cards whose check is owed since before ``before``, handed out or not."""
    unseen = and_(
        cards.c.next_check_at <= before,
        or_(cards.c.next_check_at > AT_ONCE, cards.c.updated_at <= before),
    )
    found = select(cards.c.id).where(or_(cards.c.check_since <= before, unseen)).limit(MOST)
    return _count(conn, found if book_id is None else found.where(cards.c.book_id == book_id))


@dataclass(frozen=True, slots=True)
class Standing:
    """What asks for somebody: counts, none above ``MOST``. ``missed`` is of a span of time."""

    late: int = 0
    held: int = 0
    unknown: int = 0
    missed: int = 0
    checks_overdue: int = 0


def standing(
    conn: Connection,
    now: datetime,
    cutoffs: Mapping[str, timedelta],
    usual: timedelta,
    parked: timedelta,
    unchecked: timedelta,
    since: datetime,
) -> Standing:
    """How the ledger stands at ``now``.

    A reminder is late ``cutoffs[window]`` (else ``usual``) after it was owed; an unknown asks for
    somebody ``parked`` after its last attempt, a check ``unchecked`` after it fell due; missed are
    those that ended after ``since``.
    """
    open_ = _open_messages().subquery()
    due = func.coalesce(reminders.c.owed_at, reminders.c.due_at)
    limits = {window: literal(now - span, Instant) for window, span in cutoffs.items()}
    late = select(reminders.c.id).where(
        _in_open_messages(conn),
        reminders.c.state == ReminderState.PENDING,
        due < case(limits, value=reminders.c.window, else_=literal(now - usual, Instant)),
    )
    recent = select(attempts.c.id).where(
        attempts.c.message_id == open_.c.id, attempts.c.started_at > now - parked
    )
    unknown = select(open_.c.id).where(open_.c.state == MessageState.UNKNOWN, ~recent.exists())
    missed = select(reminders.c.id).where(
        reminders.c.state == _MISSED, reminders.c.ended_at > since
    )
    return Standing(
        late=_count(conn, late),
        held=_count(conn, select(open_.c.id).where(open_.c.state == MessageState.HELD)),
        unknown=_count(conn, unknown),
        missed=_count(conn, missed.limit(MOST)),
        checks_overdue=_count(
            conn, select(cards.c.id).where(cards.c.check_since <= now - unchecked).limit(MOST)
        ),
    )


def missed_since(conn: Connection, since: datetime, limit: int) -> Sequence[Row[Any]]:
    """Missed reminders by book and reason, most frequent first."""
    count = func.count().label("count")
    return conn.execute(
        select(books.c.name.label("book"), reminders.c.reason, count)
        .join(cards, cards.c.id == reminders.c.card_id)
        .join(books, books.c.id == cards.c.book_id)
        .where(reminders.c.state == _MISSED, reminders.c.ended_at > since)
        .group_by(books.c.name, reminders.c.reason)
        .order_by(count.desc(), books.c.name)
        .limit(limit)
    ).all()


# As a literal: only so can the databases see that the partial index of the missed applies.
_MISSED: ColumnElement[str] = literal(ReminderState.MISSED.value, literal_execute=True)


# The states of a message that is to be looked at.
OPEN: Final = (*WAITING, MessageState.SENDING, MessageState.UNKNOWN)


def _open_messages() -> Select[Any]:
    return (
        select(messages.c.id, messages.c.state, messages.c.channel)
        .where(messages.c.wake_at.is_not(None), messages.c.state.in_(OPEN))
        .limit(MOST)
    )


def _in_open_messages(conn: Connection) -> ColumnElement[bool]:
    """Reminders in a message that is to be looked at.

    As an array on PostgreSQL, so that it goes from the messages to their reminders: a join is
    planned by statistics from before the morning, when nothing waited, and then takes hours.
    """
    ids = select(_open_messages().subquery().c.id)
    if conn.dialect.name == "postgresql":
        return reminders.c.message_id == func.any(func.array(ids.scalar_subquery()))
    return reminders.c.message_id.in_(ids)


def _count(conn: Connection, found: Select[Any]) -> int:
    return int(conn.execute(select(func.count()).select_from(found.subquery())).scalar_one())


@dataclass(frozen=True, slots=True)
class Gauges:
    """What the ledger shows at one instant. ``messages`` that have not ended by (channel, state);
    ``used`` today by channel: messages, segments, spend."""

    messages: Mapping[tuple[str, str], int]
    reminders_due: int
    oldest_due: datetime | None
    checks_waiting: int
    oldest_check: datetime | None
    breakers: Sequence[str]
    parked: int
    used: Mapping[str, tuple[float, float, float]]


def gauges(conn: Connection, now: datetime, today: date) -> Gauges:
    """Read the gauges."""
    open_ = _open_messages().subquery()
    waiting = conn.execute(
        select(open_.c.channel, open_.c.state, func.count().label("number")).group_by(
            open_.c.channel, open_.c.state
        )
    )
    due = conn.execute(
        select(func.count().label("number"), func.min(reminders.c.due_at).label("oldest")).where(
            _in_open_messages(conn),
            reminders.c.state == ReminderState.PENDING,
            reminders.c.due_at <= now,
        )
    ).one()
    handed_out = (
        select(cards.c.check_since).where(cards.c.check_since.is_not(None)).limit(MOST).subquery()
    )
    checks = conn.execute(
        select(func.count().label("number"), func.min(handed_out.c.check_since).label("oldest"))
    ).one()
    used = conn.execute(
        select(
            usage.c.channel,
            func.sum(usage.c.messages).label("messages"),
            func.sum(usage.c.segments).label("segments"),
            func.sum(usage.c.spend).label("spend"),
        )
        .join(books, books.c.id == usage.c.book_id)
        .where(usage.c.day == today)
        .group_by(usage.c.channel)
    )
    return Gauges(
        messages={(row.channel, row.state): row.number for row in waiting},
        reminders_due=due.number,
        oldest_due=due.oldest,
        checks_waiting=checks.number,
        oldest_check=checks.oldest,
        breakers=list(conn.execute(select(breakers.c.key).limit(1_000)).scalars()),
        parked=_count(
            conn, select(receipts.c.id).where(receipts.c.applied_at.is_(None)).limit(MOST)
        ),
        used={r.channel: (float(r.messages), float(r.segments), float(r.spend)) for r in used},
    )


def claim_digest(conn: Connection, kind: str, at: datetime) -> bool:
    """Take on the digest ``kind`` of ``at``; of several processes one gets it."""
    dialect: Any = postgresql if conn.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(digests).values(kind=kind, at=at).on_conflict_do_nothing()
    return conn.execute(statement.returning(digests.c.kind)).first() is not None


def release_digest(conn: Connection, kind: str, at: datetime) -> None:
    """Give back a digest that could not be sent."""
    conn.execute(delete(digests).where(digests.c.kind == kind, digests.c.at == at))
