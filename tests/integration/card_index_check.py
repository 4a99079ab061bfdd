"""What ``outlook`` and ``finder`` must hold, worked out from the cards alone."""

from datetime import date
from typing import Any

from sqlalchemy import Connection, select

from worker.core.cards import CardState
from worker.core.deadlines import GRAVITY
from worker.core.rules import Rules
from worker.core.search_terms import terms
from worker.store.cards import load
from worker.store.tables import cards, finder, outlook

Rows = set[tuple[Any, ...]]


def is_index_true(conn: Connection, rules: Rules) -> bool:
    """Do both tables say what the cards say? Raises ``AssertionError`` with the difference."""
    for table, wanted in ((outlook, _days(conn, rules)), (finder, _terms(conn))):
        found = [tuple(row) for row in conn.execute(select(table))]
        assert set(found) == wanted, (table.name, set(found) ^ wanted)
        assert len(found) == len(wanted)
    return True


def _days(conn: Connection, rules: Rules) -> Rows:
    wanted: Rows = set()
    for row in _there(conn):
        card = load(conn, [row.id])[row.id].card
        watched = card.state in (CardState.ACTIVE, CardState.SUSPENDED)
        steps = list(rules.ladder(card).values()) if watched else []
        steps.sort(key=lambda one: (one.on, GRAVITY.index(one.kind)))
        before = [None, *(one.on for one in steps)]
        days = [(one.kind.value, one.on) for one in steps] + [("", date.max)]
        wanted |= {
            (card.id, deadline, card.book_id, on, after)
            for (deadline, on), after in zip(days, before, strict=True)
        }
    return wanted


def _terms(conn: Connection) -> Rows:
    return {
        (row.book_id, term, row.id)
        for row in _there(conn)
        for term in terms(row.msisdn, row.iccid, row.imsi, load(conn, [row.id])[row.id].holder.name)
    }


def _there(conn: Connection) -> Any:
    return conn.execute(select(cards).where(cards.c.removed_at.is_(None))).all()
