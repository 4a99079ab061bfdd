"""How PostgreSQL carries out a transaction whose rows are known by their keys."""

from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, func, select

_BY_STATISTICS = ("bitmapscan", "seqscan", "hashjoin", "mergejoin")


def by_index(conn: Connection, *, repeatable: bool = False, in_order: bool = False) -> None:
    """Have this transaction find rows along an index, one by one, whatever statistics say.

    They lag behind a table that grows, or whose rows change as they fall due, and a plan made for
    a small table is kept while it grows: each batch then reads all that waits.

    ``in_order``: it takes the first rows of an order, and reads no further. A sort would read all
    that was ever due to find a few, and only a walk along the index marks what is dead in it, so
    that the next one is spared it. Where rows are named by their keys it must not be set: rather
    than sort a few of them the server would walk along an index of all.

    ``repeatable``: what this transaction writes would be written again if the server lost it, so
    its commit need not wait for the disk: whatever builds on it commits later, and waits for both.
    """
    if conn.dialect.name == "postgresql":
        conn.execute(_settings(repeatable, in_order))


@cache
def _settings(repeatable: bool, in_order: bool) -> Select[Any]:
    wanted = {f"enable_{name}": "off" for name in _BY_STATISTICS}
    if in_order:
        wanted["enable_sort"] = "off"
    if repeatable:
        wanted["synchronous_commit"] = "off"
    return select(*(func.set_config(name, value, True) for name, value in wanted.items()))
