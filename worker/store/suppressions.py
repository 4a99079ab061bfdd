"""Addresses that must not be used on a channel, each with its reason."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from worker.core.cards import Channel
from worker.store.tables import suppressions


def reasons(conn: Connection, channel: Channel, addresses: Iterable[str]) -> dict[str, str]:
    """Why each suppressed one of ``addresses`` must not be used; the others are not in it."""
    wanted = set(addresses)
    if not wanted:
        return {}
    rows = conn.execute(
        select(suppressions.c.address, suppressions.c.reason).where(
            suppressions.c.channel == channel, suppressions.c.address.in_(wanted)
        )
    )
    return {row.address: row.reason for row in rows}


def add(conn: Connection, channel: Channel, found: Mapping[str, str], now: datetime) -> None:
    """Suppress addresses, each with a reason; the first reason stays."""
    if not found:
        return
    rows = [
        {"channel": channel, "address": address, "reason": reason, "created_at": now}
        for address, reason in found.items()
    ]
    if conn.dialect.name == "postgresql":
        statement: Any = postgresql.insert(suppressions).on_conflict_do_nothing()
    else:
        statement = sqlite.insert(suppressions).on_conflict_do_nothing()
    conn.execute(statement, rows)
