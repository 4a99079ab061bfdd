"""The ledger: which notices are owed, and how each of them ended."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import cache
from typing import Any, NamedTuple, TypedDict

from sqlalchemy import Connection, Row, and_, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from worker.core.cards import Channel
from worker.core.deadlines import DeadlineKind
from worker.core.life import LifeNotice
from worker.core.reminders import (
    REVIVABLE,
    UNCHECKED,
    Known,
    Planned,
    ReminderKey,
    ReminderState,
    Subject,
)
from worker.store.bulk import among, as_source, listed, source_values
from worker.store.tables import attempts, card_events, messages, reminders

_DEADLINES = frozenset(DeadlineKind)


def known(conn: Connection, card_ids: Sequence[int], since: date) -> dict[int, list[Known]]:
    """By card: the reminders that wait, and all those for deadlines from ``since`` on."""
    if not card_ids:
        return {}
    rows = conn.execute(
        select(reminders).where(
            among(conn, reminders.c.card_id, card_ids),
            or_(reminders.c.state == ReminderState.PENDING, reminders.c.deadline_on >= since),
        )
    )
    found: dict[int, list[Known]] = defaultdict(list)
    for row in rows:
        state = ReminderState(row.state)
        found[row.card_id].append(
            Known(
                *(row.id, key_of(row), state, row.due_at, row.reason),
                ended_at=row.ended_at,
            )
        )
    return found


def told_by_email(
    conn: Connection, card_ids: Collection[int]
) -> dict[int, tuple[tuple[DeadlineKind, date], ...]]:
    """By card: the deadlines that emails to its holder told, each with the latest day told."""
    if not card_ids:
        return {}
    rows = conn.execute(
        select(reminders.c.card_id, reminders.c.deadline, func.max(reminders.c.deadline_on))
        .where(
            among(conn, reminders.c.card_id, card_ids),
            reminders.c.deadline.in_(sorted(_DEADLINES)),
            reminders.c.channel == Channel.EMAIL,
            reminders.c.state.in_((ReminderState.SENT, ReminderState.DELIVERED)),
        )
        .group_by(reminders.c.card_id, reminders.c.deadline)
        .order_by(reminders.c.card_id, reminders.c.deadline)
    )
    found: dict[int, list[tuple[DeadlineKind, date]]] = defaultdict(list)
    for card_id, deadline, on in rows:
        found[card_id].append((DeadlineKind(deadline), on))
    return {card_id: tuple(told) for card_id, told in found.items()}


def with_waiting(conn: Connection, card_ids: Sequence[int]) -> set[int]:
    """Those of the cards that have a reminder which waits."""
    if not card_ids:
        return set()
    asked = listed(conn, card_ids, reminders.c.card_id.type)
    # A look into the index for each card: as a join, a server that knows little of the table yet
    # may compare each card with each reminder.
    first = (
        select(reminders.c.id)
        .where(reminders.c.card_id == asked.c.value, reminders.c.state == ReminderState.PENDING)
        .limit(1)
        .correlate(asked)
        .scalar_subquery()
    )
    return set(conn.execute(select(asked.c.value).where(first.is_not(None))).scalars())


def without_reports(
    conn: Connection,
    card_ids: Collection[int],
    known: Mapping[int, Sequence[Known]],
    mute: Sequence[str],
) -> dict[int, list[Known]]:
    """The reminders ``known`` of the cards, told apart: those that were sent by one of the
    providers ``mute`` are ``mute``."""
    sent = [k.id for card in card_ids for k in known[card] if k.state is ReminderState.SENT]
    unheard = set(
        conn.execute(
            select(reminders.c.id)
            .join(messages, messages.c.id == reminders.c.message_id)
            .join(attempts, attempts.c.provider_id == messages.c.provider_id)
            .where(among(conn, reminders.c.id, sent), attempts.c.provider.in_(mute))
        ).scalars()
    )
    return {
        card: [replace(k, mute=True) if k.id in unheard else k for k in known[card]]
        for card in card_ids
    }


def key_of(row: Row[Any]) -> ReminderKey:
    """The identity in a row of ``reminders``."""
    deadline = row.deadline
    subject = DeadlineKind(deadline) if deadline in _DEADLINES else LifeNotice(deadline)
    return ReminderKey(subject, row.deadline_on, row.window, Channel(row.channel))


class NewReminder(TypedDict):
    """A reminder to insert."""

    card_id: int
    deadline: Subject
    deadline_on: date
    window: str
    channel: Channel
    due_at: datetime
    owed_at: datetime | None
    useful_until: datetime
    state: ReminderState
    reason: str | None
    message_id: int | None
    created_at: datetime
    ended_at: datetime | None


def as_row(card_id: int, planned: Planned, message_id: int | None, now: datetime) -> NewReminder:
    """A planned reminder as a row to insert."""
    ended = planned.state is not ReminderState.PENDING
    return {
        "card_id": card_id,
        "deadline": planned.key.deadline,
        "deadline_on": planned.key.on,
        "window": planned.key.window,
        "channel": planned.key.channel,
        "due_at": planned.due_at,
        "owed_at": planned.owed_at,
        "useful_until": planned.useful_until,
        "state": planned.state,
        "reason": planned.reason,
        "message_id": message_id,
        "created_at": now,
        "ended_at": now if ended else None,
    }


class Change(NamedTuple):
    """A reminder as it is after a change, for those who count; ``owed_at``: since when it was
    owed."""

    state: str
    channel: str
    reason: str | None
    window: str
    owed_at: datetime
    message_id: int | None


_CHANGE = (
    *(reminders.c[name] for name in ("state", "channel", "reason", "window")),
    func.coalesce(reminders.c.owed_at, reminders.c.due_at),
    reminders.c.message_id,
)


def insert_new(conn: Connection, rows: Sequence[NewReminder]) -> list[Change]:
    """Insert the rows that are not there yet; returns those inserted.

    The unique key decides: whoever comes second writes nothing. Only a reminder that had ended
    with its deadline is written over, since that deadline holds again, and one that a clock which
    was ahead had called missed.
    """
    if not rows:
        return []
    statement = _insertion(conn.dialect.name, tuple(rows[0]))
    return _changes(conn.execute(statement, source_values(conn, reminders, rows)))


def _changes(found: Iterable[Row[Any]]) -> list[Change]:
    return [Change._make(row) for row in found]


@cache
def _insertion(dialect: str, names: tuple[str, ...]) -> Any:
    own: Any = postgresql if dialect == "postgresql" else sqlite
    statement = own.insert(reminders).from_select(list(names), as_source(dialect, reminders, names))
    again = ("due_at", "owed_at", "useful_until", "state", "reason", "message_id", "ended_at")
    statement = statement.on_conflict_do_update(
        index_elements=["card_id", "deadline", "deadline_on", "window", "channel"],
        set_={name: statement.excluded[name] for name in again},
        where=or_(
            (reminders.c.state == ReminderState.SUPERSEDED)
            & or_(*(reminders.c.reason == reason for reason in sorted(REVIVABLE))),
            (reminders.c.state == ReminderState.MISSED)
            & (reminders.c.reason == UNCHECKED)
            & (reminders.c.ended_at > statement.excluded.created_at),
        ),
    )
    return statement.returning(*_CHANGE)


def end(
    conn: Connection, ids: Iterable[int], state: ReminderState, reason: str | None, now: datetime
) -> list[Change]:
    """End the waiting reminders ``ids``; one that has ended stays as it is."""
    wanted = list(ids)
    if not wanted:
        return []
    ended = (
        update(reminders)
        .where(among(conn, reminders.c.id, wanted), reminders.c.state == ReminderState.PENDING)
        .values(state=state, reason=reason, ended_at=now)
    )
    return _changes(conn.execute(ended.returning(*_CHANGE)))


def told(
    conn: Connection, message_ids: Collection[int], at: datetime, begun: datetime | None = None
) -> list[Change]:
    """The provider has the messages: what they carry was told ``at``.

    That holds too for a notice that an event ended after the attempt that carried it had
    ``begun`` (default: the last one of its message): it was on its way, and must not be owed again
    should the event be taken back. So it does for one that was given up meanwhile.
    """
    last = select(func.max(attempts.c.started_at)).where(
        attempts.c.message_id == reminders.c.message_id
    )
    was_missed = reminders.c.state == ReminderState.MISSED
    since = last.scalar_subquery() if begun is None else begun
    return _carried(conn, message_ids, ReminderState.SENT, at, since, was_missed)


def delivered(
    conn: Connection, message_id: int, at: datetime, begun: datetime
) -> tuple[list[Change], list[Change]]:
    """The message has arrived, in the attempt that had ``begun`` then: all that it carried was
    told, even what was thought to have failed. Returns what nobody knew to be told, and what was
    known to be sent."""
    given_up = reminders.c.state.in_((ReminderState.MISSED, ReminderState.SUPPRESSED))
    news = _carried(conn, [message_id], ReminderState.DELIVERED, at, begun, given_up)
    arrived = (
        update(reminders)
        .where(reminders.c.message_id == message_id, reminders.c.state == ReminderState.SENT)
        .values(state=ReminderState.DELIVERED)
    )
    return news, _changes(conn.execute(arrived.returning(*_CHANGE)))


def _carried(
    conn: Connection,
    message_ids: Collection[int],
    state: ReminderState,
    at: datetime,
    begun: Any,
    given_up: Any,
) -> list[Change]:
    overtaken = and_(
        reminders.c.state == ReminderState.SUPERSEDED, reminders.c.reason.in_(REVIVABLE)
    )
    on_its_way = and_(or_(overtaken, given_up), reminders.c.ended_at > begun)
    told = (
        update(reminders)
        .where(
            among(conn, reminders.c.message_id, message_ids),
            or_(reminders.c.state == ReminderState.PENDING, on_its_way),
        )
        .values(state=state, reason=None, ended_at=at)
    )
    return _changes(conn.execute(told.returning(*_CHANGE)))


def reopen(conn: Connection, message_id: int) -> None:
    """What the message told did not arrive: it is owed again."""
    conn.execute(
        update(reminders)
        .where(
            reminders.c.message_id == message_id,
            reminders.c.state.in_((ReminderState.SENT, ReminderState.DELIVERED)),
        )
        .values(state=ReminderState.PENDING, reason=None, ended_at=None)
    )


def miss(conn: Connection, ids: Iterable[int]) -> list[Change]:
    """Nobody was told: what was only held back on its channel has been missed."""
    missed = (
        update(reminders)
        .where(reminders.c.id.in_(list(ids)), reminders.c.state == ReminderState.SUPPRESSED)
        .values(state=ReminderState.MISSED)
    )
    return _changes(conn.execute(missed.returning(*_CHANGE)))


def overtaken(conn: Connection, ids: Iterable[int], events: Iterable[str]) -> dict[int, str]:
    """Those of the reminders ``ids`` after which one of ``events`` happened to their card."""
    rows = conn.execute(
        select(reminders.c.id, card_events.c.event)
        .join(card_events, card_events.c.card_id == reminders.c.card_id)
        .where(
            reminders.c.id.in_(list(ids)),
            card_events.c.event.in_(list(events)),
            card_events.c.at > reminders.c.created_at,
        )
    )
    return {row.id: row.event for row in rows}


def waiting_of(
    conn: Connection, card_id: int, notices: Iterable[LifeNotice], *, deadlines: bool
) -> list[int]:
    """Ids of a card's waiting reminders about ``notices``, and about its deadlines if wanted."""
    subjects = [*notices, *(DeadlineKind if deadlines else ())]
    rows = conn.execute(
        select(reminders.c.id).where(
            reminders.c.card_id == card_id,
            reminders.c.state == ReminderState.PENDING,
            reminders.c.deadline.in_(subjects),
        )
    )
    return list(rows.scalars())


