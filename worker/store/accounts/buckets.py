"""How often something may still be tried, kept where every process sees it."""

from datetime import datetime

from sqlalchemy import Connection, select, update

from worker.core.buckets import Bucket, Rate
from worker.store.tables import rate_buckets
from worker.store.upsert import upsert


def take(conn: Connection, key: str, rate: Rate, now: datetime) -> bool:
    """Take one try for ``key``; whether there was one left."""
    full = upsert(conn.dialect.name, rate_buckets).values(key=key, left=rate.most, at=now)
    conn.execute(full.on_conflict_do_nothing(index_elements=["key"]))
    mine = rate_buckets.c.key == key
    row = conn.execute(select(rate_buckets).where(mine).with_for_update()).one()
    found = rate.take(Bucket(row.left, row.at), now)
    if found is None:
        return False
    conn.execute(update(rate_buckets).where(mine).values(left=found.left, at=found.at))
    return True
