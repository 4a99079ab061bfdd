"""People who look at the console: who they are, what they may do, and what they did."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant, RowId

revision: str = "0018"
down_revision: str | None = "0016"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    _users()
    _sessions()
    op.create_table(
        "rate_buckets",
        sa.Column("key", sa.String(length=64), primary_key=True),
        sa.Column("left", sa.Float(), nullable=False),
        sa.Column("at", Instant(), nullable=False, index=True),
    )
    _audit()


def _users() -> None:
    op.create_table(
        "users",
        sa.Column("id", RowId, primary_key=True),
        sa.Column("name", sa.String(length=100), nullable=False, unique=True),
        sa.Column("password", sa.String(length=200)),
        sa.Column("role", sa.String(length=10)),
        sa.Column("language", sa.String(length=10), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("disabled_at", Instant()),
    )
    op.create_table(
        "memberships",
        sa.Column("user_id", RowId, sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("book_id", RowId, sa.ForeignKey("books.id"), primary_key=True),
        sa.Column("role", sa.String(length=10), nullable=False),
    )


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(length=64), primary_key=True),
        sa.Column("user_id", RowId, sa.ForeignKey("users.id"), nullable=False, index=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False, index=True),
        sa.Column("confirmed_at", Instant(), nullable=False),
    )
    op.create_table(
        "sign_in_links",
        sa.Column("token_hash", sa.String(length=64), primary_key=True),
        sa.Column("user_id", RowId, sa.ForeignKey("users.id"), nullable=False, index=True),
        sa.Column("expires_at", Instant(), nullable=False, index=True),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", RowId, primary_key=True),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("user_id", RowId, sa.ForeignKey("users.id")),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("book_id", RowId, sa.ForeignKey("books.id")),
        sa.Column("subject", sa.String(length=20), nullable=False),
        sa.Column("subject_id", RowId),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("address", sa.String(length=45)),
        sa.Column("form_id", sa.String(length=32), unique=True),
    )
    op.create_index("ix_audit_book_id_id", "audit", ["book_id", "id"])
    op.create_index("ix_audit_subject", "audit", ["subject", "subject_id", "id"])


def downgrade() -> None:
    """Undo."""
    for table in (
        *("audit", "rate_buckets", "sign_in_links", "sessions"),
        *("memberships", "users"),
    ):
        op.drop_table(table)