def ended_untold(
    conn: Connection, asked: Sequence[tuple[int, ReminderKey]]
) -> set[tuple[int, ReminderKey]]:
    """Those of ``asked`` (card, key) that have ended, and nobody was told."""
    rows = conn.execute(
        select(reminders).where(
            among(conn, reminders.c.card_id, {card for card, _ in asked}),
            reminders.c.state.in_((ReminderState.SUPPRESSED, ReminderState.MISSED)),
        )
    )
    return {(row.card_id, key_of(row)) for row in rows} & set(asked)


def without_hope(
    conn: Connection, asked: Sequence[tuple[int, ReminderKey]]
) -> dict[tuple[int, ReminderKey], frozenset[str]]:
    """Those of ``asked`` (card, key) that reach the holder on no channel: nothing of the same
    window waits, was sent, or was overtaken. Returned with the guardian's channel in the key, each
    with the reasons of its ends."""
    guardian = {(card, replace(key, channel=Channel.GUARDIAN)) for card, key in asked}
    rows = conn.execute(
        select(reminders).where(among(conn, reminders.c.card_id, {card for card, _ in asked}))
    )
    dead = (ReminderState.SUPPRESSED, ReminderState.MISSED)
    alive: set[tuple[int, ReminderKey]] = set()
    reasons: dict[tuple[int, ReminderKey], set[str]] = defaultdict(set)
    for row in rows:
        key = (row.card_id, replace(key_of(row), channel=Channel.GUARDIAN))
        if row.state not in dead:
            alive.add(key)
        else:
            reasons[key].add(str(row.reason))
    return {key: frozenset(reasons[key]) for key in guardian - alive}


def unreached(
    conn: Connection, asked: Collection[tuple[int, ReminderKey]]
) -> set[tuple[int, ReminderKey]]:
    """Those of ``asked`` (card, the guardian's key) that no address of the holder can be told."""
    if not asked:
        return set()
    rows = conn.execute(
        select(reminders).where(
            among(conn, reminders.c.card_id, {card for card, _ in asked}),
            reminders.c.channel != Channel.GUARDIAN,
        )
    )
    states: dict[tuple[int, ReminderKey], set[str]] = defaultdict(set)
    for row in rows:
        states[row.card_id, replace(key_of(row), channel=Channel.GUARDIAN)].add(row.state)
    return {key for key in asked if states[key] == {ReminderState.SUPPRESSED}}


def move(conn: Connection, ids: Iterable[int], message_id: int) -> None:
    """Let the waiting reminders ``ids`` travel with another message."""
    conn.execute(
        update(reminders)
        .where(among(conn, reminders.c.id, list(ids)))
        .values(message_id=message_id)
    )
