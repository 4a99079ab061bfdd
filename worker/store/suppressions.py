"""Addresses that must not be used on a channel, for everything or for one card, and why."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, case, func, or_, select, update

from worker.core.cards import Channel
from worker.store.bulk import among
from worker.store.tables import suppressions
from worker.store.upsert import upsert

EVERYTHING: Final = None  # instead of a card's id
# What the holder said: by a word, as a provider has read or reported it, by a link, by a mail
# program's button.
HOLDERS: Final = frozenset({"word", "optout", "link", "one_click"})

# Who says that an address is dead; opt-outs that a provider hands on are the holder's.
PROVIDER: Final = "provider"
# An event of the card says that its number is a stranger's: no word of anybody undoes that.
EVENT: Final = "event"
_EXPIRED: Final = "expired"

# Why an address must not be used, by address and card; no card: for everything.
Reasons = Mapping[tuple[str, int | None], str]

# The two keys by which a suppression is known to be there already.
_OF_CARD: Mapping[str, Any] = {"index_elements": ["channel", "address", "card_id"]}
_OF_ADDRESS: Mapping[str, Any] = {
    "index_elements": ["channel", "address"],
    "index_where": suppressions.c.card_id.is_(None),
}


def reasons(conn: Connection, channel: Channel, addresses: Iterable[str]) -> Reasons:
    """Why each suppressed one of ``addresses`` must not be used, by address and card; what is not
    in it may be used."""
    wanted = {address: stored_as(channel, address) for address in addresses}
    if not wanted:
        return {}
    rows = conn.execute(
        select(suppressions).where(
            suppressions.c.channel == channel,
            among(conn, suppressions.c.address, {*wanted, *wanted.values()}),
            suppressions.c.lifted_at.is_(None),
        )
    ).all()
    return {
        (address, row.card_id): row.reason
        for address, key in wanted.items()
        for row in rows
        if row.address in (address, key)
    }


def why(found: Reasons) -> Callable[[str, int], str | None]:
    """A look into ``found``: for an address and a card the reason, or ``None``."""
    return lambda address, card: found.get((address, EVERYTHING)) or found.get((address, card))


def add(
    conn: Connection,
    channel: Channel,
    found: Mapping[str, str],
    now: datetime,
    *,
    source: str = PROVIDER,
    card_id: int | None = EVERYTHING,
    expires_at: datetime | None = None,
) -> list[str]:
    """Suppress addresses, each with a reason; returns those for which this is news.
    ``card_id``: about that card only; ``expires_at``: when that holds no more (default: never).

    The first reason stays, but the holder's own word takes the place of anybody else's: a number
    that works again must not undo it. That the number is a stranger's takes the place of all. One
    that was lifted is in force again.
    """
    lifted = suppressions.c.lifted_at.is_not(None)
    last = {*HOLDERS, EVENT} if source in HOLDERS else {EVENT}
    news_anyway = or_(lifted, suppressions.c.source.not_in(sorted(last)))
    again = ("reason", "source", "created_at", "lifted_at", "lifted_reason", "expires_at")
    news = []
    for address, reason in found.items():
        statement = upsert(conn.dialect.name, suppressions).values(
            channel=channel,
            address=stored_as(channel, address),
            card_id=card_id,
            reason=reason,
            source=source,
            created_at=now,
            lifted_at=None,
            lifted_reason=None,
            expires_at=expires_at,
        )
        statement = statement.on_conflict_do_update(
            **(_OF_ADDRESS if card_id is None else _OF_CARD),
            set_={name: statement.excluded[name] for name in again},
            where=news_anyway if source in {*HOLDERS, EVENT} else lifted,
        )
        if conn.execute(statement.returning(suppressions.c.id)).first():
            news.append(address)
    return news


def lift(
    conn: Connection,
    channel: Channel,
    address: str,
    now: datetime,
    reason: str,
    *,
    card_id: int | None = None,
    opt_outs: Collection[str] | None = None,
    until: datetime | None = None,
) -> Sequence[Row[Any]]:
    """Let an address be used again; returns what was lifted. With ``opt_outs`` (the reasons by
    which a provider's own list speaks in the holder's name) only what the holder has set, and no
    dead number; ``card_id``: only what is about that card (default: whatever there is); ``until``:
    only what was set by then."""
    active = [
        suppressions.c.channel == channel,
        suppressions.c.address.in_({address, stored_as(channel, address)}),
        suppressions.c.lifted_at.is_(None),
    ]
    if card_id is not None:
        active.append(suppressions.c.card_id == card_id)
    if until is not None:
        active.append(suppressions.c.created_at <= until)
    if opt_outs is not None:
        own = suppressions.c.source.in_(sorted(HOLDERS))
        active.append(or_(own, suppressions.c.reason.in_(sorted(opt_outs))))
    rows = conn.execute(select(suppressions).where(*active).with_for_update()).all()
    if rows:
        conn.execute(
            update(suppressions)
            .where(suppressions.c.id.in_([row.id for row in rows]))
            .values(lifted_at=now, lifted_reason=reason[:200])
        )
    return rows


def revive(
    conn: Connection,
    channel: Channel,
    address: str,
    opt_outs: Collection[str],
    now: datetime,
    reason: str,
) -> bool:
    """Lift what a provider said of an address, and only that, since it works after all; whether
    there was anything to lift. ``opt_outs``: the reasons in the holder's name, which stay."""
    dead = update(suppressions).where(
        suppressions.c.channel == channel,
        suppressions.c.address.in_({address, stored_as(channel, address)}),
        suppressions.c.source == PROVIDER,
        suppressions.c.reason.not_in(sorted(opt_outs)),
        suppressions.c.lifted_at.is_(None),
    )
    return conn.execute(dead.values(lifted_at=now, lifted_reason=reason)).rowcount > 0


