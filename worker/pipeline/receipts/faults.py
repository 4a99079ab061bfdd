"""What receipts show of our own configuration: they open breakers, and end those they opened."""

from collections.abc import Collection
from datetime import datetime, timedelta
from itertools import islice

import structlog
from sqlalchemy import Connection

from worker.core.breaker import BreakerPolicy, Sender, rests_alone
from worker.core.outcomes import Outcome, OutcomeKind
from worker.pipeline.delivery.freeing import free
from worker.pipeline.delivery.limits import calling_code, country_of
from worker.providers.registry import row_of
from worker.store import attempts as attempt_store
from worker.store import breakers as breaker_store
from worker.store import recent_attempts
from worker.store.attempts import Tried
from worker.store.committed import after_commit

log = structlog.get_logger(__name__)

# A text of which nothing bad was heard for so long counts as one that came through: many handsets
# never confirm.
_QUIET = timedelta(minutes=10)


def shown(
    conn: Connection, one: Tried, outcome: Outcome, policy: BreakerPolicy, now: datetime
) -> bool:
    """Let ``outcome``, which a receipt reports of ``one``, open its breaker as the same fault in
    an answer does; whether there is one now. The message of ``one`` is locked."""
    sender = _sender(one)
    if sender is None or not one.address:  # too old to know where it went
        return False
    country = country_of(one.address) or "*"
    code, row = outcome.code, row_of(outcome.code)
    key = sender.key(code, row, country)
    if row.filtered:
        if not _is_rule(conn, one, key, policy, now):
            return False
    elif not _stops_others(conn, one, outcome):
        return False
    ids = [one.message_id]
    _, news = breaker_store.trip(conn, key, sender.channel, code, ids, now, policy, behind=True)
    if news and row.filtered:
        after_commit(log.error)(
            "alarm", cause="carrier_filters", code=code, key=key, message=one.message_id
        )
    elif news:
        after_commit(log.error)(
            "alarm", cause=outcome.kind, code=code, key=key, message=one.message_id
        )
    return True


def _stops_others(conn: Connection, one: Tried, outcome: Outcome) -> bool:
    code = outcome.code
    if outcome.kind is not OutcomeKind.CONFIG_FAULT or rests_alone(code, row_of(code)):
        return False
    return not _is_the_only_one(conn, one, code)


def _is_the_only_one(conn: Connection, one: Tried, code: str) -> bool:
    """Has this message met the fault before, and have others of its kind arrived since then?"""
    if one.provider is None or one.sender is None:
        return False
    earlier = attempt_store.met(conn, [one.message_id], code, before=one.started_at)
    if (since := earlier.get(one.message_id)) is None:
        return False
    arrived = recent_attempts.taken_since(conn, one.provider, one.sender, since, arrived=True)
    country = country_of(one.address)
    return any(address != one.address and country_of(address) == country for address in arrived)


def proven(conn: Connection, delivered: Collection[int], now: datetime) -> None:
    """These messages have arrived: the faults whose probes they are have ended."""
    for breaker in breaker_store.close_delivered(conn, delivered):
        free(conn, breaker, now)


def _sender(one: Tried) -> Sender | None:
    if one.provider is None or one.sender is None:
        return None
    return Sender(one.channel, one.provider, one.sender)


def _is_rule(conn: Connection, one: Tried, key: str, policy: BreakerPolicy, now: datetime) -> bool:
    """Do carriers filter what goes the way of ``one``, rather than this one text?"""
    if known := breaker_store.load(conn).get(key):
        return known.probe == one.message_id
    country, start = country_of(one.address), calling_code(one.address)
    rows = recent_attempts.latest_ends(conn, one, start, now - _QUIET)
    same = (row_of(str(row.code)).filtered for row in rows if country_of(row.address) == country)
    return policy.filters(list(islice(same, policy.filtered_of)))
