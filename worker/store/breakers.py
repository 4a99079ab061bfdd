"""Open breakers: a row stands while a fault of our own configuration holds its messages back."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, exists, func, select, update

from worker.core.breaker import PREFIX, BreakerPolicy
from worker.core.cards import Channel
from worker.core.reminders import MessageState, Obstacle
from worker.store.tables import attempts, breakers, messages
from worker.store.upsert import upsert


@dataclass(frozen=True, slots=True)
class Breaker:
    """An open breaker; ``key`` names its channel, provider, country and sender, ``*`` for any.
    ``probe_at``: from when on one message is tried; ``held``: how many wait
    (of all breakers with this code on this channel), where it was asked for; ``behind``: a receipt
    showed the fault; ``probe``: the message that is tried or was tried last."""

    key: str
    channel: Channel
    code: str
    opened_at: datetime
    probe_at: datetime
    failures: int
    held: int = 0
    behind: bool = False
    probe: int | None = None

    @property
    def reason(self) -> str:
        """What people are told of the messages that wait for it."""
        return PREFIX + self.code


# What waits for a breaker; ``fault`` says for which.
_HELD = (messages.c.state == MessageState.HELD, messages.c.obstacle == Obstacle.BREAKER)


def open_ones(conn: Connection) -> list[Breaker]:
    """All open breakers, the oldest first, each with how many messages it holds."""
    rows = conn.execute(select(breakers).order_by(breakers.c.opened_at)).all()
    if not rows:
        return []
    counted = conn.execute(
        select(messages.c.channel, messages.c.fault, func.count())
        .where(messages.c.wake_at.is_not(None), *_HELD)
        .group_by(messages.c.channel, messages.c.fault)
    )
    held = {(channel, fault): count for channel, fault, count in counted}
    return [_breaker(row, held.get((row.channel, row.code), 0)) for row in rows]


def load(conn: Connection) -> dict[str, Breaker]:
    """All open breakers by key."""
    return {row.key: _breaker(row) for row in conn.execute(select(breakers))}


def take_probe(conn: Connection, one: Breaker, message_id: int, until: datetime) -> bool:
    """Let this message be the probe, unless another is; nobody else may be before ``until``."""
    changed = conn.execute(
        update(breakers)
        .where(
            breakers.c.key == one.key,
            breakers.c.opened_at == one.opened_at,
            breakers.c.probe_at == one.probe_at,
        )
        .values(probe_at=until, probe_message_id=message_id)
    )
    return changed.rowcount == 1


def give_back(conn: Connection, one: Breaker, message_id: int) -> None:
    """The message will not be sent now: let another be the probe."""
    conn.execute(
        update(breakers)
        .where(breakers.c.key == one.key, breakers.c.probe_message_id == message_id)
        .values(probe_at=one.probe_at, probe_message_id=None)
    )


def trip(
    conn: Connection,
    key: str,
    channel: Channel,
    code: str,
    message_ids: Collection[int],
    now: datetime,
    policy: BreakerPolicy,
    *,
    behind: bool = False,
) -> tuple[datetime, bool]:
    """These messages met the fault ``code`` (``behind`` the call, as a receipt says): open the
    breaker ``key``, or keep it open for longer if its probe is among them. Returns when one is
    tried next, and whether that is news."""
    row = {
        "key": key,
        "channel": channel,
        "code": code,
        "opened_at": now,
        "probe_at": now + policy.pause(1),
        "failures": 1,
        "behind": behind,
    }
    opened = (
        upsert(conn.dialect.name, breakers)
        .values(row)
        .on_conflict_do_nothing()
        .returning(breakers.c.key)
    )
    if conn.execute(opened).first() is not None:
        return now + policy.pause(1), True
    found = conn.execute(select(breakers).where(breakers.c.key == key).with_for_update()).one()
    if found.probe_message_id not in message_ids:  # was on its way when the breaker opened
        return found.probe_at, False
    failures = found.failures + 1
    probe_at = now + policy.pause(failures)
    values = {"failures": failures, "probe_at": probe_at, "code": code, "probe_message_id": None}
    conn.execute(update(breakers).where(breakers.c.key == key).values(**values, behind=behind))
    return probe_at, True


def close(conn: Connection, probes: Sequence[int]) -> list[Breaker]:
    """The provider answered these probes: close their breakers, and return them. Where a receipt
    showed the fault, no answer shows its end."""
    if not probes:
        return []
    return _close(conn, breakers.c.probe_message_id.in_(probes), breakers.c.behind.is_(False))


def wait_for_reports(conn: Connection, probes: Sequence[int], until: datetime) -> list[Breaker]:
    """The provider took these probes: those of their breakers that only a report of them closes,
    or that nothing is heard of them before ``until``."""
    if not probes:
        return []
    ours = breakers.c.probe_message_id.in_(probes) & breakers.c.behind.is_(True)
    moved = update(breakers).where(ours).values(probe_at=until).returning(breakers)
    return [_breaker(row) for row in conn.execute(moved)]


def close_delivered(conn: Connection, message_ids: Collection[int]) -> list[Breaker]:
    """These messages have arrived: close the breakers whose probes they are, and return them."""
    if not message_ids:
        return []
    return _close(conn, breakers.c.probe_message_id.in_(message_ids), breakers.c.behind.is_(True))


def close_outlived(conn: Connection, one: Breaker) -> bool:
    """Close ``one`` if its probe was taken, and no receipt spoke of a failure since."""
    probe = select(messages.c.id).where(
        messages.c.id == breakers.c.probe_message_id,
        messages.c.state.in_((MessageState.SENT, MessageState.DELIVERED)),
    )
    same = (breakers.c.key == one.key) & (breakers.c.probe_at == one.probe_at)
    return bool(_close(conn, same, breakers.c.behind.is_(True), probe.exists()))


def _close(conn: Connection, *where: ColumnElement[bool]) -> list[Breaker]:
    gone = delete(breakers).where(*where).returning(breakers)
    return [_breaker(row) for row in conn.execute(gone)]


def unanswered(conn: Connection, probes: Sequence[int], again: datetime) -> None:
    """Nobody knows what these probes would have shown: another is tried at ``again``."""
    if probes:
        conn.execute(
            update(breakers)
            .where(breakers.c.probe_message_id.in_(probes))
            .values(probe_at=again, probe_message_id=None)
        )


def release(
    conn: Connection,
    closed: Breaker,
    at: datetime,
    limit: int,
    *,
    unmet: bool = False,
    besides: Collection[int] = (),
) -> int:
    """Make up to ``limit`` messages that wait for a breaker due ``at``, the most urgent first;
    returns how many there were. ``unmet``: of those that have not met its fault themselves, who
    waits longest first, and not ``besides``."""
    told = exists().where(attempts.c.message_id == messages.c.id, attempts.c.code == closed.code)
    others = [~told, messages.c.id.not_in(besides)] if unmet else []
    order = (messages.c.wake_at,) if unmet else ()
    waiting = (
        select(messages.c.id)
        .where(
            messages.c.wake_at > at,
            *_HELD,
            messages.c.fault == closed.code,
            messages.c.channel == closed.channel,
            *others,
        )
        .order_by(*order, messages.c.useful_until, messages.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    changed = conn.execute(
        update(messages).where(messages.c.id.in_(waiting)).values(next_attempt_at=at, wake_at=at)
    )
    return changed.rowcount


def _breaker(row: Row[Any], held: int = 0) -> Breaker:
    return Breaker(
        row.key,
        Channel(row.channel),
        row.code,
        row.opened_at,
        row.probe_at,
        row.failures,
        held,
        row.behind,
        row.probe_message_id,
    )
