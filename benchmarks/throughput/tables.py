"""What the baselines keep: cards with their holders in one table, and what was sent."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import DateTime, Engine, UniqueConstraint, insert, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from benchmarks.throughput.load import NOW, TODAY


class Base(DeclarativeBase):
    """The baselines' own tables."""


class BenchCard(Base):
    """A card and whom to tell."""

    __tablename__ = "bench_cards"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    phone: Mapped[str | None]
    email: Mapped[str | None]
    language: Mapped[str]
    operator: Mapped[str]
    iccid: Mapped[str]
    plan_end: Mapped[date]
    next_check_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)


class BenchReminder(Base):
    """A notice, sent once."""

    __tablename__ = "bench_reminders"
    __table_args__ = (UniqueConstraint("card_id", "plan_end", "window"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    card_id: Mapped[int]
    plan_end: Mapped[date]
    window: Mapped[str]
    state: Mapped[str]
    provider_id: Mapped[str | None]


def fill(engine: Engine, number: int, due: int) -> None:
    """``number`` cards, of which the first ``due`` owe a notice at ``NOW``."""
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with engine.begin() as conn:
        conn.execute(insert(BenchCard), list(rows(number, due)))


def due_again(engine: Engine) -> None:
    """As ``fill`` left it."""
    with engine.begin() as conn:
        conn.execute(text("TRUNCATE bench_reminders"))


def due_ids(engine: Engine) -> list[int]:
    """What a clock loop would enqueue."""
    with engine.connect() as conn:
        rows = conn.execute(
            text("SELECT id FROM bench_cards WHERE next_check_at <= :now").bindparams(now=NOW)
        )
        return [row.id for row in rows]


def rows(number: int, due: int) -> Iterator[dict[str, Any]]:
    for card in range(1, number + 1):
        wanted = card <= due
        yield {
            "id": card,
            "name": f"Holder {card}",
            "phone": f"+1555{card:08}" if card % 2 else None,
            "email": None if card % 2 else f"holder{card}@example.com",
            "language": ("en", "es-PE", "zh-Hans", "zh-Hant")[card % 4],
            "operator": ("claro", "movistar", "entel", "bitel")[card % 4],
            "iccid": f"8951{card:015}",
            "plan_end": TODAY + timedelta(days=7 if wanted else 365),
            "next_check_at": NOW if wanted else NOW + timedelta(days=365),
        }
