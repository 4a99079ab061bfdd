"""Columns for what special values of other columns stood for.

A card whose check was asked for had ``next_check_at`` in 1970: now ``check_asked_at`` says since
when, and the other is the next instant again, or nothing. What concerned no single card, or all
books, named number 0: now it names none. That a number was recycled stood there as a provider's
word, which a text that arrives takes back: it is an event's. What a message waits for, and by which
fault it is held, stood in the words of its reason; the channel of a breaker in its key; how far an
attempt has come in three columns, one of which was overwritten.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

from worker.store.types import Instant, RowId

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    _cards()
    _suppressions()
    _rechecks()
    _messages()
    _breakers()
    _attempts()


def downgrade() -> None:
    """Undo."""
    with _altered("attempts") as table:
        table.drop_constraint(_TAKEN_BY_ID, type_="check")
        table.drop_column("phase")
    op.drop_column("breakers", "channel")
    op.drop_column("messages", "fault")
    op.drop_column("messages", "obstacle")
    _rechecks_before()
    _suppressions_before()
    _cards_before()


def _altered(table: str) -> AbstractContextManager[BatchOperations]:
    """SQLite copies the table, and needs not to know the tables that it names."""
    return op.batch_alter_table(table, reflect_kwargs={"resolve_fks": False})


_AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
_ASKED = "ix_cards_check_asked_at"
_CARDS = sa.table(
    "cards",
    *(sa.column(name, Instant) for name in ("next_check_at", "check_asked_at", "updated_at")),
)


def _cards() -> None:
    op.add_column("cards", sa.Column("check_asked_at", Instant))
    asked = sa.update(_CARDS).where(_CARDS.c.next_check_at <= _AT_ONCE)
    op.execute(asked.values(check_asked_at=_CARDS.c.updated_at, next_check_at=None))
    some = sa.text("check_asked_at IS NOT NULL")
    op.create_index(_ASKED, "cards", ["check_asked_at"], postgresql_where=some, sqlite_where=some)


def _cards_before() -> None:
    asked = sa.update(_CARDS).where(_CARDS.c.check_asked_at.is_not(None))
    op.execute(asked.values(next_check_at=_AT_ONCE))
    op.drop_index(_ASKED, "cards")
    op.drop_column("cards", "check_asked_at")


_FOR_EVERYTHING = "uq_suppressions_channel_address"
_NO_ZERO = "ck_suppressions_card_id"
_SUPPRESSIONS = sa.table(
    "suppressions", sa.column("card_id", RowId), *map(sa.column, ("reason", "source"))
)
_RECYCLED = sa.update(_SUPPRESSIONS).where(_SUPPRESSIONS.c.reason == "recycled")


def _suppressions() -> None:
    with _altered("suppressions") as table:
        table.alter_column("card_id", existing_type=RowId, nullable=True, server_default=None)
    everything = sa.update(_SUPPRESSIONS).where(_SUPPRESSIONS.c.card_id == 0)
    op.execute(everything.values(card_id=None))
    op.execute(_RECYCLED.where(_SUPPRESSIONS.c.source == "provider").values(source="event"))
    with _altered("suppressions") as table:
        table.create_check_constraint(_NO_ZERO, sa.column("card_id") > 0)
    none = sa.text("card_id IS NULL")
    op.create_index(
        _FOR_EVERYTHING,
        "suppressions",
        ["channel", "address"],
        unique=True,
        postgresql_where=none,
        sqlite_where=none,
    )


def _suppressions_before() -> None:
    op.drop_index(_FOR_EVERYTHING, "suppressions")
    with _altered("suppressions") as table:
        table.drop_constraint(_NO_ZERO, type_="check")
        table.alter_column("card_id", existing_type=RowId, server_default="0")
    everything = sa.update(_SUPPRESSIONS).where(_SUPPRESSIONS.c.card_id.is_(None))
    op.execute(everything.values(card_id=0))
    op.execute(_RECYCLED.where(_SUPPRESSIONS.c.source == "event").values(source="provider"))
    with _altered("suppressions") as table:
        table.alter_column("card_id", existing_type=RowId, nullable=False)


_ALL_BOOKS = "uq_rechecks_all_books"
_HOW_FAR = (("after_id", RowId), ("until_id", RowId), ("asked_at", Instant))
_RECHECKS = sa.table(
    "rechecks", *(sa.column(name, own) for name, own in (("book_id", RowId), *_HOW_FAR))
)


def _rechecks() -> None:
    """A handful of rows: the table is made anew, since its key is another."""
    underway = _taken_away()
    op.create_table(
        "rechecks",
        sa.Column("id", RowId, nullable=False),
        sa.Column("book_id", RowId, nullable=True),
        *(sa.Column(name, own, nullable=False) for name, own in _HOW_FAR),
        sa.ForeignKeyConstraint(["book_id"], ["books.id"], name="fk_rechecks_book_id"),
        sa.PrimaryKeyConstraint("id", name="pk_rechecks"),
        sa.UniqueConstraint("book_id", name="uq_rechecks_book_id"),
    )
    none = sa.text("book_id IS NULL")
    op.create_index(
        _ALL_BOOKS,
        "rechecks",
        [sa.text("(book_id IS NULL)")],
        unique=True,
        postgresql_where=none,
        sqlite_where=none,
    )
    books = set(op.get_bind().execute(sa.text("SELECT id FROM books")).scalars())
    rows = [row | {"book_id": row["book_id"] or None} for row in underway]
    op.bulk_insert(_RECHECKS, [row for row in rows if row["book_id"] in {None, *books}])


def _rechecks_before() -> None:
    underway = _taken_away()
    op.create_table(
        "rechecks",
        sa.Column("book_id", RowId, nullable=False, autoincrement=False),
        *(sa.Column(name, own, nullable=False) for name, own in _HOW_FAR),
        sa.PrimaryKeyConstraint("book_id", name="pk_rechecks"),
    )
    op.bulk_insert(_RECHECKS, [row | {"book_id": row["book_id"] or 0} for row in underway])


def _taken_away() -> list[dict[str, Any]]:
    rows = op.get_bind().execute(sa.select(_RECHECKS)).mappings().all()
    op.drop_table("rechecks")
    return [dict(row) for row in rows]


_OBSTACLES = {
    "pace": "pace",
    "daily_cap": "cap",
    "cap:address": "cap",
    "cap:book": "cap",
    "cap:spend": "cap",
    "quiet_hours": "hours",
    "gathering": "gathering",
}
_BREAKER = "breaker:"
_MESSAGES = sa.table(
    "messages",
    sa.column("wake_at", Instant),
    *map(sa.column, ("state", "reason", "obstacle", "fault")),
)


def _messages() -> None:
    """Of what has not ended; its reason stays as it is, for people."""
    op.add_column("messages", sa.Column("obstacle", sa.String(20)))
    op.add_column("messages", sa.Column("fault", sa.String(100)))
    reason = _MESSAGES.c.reason
    open_ = sa.update(_MESSAGES).where(_MESSAGES.c.wake_at.is_not(None))
    for said, obstacle in _OBSTACLES.items():
        op.execute(open_.where(reason == said).values(obstacle=obstacle))
    behind = open_.where(reason.startswith(_BREAKER))
    code = sa.func.substr(reason, len(_BREAKER) + 1)
    op.execute(behind.values(obstacle="breaker", fault=code))
    held = open_.where(_MESSAGES.c.state == "held", _MESSAGES.c.obstacle.is_(None))
    op.execute(held.where(reason != "template_failed").values(fault=reason))


def _breakers() -> None:
    op.add_column("breakers", sa.Column("channel", sa.String(10)))
    table = sa.table("breakers", *map(sa.column, ("key", "channel")))
    for key in op.get_bind().execute(sa.select(table.c.key)).scalars().all():
        own = sa.update(table).where(table.c.key == key)
        op.execute(own.values(channel=key.partition("/")[0]))
    with _altered("breakers") as batch:
        batch.alter_column("channel", existing_type=sa.String(10), nullable=False)


_TAKEN_BY_ID = "ck_attempts_phase"
_ATTEMPTS = sa.table("attempts", *map(sa.column, ("outcome", "code", "provider_id", "phase")))


def _attempts() -> None:
    """Every attempt that was taken is written once more."""
    phase = sa.Column("phase", sa.String(10), nullable=False, server_default="open")
    op.add_column("attempts", phase)
    was = _ATTEMPTS.c
    reached = sa.case(
        (was.outcome != "accepted", "failed"), (was.code == "delivered", "delivered"), else_="taken"
    )
    taken = sa.update(_ATTEMPTS).where(was.provider_id.is_not(None))
    op.execute(taken.values(phase=reached))
    with _altered("attempts") as table:
        table.create_check_constraint(
            _TAKEN_BY_ID, sa.text("(phase = 'open') = (provider_id IS NULL)")
        )
