"""first tables."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant, RowId

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "books",
        sa.Column("id", RowId, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("signature", sa.String(length=30), nullable=False),
        sa.Column("language", sa.String(length=10), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("guardian_email", sa.String(length=320), nullable=True),
        sa.Column("guardian_phone", sa.String(length=20), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_books")),
        sa.UniqueConstraint("name", name=op.f("uq_books_name")),
    )
    op.create_table(
        "receipts",
        sa.Column("id", RowId, nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("event_id", sa.String(length=200), nullable=False),
        sa.Column("attempt_id", sa.Uuid(), nullable=True),
        sa.Column("provider_id", sa.String(length=100), nullable=True),
        sa.Column("status", sa.String(length=30), nullable=False),
        sa.Column("code", sa.String(length=100), nullable=True),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("applied_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipts")),
        sa.UniqueConstraint("provider", "event_id", name=op.f("uq_receipts_provider_event_id")),
    )
    op.create_index(op.f("ix_receipts_attempt_id"), "receipts", ["attempt_id"], unique=False)
    op.create_index(op.f("ix_receipts_provider_id"), "receipts", ["provider_id"], unique=False)
    op.create_table(
        "suppressions",
        sa.Column("id", RowId, nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("reason", sa.String(length=100), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppressions")),
        sa.UniqueConstraint("channel", "address", name=op.f("uq_suppressions_channel_address")),
    )
    op.create_table(
        "holders",
        sa.Column("id", RowId, nullable=False),
        sa.Column("book_id", RowId, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("language", sa.String(length=10), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("contact_phone", sa.String(length=20), nullable=True),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["book_id"], ["books.id"], name=op.f("fk_holders_book_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holders")),
    )
    op.create_index("ix_holders_book_id_name", "holders", ["book_id", "name"], unique=False)
    op.create_table(
        "cards",
        sa.Column("id", RowId, nullable=False),
        sa.Column("book_id", RowId, nullable=False),
        sa.Column("holder_id", RowId, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("operator", sa.String(length=50), nullable=False),
        sa.Column("msisdn", sa.String(length=20), nullable=True),
        sa.Column("iccid", sa.String(length=20), nullable=True),
        sa.Column("imsi", sa.String(length=15), nullable=True),
        sa.Column("plan", sa.String(length=200), nullable=True),
        sa.Column("plan_days", sa.Integer(), nullable=True),
        sa.Column("plan_end", sa.Date(), nullable=True),
        sa.Column("last_topup", sa.Date(), nullable=True),
        sa.Column("balance", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("watched_since", Instant(), nullable=False),
        sa.Column("next_check_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["book_id"], ["books.id"], name=op.f("fk_cards_book_id")),
        sa.ForeignKeyConstraint(["holder_id"], ["holders.id"], name=op.f("fk_cards_holder_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cards")),
        sa.UniqueConstraint("book_id", "iccid", name=op.f("uq_cards_book_id_iccid")),
    )
    op.create_index("ix_cards_book_id_msisdn", "cards", ["book_id", "msisdn"], unique=False)
    op.create_index(op.f("ix_cards_holder_id"), "cards", ["holder_id"], unique=False)
    op.create_index(
        "ix_cards_next_check_at",
        "cards",
        ["next_check_at"],
        unique=False,
        postgresql_where=sa.text("next_check_at IS NOT NULL"),
        sqlite_where=sa.text("next_check_at IS NOT NULL"),
    )
    op.create_table(
        "messages",
        sa.Column("id", RowId, nullable=False),
        sa.Column("book_id", RowId, nullable=False),
        sa.Column("holder_id", RowId, nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("next_attempt_at", Instant(), nullable=False),
        sa.Column("wake_at", Instant(), nullable=True),
        sa.Column("useful_until", Instant(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=100), nullable=True),
        sa.Column("provider_id", sa.String(length=100), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("segments", sa.Integer(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["book_id"], ["books.id"], name=op.f("fk_messages_book_id")),
        sa.ForeignKeyConstraint(["holder_id"], ["holders.id"], name=op.f("fk_messages_holder_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
    )
    op.create_index(op.f("ix_messages_holder_id"), "messages", ["holder_id"], unique=False)
    op.create_index("ix_messages_provider_id", "messages", ["provider_id"], unique=False)
    op.create_index(
        "ix_messages_wake_at",
        "messages",
        ["wake_at"],
        unique=False,
        postgresql_where=sa.text("wake_at IS NOT NULL"),
        sqlite_where=sa.text("wake_at IS NOT NULL"),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("message_id", RowId, nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("code", sa.String(length=100), nullable=True),
        sa.Column("provider_id", sa.String(length=100), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_attempts_message_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        sa.UniqueConstraint("provider_id", name=op.f("uq_attempts_provider_id")),
    )
    op.create_index(op.f("ix_attempts_message_id"), "attempts", ["message_id"], unique=False)
    op.create_table(
        "card_events",
        sa.Column("id", RowId, nullable=False),
        sa.Column("card_id", RowId, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("event", sa.String(length=30), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["card_id"], ["cards.id"], name=op.f("fk_card_events_card_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card_events")),
    )
    op.create_index(op.f("ix_card_events_card_id"), "card_events", ["card_id"], unique=False)
    op.create_table(
        "reminders",
        sa.Column("id", RowId, nullable=False),
        sa.Column("card_id", RowId, nullable=False),
        sa.Column("deadline", sa.String(length=40), nullable=False),
        sa.Column("deadline_on", sa.Date(), nullable=False),
        sa.Column("window", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("useful_until", Instant(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=100), nullable=True),
        sa.Column("message_id", RowId, nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["card_id"], ["cards.id"], name=op.f("fk_reminders_card_id")),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_reminders_message_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminders")),
        sa.UniqueConstraint(
            "card_id",
            "deadline",
            "deadline_on",
            "window",
            "channel",
            name=op.f("uq_reminders_card_id_deadline_deadline_on_window_channel"),
        ),
    )
    op.create_index(op.f("ix_reminders_message_id"), "reminders", ["message_id"], unique=False)


def downgrade() -> None:
    """Undo."""
    op.drop_table("reminders")
    op.drop_table("card_events")
    op.drop_table("attempts")
    op.drop_table("messages")
    op.drop_table("cards")
    op.drop_table("holders")
    op.drop_table("suppressions")
    op.drop_table("receipts")
    op.drop_table("books")
