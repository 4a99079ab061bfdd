"""Cards that were there before ``outlook`` and ``finder``, or before the operators' days changed,
are entered a batch at a time: one row says how far that has come, so it goes on wherever it was
left."""

from itertools import takewhile
from typing import Final

from sqlalchemy import Connection, func, select, update

from worker.core.rules import Rules
from worker.store import card_index
from worker.store.bulk import among
from worker.store.tables import cards, fills
from worker.store.upsert import upsert

_CARDS: Final = "cards"


def is_done(conn: Connection, rules: Rules) -> bool:
    """Have all cards been entered with these very ``rules``?"""
    one = conn.execute(select(fills).where(fills.c.name == _CARDS)).first()
    return (
        one is not None and one.digest == card_index.digest(rules) and one.after_id >= one.until_id
    )


def begin(conn: Connection, rules: Rules) -> None:
    """Have all cards there are entered, unless they are or will be with these very ``rules``.
    Whoever writes a card later enters it himself."""
    digest = card_index.digest(rules)
    if conn.execute(select(fills.c.digest).where(fills.c.name == _CARDS)).scalar() == digest:
        return
    last = conn.execute(select(func.max(cards.c.id))).scalar() or 0
    row = {"name": _CARDS, "digest": digest, "after_id": 0, "until_id": last}
    anew = upsert(conn.dialect.name, fills).values(row)
    conn.execute(anew.on_conflict_do_update(index_elements=["name"], set_=row))


def go_on(conn: Connection, rules: Rules, size: int) -> bool:
    """Enter up to ``size`` cards; is there more that can be done now?"""
    one = conn.execute(
        select(fills).where(fills.c.name == _CARDS).with_for_update(skip_locked=True)
    ).first()
    if one is None or one.after_id >= one.until_id:
        return False
    next_ = select(cards.c.id).where(cards.c.id > one.after_id, cards.c.id <= one.until_id)
    wanted = conn.execute(next_.order_by(cards.c.id).limit(size)).scalars().all()
    locked = select(cards.c.id).where(among(conn, cards.c.id, wanted))
    free = conn.execute(locked.with_for_update(skip_locked=True, key_share=True)).scalars()
    # Up to the first that somebody holds, such as an import: nobody is waited for, none left out.
    ids = list(takewhile(set(free).__contains__, wanted))
    card_index.renew(conn, rules, ids)
    ended = len(ids) == len(wanted) < size
    after = one.until_id if ended else ids[-1] if ids else one.after_id
    conn.execute(update(fills).where(fills.c.name == _CARDS).values(after_id=after))
    return bool(ids) and after < one.until_id


def done(conn: Connection) -> float:
    """How far it has come, from 0 to 1."""
    one = conn.execute(select(fills).where(fills.c.name == _CARDS)).first()
    if one is None:
        return 0.0
    return float(one.after_id / one.until_id) if one.until_id else 1.0
