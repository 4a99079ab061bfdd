"""What receipts, consent, breakers, caps and the promise need to keep."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant, RowId

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_SUPPRESSION = ("card_id", "source", "lifted_at", "lifted_reason")


def upgrade() -> None:
    """Apply."""
    op.add_column("messages", sa.Column("delivered_at", Instant()))
    op.add_column("attempts", sa.Column("provider", sa.String(length=20)))
    op.add_column("attempts", sa.Column("sender", sa.String(length=100)))
    op.create_index("ix_attempts_started_at", "attempts", ["started_at"])
    op.add_column("receipts", sa.Column("occurred_at", Instant()))
    op.create_index(
        "ix_receipts_received_at",
        "receipts",
        ["received_at"],
        postgresql_where=sa.text("applied_at IS NULL"),
        sqlite_where=sa.text("applied_at IS NULL"),
    )
    with op.batch_alter_table("suppressions") as table:
        table.add_column(sa.Column("card_id", RowId, nullable=False, server_default="0"))
        table.add_column(
            sa.Column("source", sa.String(length=20), nullable=False, server_default="provider")
        )
        table.add_column(sa.Column("lifted_at", Instant()))
        table.add_column(sa.Column("lifted_reason", sa.String(length=200)))
        table.drop_constraint("uq_suppressions_channel_address", type_="unique")
        table.create_unique_constraint(
            "uq_suppressions_channel_address_card_id", ["channel", "address", "card_id"]
        )
    op.create_table(
        "breakers",
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("code", sa.String(length=100), nullable=False),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("probe_at", Instant(), nullable=False),
        sa.Column("probe_message_id", RowId),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_breakers"),
    )
    op.create_table(
        "usage",
        sa.Column("book_id", RowId, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("segments", sa.Integer(), nullable=False),
        sa.Column("spend", sa.Numeric(14, 6), nullable=False),
        sa.ForeignKeyConstraint(["book_id"], ["books.id"], name="fk_usage_book_id"),
        sa.PrimaryKeyConstraint("book_id", "day", "channel", name="pk_usage"),
    )
    op.create_table(
        "digests",
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "at", name="pk_digests"),
    )
    op.create_index("ix_reminders_due_at", "reminders", ["due_at"])
    op.add_column("reminders", sa.Column("owed_at", Instant()))
    op.create_index(
        "ix_reminders_ended_at",
        "reminders",
        ["ended_at"],
        postgresql_where=sa.text("state = 'missed'"),
        sqlite_where=sa.text("state = 'missed'"),
    )
    op.add_column("cards", sa.Column("check_since", Instant()))
    op.create_index(
        "ix_cards_check_since",
        "cards",
        ["check_since"],
        postgresql_where=sa.text("check_since IS NOT NULL"),
        sqlite_where=sa.text("check_since IS NOT NULL"),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_cards_check_since", "cards")
    op.drop_column("cards", "check_since")
    op.drop_index("ix_reminders_ended_at", "reminders")
    op.drop_column("reminders", "owed_at")
    op.drop_index("ix_reminders_due_at", "reminders")
    for table in ("digests", "usage", "breakers"):
        op.drop_table(table)
    with op.batch_alter_table("suppressions") as suppressions:
        suppressions.drop_constraint("uq_suppressions_channel_address_card_id", type_="unique")
        for column in reversed(_SUPPRESSION):
            suppressions.drop_column(column)
        suppressions.create_unique_constraint(
            "uq_suppressions_channel_address", ["channel", "address"]
        )
    op.drop_index("ix_receipts_received_at", "receipts")
    op.drop_column("receipts", "occurred_at")
    op.drop_index("ix_attempts_started_at", "attempts")
    op.drop_column("attempts", "sender")
    op.drop_column("attempts", "provider")
    op.drop_column("messages", "delivered_at")
