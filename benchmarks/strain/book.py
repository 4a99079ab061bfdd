"""The load: holders in a time zone where it is about noon, with cards whose plans end soon."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, insert, text

from benchmarks.throughput.load import empty
from worker.store.engine import writing
from worker.store.tables import books, cards, holders

_BATCH = 10_000


def noon(now: datetime) -> str:
    """A time zone where it is about noon: nobody is disturbed, whenever this is run."""
    hours = 12 - now.astimezone(UTC).hour
    return f"Etc/GMT{-hours:+d}" if hours else "Etc/GMT"


def fill(engine: Engine, people: Sequence[tuple[str, int]], now: datetime) -> None:
    """A book of one card for each of ``people``: how it is told (``sms`` or ``email``), and in how
    many days its plan ends. All are due at ``now``."""
    _begin(engine, now)
    with writing(engine) as conn:
        for start in range(0, len(people), _BATCH):
            part = list(enumerate(people[start : start + _BATCH], start + 1))
            conn.execute(insert(holders), [_holder(n, way, now) for n, (way, _) in part])
            conn.execute(insert(cards), [_card(n, n, days, now) for n, (_, days) in part])
    _end(engine, len(people))


def fill_one(engine: Engine, number: int, now: datetime) -> None:
    """One holder, told both ways, with ``number`` cards that end in a week."""
    _begin(engine, now)
    with writing(engine) as conn:
        row = _holder(1, "sms", now) | {"email": "holder1@example.com"}
        conn.execute(insert(holders), [row])
        for start in range(0, number, _BATCH):
            ids = range(start + 1, min(start + _BATCH, number) + 1)
            conn.execute(insert(cards), [_card(n, 1, 7, now) for n in ids])
    _end(engine, number)


def _begin(engine: Engine, now: datetime) -> None:
    empty(engine)
    with writing(engine) as conn:
        row = {"id": 1, "name": "strain", "signature": "Vigencia", "language": "en"}
        row |= {"time_zone": noon(now), "created_at": now}
        conn.execute(insert(books).values(**row))


def _end(engine: Engine, number: int) -> None:
    if engine.dialect.name == "postgresql":
        with writing(engine) as conn:
            for table in ("books", "holders", "cards"):
                conn.execute(text(f"SELECT setval('{table}_id_seq', {number + 1})"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("ANALYZE"))


def _holder(number: int, way: str, now: datetime) -> dict[str, Any]:
    return {
        "id": number,
        "book_id": 1,
        "name": f"Holder {number}",
        "language": ("en", "es-PE", "zh-Hans", "zh-Hant")[number % 4],
        "time_zone": noon(now),
        "contact_phone": f"+1555{number:08}" if way == "sms" else None,
        "email": f"holder{number}@example.com" if way == "email" else None,
        "created_at": now,
        "updated_at": now,
    }


def _card(number: int, holder: int, days: int, now: datetime) -> dict[str, Any]:
    end = now.astimezone(ZoneInfo(noon(now))).date() + timedelta(days=days)
    return {
        "id": number,
        "book_id": 1,
        "holder_id": holder,
        "kind": "data",
        "operator": ("claro", "movistar", "entel", "bitel")[number % 4],
        # No number of its own: an SMS goes to the holder's phone or nowhere.
        "iccid": f"8951{number:015}",
        "plan": "30 dias",
        "plan_days": 30,
        "plan_end": end,
        "last_topup": end - timedelta(days=30),
        "state": "active",
        "time_zone": noon(now),
        "watched_since": now - timedelta(days=1),
        "next_check_at": now,
        "created_at": now,
        "updated_at": now,
    }


def ways(number: int, way: str, days: int) -> Iterator[tuple[str, int]]:
    """``number`` people told this way, whose plans end in ``days``."""
    return ((way, days) for _ in range(number))