def lift_expired(conn: Connection, now: datetime) -> int:
    """Let addresses be tried again that a provider called dead long ago; returns how many."""
    over = update(suppressions).where(
        suppressions.c.expires_at <= now, suppressions.c.lifted_at.is_(None)
    )
    return conn.execute(over.values(lifted_at=now, lifted_reason=_EXPIRED)).rowcount


def dead(conn: Connection, limit: int) -> int:
    """How many addresses are not used because a provider calls them dead; at most ``limit``."""
    found = select(suppressions.c.id).where(*_DEAD).limit(limit).subquery()
    return int(conn.execute(select(func.count()).select_from(found)).scalar_one())


def newly_dead(conn: Connection, since: datetime, before: datetime, limit: int) -> tuple[int, int]:
    """How many of them were found after ``since``, and after ``before``, which is earlier."""
    found = (
        select((suppressions.c.created_at > since).label("is_new"))
        .where(*_DEAD, suppressions.c.created_at > before)
        .limit(limit)
        .subquery()
    )
    new = func.coalesce(func.sum(case((found.c.is_new, 1), else_=0)), 0)
    row = conn.execute(select(new, func.count()).select_from(found)).one()
    return int(row[0]), int(row[1])


_DEAD: Final = (suppressions.c.expires_at.is_not(None), suppressions.c.lifted_at.is_(None))


def lift_reported(
    conn: Connection,
    channel: Channel,
    address: str,
    reasons: Collection[str],
    now: datetime,
    reason: str,
) -> None:
    """Lift what the reader of ``address`` has stopped with a provider (for one of ``reasons``), and
    the provider has reported."""
    conn.execute(
        update(suppressions)
        .where(
            suppressions.c.channel == channel,
            suppressions.c.address.in_({address, stored_as(channel, address)}),
            suppressions.c.source == "optout",
            suppressions.c.reason.in_(sorted(reasons)),
            suppressions.c.lifted_at.is_(None),
        )
        .values(lifted_at=now, lifted_reason=reason[:200])
    )


def lifted_since(conn: Connection, channel: Channel, address: str, at: datetime) -> bool:
    """Was an address silent for everything, and let speak again after ``at``?"""
    found = conn.execute(
        select(suppressions.c.id).where(
            suppressions.c.channel == channel,
            suppressions.c.address.in_({address, stored_as(channel, address)}),
            suppressions.c.card_id.is_(EVERYTHING),
            suppressions.c.lifted_at > at,
        )
    )
    return found.first() is not None


def active(conn: Connection, channel: Channel, address: str) -> Sequence[Row[Any]]:
    """What is in force for one address."""
    return conn.execute(
        select(suppressions).where(
            suppressions.c.channel == channel,
            suppressions.c.address.in_({address, stored_as(channel, address)}),
            suppressions.c.lifted_at.is_(None),
        )
    ).all()


def listed(conn: Connection, channel: Channel | None, *, lifted: bool) -> Sequence[Row[Any]]:
    """All suppressions in the order in which they came; with the lifted ones, if wanted."""
    query = select(suppressions).order_by(suppressions.c.id)
    if channel is not None:
        query = query.where(suppressions.c.channel == channel)
    if not lifted:
        query = query.where(suppressions.c.lifted_at.is_(None))
    return conn.execute(query).all()


def stored_as(channel: Channel, address: str) -> str:
    """How an address stands in the table: mail servers do not tell upper from lower case, and
    neither do the people who write to."""
    return address.lower() if channel is Channel.EMAIL else address
