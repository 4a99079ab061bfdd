"""Narrow tables for pages that people look at, and indexes that few rows enter.

They begin empty: what is there already is entered by the scheduler, a batch at a time, since the
days of a deadline follow from the operators' files, and a million cards are no single transaction.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TERM = sa.String(40).with_variant(sa.String(40, collation="C"), "postgresql")
_TROUBLED = sa.Column("state").in_(
    ["cancelled", "failed", "held", "retryable", "undelivered", "unknown"]
)
_UNREACHED = sa.Column("state").in_(["suppressed", "missed"]) & (sa.Column("audience") == "holder")
# Name, table, columns, and which rows enter.
_INDEXES: tuple[tuple[str, str, list[str], Any], ...] = (
    (
        "ix_cards_book_id_state_id",
        "cards",
        ["book_id", "state", "id"],
        sa.Column("state") != "active",
    ),
    ("ix_cards_book_id_id_paused", "cards", ["book_id", "id"], sa.Column("paused").is_(sa.true())),
    ("ix_messages_book_id_state_id", "messages", ["book_id", "state", "id"], _TROUBLED),
    (
        "ix_messages_book_id_id_ended",
        "messages",
        ["book_id", "id"],
        sa.Column("wake_at").is_(None),
    ),
    ("ix_reminders_due_at_unreached", "reminders", ["due_at"], _UNREACHED),
)


def upgrade() -> None:
    """Apply."""
    for name, table, columns, where in _INDEXES:
        op.create_index(name, table, columns, postgresql_where=where, sqlite_where=where)
    _cards()
    _tallies()
    op.create_table(
        "alarms",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(120), nullable=False, server_default=""),
        sa.Column("book_id", _ROW_ID, nullable=False, server_default="0"),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("last_at", Instant, nullable=False),
        sa.Column("ended_at", Instant),
        sa.Column("seen_by", sa.String(100)),
        sa.Column("seen_at", Instant),
        sa.PrimaryKeyConstraint("id", name="pk_alarms"),
    )
    is_open = sa.Column("ended_at").is_(None)
    op.create_index(
        "uq_alarms_open",
        "alarms",
        ["kind", "subject", "book_id"],
        unique=True,
        postgresql_where=is_open,
        sqlite_where=is_open,
    )
    op.create_index("ix_alarms_ended_at", "alarms", ["ended_at"])


def _cards() -> None:
    op.create_table(
        "outlook",
        sa.Column("card_id", _ROW_ID, nullable=False, autoincrement=False),
        sa.Column("deadline", sa.String(40), nullable=False),
        sa.Column("book_id", _ROW_ID, nullable=False),
        sa.Column("on_day", sa.Date, nullable=False),
        sa.Column("after_day", sa.Date),
        sa.PrimaryKeyConstraint("card_id", "deadline", name="pk_outlook"),
    )
    op.create_index(
        "ix_outlook_book_id_on_day_card_id",
        "outlook",
        ["book_id", "on_day", "card_id"],
        postgresql_include=["deadline", "after_day"],
    )
    op.create_table(
        "finder",
        sa.Column("book_id", _ROW_ID, nullable=False, autoincrement=False),
        sa.Column("term", _TERM, nullable=False),
        sa.Column("card_id", _ROW_ID, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("book_id", "term", "card_id", name="pk_finder"),
    )
    op.create_index("ix_finder_card_id", "finder", ["card_id"])
    op.create_table(
        "fills",
        sa.Column("name", sa.String(30), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("after_id", _ROW_ID, nullable=False),
        sa.Column("until_id", _ROW_ID, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_fills"),
    )


def _tallies() -> None:
    key = ("day", "book_id", "channel", "verdict", "state", "window", "reason")
    sums = ("notices", "within_5", "within_60", "within_300", "within_3600", "slowest")
    op.create_table(
        "tallies",
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("book_id", _ROW_ID, nullable=False, autoincrement=False),
        sa.Column("channel", sa.String(10), nullable=False),
        sa.Column("verdict", sa.String(20), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("window", sa.String(40), nullable=False),
        sa.Column("reason", sa.String(100), nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in sums),
        sa.PrimaryKeyConstraint(*key, name="pk_tallies"),
    )
    op.create_index("ix_tallies_book_id_day", "tallies", ["book_id", "day"])
    op.create_table(
        "tally_days",
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("begins_at", Instant, nullable=False),
        sa.Column("ends_at", Instant, nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("day", name="pk_tally_days"),
    )


def downgrade() -> None:
    """Undo."""
    for table in ("alarms", "tally_days", "tallies", "fills", "finder", "outlook"):
        op.drop_table(table)
    for name, table, *_ in reversed(_INDEXES):
        op.drop_index(name, table)
