"""A breaker is no more: what waited for it is due at once."""

from datetime import datetime

import structlog
from sqlalchemy import Connection

from worker.store import breakers as breaker_store
from worker.store.breakers import Breaker
from worker.store.committed import after_commit

log = structlog.get_logger(__name__)

# Messages in one statement.
_BATCH = 5_000


def free(conn: Connection, closed: Breaker, now: datetime) -> None:
    """Make due what waited for ``closed``; others may hold some of it, which come by themselves."""
    after_commit(log.info)("breaker_closed", key=closed.key, code=closed.code)
    while breaker_store.release(conn, closed, now, _BATCH) == _BATCH:
        pass
