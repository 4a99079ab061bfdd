"""The load: a database of cards of which a share has a window opening now."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert, text

from worker.store.engine import writing
from worker.store.tables import books, cards, holders, metadata

# 09:00 in Lima: the hour at which windows open there.
NOW = datetime(2026, 6, 5, 14, 0, tzinfo=UTC)
TODAY = date(2026, 6, 5)
_BATCH = 10_000


def fill(engine: Engine, number: int, due: int) -> None:
    """``number`` cards, one to a holder, of which ``due`` owe one notice at ``NOW``: half of them
    by SMS, half by email. The others are next looked at in a year."""
    empty(engine)
    before = NOW - timedelta(hours=1)
    with writing(engine) as conn:
        conn.execute(insert(books).values(id=1, name="bench", signature="Vigencia", language="en",
                                          time_zone="America/Lima", created_at=before))  # fmt: skip
    spread = random.Random(1).sample(range(1, number + 1), due)
    wanted = {card: turn % 2 == 0 for turn, card in enumerate(spread)}
    for start in range(1, number + 1, _BATCH):
        ids = range(start, min(start + _BATCH, number + 1))
        with writing(engine) as conn:
            conn.execute(insert(holders), list(_holders(ids, wanted, before)))
            conn.execute(insert(cards), list(_cards(ids, wanted, before)))
    with writing(engine) as conn:
        if engine.dialect.name == "postgresql":
            for table in ("books", "holders", "cards"):
                conn.execute(text(f"SELECT setval('{table}_id_seq', {number + 1})"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("ANALYZE"))


def empty(engine: Engine) -> None:
    """Remove every row."""
    with writing(engine) as conn:
        if engine.dialect.name == "postgresql":
            names = ", ".join(table.name for table in metadata.sorted_tables)
            conn.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
        else:
            for table in reversed(metadata.sorted_tables):
                conn.execute(table.delete())


def due_again(engine: Engine, most: int = 10**9) -> None:
    """As ``fill`` left it: nothing sent, the same cards due (at most ``most`` of them)."""
    with writing(engine) as conn:
        for name in ("receipts", "attempts", "reminders", "messages", "usage", "card_events"):
            conn.execute(text(f"DELETE FROM {name}"))  # noqa: S608
        conn.execute(
            text(
                "UPDATE cards SET next_check_at = CASE WHEN note = 'due' AND id IN"
                " (SELECT id FROM cards WHERE note = 'due' ORDER BY id LIMIT :most)"
                " THEN :now ELSE :later END, check_since = NULL"
                " WHERE note = 'due' OR next_check_at <> :later"
            ).bindparams(*_instants(), most=most)
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("VACUUM ANALYZE" if engine.dialect.name == "postgresql" else "ANALYZE"))


def _instants() -> tuple[Any, Any]:
    from sqlalchemy import bindparam

    from worker.store.types import Instant

    later = NOW + timedelta(days=365)
    return bindparam("now", NOW, Instant()), bindparam("later", later, Instant())


def _holders(ids: range, wanted: dict[int, bool], at: datetime) -> Iterator[dict[str, Any]]:
    for card in ids:
        by_sms = wanted.get(card, True)
        yield {
            "id": card,
            "book_id": 1,
            "name": f"Holder {card}",
            "language": ("en", "es-PE", "zh-Hans", "zh-Hant")[card % 4],
            "time_zone": "America/Lima",
            "contact_phone": f"+1555{card:08}" if by_sms else None,
            "email": None if by_sms else f"holder{card}@example.com",
            "created_at": at,
            "updated_at": at,
        }


def _cards(ids: range, wanted: dict[int, bool], at: datetime) -> Iterator[dict[str, Any]]:
    for card in ids:
        due = card in wanted
        end = TODAY + timedelta(days=7 if due else 365)
        yield {
            "id": card,
            "book_id": 1,
            "holder_id": card,
            "kind": "data",
            "operator": ("claro", "movistar", "entel", "bitel")[card % 4],
            # No number: an SMS goes to the holder's phone or nowhere.
            "iccid": f"8951{card:015}",
            "plan": "30 dias",
            "plan_days": 30,
            "plan_end": end,
            "last_topup": end - timedelta(days=30),
            "state": "active",
            "time_zone": "America/Lima",
            "note": "due" if due else None,
            "watched_since": at,
            "next_check_at": NOW if due else NOW + timedelta(days=365),
            "created_at": at,
            "updated_at": at,
        }
