"""The comparison: what was owed by the rules, what the ledger says, what the sandbox received."""

import json
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from worker.core.cards import CardState, Destination
from worker.core.reminders import ReminderState
from worker.core.window_times import Span
from worker.setup.app import App
from worker.store.cards import load
from worker.store.engine import reading
from worker.store.reminders import key_of
from worker.store.tables import attempts, cards, messages, reminders


@dataclass(frozen=True, slots=True)
class Audit:
    """``lost``: owed and not in the ledger, without an end, or ended as sent without the sandbox
    knowing of it. ``duplicates``: accepted by the sandbox beyond one for each message sent."""

    lost: int
    duplicates: int


def audit(app: App, sandbox_url: str, start: datetime, end: datetime) -> Audit:
    """Compare the three for the time from ``start`` to ``end``, after everything has ended."""
    accepted = read_json(f"{sandbox_url}/sandbox/record")["messages"]
    by_provider = Counter(entry["id"] for entry in accepted)
    with reading(app.engine) as conn:
        ledger = conn.execute(select(reminders)).all()
        sent = conn.execute(
            select(messages.c.id, messages.c.provider_id).where(messages.c.provider_id.is_not(None))
        ).all()
        tried = conn.execute(select(attempts.c.message_id, attempts.c.provider_id)).all()
        never_written = unwritten(app, conn, ledger, start, end)
    owner = {row.provider_id: row.message_id for row in tried if row.provider_id}
    told = {row.id for row in sent if by_provider[row.provider_id]}
    done = (ReminderState.SENT, ReminderState.DELIVERED)
    unproved = [r for r in ledger if r.state in done and r.message_id not in told]
    unended = [r for r in ledger if r.state == ReminderState.PENDING and r.useful_until <= end]
    # An accepted message that no attempt owns is one too many: its message was sent again.
    owned = Counter(owner[entry["id"]] for entry in accepted if entry["id"] in owner)
    strangers = sum(1 for entry in accepted if entry["id"] not in owner)
    twice = sum(count - 1 for count in owned.values())
    return Audit(len(unproved) + len(unended) + len(never_written), strangers + twice)


def unwritten(
    app: App, conn: Connection, ledger: Sequence[Row[Any]], start: datetime, end: datetime
) -> list[Span]:
    """What the rules say was owed for the cards as they are now, and ``ledger`` (rows of
    ``reminders``) does not have."""
    known = {(row.card_id, key_of(row)) for row in ledger}
    watched = load(conn, conn.execute(select(cards.c.id)).scalars())
    return [
        span
        for one in watched.values()
        if one.card.state is CardState.ACTIVE and one.card.renewed_at is None
        for span in app.rules.spans(one.card, one.holder)
        if max(start, one.card.watched_since) <= span.at < end
        and not any((one.card.id, span.key(to)) in known for to in Destination)
    ]


def read_json(url: str) -> Any:
    """What the sandbox tells of itself."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own sandbox
        return json.load(answer)
