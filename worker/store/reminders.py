"""The ledger, read: which notices are owed, and how each of them ended."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select

from worker.core.cards import Audience, Channel, Destination
from worker.core.deadlines import DeadlineKind
from worker.core.life import LifeNotice
from worker.core.reminders import (
    Known,
    ReminderKey,
    ReminderState,
)
from worker.store.bulk import among, listed
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
            reminders.c.audience == Audience.HOLDER,
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
    reader = Channel(row.channel), Audience(row.audience)
    return ReminderKey(subject, row.deadline_on, row.window, *reader)


def overtaken(conn: Connection, ids: Iterable[int], events: Iterable[str]) -> dict[int, str]:
    """Those of the reminders ``ids`` after which one of ``events`` happened to their card."""
    rows = conn.execute(
        select(reminders.c.id, card_events.c.event)
        .join(card_events, card_events.c.card_id == reminders.c.card_id)
        .where(
            reminders.c.id.in_(list(ids)),
            card_events.c.event.in_(list(events)),
            card_events.c.at > reminders.c.created_at,
            card_events.c.undone_at.is_(None),
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
    window waits, was sent, or was overtaken. Returned with the guardian's key, each with the
    reasons of its ends."""
    guardian = {(card, key.to(Destination.GUARDIAN)) for card, key in asked}
    rows = conn.execute(
        select(reminders).where(among(conn, reminders.c.card_id, {card for card, _ in asked}))
    )
    dead = (ReminderState.SUPPRESSED, ReminderState.MISSED)
    alive: set[tuple[int, ReminderKey]] = set()
    reasons: dict[tuple[int, ReminderKey], set[str]] = defaultdict(set)
    for row in rows:
        key = (row.card_id, key_of(row).to(Destination.GUARDIAN))
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
            reminders.c.audience == Audience.HOLDER,
        )
    )
    states: dict[tuple[int, ReminderKey], set[str]] = defaultdict(set)
    for row in rows:
        states[row.card_id, key_of(row).to(Destination.GUARDIAN)].add(row.state)
    return {key for key in asked if states[key] == {ReminderState.SUPPRESSED}}
