"""When a number that "cannot be reached" is dead: providers say so of a phone that is off, too."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from worker.core.cards import Channel
from worker.core.reports import Phase
from worker.providers.registry import is_doubtful
from worker.store import recent_attempts
from worker.store.attempts import Tried

# So often, and from the first time to the last at least so long, without anything that arrived.
_TIMES, _SPAN = 3, timedelta(days=3)
_BACK = timedelta(days=60)


def is_proven(conn: Connection, one: Tried, now: datetime) -> bool:
    """Has the address of ``one`` refused often and long enough to be called dead? The end of
    ``one`` itself is written already."""
    since, times, first = now - _BACK, 0, one.started_at
    for end in recent_attempts.ends_at(conn, [Channel.SMS], one.address, since):
        if end.phase == Phase.DELIVERED:
            break
        if end.code is not None and is_doubtful(end.code):
            times, first = times + 1, min(first, end.started_at)
    return times >= _TIMES and one.started_at - first >= _SPAN
